//! Registrations: the standing effort to have a valid OAuth client for each server.

use crate::examples;
use crate::http::answer::{self, Answer, Listed};
use crate::http::body::{RequestBody, Sent};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::{AskProblems, ChangeProblems, ListProblems, ReadProblems};
use crate::state::ApiState;
use crate::v1::attempts::{AttemptView, OAuthClientView};
use actix_web::{get, post, web};
use chrono::{DateTime, Utc};
use registry::{EnteredClient, Error, Registration, RegistrationDetail, RegistrationFilter, ServerRef};
use registry_core::id::RegistrationId;
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, RegistrationMethod, State};
use registry_core::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;
use validator::Validate;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(list_registrations)
        .service(read_registration)
        .service(retry_registration)
        .service(reregister_registration)
        .service(approve_registration)
        .service(skip_registration)
        .service(withdraw_registration)
        .service(enter_registration_client);
}

/// Which registrations to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListRegistrations {
    /// Only these states, separated by commas.
    #[param(value_type = Option<Vec<State>>, style = Form, explode = false, max_items = 50, example = json!(["failed", "retrying"]))]
    state: Option<String>,
    /// Only those of this workspace (id or slug).
    #[param(example = "acme")]
    workspace_id: Option<String>,
    /// Only those of this integration (id or slug).
    #[param(example = "linear")]
    mcp_integration_id: Option<String>,
    /// The same, by a shorter name.
    #[param(example = "linear")]
    integration_id: Option<String>,
    /// Only that of this server (id or slug).
    #[param(example = "linear")]
    server_id: Option<String>,
    /// Only those at this authorization server.
    #[param(example = "https://mcp.linear.app")]
    issuer: Option<String>,
    /// Part of the name or slug of server, workspace or integration, of the `client_id` or of the last error, ignoring case;
    /// `workspace/server` means both.
    #[param(max_length = 300, example = "linear")]
    search: Option<String>,
    /// The page, from 0.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Items a page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
}

/// A registration.
#[derive(Serialize, ToSchema)]
#[schema(as = Registration)]
pub(crate) struct RegistrationView {
    /// Always `registration`.
    #[schema(example = "registration")]
    object: &'static str,
    /// Its id.
    id: Uuid,
    /// The server it is for.
    server_id: Uuid,
    /// Slug of the server.
    server_slug: String,
    /// Name of the server.
    server_name: String,
    /// The server's workspace.
    workspace_id: Uuid,
    /// Slug of the workspace.
    workspace_slug: String,
    /// The server's integration.
    mcp_integration_id: Uuid,
    /// Slug of the integration.
    mcp_integration_slug: String,
    /// The upstream MCP server.
    #[schema(format = "uri")]
    mcp_integration_url: String,
    /// How gateways authenticate there.
    auth_type: AuthType,
    /// Where the effort stands.
    state: State,
    /// Whether there is an active, unexpired client.
    usable: bool,
    /// How the client came to be.
    method: Option<RegistrationMethod>,
    /// Stable code of why it stands where it stands.
    reason: Option<String>,
    /// The same as a sentence for people, with what to do.
    detail: Option<String>,
    /// The `error` the upstream answered with.
    error: Option<String>,
    /// The upstream's own words.
    error_description: Option<String>,
    /// The authorization server.
    issuer: Option<String>,
    /// The active client.
    client_id: Option<String>,
    /// The generation of the active client.
    generation: Option<i64>,
    /// Failures in a row.
    failures: i64,
    /// When it will be tried again at the earliest.
    not_before: Option<DateTime<Utc>>,
    /// When it was last tried.
    last_attempt_at: Option<DateTime<Utc>>,
    /// When it began.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
    /// The same, by the hosted product's name.
    last_updated_at: DateTime<Utc>,
    /// What was tried, newest first, at most 50. Only when one registration is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<AttemptView>>,
    /// Its clients, newest generation first. Only when one registration is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    clients: Option<Vec<OAuthClientView>>,
    /// The callbacks that are registered. Only when one registration is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_urls: Option<Vec<String>>,
}

impl From<Registration> for RegistrationView {
    fn from(registration: Registration) -> Self {
        let (workspace, integration) = (registration.workspace, registration.integration);
        Self {
            object: "registration",
            id: registration.id.0,
            server_id: registration.server.0,
            server_slug: registration.server_slug.into(),
            server_name: registration.server_name,
            workspace_id: workspace.id.0,
            workspace_slug: workspace.slug.into(),
            mcp_integration_id: integration.id.0,
            mcp_integration_slug: integration.slug.into(),
            mcp_integration_url: integration.url,
            auth_type: integration.auth_type,
            state: registration.state,
            usable: registration.usable,
            method: registration.method,
            reason: registration.reason,
            detail: registration.detail,
            error: registration.error,
            error_description: registration.error_description,
            issuer: registration.issuer,
            client_id: registration.client_id,
            generation: registration.generation,
            failures: registration.failures,
            not_before: registration.not_before,
            last_attempt_at: registration.last_attempt_at,
            created_at: registration.created_at,
            updated_at: registration.updated_at,
            last_updated_at: registration.updated_at,
            attempts: None,
            clients: None,
            callback_urls: None,
        }
    }
}

