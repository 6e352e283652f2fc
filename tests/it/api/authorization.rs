//! Who may call what: every operation of the OpenAPI document × every identity.

use registry::{NewIntegration, NewUser, RegistrationFilter, Roles};
use registry_core::permission::Role;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::Reference;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use support::{Client, Engine, TestServer};

/// What each identity gets: anonymous, a manager of another workspace, viewer, manager, admin, gateway. Placeholders
/// of the path are filled with things that exist in the workspace `acme`.
struct Row(&'static str, [u16; 6]);

/// An upstream that does not answer: some operations send requests to it.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9/mcp";

/// Every caller with a credential.
const ANYBODY: [u16; 6] = [401, 200, 200, 200, 200, 200];
/// Lists: the other workspace sees an empty or shorter one.
const READ_LIST: [u16; 6] = [401, 200, 200, 200, 200, 403];
/// Things of the workspace `acme`.
const READ: [u16; 6] = [401, 404, 200, 200, 200, 403];
const WRITE: [u16; 6] = [401, 404, 403, 200, 200, 403];
/// The same for gateways too.
const READ_BY_GATEWAY: [u16; 6] = [401, 404, 200, 200, 200, 200];
/// What gateways report, and who may change the thing.
const REPORT: [u16; 6] = [401, 404, 403, 200, 200, 200];
/// Things of the organisation.
const READ_ORGANISATION: [u16; 6] = [401, 403, 200, 200, 200, 403];
const ADMIN: [u16; 6] = [401, 403, 403, 403, 200, 403];
const NOT_BUILT: [u16; 6] = [401, 501, 501, 501, 501, 501];
const GATEWAY: [u16; 6] = [401, 403, 403, 403, 403, 200];
const OPEN: [u16; 6] = [200; 6];

const TABLE: &[Row] = &[
    Row("check_health", OPEN),
    Row("check_readiness", OPEN),
    Row("read_metrics", OPEN),
    Row("read_advanced_configuration_schema", ANYBODY),
    Row("check_advanced_configuration", READ_LIST),
    Row("list_api_keys", ADMIN),
    Row("create_api_key", ADMIN),
    Row("read_api_key", ADMIN),
    Row("update_api_key", ADMIN),
    Row("rotate_api_key", ADMIN),
    Row("revoke_api_key", ADMIN),
    Row("create_user", ADMIN),
    Row("list_users", ADMIN),
    Row("read_user", ADMIN),
    Row("update_user", ADMIN),
    Row("deactivate_user", ADMIN),
    Row("reactivate_user", ADMIN),
    Row("create_sign_in_link", ADMIN),
    Row("list_user_sessions", ADMIN),
    Row("end_user_sessions", ADMIN),
    // They never signed in.
    Row("end_user_session", [401, 403, 403, 403, 404, 403]),
    Row("list_audit_events", ADMIN),
    Row("fetch_gateway_server", GATEWAY),
    Row("list_gateway_servers", GATEWAY),
    Row("follow_gateway_changes", GATEWAY),
    Row("list_integrations", READ_LIST),
    Row("create_integration", [401, 403, 403, 200, 200, 403]),
    // Who is bound to another workspace may look at what it could make there.
    Row("preflight_new_integration", [401, 200, 403, 200, 200, 403]),
    Row("preflight_integration", WRITE),
    Row("test_integration", WRITE),
    Row("test_server", WRITE),
    Row("look_at_integration", WRITE),
    Row("read_integration", READ),
    Row("update_integration", WRITE),
    Row("delete_integration", WRITE),
    // Who is bound to a workspace imports for it.
    Row("import_integrations", [401, 200, 403, 200, 200, 403]),
    Row("duplicate_integration", WRITE),
    Row("reregister_integration", WRITE),
    Row("list_integration_revisions", READ),
    Row("revert_integration", WRITE),
    Row("read_integration_workspaces", READ),
    Row("update_integration_workspaces", WRITE),
    Row("list_access_revisions", READ),
    Row("revert_access", WRITE),
    Row("list_servers", READ_LIST),
    Row("create_server", WRITE),
    Row("read_server", READ),
    Row("update_server", WRITE),
    Row("delete_server", WRITE),
    Row("read_client_metadata", READ),
    Row("list_server_revisions", READ),
    Row("revert_server", WRITE),
    Row("read_organisation_configuration", READ_ORGANISATION),
    Row("update_organisation_configuration", ADMIN),
    Row("list_organisation_revisions", READ_ORGANISATION),
    Row("revert_organisation", ADMIN),
    Row("list_registrations", READ_LIST),
    Row("read_registration", READ),
    Row("retry_registration", WRITE),
    Row("reregister_registration", WRITE),
    // Nothing waits for an agreement: 409 for those who may ask.
    Row("approve_registration", [401, 404, 403, 409, 409, 403]),
    Row("skip_registration", [401, 404, 403, 409, 409, 403]),
    Row("withdraw_registration", WRITE),
    Row("enter_registration_client", WRITE),
    Row("list_rollouts", READ_ORGANISATION),
    // There is none.
    Row("read_rollout", [401, 403, 404, 404, 404, 403]),
    Row("list_refused_servers", [401, 403, 404, 404, 404, 403]),
    Row("watch_rollout", [401, 403, 404, 404, 404, 403]),
    Row("pause_rollout", [401, 403, 403, 403, 404, 403]),
    Row("resume_rollout", [401, 403, 403, 403, 404, 403]),
    Row("list_orphans", READ_LIST),
    // There is none.
    Row("resolve_orphan", [401, 404, 403, 404, 404, 403]),
    // There is no client yet.
    Row("ensure_gateway_server", [401, 403, 403, 403, 403, 202]),
    Row("report_gateway_server", GATEWAY),
    Row("read_client_id_document", [404; 6]),
    Row("list_workspaces", READ_LIST),
    Row("create_workspace", ADMIN),
    Row("read_workspace", READ),
    Row("update_workspace", ADMIN),
    Row("delete_workspace", ADMIN),
    Row("list_integration_capabilities", READ),
    Row("update_integration_capabilities", WRITE),
    Row("read_integration_metadata", READ),
    Row("sync_integration", REPORT),
    Row("list_server_capabilities", READ_BY_GATEWAY),
    Row("update_server_capabilities", WRITE),
    Row("sync_server_capabilities", REPORT),
    // There is no client yet.
    Row("read_server_client_info", [401, 403, 403, 403, 403, 404]),
    Row("list_server_connections", READ_BY_GATEWAY),
    Row("delete_server_connections", WRITE),
    Row("read_server_metadata", READ_BY_GATEWAY),
    Row("sync_server_metadata", REPORT),
    // There is none.
    Row("read_server_tokens", [401, 404, 404, 404, 404, 404]),
    Row("admin_create_workspace", ADMIN),
    Row("admin_list_workspaces", READ_LIST),
    Row("admin_read_workspace", READ),
    Row("admin_update_workspace", ADMIN),
    Row("admin_delete_workspace", ADMIN),
    Row("add_workspace_members", ADMIN),
    Row("list_workspace_members", ADMIN),
    // The user is no member.
    Row("read_workspace_member", [401, 403, 403, 403, 404, 403]),
    Row("update_workspace_member", ADMIN),
    Row("remove_workspace_member", [401, 403, 403, 403, 404, 403]),
    Row("create_invite", ADMIN),
    Row("list_invites", ADMIN),
    Row("read_invite", ADMIN),
    Row("delete_invite", ADMIN),
    Row("resend_invite", ADMIN),
    Row("admin_list_users", ADMIN),
    Row("admin_read_user", ADMIN),
    Row("admin_update_user", ADMIN),
    Row("admin_delete_user", ADMIN),
    Row("create_api_key_of_kind", ADMIN),
    Row("list_secret_references", READ_LIST),
    // There is none.
    Row("read_secret_reference", [401, 404, 404, 404, 404, 403]),
    Row("create_secret_reference", [401, 403, 403, 403, 409, 403]),
    Row("update_secret_reference", [401, 403, 403, 403, 409, 403]),
    Row("delete_secret_reference", [401, 403, 403, 403, 409, 403]),
    Row("update_server_tokens", NOT_BUILT),
    Row("delete_server_tokens", READ_BY_GATEWAY),
    Row("list_server_user_access", READ),
    Row("update_server_user_access", WRITE),
    Row("check_server_user_access", READ_BY_GATEWAY),
    // Only keys of a workspace are of use at a gateway.
    Row("read_own_key", [401, 200, 403, 403, 403, 403]),
    // There is no client yet, so that the gateway is told to wait.
    Row("read_gateway_server", [401, 403, 403, 403, 403, 503]),
    Row("check_gateway_user", GATEWAY),
    Row("read_gateway_client", [401, 403, 403, 403, 403, 404]),
    Row("list_gateway_capabilities", READ_BY_GATEWAY),
    Row("sync_gateway_capabilities", REPORT),
    Row("sync_gateway_metadata", REPORT),
    Row("read_gateway_token", [401, 404, 404, 404, 404, 404]),
    Row("store_gateway_token", NOT_BUILT),
    Row("delete_gateway_token", READ_BY_GATEWAY),
    Row("register_gateway_client", NOT_BUILT),
    Row("authorize_at_gateway", [501; 6]),
    Row("authorize_resource_at_gateway", [501; 6]),
    Row("authorize_server_at_gateway", [501; 6]),
    Row("issue_gateway_token", NOT_BUILT),
    Row("introspect_gateway_token", ANYBODY),
    Row("revoke_gateway_token", ANYBODY),
    Row("accept_gateway_logs", GATEWAY),
    Row("accept_gateway_analytics", GATEWAY),
];

/// A body that is good, for operations that take one.
pub(crate) fn body(operation: &str) -> Value {
    let named = json!({ "oauth_client_metadata": { "client_name": "A" } });
    match operation {
        "check_advanced_configuration" | "update_organisation_configuration" => {
            json!({ "configurations": named })
        }
        "enter_registration_client" => json!({ "client_id": "by-hand" }),
        "ensure_gateway_server" => json!({ "wait": 0 }),
        "report_gateway_server" => json!({ "generation": 1, "error": "invalid_client" }),
        "create_user" => json!({ "email": "new@acme.com", "role": "viewer" }),
        "update_user" | "update_workspace_member" => json!({ "role": "manager" }),
        "create_api_key" => json!({ "name": "k", "role": "viewer" }),
        "create_api_key_of_kind" => json!({ "name": "k", "scopes": ["mcp.invoke"] }),
        "add_workspace_members" => json!({ "users": [] }),
        "admin_update_user" => json!({ "role": "admin" }),
        "create_invite" => {
            json!({ "email": "new@acme.com", "role": "member", "workspaces": [{ "id": "acme", "role": "member" }] })
        }
        "create_integration" | "preflight_new_integration" => {
            json!({ "name": "New", "url": NOWHERE, "auth_type": "oauth_auto", "transport": "http" })
        }
        "import_integrations" => {
            json!({ "integrations": [{ "name": "New", "url": NOWHERE, "auth_type": "none", "transport": "http" }] })
        }
        "duplicate_integration" => json!({ "name": "Copy" }),
        "reregister_integration" => json!({ "which": "all" }),
        "create_server" => json!({ "name": "New", "mcp_integration_id": "linear", "workspace_id": "acme" }),
        "create_workspace" | "admin_create_workspace" => json!({ "name": "New workspace" }),
        "update_integration"
        | "update_server"
        | "update_workspace"
        | "admin_update_workspace"
        | "update_api_key" => json!({ "name": "Changed" }),
        "update_integration_workspaces" => {
            json!({ "workspaces": [{ "id": "acme", "configurations": named }] })
        }
        "update_integration_capabilities" | "update_server_capabilities" => {
            json!({ "capabilities": [{ "name": "add", "type": "tool", "enabled": false }] })
        }
        "sync_integration" | "sync_server_capabilities" | "sync_gateway_capabilities" => {
            json!({ "capabilities": [{ "name": "add", "type": "tool" }] })
        }
        "sync_server_metadata" | "sync_gateway_metadata" => json!({ "server_name": "linear" }),
        "update_server_user_access" => json!({ "default_user_access": "deny" }),
        _ => json!({}),
    }
}

in_parts! {
async fn every_operation_answers_every_identity_as_the_table_says(part: usize in [first = 0, second = 1, third = 2, fourth = 3]) {
    let document = serde_json::to_value(registry_api::document()).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if let Some(id) = operation["operationId"].as_str() {
                operations.push((id.to_owned(), method.to_uppercase(), path.clone()));
            }
        }
    }
    let known: BTreeSet<_> = operations.iter().map(|operation| operation.0.clone()).collect();
    let listed: BTreeSet<_> = TABLE.iter().map(|row| row.0.to_owned()).collect();
    let missing: Vec<_> = known.symmetric_difference(&listed).collect();
    assert!(missing.is_empty(), "operations without a row, or rows without an operation: {missing:?}");

    let mut wrong = Vec::new();
    let kept = Scenario::new().await;
    for (id, method, path) in operations.iter().skip(part).step_by(PARTS) {
        let Row(_, expected) = TABLE.iter().find(|row| row.0 == id).unwrap();
        let destructive = method == "DELETE" || matches!(id.as_str(), "revoke_api_key" | "rotate_api_key");
        let mut scenario = kept.copy().await;
        for (index, expected) in expected.iter().enumerate() {
            let path = scenario.fill(path);
            let mut request =
                scenario.identities[index].request(Method::from_bytes(method.as_bytes()).unwrap(), &path);
            if method == "POST" || method == "PUT" {
                request = request.json(&body(id));
            }
            let reply = Client::send(request).await;
            if reply.status.as_u16() != *expected {
                let who = ["anonymous", "other workspace", "viewer", "manager", "admin", "gateway"][index];
                wrong.push(format!(
                    "{id} as {who}: {} instead of {expected}: {}",
                    reply.status.as_u16(),
                    reply.text
                ));
            }
            if destructive && reply.status.is_success() {
                scenario = kept.copy().await;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
}

/// A registry with one of everything in the workspace `acme`, and all identities.
pub(crate) struct Scenario {
    pub(crate) server: TestServer,
    identities: Vec<Client>,
    tokens: Vec<String>,
    key: String,
    pub(crate) user: String,
    registration: String,
}

impl Scenario {
    pub(crate) async fn new() -> Self {
        let server = TestServer::new(Engine::Sqlite).await;
        let t = &server.inner;
        let admin = t.admin();
        t.workspace("acme").await;
        t.workspace("beta").await;
        let new = NewIntegration {
            name: "Linear".into(),
            slug: Some("linear".into()),
            description: None,
            url: NOWHERE.into(),
            auth_type: AuthType::OauthAuto,
            transport: Transport::Http,
            workspace: Some(Reference::parse("acme")),
            configuration: Some("{}".into()),
            secret_mappings: Vec::new(),
        };
        t.registry.integrations().create(&admin, new).await.unwrap();
        t.server("linear", "acme").await;
        for subject in [
            registry::ConfigurationScope::Organisation,
            registry::ConfigurationScope::Access {
                integration: Reference::parse("linear"),
                workspace: Reference::parse("acme"),
            },
            registry::ConfigurationScope::Server(registry::ServerRef {
                server: Reference::parse("linear"),
                workspace: None,
            }),
        ] {
            t.registry.configurations().set(&admin, &subject, Some("{}".into()), None, None).await.unwrap();
        }
        let all = t
            .registry
            .registrations()
            .list(&admin, RegistrationFilter::default(), registry::PageRequest::default())
            .await
            .unwrap();
        let keys = t.registry.api_keys().create(
            &admin,
            registry::NewApiKey {
                name: "k".into(),
                role: Role::Viewer,
                scopes: vec![],
                workspace: None,
                expires_at: None,
                reason: None,
            },
        );
        let key = keys.await.unwrap().record.id.to_string();
        let new = NewUser {
            email: "grace@acme.com".into(),
            name: String::new(),
            roles: Roles::one(Role::Viewer, None),
        };
        let user = t.registry.users().invite(&admin, new).await.unwrap().user.id.to_string();
        let tokens = vec![
            String::new(),
            server.key(Role::Manager, Some("beta")).await,
            server.key(Role::Viewer, None).await,
            server.key(Role::Manager, None).await,
            server.key(Role::Admin, None).await,
            server.key(Role::Gateway, None).await,
        ];
        let identities = tokens.iter().map(|token| Client::new(&server.url, token)).collect();
        Self { registration: all.items[0].id.to_string(), identities, tokens, key, user, server }
    }

    /// A copy of the current state, on its own database.
    pub(crate) async fn copy(&self) -> Self {
        let server = TestServer::over(self.server.inner.copy().await);
        Self {
            identities: self.tokens.iter().map(|token| Client::new(&server.url, token)).collect(),
            tokens: self.tokens.clone(),
            key: self.key.clone(),
            user: self.user.clone(),
            registration: self.registration.clone(),
            server,
        }
    }

    pub(crate) fn fill(&self, path: &str) -> String {
        path.replace("{workspace}", "acme")
            .replace("{resource}", "linear")
            .replace("{integration}", "linear")
            .replace("{server}", "linear")
            .replace("{number}", "1")
            .replace("{orphan}", &self.registration)
            .replace("{rollout}", &self.registration)
            .replace("{document}", "unknown")
            .replace("{key}", &self.key)
            .replace("{type}", "organisation")
            .replace("{sub_type}", "service")
            .replace("{secret}", "unknown")
            .replace("{user}", &self.user)
            .replace("{session}", &self.user)
            .replace("{registration}", &self.registration)
    }
}

#[tokio::test]
async fn scoped_user_admin_grants_no_more_than_its_own_role() {
    let scenario = Scenario::new().await;
    let new = registry::NewApiKey {
        name: "people".into(),
        role: Role::Admin,
        scopes: vec!["people.manage".into()],
        workspace: None,
        expires_at: None,
        reason: None,
    };
    let registry = &scenario.server.inner.registry;
    let key = registry.api_keys().create(&registry.operator(), new).await.unwrap().key;
    let client = scenario.server.with_token(&key);
    let person = format!("/v1/users/{}", scenario.user);
    client.get("/v1/users").await.expect(200);
    client.post("/v1/users", &json!({ "email": "mallory@acme.com", "role": "admin" })).await.expect(403);
    client.post(&format!("{person}/sign-in-link"), &json!({})).await.expect(403);
    client.put(&person, &json!({ "role": "admin" })).await.expect(403);
    client.put(&person, &json!({ "name": "Grace" })).await.expect(200);
    client.delete(&person).await.expect(200);
}
