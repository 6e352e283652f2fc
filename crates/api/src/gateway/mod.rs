//! The gateway API: documents, changes and feedback.

mod changes;
mod document_cache;
mod feedback;
mod list;
mod schema;
mod servers;

pub use document_cache::{DocumentCacheMiddleware, DocumentCacheService};
pub(crate) use schema::{document_schema, type_document};

use utoipa_actix_web::service_config::ServiceConfig;

/// Mounts the operations on the scope `/v1/gateway`.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(changes::follow_gateway_changes)
        .service(list::list_gateway_servers)
        .service(servers::fetch_gateway_server)
        .service(feedback::ensure_gateway_server)
        .service(feedback::report_gateway_server);
}
