//! Preflight: what a registration would do, without registering anything.

use crate::examples;
use crate::http::answer::{self, Answer};
use crate::http::body::{RequestBody, ValidatedJson, written};
use crate::http::query;
use crate::http::responses::{PreflightNewProblems, PreflightProblems};
use crate::state::ApiState;
use crate::v1::client_metadata::AdjustmentView;
use crate::v1::integrations::create::CreateIntegration;
use actix_web::{post, web};
use registry::{Preflight, PreflightOverrides};
use registry_core::finding::Finding;
use registry_core::known_servers::{KnownServer, Note, find};
use registry_core::oauth::{Discovery, Exchange, IssuerMatch, ResourceMatch};
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::preflight::{Advice, AdviceSeverity};
use registry_core::registration::{AuthType, RegistrationMethod, State};
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(preflight_new_integration).service(preflight_integration);
}

/// Assumptions that replace saved values; all members are optional.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PreflightIntegration {
    /// Id or slug of the workspace to resolve for; when absent, the first one that has a server of the integration.
    #[schema(example = "acme")]
    workspace_id: Option<String>,
    /// Another URL of the upstream MCP server. No stored secret is sent there.
    #[schema(format = "uri", example = "https://mcp.linear.app/mcp")]
    url: Option<String>,
    /// Another Advanced Configuration of the integration; null means none.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    configurations: Patch<Box<RawValue>>,
}

impl RequestBody for PreflightIntegration {
    const NEEDS: Permission = Permission::UpdateIntegrations;
}

/// What a registration would do.
#[derive(Serialize, ToSchema)]
#[schema(as = Preflight)]
pub(crate) struct PreflightView {
    /// Always `preflight`.
    #[schema(example = "preflight")]
    object: &'static str,
    /// Whether a client can probably be obtained without manual work: there is a method, and no advice is a `refusal`.
    #[schema(example = true)]
    ready: bool,
    /// Slug of the workspace that was resolved for; an example when there is no server yet.
    #[schema(example = "acme")]
    workspace: String,
    /// Slug of the server that was resolved for; an example when there is no server yet.
    #[schema(example = "linear")]
    server: String,
    /// URL of the upstream MCP server.
    #[schema(format = "uri")]
    url: String,
    /// How gateways authenticate there.
    auth_type: AuthType,
    /// The current registration of the server; null when there is none. The other members describe a new registration.
    current_registration: Option<CurrentRegistration>,
    /// The callbacks that would be registered.
    callback_urls: Vec<String>,
    /// How a client would be obtained; null when it could not be: `reason` and `detail` say why.
    method: Option<RegistrationMethod>,
    /// Stable code of the reason why there is no method.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "registration_not_supported")]
    reason: Option<String>,
    /// The reason as a sentence, with what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The result of discovery; null when it found nothing usable.
    discovery: Option<DiscoveryView>,
    /// The registration request that would be sent; null when none would be.
    registration: Option<PlannedRegistration>,
    /// The Client ID Metadata Document that would be published, with `{id}` in its `client_id` in place of the
    /// id that is generated then; null when none would be.
    #[schema(value_type = Option<Object>)]
    document: Option<Map<String, Value>>,
    /// The known server that the URL or the authorization server leads to; null when neither is known.
    known_server: Option<KnownServerView>,
    /// Predictions: refusals first, then risks, then notes.
    advice: Vec<Advice>,
    /// Every request that the preflight sent, in order. None of them registers anything.
    trace: Vec<Exchange>,
    /// Warnings and notices about the configuration.
    findings: Vec<Finding>,
}

/// What is known of a real server, and the settings that it needs.
#[derive(Serialize, ToSchema)]
#[schema(as = KnownServer)]
pub(crate) struct KnownServerView {
    /// Stable key.
    #[schema(example = "google")]
    key: &'static str,
    /// Name for users; text between backticks is code.
    #[schema(example = "Google")]
    name: &'static str,
    /// What is known.
    notes: Vec<KnownServerNote>,
    /// What has to be set; null when nothing has to be.
    preset: Option<KnownServerPreset>,
}

