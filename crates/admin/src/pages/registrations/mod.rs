//! Registrations: counters, list, one with its attempts beside the list, and what a person can do.

mod actions;
mod advice;
mod changes;
mod enter;
mod list;
mod open;
mod query;
mod words;

pub(crate) use words::{answer, is_trouble, outlook};

use actix_web::web::ServiceConfig;

/// Its addresses.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(list::show)
        .service(list::retry_failed)
        .configure(enter::routes)
        .configure(actions::routes)
        .service(open::show);
}
