//! Integrations: upstream MCP servers with their authentication and Advanced Configuration.

pub(crate) mod create;
mod delete;
mod list;
mod read;
mod revisions;
pub(crate) mod update;
mod view;

use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(create::create_integration)
        .service(list::list_integrations)
        .service(read::read_integration)
        .service(update::update_integration)
        .service(delete::delete_integration)
        .service(revisions::list_integration_revisions)
        .service(revisions::revert_integration);
}