/// One thing that is known of a server.
#[derive(Serialize, ToSchema)]
pub(crate) struct KnownServerNote {
    /// One or two sentences; text between backticks is code.
    #[schema(example = "Google takes no registrations.")]
    text: &'static str,
    /// URLs of the sources.
    sources: Vec<String>,
}

/// Settings that a known server needs.
#[derive(Serialize, ToSchema)]
pub(crate) struct KnownServerPreset {
    /// How gateways authenticate at the MCP server.
    auth_type: AuthType,
    /// A partial Advanced Configuration. Values in angle brackets, such as `<client_id>`, are placeholders: a
    /// configuration that still contains one is refused (`placeholder_left`).
    #[schema(value_type = Object)]
    configurations: Map<String, Value>,
}

impl From<&KnownServer> for KnownServerView {
    fn from(known: &KnownServer) -> Self {
        let note = |note: &Note| KnownServerNote {
            text: note.text,
            sources: note.links().into_iter().map(|(_, url)| url).collect(),
        };
        Self {
            key: known.key,
            name: known.name,
            notes: known.notes.iter().map(note).collect(),
            preset: known.preset.map(|preset| KnownServerPreset {
                auth_type: preset.auth_type,
                configurations: preset.members(),
            }),
        }
    }
}

/// The current registration of the server.
#[derive(Serialize, ToSchema)]
pub(crate) struct CurrentRegistration {
    /// Id of the registration.
    id: Uuid,
    /// State of the registration.
    state: State,
    /// Whether there is an active, unexpired client.
    #[schema(example = true)]
    usable: bool,
}

/// The request that would register a client (RFC 7591 §3.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct PlannedRegistration {
    /// The registration endpoint.
    #[schema(format = "uri")]
    endpoint: String,
    /// Whether the stored initial access token would be sent along.
    #[schema(example = false)]
    with_initial_access_token: bool,
    /// The exact request body.
    #[schema(value_type = Object)]
    request: Map<String, Value>,
    /// How the body differs from the effective metadata, and why.
    adjustments: Vec<AdjustmentView>,
}

/// The result of discovery for an upstream.
#[derive(Serialize, ToSchema)]
#[schema(as = Discovery)]
pub(crate) struct DiscoveryView {
    /// Issuer of the authorization server, as in its own metadata.
    issuer: String,
    /// The issuer that was expected.
    expected_issuer: String,
    /// How the two issuers match: `exact`, `root_slash` (they differ only in the slash of an empty path),
    /// `trusted` (an admin accepted it), `legacy` (no document named an issuer).
    #[schema(value_type = String, example = "exact")]
    issuer_match: IssuerMatch,
    /// URL of the authorization server metadata.
    metadata_url: String,
    /// The resource that tokens are requested for (RFC 8707).
    resource: String,
    /// How the resource matches the URL: `exact` or `prefix`; null without protected resource metadata.
    #[schema(value_type = Option<String>, example = "exact")]
    resource_match: Option<ResourceMatch>,
    /// URL of the protected resource metadata (RFC 9728).
    resource_metadata_url: Option<String>,
    /// Scopes to register: those of the challenge and of the resource.
    scopes: Vec<String>,
    /// Scopes that the authorization server lists; null when it lists none.
    scopes_supported: Option<Vec<String>>,
    /// Token endpoint authentication methods that the authorization server lists; null when it lists none.
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// PKCE methods that the authorization server lists; null when it lists none.
    code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether the authorization server supports Client ID Metadata Documents.
    #[schema(example = false)]
    client_id_metadata_document_supported: bool,
    /// URL of the authorization endpoint, where users sign in.
    authorization_endpoint: Option<String>,
    /// URL of the token endpoint.
    token_endpoint: Option<String>,
    /// URL of the registration endpoint; null when there is none.
    registration_endpoint: Option<String>,
    /// Irregularities in the discovered metadata.
    warnings: Vec<String>,
}

