//! Writes that say what is stored already, secrets included, change nothing: no revision, no audit event, no change for
//! gateways, no new generation.

use registry::{ConfigurationScope, DraftAddress};
use registry_core::permission::Role;
use registry_core::preflight::{Approach, Entered};
use registry_core::registration::Transport;
use rstest::rstest;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use support::{Client, Engine, TestRegistry, TestServer};

/// One operation with its body, and the member of the body that another value is put in.
struct Row {
    operation: &'static str,
    path: String,
    body: Value,
    /// JSON Pointer into the body, and the other value.
    change: (&'static str, Value),
}

fn row(operation: &'static str, path: &str, body: Value, change: (&'static str, Value)) -> Row {
    Row { operation, path: path.to_owned(), body, change }
}

/// Every PUT of the API.
#[expect(clippy::too_many_lines, reason = "a table")]
fn table(user: &str, key: &str) -> Vec<Row> {
    let client = json!({ "client_id": "by-hand", "client_secret": "s3cret-one" });
    let texts = json!({
        "headers": { "X-Key": "header-one", "X-Other": "header-two" },
        "passthrough_headers": { "X-Through": "through-one" },
        "oauth_client_metadata": client,
        "registration": { "initial_access_token": "token-one" },
    });
    let integration = "put /v1/mcp-integrations/{integration}";
    let access = "put /v1/mcp-integrations/{integration}/workspaces";
    let linear = "/v1/mcp-integrations/linear";
    let workspaces = "/v1/mcp-integrations/linear/workspaces";
    let organisation = "/v1/organisation/configuration";
    let server = "/v1/mcp-servers/linear?workspace_id=acme";
    let with = |text: Value| json!({ "configurations": text });
    let in_acme =
        |text: Value| json!({ "workspaces": [{ "id": "acme", "enabled": true, "configurations": text }] });
    let tool = json!({ "capabilities": [{ "name": "add", "type": "tool", "enabled": false }] });
    let switched = ("/capabilities/0/enabled", json!(true));
    vec![
        row(
            "put /v1/mcp-integrations/{integration}/capabilities",
            "/v1/mcp-integrations/linear/capabilities",
            tool.clone(),
            switched.clone(),
        ),
        row(
            "put /v1/mcp-servers/{server}/capabilities",
            "/v1/mcp-servers/linear/capabilities?workspace_id=acme",
            tool,
            switched,
        ),
        row(
            "put /v1/mcp-servers/{server}/user-access",
            "/v1/mcp-servers/linear/user-access?workspace_id=acme",
            json!({ "user_access": [{ "user_id": "ada", "enabled": false }], "default_user_access": "allow" }),
            ("/user_access/0/enabled", json!(true)),
        ),
        row(
            "put /v1/mcp-servers/{server}/user-access",
            "/v1/mcp-servers/linear/user-access?workspace_id=acme",
            json!({ "user_access": [{ "id": "ada", "enabled": null }] }),
            ("/user_access/0/enabled", json!(false)),
        ),
        row(
            integration,
            linear,
            with(texts.clone()),
            ("/configurations/headers/X-Key", json!("header-three")),
        ),
        row(
            integration,
            linear,
            with(texts.clone()),
            ("/configurations/oauth_client_metadata/client_secret", json!("s3cret-two")),
        ),
        row(
            integration,
            linear,
            // Another spelling of a key is another text, and the same secret.
            with(json!({ "custom_headers": { "X-Key": "header-three" }, "oauth_metadata": client })),
            ("/configurations/custom_headers/X-Key", json!("header-four")),
        ),
        row(
            integration,
            linear,
            json!({ "name": "Linear", "description": "Issues", "status": "active", "auth_type": "oauth_auto" }),
            ("/description", json!(null)),
        ),
        row(
            access,
            workspaces,
            in_acme(texts.clone()),
            ("/workspaces/0/configurations/headers/X-Key", json!("x-2")),
        ),
        row(access, workspaces, in_acme(json!(null)), ("/workspaces/0/enabled", json!(false))),
        row(
            access,
            workspaces,
            json!({ "global_workspace_access": { "enabled": true }, "override_existing_workspace_access": true }),
            ("/global_workspace_access", json!(null)),
        ),
        row(
            access,
            workspaces,
            json!({ "workspaces": [{ "id": "beta", "enabled": true }] }),
            ("/workspaces/0/enabled", json!(false)),
        ),
        row(
            "put /v1/organisation/configuration",
            organisation,
            with(json!({ "registration": { "initial_access_token": "token-one" } })),
            ("/configurations/registration/initial_access_token", json!("token-two")),
        ),
        row(
            "put /v1/organisation/configuration",
            organisation,
            json!({ "configurations": null, "note": "cleared" }),
            ("/configurations", json!({})),
        ),
        row(
            "put /v1/mcp-servers/{server}",
            server,
            with(texts),
            ("/configurations/passthrough_headers/X-Through", json!("through-two")),
        ),
        row("put /v1/mcp-servers/{server}", server, json!({ "name": "Linear" }), ("/name", json!("Lines"))),
        row(
            "put /v1/workspaces/{workspace}",
            "/v1/workspaces/acme",
            json!({ "name": "Acme Inc" }),
            ("/name", json!("Acme")),
        ),
        row(
            "put /v1/users/{user}",
            &format!("/v1/users/{user}"),
            json!({ "name": "Ann", "role": "viewer" }),
            ("/name", json!("Anna")),
        ),
        row(
            "put /v1/admin/workspaces/{workspace}",
            "/v1/admin/workspaces/acme",
            json!({ "name": "Acme Ltd", "defaults": { "metadata": {} } }),
            ("/name", json!("Acme")),
        ),
        row(
            "put /v1/admin/workspaces/{workspace}/users/{user}",
            &format!("/v1/admin/workspaces/acme/users/{user}"),
            json!({ "role": "manager" }),
            ("/role", json!("member")),
        ),
        row(
            "put /v1/admin/users/{user}",
            &format!("/v1/admin/users/{user}"),
            json!({ "role": "admin" }),
            ("/role", json!("member")),
        ),
        row(
            "put /v1/api-keys/{key}",
            &format!("/v1/api-keys/{key}"),
            json!({ "name": "agents", "scopes": ["mcp.invoke", "mcp_servers.list"], "description": "For agents" }),
            ("/scopes/1", json!("mcp_servers.read")),
        ),
    ]
}

