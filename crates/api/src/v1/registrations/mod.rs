//! Registrations: each is a resource that is reconciled until a valid OAuth client exists for its server.

mod actions;
mod client;
mod list;
mod read;
mod view;

use crate::http::failure::Failure;
use registry::Error;
use registry_core::id::RegistrationId;
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(list::list_registrations)
        .service(read::read_registration)
        .service(actions::retry_registration)
        .service(actions::reregister_registration)
        .service(actions::approve_registration)
        .service(actions::skip_registration)
        .service(actions::withdraw_registration)
        .service(client::enter_registration_client);
}

fn id(text: &str) -> Result<RegistrationId, Failure> {
    text.parse().map_err(|_| Error::NotFound { what: "registration", reference: text.to_owned() }.into())
}