/// Maximum length of a text, and of a list, that is repeated from an upstream.
const MAX_ECHO: (usize, usize) = (2048, 200);

fn bounded(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(MAX_ECHO.0).collect()
}

fn bounded_list(list: &[String]) -> Vec<String> {
    list.iter().take(MAX_ECHO.1).map(|text| bounded(text)).collect()
}

impl From<Discovery> for DiscoveryView {
    fn from(found: Discovery) -> Self {
        let server = found.authorization_server();
        let endpoint = |name| server.endpoint(name).map(bounded);
        let list = |list: Option<Vec<String>>| list.map(|list| bounded_list(&list));
        Self {
            scopes_supported: list(server.scopes_supported()),
            token_endpoint_auth_methods_supported: list(server.token_endpoint_auth_methods_supported()),
            code_challenge_methods_supported: list(server.code_challenge_methods_supported()),
            client_id_metadata_document_supported: server.client_id_metadata_document_supported(),
            authorization_endpoint: endpoint("authorization_endpoint"),
            token_endpoint: endpoint("token_endpoint"),
            registration_endpoint: endpoint("registration_endpoint"),
            issuer: bounded(&found.issuer),
            expected_issuer: bounded(&found.authorization_server_listed),
            issuer_match: found.issuer_match,
            metadata_url: bounded(&found.metadata_url),
            resource: bounded(&found.resource),
            resource_match: found.resource_match,
            resource_metadata_url: found.protected_resource_url.as_deref().map(bounded),
            scopes: bounded_list(&found.scopes),
            warnings: found.warnings,
        }
    }
}

impl From<Preflight> for PreflightView {
    fn from(found: Preflight) -> Self {
        let forecast = found.forecast;
        let refused = found.advice.iter().any(|advice| advice.weight == AdviceSeverity::Refusal);
        let (reason, detail) = forecast.block.map_or((None, None), |block| (Some(block.code), block.detail));
        let registration =
            forecast.prepared.zip(forecast.endpoint).map(|(prepared, endpoint)| PlannedRegistration {
                endpoint,
                with_initial_access_token: found.with_initial_access_token,
                request: prepared.request,
                adjustments: prepared.adjustments.into_iter().map(Into::into).collect(),
            });
        Self {
            object: "preflight",
            ready: forecast.method.is_some() && !refused,
            workspace: found.workspace,
            server: found.server,
            url: found.url,
            auth_type: found.auth_type,
            current_registration: found.current.map(|brief| CurrentRegistration {
                id: brief.id.0,
                state: brief.state,
                usable: brief.usable,
            }),
            callback_urls: found.callbacks,
            method: forecast.method,
            reason,
            detail,
            discovery: found.discovery.map(Into::into),
            registration,
            document: forecast.document,
            known_server: found.known_server.map(Into::into),
            advice: found.advice,
            trace: found.trace,
            findings: found.findings.0,
        }
    }
}

