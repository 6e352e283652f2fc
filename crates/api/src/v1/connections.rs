//! Connections of users to upstreams. Gateways keep their tokens; this registry keeps none, and says so.

use crate::examples;
use crate::http::answer::{self, Answer, Done, Listed};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::responses::{DeleteProblems, ListProblems, NotBuiltProblems, ReadProblems};
use crate::state::ApiState;
use crate::v1::servers::{InWorkspace, named};
use actix_web::{delete, get, put, web};
use chrono::{DateTime, Utc};
use registry::Error;
use registry_core::permission::Permission;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(list_server_connections)
        .service(delete_server_connections)
        .service(read_server_tokens)
        .service(update_server_tokens)
        .service(delete_server_tokens)
        .service(read_server_client_info);
}

/// The connection of a user to the upstream of a server.
#[derive(Serialize, ToSchema)]
#[schema(as = Connection)]
pub(crate) struct ConnectionView {
    /// The user.
    user_id: String,
    /// Whether there is a token.
    #[schema(example = true)]
    connected: bool,
    /// When the user connected (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the token was last renewed (RFC 3339).
    last_updated_at: DateTime<Utc>,
}

impl ConnectionView {
    fn example() -> Self {
        Self {
            user_id: examples::id(7).to_string(),
            connected: true,
            created_at: examples::moment(),
            last_updated_at: examples::moment(),
        }
    }
}

/// The OAuth client of a server.
#[derive(Serialize, ToSchema)]
#[schema(as = McpServerClientInfo)]
pub(crate) struct ClientInfoView {
    /// Always `client-info`.
    #[schema(example = "client-info")]
    object: &'static str,
    /// Generation of the client; only grows.
    #[schema(example = 3)]
    generation: i64,
    /// The client as registered (RFC 7591 §3.2.1): `client_id`, `client_secret`, `token_endpoint_auth_method`, `scope` …
    #[serde(flatten)]
    client: Map<String, Value>,
}

impl ClientInfoView {
    pub(crate) fn example() -> Self {
        let mut client = Map::new();
        client.insert("client_id".to_owned(), json!(examples::CLIENT_ID));
        client.insert("token_endpoint_auth_method".to_owned(), json!("none"));
        client.insert("issuer".to_owned(), json!(examples::ISSUER));
        Self { object: "client-info", generation: 3, client }
    }

    /// The client in the document of a server.
    pub(crate) fn of_document(body: &[u8], server: &str) -> Result<Self, Failure> {
        let mut document: Map<String, Value> = serde_json::from_slice(body).map_err(Error::from)?;
        let generation = document.get("generation").and_then(Value::as_i64).unwrap_or_default();
        let Some(Value::Object(client)) = document.shift_remove("client") else {
            let reference = server.to_owned();
            return Err(Error::NotFound { what: "client of the server", reference }.into());
        };
        Ok(Self { object: "client-info", generation, client })
    }
}

/// List the connections of users to a server
///
/// There are none: gateways keep the tokens of users.
#[utoipa::path(
    tag = "connections",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses((status = 200, description = "The connections.", body = Listed<ConnectionView>, example = json!(Listed::example(ConnectionView::example()))), ListProblems)
)]
#[get("/mcp-servers/{server}/connections")]
pub(crate) async fn list_server_connections(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    exists(&state, &caller, &path).await?;
    Ok(answer::ok(&Listed::<ConnectionView>::whole(Vec::new())))
}

/// End the connection of a user to a server
///
/// Succeeds, because there is none: gateways keep the tokens of users, and end them.
#[utoipa::path(
    tag = "connections",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses((status = 200, description = "There is no connection.", body = Done, example = json!(Done::yes())), DeleteProblems)
)]
#[delete("/mcp-servers/{server}/connections")]
pub(crate) async fn delete_server_connections(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    caller.require(Permission::UpdateServers)?;
    exists(&state, &caller, &path).await?;
    Ok(answer::ok(&Done::yes()))
}

/// Read the token of the caller at a server
///
/// There is none, so that the answer is 404: gateways keep the tokens of users.
#[utoipa::path(
    tag = "connections",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses(ReadProblems)
)]
#[get("/mcp-servers/{server}/tokens")]
pub(crate) async fn read_server_tokens(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    exists(&state, &caller, &path).await?;
    Err(Error::NotFound { what: "token of a user at the server", reference: path.into_inner() }.into())
}

/// Store the token of a user at a server
///
/// Not built yet: this version keeps no tokens of users; gateways do.
#[utoipa::path(
    tag = "not built yet",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear")),
    responses(NotBuiltProblems)
)]
#[put("/mcp-servers/{server}/tokens")]
pub(crate) async fn update_server_tokens(_caller: Caller) -> Answer {
    Err(Error::NotImplemented("This version keeps no tokens of users; gateways do, and they change them.")
        .into())
}

/// Delete the token of the caller at a server
///
/// Succeeds, because there is none: gateways keep the tokens of users.
#[utoipa::path(
    tag = "connections",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses((status = 200, description = "There is no token.", body = Done, example = json!(Done::yes())), DeleteProblems)
)]
#[delete("/mcp-servers/{server}/tokens")]
pub(crate) async fn delete_server_tokens(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    exists(&state, &caller, &path).await?;
    Ok(answer::ok(&Done::yes()))
}

/// Read the OAuth client of a server
///
/// For gateways: the client as registered, with its secret. 404 while there is no active client.
#[utoipa::path(
    tag = "connections",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses((status = 200, description = "The client.", body = ClientInfoView, example = json!(ClientInfoView::example())), ReadProblems)
)]
#[get("/mcp-servers/{server}/client-info")]
pub(crate) async fn read_server_client_info(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let server = named(&caller, &path)?;
    let document = state.registry.gateway().document_of_server(&caller.actor, &server).await?;
    Ok(answer::ok(&ClientInfoView::of_document(&document.body, &path)?))
}

/// Refuses a server that the caller may not know of.
async fn exists(state: &ApiState, caller: &Caller, server: &str) -> Result<(), Failure> {
    let server = named(caller, server)?;
    Ok(state.registry.servers().require_known(&caller.actor, &server).await?)
}