/// The PUTs of the OpenAPI document that this version answers.
fn documented() -> BTreeSet<String> {
    let document = serde_json::to_value(registry_api::document()).unwrap();
    let mut found = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        if let Some(put) = operations.get("put")
            && put["responses"].get("200").is_some()
        {
            found.insert(format!("put {path}"));
        }
    }
    found
}

/// Everything that a write may leave behind.
async fn traces(t: &TestRegistry) -> Vec<String> {
    let db = t.database.connect().await;
    let mut found = Vec::new();
    for sql in [
        "SELECT 'revisions', COUNT(*) FROM revision",
        "SELECT 'events', COUNT(*) FROM audit_event",
        "SELECT 'changes', COUNT(*) FROM \"change\"",
        "SELECT 'wanted', CAST(COALESCE(SUM(wanted), 0) AS BIGINT) FROM registration",
        "SELECT 'rollouts', COUNT(*) FROM rollout",
        "SELECT 'access', COUNT(*) FROM access",
        "SELECT 'access', CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM access",
        "SELECT 'integration', CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM integration",
        "SELECT 'server', CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM server",
        "SELECT 'organisation', CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM organisation",
        "SELECT 'workspace', CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM workspace",
    ] {
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        found.push(format!(
            "{} {}",
            row.try_get_by_index::<String>(0).unwrap(),
            row.try_get_by_index::<i64>(1).unwrap()
        ));
    }
    let sealed = Statement::from_string(db.get_database_backend(), "SELECT id FROM sealed_value ORDER BY id");
    let sealed = db.query_all_raw(sealed).await.unwrap();
    found.extend(sealed.iter().map(|row| row.try_get_by_index::<uuid::Uuid>(0).unwrap().to_string()));
    found
}

