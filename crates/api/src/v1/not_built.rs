//! Operations of the hosted product that this version does not have. They answer 501 with a problem document, so
//! that a client gets an explanation.

use crate::http::answer::Answer;
use crate::http::extract::Caller;
use crate::http::responses::NotBuiltProblems;
use actix_web::{delete, get, post, put};
use registry::Error;
use utoipa_actix_web::service_config::ServiceConfig;

macro_rules! not_built {
    ($($method:ident $path:literal $name:ident $parameter:literal $thing:literal $sentence:literal;)*) => {
        pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
            $(config.service($name);)*
        }

        $(
            /// Not built yet
            #[doc = ""]
            #[doc = $sentence]
            #[utoipa::path(
                tag = "not built yet",
                params(($parameter = String, Path, description = $thing)),
                responses(NotBuiltProblems)
            )]
            #[$method($path)]
            pub(crate) async fn $name(_caller: Caller) -> Answer {
                Err(Error::NotImplemented($sentence).into())
            }
        )*
    };
}

not_built! {
    post "/mcp-integrations/{integration}/sync" sync_integration "integration" "Id or slug of the integration."
        "This version keeps no capabilities of integrations, so there is nothing to bring up to date.";
    get "/mcp-integrations/{integration}/capabilities" list_integration_capabilities "integration" "Id or slug of the integration."
        "This version keeps no capabilities of integrations.";
    put "/mcp-integrations/{integration}/capabilities" update_integration_capabilities "integration" "Id or slug of the integration."
        "This version keeps no capabilities of integrations, so none can be switched.";
    get "/mcp-integrations/{integration}/metadata" read_integration_metadata "integration" "Id or slug of the integration."
        "This version keeps nothing of what an upstream server says about itself.";
    get "/mcp-servers/{server}/capabilities" list_server_capabilities "server" "Id or slug of the server."
        "This version keeps no capabilities of servers.";
    put "/mcp-servers/{server}/capabilities" update_server_capabilities "server" "Id or slug of the server."
        "This version keeps no capabilities of servers, so none can be switched.";
    post "/mcp-servers/{server}/capabilities/sync" sync_server_capabilities "server" "Id or slug of the server."
        "This version keeps no capabilities of servers, so there is nothing to bring up to date.";
    get "/mcp-servers/{server}/user-access" list_server_user_access "server" "Id or slug of the server."
        "This version knows no access of single users.";
    put "/mcp-servers/{server}/user-access" update_server_user_access "server" "Id or slug of the server."
        "This version knows no access of single users, so none can be switched.";
    get "/mcp-servers/{server}/user-access/check" check_server_user_access "server" "Id or slug of the server."
        "This version knows no access of single users, so none can be checked.";
    get "/mcp-servers/{server}/connections" list_server_connections "server" "Id or slug of the server."
        "This version keeps no connections of users; gateways do.";
    delete "/mcp-servers/{server}/connections" delete_server_connections "server" "Id or slug of the server."
        "This version keeps no connections of users; gateways do, and they end them.";
    get "/mcp-servers/{server}/tokens" read_server_tokens "server" "Id or slug of the server."
        "This version keeps no tokens of users; gateways do.";
    put "/mcp-servers/{server}/tokens" update_server_tokens "server" "Id or slug of the server."
        "This version keeps no tokens of users; gateways do, and they change them.";
    delete "/mcp-servers/{server}/tokens" delete_server_tokens "server" "Id or slug of the server."
        "This version keeps no tokens of users; gateways do, and they delete them.";
    get "/mcp-servers/{server}/client-info" read_server_client_info "server" "Id or slug of the server."
        "Gateways get the client from `/v1/gateway/servers/{workspace}/{server}`; users see it at `/v1/registrations`.";
    get "/mcp-servers/{server}/metadata" read_server_metadata "server" "Id or slug of the server."
        "This version keeps nothing of what an upstream server says about itself.";
    post "/mcp-servers/{server}/metadata/sync" sync_server_metadata "server" "Id or slug of the server."
        "This version keeps nothing of what an upstream server says about itself, so there is nothing to bring up to date.";
}
