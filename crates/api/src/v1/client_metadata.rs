//! The metadata that is sent for one server, with the source of each value.

use crate::examples;
use crate::http::answer::{self, Answer};
use crate::http::extract::Caller;
use crate::http::responses::ReadProblems;
use crate::state::ApiState;
use crate::v1::servers::{InWorkspace, named};
use actix_web::{get, web};
use registry::ClientMetadata;
use registry_core::finding::Finding;
use registry_core::metadata::{
    AuthorizationServerOverride, Credentials, EffectiveMetadata, Ignored, Level, Origin, Overridden,
    RegistrationPolicy, Resolution,
};
use registry_core::oauth::Adjustment;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(read_client_metadata);
}

/// The metadata that is sent for a server, with the level of each value.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientMetadata)]
pub(crate) struct ClientMetadataView {
    /// Always `client-metadata`.
    #[schema(example = "client-metadata")]
    object: &'static str,
    /// Slug of the workspace.
    workspace: String,
    /// Slug of the server.
    server: String,
    /// The client metadata (RFC 7591 §2) before the authorization server is known.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// The level that each value comes from, by member.
    origins: BTreeMap<String, Origin>,
    /// Values overridden by higher levels.
    overridden: Vec<Overridden>,
    /// Values that are stored but have no effect.
    ignored: Vec<Ignored>,
    /// Lower-case hexadecimal SHA-256 over the canonical JSON (RFC 8785) of the complete desired state.
    digest: String,
    /// Findings of rules that compare several members, evaluated on the result.
    findings: Vec<Finding>,
    /// A pre-registered client: no registration request is made. Secrets are named by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<Credentials>,
    /// Values that replace discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_server: Option<AuthorizationServerOverride>,
    /// Parameters added to the authorization request.
    #[schema(value_type = Object)]
    authorization_params: Map<String, Value>,
    /// How the client is obtained: the members of `registration`.
    registration: RegistrationPolicy,
    /// The body of the last registration request; null when none was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    request: Option<Map<String, Value>>,
    /// How that body differs from `metadata`, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    adjustments: Option<Vec<AdjustmentView>>,
}

/// One difference between the desired and the sent metadata.
#[derive(Serialize, ToSchema)]
#[schema(as = Adjustment)]
pub(crate) struct AdjustmentView {
    /// Name of the member.
    #[schema(example = "scope")]
    member: String,
    /// The desired value; null when absent.
    from: Value,
    /// The value that was sent; null when absent.
    to: Value,
    /// The reason as a sentence.
    why: String,
}

impl From<Adjustment> for AdjustmentView {
    fn from(adjustment: Adjustment) -> Self {
        Self { member: adjustment.member, from: adjustment.from, to: adjustment.to, why: adjustment.why }
    }
}

impl AdjustmentView {
    pub(crate) fn example() -> Self {
        Self {
            member: "scope".to_owned(),
            from: json!("mcp:read mcp:write"),
            to: json!("mcp:read mcp:write offline_access"),
            why: "The authorization server lists `offline_access`, which refresh tokens need.".to_owned(),
        }
    }
}

impl ClientMetadataView {
    /// The view of a resolution for `server` in `workspace`.
    pub(crate) fn of(workspace: String, server: String, resolution: Resolution, digest: String) -> Self {
        let EffectiveMetadata {
            client_metadata,
            credentials,
            authorization_server,
            authorization_params,
            registration,
            ..
        } = resolution.effective;
        Self {
            object: "client-metadata",
            workspace,
            server,
            metadata: client_metadata,
            origins: resolution.origins,
            overridden: resolution.overridden,
            ignored: resolution.ignored,
            digest,
            findings: resolution.findings.0,
            credentials,
            authorization_server: Some(authorization_server).filter(|server| !server.is_empty()),
            authorization_params,
            registration,
            request: None,
            adjustments: None,
        }
    }

    /// Example: before any request was sent.
    pub(crate) fn example() -> Self {
        let origins = examples::effective().into_iter().map(|(name, _)| {
            let origin = match name.as_str() {
                "redirect_uris" => Origin::Gateway,
                "application_type" => Origin::Computed,
                "grant_types" | "response_types" | "token_endpoint_auth_method" => Origin::Default,
                _ => Origin::Integration,
            };
            (name, origin)
        });
        Self {
            object: "client-metadata",
            workspace: "acme".to_owned(),
            server: "linear".to_owned(),
            metadata: examples::effective(),
            origins: origins.collect(),
            overridden: vec![Overridden {
                member: "client_name".to_owned(),
                level: Level::Default,
                value: json!("Portkey (acme/linear)"),
                by: Origin::Integration,
                reason: "The integration sets `client_name`.".to_owned(),
            }],
            ignored: Vec::new(),
            digest: examples::DIGEST.to_owned(),
            findings: Vec::new(),
            credentials: None,
            authorization_server: None,
            authorization_params: Map::new(),
            registration: RegistrationPolicy::default(),
            request: None,
            adjustments: None,
        }
    }
}

impl ClientMetadataView {
    /// Example: after a registration request was sent.
    fn example_sent() -> Self {
        Self {
            request: Some(examples::effective()),
            adjustments: Some(vec![AdjustmentView::example()]),
            ..Self::example()
        }
    }
}

impl From<ClientMetadata> for ClientMetadataView {
    fn from(found: ClientMetadata) -> Self {
        let mut view =
            Self::of(found.workspace.slug.into(), found.server_slug.into(), found.resolution, found.digest);
        if found.request.is_some() {
            view.request = found.request;
            view.adjustments = Some(found.adjustments.into_iter().map(Into::into).collect());
        }
        view
    }
}

/// Read the client metadata of a server
///
/// The client metadata after resolution over all levels: the source of each value, what was overridden or ignored
/// and why, and the body of the last registration request, if one was sent.
#[utoipa::path(
    tag = "servers",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses(
        (status = 200, description = "The client metadata.", body = ClientMetadataView, example = json!(ClientMetadataView::example_sent())),
        ReadProblems,
    )
)]
#[get("/mcp-servers/{server}/client-metadata")]
pub(crate) async fn read_client_metadata(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.servers().client_metadata(&caller.actor, &named(&caller, &path)?).await?;
    Ok(answer::ok(&ClientMetadataView::from(found)))
}