impl TryFrom<RegistrationDetail> for RegistrationView {
    type Error = Failure;

    fn try_from(detail: RegistrationDetail) -> Result<Self, Failure> {
        let attempts = detail.attempts.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok(Self {
            attempts: Some(attempts),
            clients: Some(detail.clients.into_iter().map(Into::into).collect()),
            callback_urls: Some(detail.callback_urls),
            ..detail.registration.into()
        })
    }
}

impl RegistrationView {
    fn example() -> Self {
        Self {
            object: "registration",
            id: examples::id(5),
            server_id: examples::id(4),
            server_slug: "linear".to_owned(),
            server_name: "Linear".to_owned(),
            workspace_id: examples::id(2),
            workspace_slug: "acme".to_owned(),
            mcp_integration_id: examples::id(1),
            mcp_integration_slug: "linear".to_owned(),
            mcp_integration_url: examples::UPSTREAM.to_owned(),
            auth_type: AuthType::OauthAuto,
            state: State::Registered,
            usable: true,
            method: Some(RegistrationMethod::Dcr),
            reason: None,
            detail: None,
            error: None,
            error_description: None,
            issuer: Some(examples::ISSUER.to_owned()),
            client_id: Some(examples::CLIENT_ID.to_owned()),
            generation: Some(1),
            failures: 0,
            not_before: None,
            last_attempt_at: Some(examples::moment()),
            created_at: examples::moment(),
            updated_at: examples::moment(),
            last_updated_at: examples::moment(),
            attempts: None,
            clients: None,
            callback_urls: None,
        }
    }

    fn example_with_history() -> Self {
        Self {
            attempts: Some(vec![AttemptView::example()]),
            clients: Some(vec![OAuthClientView::example()]),
            callback_urls: Some(vec![examples::CALLBACK.to_owned()]),
            ..Self::example()
        }
    }
}

/// List registrations
#[utoipa::path(
    tag = "registrations",
    params(ListRegistrations),
    responses(
        (status = 200, description = "The registrations the caller may see.", body = Listed<RegistrationView>, example = json!(Listed::example(RegistrationView::example()))),
        ListProblems,
    )
)]
#[get("/registrations")]
pub(crate) async fn list_registrations(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListRegistrations = caller.query()?;
    let page = query::page(asked.current_page, asked.page_size)?;
    let workspace = query::reference(asked.workspace_id);
    let filter = RegistrationFilter {
        states: states(asked.state)?,
        integration: query::reference(asked.mcp_integration_id.or(asked.integration_id)),
        server: query::reference(asked.server_id)
            .map(|server| ServerRef { server, workspace: workspace.clone() }),
        workspace,
        issuer: query::filled(asked.issuer),
        method: None,
        search: query::filled(asked.search),
    };
    let found = state.registry.registrations().list(&caller.actor, filter, page).await?;
    Ok(answer::ok(&Listed::new(found, page, |one| Ok(RegistrationView::from(one)))?))
}

/// Read a registration
///
/// With what was tried, what upstream answered, and every generation of its client.
#[utoipa::path(
    tag = "registrations",
    params(("registration" = Uuid, Path, description = "Id of the registration.")),
    responses(
        (status = 200, description = "The registration.", body = RegistrationView, example = json!(RegistrationView::example_with_history())),
        ReadProblems,
    )
)]
#[get("/registrations/{registration}")]
pub(crate) async fn read_registration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.registrations().get(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&RegistrationView::try_from(found)?))
}

/// Try a registration again now
///
/// Whatever was planned. A client that works is kept. In state `unconfirmed` the registration is sent again, and the request
/// whose answer was lost may have left a client behind (`GET /v1/orphans`).
#[utoipa::path(
    tag = "registrations",
    params(("registration" = Uuid, Path, description = "Id of the registration.")),
    responses(
        (status = 200, description = "It is due now.", body = RegistrationView, example = json!(RegistrationView { state: State::Queued, ..RegistrationView::example() })),
        AskProblems,
    )
)]
#[post("/registrations/{registration}/retry")]
pub(crate) async fn retry_registration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.registrations().retry(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&RegistrationView::from(found)))
}

