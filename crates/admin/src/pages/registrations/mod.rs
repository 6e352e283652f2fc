//! Registrations: counters, list, one registration with its attempts beside the list, and its actions.

mod actions;
mod advice;
mod changes;
mod client_credentials;
mod labels;
mod list;
mod open;
mod query;
mod show;

pub(crate) use labels::{answer, is_trouble, outlook};

use actix_web::web::ServiceConfig;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(list::show)
        .service(list::retry_failed)
        .configure(client_credentials::routes)
        .configure(actions::routes)
        .service(show::show);
}
