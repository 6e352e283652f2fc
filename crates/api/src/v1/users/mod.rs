//! Users: who may sign in, their roles, their sessions.

mod activation;
mod invite;
mod list;
mod read;
mod roles;
mod sessions;
mod update;
mod view;

use crate::http::failure::Failure;
use registry::Error;
use registry_core::id::UserId;
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(invite::create_user)
        .service(list::list_users)
        .service(read::read_user)
        .service(update::update_user)
        .service(activation::deactivate_user)
        .service(activation::reactivate_user)
        .service(invite::create_sign_in_link)
        .service(sessions::list_user_sessions)
        .service(sessions::end_user_sessions)
        .service(sessions::end_user_session);
}

pub(super) fn id(text: &str) -> Result<UserId, Failure> {
    text.parse().map_err(|_| Error::NotFound { what: "user", reference: text.to_owned() }.into())
}