/// Make a new client
///
/// Although there is one. People who signed in through the old one must consent again. An old client that cannot be deleted
/// from here stays behind at the authorization server (`GET /v1/orphans`); so may one of a request whose answer was lost.
#[utoipa::path(
    tag = "registrations",
    params(("registration" = Uuid, Path, description = "Id of the registration.")),
    responses(
        (status = 200, description = "It is due now.", body = RegistrationView, example = json!(RegistrationView { state: State::Queued, ..RegistrationView::example() })),
        AskProblems,
    )
)]
#[post("/registrations/{registration}/re-register")]
pub(crate) async fn reregister_registration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.registrations().reregister(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&RegistrationView::from(found)))
}

/// Agree to replace an outdated client
///
/// People who signed in through the old one must consent again. 409 where nothing waits for an agreement.
#[utoipa::path(
    tag = "registrations",
    params(("registration" = Uuid, Path, description = "Id of the registration.")),
    responses(
        (status = 200, description = "It is due now.", body = RegistrationView, example = json!(RegistrationView { state: State::Queued, ..RegistrationView::example() })),
        AskProblems,
    )
)]
#[post("/registrations/{registration}/approve")]
pub(crate) async fn approve_registration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.registrations().approve(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&RegistrationView::from(found)))
}

/// Keep an outdated client
///
/// What is wanted now is not sent; the next change of the metadata asks again. 409 where nothing waits for an agreement.
#[utoipa::path(
    tag = "registrations",
    params(("registration" = Uuid, Path, description = "Id of the registration.")),
    responses(
        (status = 200, description = "It is due now.", body = RegistrationView, example = json!(RegistrationView { state: State::Queued, ..RegistrationView::example() })),
        AskProblems,
    )
)]
#[post("/registrations/{registration}/skip")]
pub(crate) async fn skip_registration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.registrations().skip(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&RegistrationView::from(found)))
}

/// Withdraw the client
///
/// The server stays. The client is deleted at the authorization server (RFC 7592), or entered into the ledger of orphans where
/// that is not possible; nothing is registered again until `retry` or `re-register`.
#[utoipa::path(
    tag = "registrations",
    params(("registration" = Uuid, Path, description = "Id of the registration.")),
    responses(
        (status = 200, description = "It is due now.", body = RegistrationView, example = json!(RegistrationView { state: State::Queued, ..RegistrationView::example() })),
        AskProblems,
    )
)]
#[post("/registrations/{registration}/withdraw")]
pub(crate) async fn withdraw_registration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.registrations().deregister(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&RegistrationView::from(found)))
}

/// A client that was registered by hand.
#[derive(Deserialize, Validate, ToSchema)]
pub(crate) struct EnterClient {
    /// Its id.
    #[validate(length(min = 1, max = 8192))]
    #[schema(min_length = 1, max_length = 8192, example = "acme-gateway")]
    client_id: String,
    /// Its secret, for a confidential client. Kept sealed, never answered.
    #[validate(length(min = 1, max = 4096))]
    #[schema(min_length = 1, max_length = 4096, example = "the secret", format = "password")]
    client_secret: Option<String>,
    /// How it authenticates at the token endpoint; absent: as the Advanced Configuration says, or as the authorization
    /// server lists.
    #[schema(example = "client_secret_basic")]
    token_endpoint_auth_method: Option<String>,
}

impl RequestBody for EnterClient {
    const NEEDS: Permission = Permission::OperateRegistrations;
}

/// Enter a client registered by hand
///
/// The same as setting `client_id` (and `client_secret`) in the server's Advanced Configuration, as a new revision of it. It
/// takes the place of the client there is: people who signed in through that one must sign in again.
#[utoipa::path(
    tag = "registrations",
    params(("registration" = Uuid, Path, description = "Id of the registration.")),
    request_body(content = EnterClient, description = "The client.", example = json!({ "client_id": "acme-gateway", "client_secret": "the secret" })),
    responses(
        (status = 200, description = "It is due now.", body = RegistrationView, example = json!(RegistrationView { state: State::Queued, ..RegistrationView::example() })),
        ChangeProblems,
    )
)]
#[post("/registrations/{registration}/client")]
pub(crate) async fn enter_registration_client(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: Sent<EnterClient>,
) -> Answer {
    let Sent { caller, body, .. } = sent;
    let client = EnteredClient {
        client_id: body.client_id,
        client_secret: body.client_secret.map(Secret::new),
        token_endpoint_auth_method: query::filled(body.token_endpoint_auth_method),
    };
    let found =
        state.registry.registrations().set_client_credentials(&caller.actor, id(&path)?, client).await?;
    Ok(answer::ok(&RegistrationView::from(found)))
}

fn id(text: &str) -> Result<RegistrationId, Failure> {
    text.parse().map_err(|_| Error::NotFound { what: "registration", reference: text.to_owned() }.into())
}

fn states(text: Option<String>) -> Result<Vec<State>, Failure> {
    query::words(text)
        .iter()
        .map(|word| {
            State::parse(word).ok_or_else(|| {
                let known = State::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ");
                Failure::parameter("state", &format!("takes these words, separated by commas: {known}."))
            })
        })
        .collect()
}
