//! A file per noun.

mod account;
mod api_keys;
mod configuration;
mod drafts;
mod integrations;
mod logos;
mod orphans;
pub(crate) mod preflight;
mod registrations;
mod sign_in;
mod workspaces;

use actix_web::web::ServiceConfig;

/// All pages. Where two patterns fit an address the earlier one wins, so `new` comes before `{integration}`.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .configure(sign_in::routes)
        .configure(account::routes)
        .configure(drafts::routes)
        .configure(configuration::routes)
        .configure(preflight::routes)
        .configure(integrations::routes)
        .configure(registrations::routes)
        .configure(orphans::routes)
        .configure(workspaces::routes)
        .configure(api_keys::routes)
        .configure(logos::routes);
}
