//! What gateways fetch, and what they say back.

mod needs;
mod servers;

use utoipa_actix_web::service_config::ServiceConfig;

/// Puts the operations on the scope `/v1/gateway`.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(servers::fetch_gateway_server)
        .service(needs::ensure_gateway_server)
        .service(needs::report_gateway_server);
}
