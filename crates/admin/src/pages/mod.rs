//! A file per noun.

mod account;
mod api_keys;
mod configuration;
mod integrations;
mod new_integration;
mod orphans;
pub(crate) mod preflight;
mod registrations;
mod sign_in;
mod workspaces;

use actix_web::web::ServiceConfig;

/// All pages.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(sign_in::show_form)
        .service(sign_in::submit)
        .service(sign_in::link)
        .service(sign_in::use_link)
        .service(sign_in::sign_out)
        .service(account::show)
        .service(account::set_password)
        .service(account::theme)
        .service(integrations::home)
        .service(new_integration::show_form)
        .service(new_integration::submit)
        .service(integrations::list)
        .service(configuration::show_integration)
        .service(configuration::submit_integration)
        .service(configuration::show_access)
        .service(configuration::submit_access)
        .service(configuration::show_server)
        .service(configuration::submit_server)
        .service(configuration::show_organisation)
        .service(configuration::submit_organisation)
        .service(integrations::confirm_delete)
        .service(integrations::delete)
        .service(integrations::add_server)
        .service(preflight::check)
        .service(integrations::show)
        .service(registrations::list)
        .service(registrations::confirm)
        .service(registrations::retry)
        .service(registrations::reregister)
        .service(registrations::approve)
        .service(registrations::skip)
        .service(registrations::withdraw)
        .service(registrations::show)
        .service(orphans::list)
        .service(orphans::table)
        .service(orphans::resolve)
        .service(workspaces::list)
        .service(workspaces::create)
        .service(workspaces::show)
        .service(api_keys::list)
        .service(api_keys::create)
        .service(api_keys::confirm)
        .service(api_keys::revoke);
}
