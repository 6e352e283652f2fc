//! What gateways fetch, and what they say back.

mod batch;
mod changes;
mod door;
mod needs;
mod schema;
mod servers;

pub use door::{DoorService, GatewayDoor};
pub(crate) use schema::document_schema;

use utoipa_actix_web::service_config::ServiceConfig;

/// Puts the operations on the scope `/v1/gateway`.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(changes::follow_gateway_changes)
        .service(batch::list_gateway_servers)
        .service(servers::fetch_gateway_server)
        .service(needs::ensure_gateway_server)
        .service(needs::report_gateway_server);
}
