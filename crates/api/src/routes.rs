//! The documented routes, with the middleware around them.

use crate::http::{error_handler, fallback, guard};
use crate::{client_documents, gateway, health, portkey, v1};
use actix_web::middleware::{Compress, from_fn};
use actix_web::web;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

/// Mounts every operation of the OpenAPI document.
pub(crate) fn mount(config: &mut ServiceConfig<'_>) {
    config
        .service(
            scope::scope("/v1/gateway")
                .configure(gateway::routes)
                .default_service(web::to(fallback::refuse))
                .wrap(from_fn(guard::limit_requests))
                .wrap(from_fn(error_handler::handle_errors)),
        )
        .service(
            scope::scope("/v2")
                .configure(portkey::routes)
                .default_service(web::to(fallback::refuse))
                .wrap(from_fn(guard::limit_requests))
                .wrap(from_fn(error_handler::handle_errors)),
        )
        .service(
            scope::scope("/v1")
                .configure(v1::routes)
                .configure(portkey::log_routes)
                .default_service(web::to(fallback::refuse))
                .wrap(from_fn(guard::limit_requests))
                .wrap(from_fn(error_handler::handle_errors))
                .wrap(Compress::default()),
        );
    client_documents::routes(config);
    health::routes(config);
}
