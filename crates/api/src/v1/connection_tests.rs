//! Tests of the connection to an upstream MCP server, in the wire format of the hosted product.

use crate::examples;
use crate::http::answer::{self, Answer};
use crate::http::extract::Caller;
use crate::http::responses::TestProblems;
use crate::state::ApiState;
use crate::v1::servers::{InWorkspace, named};
use actix_web::{post, web};
use registry::ConnectionTest;
use registry_core::slug::Reference;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(test_integration).service(test_server);
}

/// The result of a connection test.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionTest)]
pub(crate) struct ConnectionTestView {
    /// `mcp-integration` or `mcp-server`.
    #[schema(example = "mcp-server")]
    object: &'static str,
    /// Whether the MCP server answered as expected; when OAuth is configured, with a challenge to authorize.
    #[schema(example = true)]
    success: bool,
    /// HTTP status of the upstream; absent when it could not be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 401)]
    status_code: Option<u16>,
    /// Duration in milliseconds; absent when the upstream could not be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 87)]
    response_time_ms: Option<u64>,
    /// The URL that was requested.
    #[schema(format = "uri")]
    url: String,
    /// Name of the integration or server.
    #[schema(example = "Linear")]
    server_name: String,
    /// The problem, and what to do; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl ConnectionTestView {
    fn of(object: &'static str, test: ConnectionTest) -> Self {
        Self {
            object,
            success: test.problem.is_none(),
            status_code: test.status,
            response_time_ms: test.status.map(|_| test.duration_ms),
            url: test.url,
            server_name: test.name,
            error: test.problem,
        }
    }

    fn example(object: &'static str) -> Self {
        let test = ConnectionTest {
            name: "Linear".to_owned(),
            url: examples::UPSTREAM.to_owned(),
            status: Some(401),
            duration_ms: 87,
            problem: None,
        };
        Self::of(object, test)
    }
}

/// Test the connection to an integration's MCP server
///
/// Sends one request, with the headers that organisation and integration configure. The status is 200 also when the
/// test fails: read `success` and `error`. Where the server answers and needs no user (`auth_type` `none` or `headers`), what it
/// offers is read and stored too: see `…/look`.
#[utoipa::path(
    tag = "integrations",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear")),
    responses((status = 200, description = "The result of the test.", body = ConnectionTestView, example = json!(ConnectionTestView::example("mcp-integration"))), TestProblems)
)]
#[post("/mcp-integrations/{integration}/test")]
pub(crate) async fn test_integration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let test = state.registry.integrations().test_connection(&caller.actor, &Reference::parse(&path)).await?;
    Ok(answer::ok(&ConnectionTestView::of("mcp-integration", test)))
}

/// Test the connection to a server's upstream
///
/// Sends one request, with the headers that gateways would send. The status is 200 also when the test fails: read
/// `success` and `error`.
#[utoipa::path(
    tag = "servers",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses((status = 200, description = "The result of the test.", body = ConnectionTestView, example = json!(ConnectionTestView::example("mcp-server"))), TestProblems)
)]
#[post("/mcp-servers/{server}/test")]
pub(crate) async fn test_server(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let test = state
        .registry
        .integrations()
        .test_connection_of_server(&caller.actor, &named(&caller, &path)?)
        .await?;
    Ok(answer::ok(&ConnectionTestView::of("mcp-server", test)))
}