impl PreflightView {
    fn example() -> Self {
        let metadata = format!("{}/.well-known/oauth-authorization-server", examples::ISSUER);
        let resource = format!("{}/.well-known/oauth-protected-resource/mcp", examples::ISSUER);
        let exchange = |step: &str, method: &str, url: &str, status, note: &str| Exchange {
            step: step.to_owned(),
            method: method.to_owned(),
            url: url.to_owned(),
            status: Some(status),
            duration_ms: 31,
            note: note.to_owned(),
            excerpt: None,
        };
        let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let endpoint = |path: &str| Some(format!("{}/{path}", examples::ISSUER));
        Self {
            object: "preflight",
            ready: true,
            workspace: "acme".to_owned(),
            server: "linear".to_owned(),
            url: examples::UPSTREAM.to_owned(),
            auth_type: AuthType::OauthAuto,
            current_registration: Some(CurrentRegistration {
                id: examples::id(4),
                state: State::Registered,
                usable: true,
            }),
            callback_urls: list(&[examples::CALLBACK]),
            method: Some(RegistrationMethod::Dcr),
            reason: None,
            detail: None,
            trace: vec![
                exchange("probe", "POST", examples::UPSTREAM, 401, "It asks for authorization."),
                exchange("protected_resource", "GET", &resource, 200, "Found."),
                exchange("authorization_server", "GET", &metadata, 200, "Found."),
            ],
            discovery: Some(DiscoveryView {
                issuer: examples::ISSUER.to_owned(),
                expected_issuer: examples::ISSUER.to_owned(),
                issuer_match: IssuerMatch::Exact,
                metadata_url: metadata,
                resource: examples::UPSTREAM.to_owned(),
                resource_match: Some(ResourceMatch::Exact),
                resource_metadata_url: Some(resource),
                scopes: list(&["mcp:read", "mcp:write"]),
                scopes_supported: Some(list(&["mcp:read", "mcp:write", "offline_access"])),
                token_endpoint_auth_methods_supported: Some(list(&["none", "client_secret_post"])),
                code_challenge_methods_supported: Some(list(&["S256"])),
                client_id_metadata_document_supported: false,
                authorization_endpoint: endpoint("authorize"),
                token_endpoint: endpoint("token"),
                registration_endpoint: endpoint("register"),
                warnings: Vec::new(),
            }),
            registration: Some(PlannedRegistration {
                endpoint: format!("{}/register", examples::ISSUER),
                with_initial_access_token: false,
                request: examples::effective(),
                adjustments: vec![AdjustmentView::example()],
            }),
            document: None,
            known_server: find("linear").map(Into::into),
            advice: vec![Advice {
                code: "branding_host_differs".to_owned(),
                weight: AdviceSeverity::Risk,
                members: list(&["client_uri", "logo_uri"]),
                message: "The callback is on https://gateway.acme.com, these pages are on https://acme.com. Authorization servers should compare them (RFC 7591 §5); if one refuses, put them on the callback's host or leave them out.".to_owned(),
            }],
            findings: Vec::new(),
        }
    }
}

/// Check an integration before anything is registered
///
/// Runs discovery on the upstream and shows how a client would be obtained, the exact request body, and
/// predictions. Nothing is saved or registered, and no secret is sent. The body is optional; its members replace
/// saved values.
#[utoipa::path(
    tag = "integrations",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear")),
    request_body(content = PreflightIntegration, description = "Assumptions that replace saved values; `{}` for none.", example = json!({ "workspace_id": "acme", "configurations": examples::configuration() })),
    responses((status = 200, description = "What a registration would do, also when it is not possible.", body = PreflightView, example = json!(PreflightView::example())), PreflightProblems)
)]
#[post("/mcp-integrations/{integration}/preflight")]
pub(crate) async fn preflight_integration(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<PreflightIntegration>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let what_if = PreflightOverrides {
        workspace: query::reference(body.workspace_id),
        url: body.url,
        configuration: written(body.configurations),
    };
    let reference = Reference::parse(&path);
    let found = state.registry.preflight().run(&caller.actor, &reference, what_if).await?;
    Ok(answer::ok(&PreflightView::from(found)))
}

/// Check an integration before it is created
///
/// Like the preflight of a saved integration, with the body that would create it; `workspace_id` is only needed for
/// an integration that a workspace owns. Nothing is saved or registered.
#[utoipa::path(
    tag = "integrations",
    request_body(
        content = CreateIntegration, description = "The integration.",
        example = json!({ "name": "Linear", "url": examples::UPSTREAM, "auth_type": "oauth_auto", "transport": "http", "configurations": examples::configuration() })
    ),
    responses((status = 200, description = "What a registration would do, also when it is not possible.", body = PreflightView, example = json!(PreflightView::example())), PreflightNewProblems)
)]
#[post("/mcp-integrations/preflight")]
pub(crate) async fn preflight_new_integration(
    state: web::Data<ApiState>,
    sent: ValidatedJson<CreateIntegration>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let found = state.registry.preflight().run_new(&caller.actor, body.into()).await?;
    Ok(answer::ok(&PreflightView::from(found)))
}