fn changes_nothing(answer: &Value) -> bool {
    // Users and workspaces answer with the object.
    let Some(affected) = answer["affected"].as_object() else { return true };
    affected.values().all(|count| *count == json!(0) || *count == json!(false))
        && answer["rollout_id"].is_null()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_put_that_says_the_same_again_changes_nothing(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    let given = admin.given().workspace("beta").workspace("acme");
    given.integration("linear", "https://mcp.linear.app/mcp").server("linear").await;
    let ann = json!({ "email": "ann@acme.com", "name": "Ann", "role": "viewer" });
    let ann = admin.post("/v1/users", &ann).await.expect(200).json()["id"].as_str().unwrap().to_owned();
    let key = json!({ "name": "k", "scopes": ["mcp.invoke"] });
    let key = admin.post("/v1/api-keys/organisation/service", &key).await.expect(200).json();
    let table = table(&ann, key["id"].as_str().unwrap());
    let listed: BTreeSet<_> = table.iter().map(|row| row.operation.to_owned()).collect();
    assert_eq!(listed, documented(), "PUTs, and rows");

    for Row { operation, path, body, change } in &table {
        admin.put(path, body).await.expect(200);
        let before = traces(&t.inner).await;
        let again = admin.put(path, body).await.expect(200);
        assert!(changes_nothing(&again.json()), "{operation} {body}: {}", again.text);
        assert_eq!(traces(&t.inner).await, before, "{operation} {body}");
        // Something else is one change, and the same again none.
        let mut other = body.clone();
        *other.pointer_mut(change.0).unwrap_or_else(|| panic!("{operation}: {}", change.0)) =
            change.1.clone();
        let events = |traces: &[String]| traces.iter().find(|line| line.starts_with("events")).cloned();
        admin.put(path, &other).await.expect(200);
        let changed = traces(&t.inner).await;
        if !change.1.is_null() || change.0 == "/description" {
            assert_ne!(events(&changed), events(&before), "{operation} {other}");
        }
        admin.put(path, &other).await.expect(200);
        assert_eq!(traces(&t.inner).await, changed, "{operation} {other}");
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_changed_secret_is_one_change_and_keeps_the_others(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    admin
        .given()
        .workspace("acme")
        .integration("linear", "https://mcp.linear.app/mcp")
        .server("linear")
        .await;
    let path = "/v1/mcp-integrations/linear";
    let body = |key: &str, url: &str| json!({ "url": url, "configurations": { "headers": { "X-A": "same", "X-B": key } } });
    let here = "https://mcp.linear.app/mcp";
    admin.put(path, &body("one", here)).await.expect(200);
    let stored = read(&admin, path).await;
    admin.put(path, &body("two", here)).await.expect(200);
    let after = read(&admin, path).await;
    assert_eq!(stored["headers"]["X-A"], after["headers"]["X-A"], "the secret that stayed keeps its marker");
    assert_ne!(stored["headers"]["X-B"], after["headers"]["X-B"]);
    // At another address the same secrets are sealed again: they were entered for it.
    admin.put(path, &body("two", "https://mcp.linear.app/other")).await.expect(200);
    let moved = read(&admin, path).await;
    for name in ["X-A", "X-B"] {
        assert_ne!(moved["headers"][name], after["headers"][name], "{name}");
    }
    // The address of the authorization server binds too.
    let client = |issuer: &str| json!({ "configurations": { "oauth_client_metadata": { "client_id": "a", "client_secret": "s", "issuer": issuer } } });
    admin.put(path, &client("https://as.example")).await.expect(200);
    let before = read(&admin, path).await;
    admin.put(path, &client("https://other.example")).await.expect(200);
    let secret = |text: &Value| text["oauth_client_metadata"]["client_secret"].clone();
    assert_ne!(secret(&read(&admin, path).await), secret(&before));
}

async fn read(admin: &Client, path: &str) -> Value {
    admin.get(path).await.expect(200).json()["configurations"].clone()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn step_of_a_draft_that_says_the_same_again_is_no_event(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let (drafts, admin) = (t.registry.drafts(), t.admin());
    let address = DraftAddress {
        url: "https://mcp.linear.app/mcp".into(),
        name: None,
        slug: None,
        transport: Transport::Http,
    };
    let id = drafts.create(&admin, address.clone()).await.unwrap().id;
    let entered =
        || Entered { client_id: "a".into(), client_secret: Some("s3cret".into()), ..Entered::default() };
    let text = Some(
        r#"{"headers":{"X-Key":"one"},"oauth_client_metadata":{"client_id":"a","client_secret":"s3cret"}}"#,
    );
    for step in ["address", "approach", "text"] {
        let mut seen = Vec::new();
        for _ in 0..2 {
            match step {
                "address" => drafts.set_address(&admin, id, address.clone()).await.map(drop).unwrap(),
                "approach" => {
                    drafts.choose_approach(&admin, id, Approach::ByHand, entered()).await.map(drop).unwrap();
                }
                _ => drafts.set_configuration(&admin, id, text).await.map(drop).unwrap(),
            }
            seen.push(traces(&t).await);
        }
        assert_eq!(seen[0], seen[1], "{step}");
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_above_many_servers_start_no_rollout_for_the_same_text(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    t.workspace("acme").await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    t.servers("linear", "acme", 101).await;
    let text = || Some(r#"{"registration":{"initial_access_token":"token"}}"#.to_owned());
    for scope in [ConfigurationScope::Organisation, ConfigurationScope::Integration("linear".into())] {
        let first = t.registry.configurations().set(&t.admin(), &scope, text(), None, None).await.unwrap();
        assert!(first.rollout.is_some(), "{scope:?}");
        let before = traces(&t).await;
        let again = t.registry.configurations().set(&t.admin(), &scope, text(), None, None).await.unwrap();
        assert_eq!((again.rollout, again.affected.reached), (None, 0), "{scope:?}");
        assert_eq!(again.value.version, first.value.version);
        assert_eq!(traces(&t).await, before, "{scope:?}");
    }
}
