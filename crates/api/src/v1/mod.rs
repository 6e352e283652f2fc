//! The admin API, a file or folder per noun: its operations and its wire views.

pub(crate) mod access;
mod advanced_configuration;
mod api_keys;
mod attempts;
mod audit_events;
pub(crate) mod capabilities;
mod client_metadata;
mod connection_tests;
pub(crate) mod connections;
mod hosted;
mod integration_copies;
pub(crate) mod integrations;
mod organisation;
mod orphans;
mod preflight;
mod registrations;
mod reregistration;
mod revisions;
mod rollouts;
mod save_options;
mod secret_mappings;
pub(crate) mod server_info;
pub(crate) mod servers;
pub(crate) mod user_access;
mod users;
mod workspaces;

use utoipa_actix_web::service_config::ServiceConfig;

/// Mounts the operations on the scope `/v1`.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    workspaces::routes(config);
    integrations::routes(config);
    integration_copies::routes(config);
    access::routes(config);
    servers::routes(config);
    client_metadata::routes(config);
    preflight::routes(config);
    connection_tests::routes(config);
    organisation::routes(config);
    advanced_configuration::routes(config);
    reregistration::routes(config);
    registrations::routes(config);
    rollouts::routes(config);
    orphans::routes(config);
    api_keys::routes(config);
    users::routes(config);
    hosted::routes(config);
    audit_events::routes(config);
    capabilities::routes(config);
    server_info::routes(config);
    user_access::routes(config);
    connections::routes(config);
}
