//! What integrations and servers offer, and what is switched off of it.

mod form;
mod integration;
mod page;
mod query;
mod server;

use actix_web::web::ServiceConfig;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.configure(integration::routes).configure(server::routes);
}
