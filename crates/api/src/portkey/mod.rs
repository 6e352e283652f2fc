//! The control plane API of the open gateway (`Portkey-AI/gateway`, branch 2.0.0): the calls that it makes, with the answers
//! that it reads. Served where `gateway.portkey.enabled` is true.
//!
//! The gateway authenticates with its own credential; what a user may do is asked with the user's beside it. Any answer
//! outside of 2xx is the same to it: there is nothing.

mod capabilities;
mod config;
mod credentials;
mod keys;
mod logs;
mod oauth;
mod servers;

use utoipa_actix_web::service_config::ServiceConfig;

/// Mounts the operations on the scope `/v2`.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(keys::read_own_key)
        .service(servers::check_gateway_user)
        .service(servers::read_gateway_client)
        .service(servers::read_gateway_server)
        .service(servers::read_gateway_token)
        .service(servers::store_gateway_token)
        .service(servers::delete_gateway_token)
        .service(capabilities::list_gateway_capabilities)
        .service(capabilities::sync_gateway_capabilities)
        .service(capabilities::sync_gateway_metadata)
        .service(oauth::register_gateway_client)
        .service(oauth::authorize_at_gateway)
        .service(oauth::authorize_resource_at_gateway)
        .service(oauth::authorize_server_at_gateway)
        .service(oauth::issue_gateway_token)
        .service(oauth::introspect_gateway_token)
        .service(oauth::revoke_gateway_token);
}

/// Mounts what the gateway sends to `/v1` on that scope.
pub(crate) fn log_routes(config: &mut ServiceConfig<'_>) {
    config.service(logs::accept_gateway_logs).service(logs::accept_gateway_analytics);
}
