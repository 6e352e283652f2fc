//! Servers: integrations made available in one workspace, and what is sent for them.

mod create;
mod delete;
mod list;
mod read;
mod revisions;
mod update;
mod view;

use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use registry::ServerRef;
use registry_core::slug::Reference;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(create::create_server)
        .service(list::list_servers)
        .service(read::read_server)
        .service(update::update_server)
        .service(delete::delete_server)
        .service(revisions::list_server_revisions)
        .service(revisions::revert_server);
}

/// Selects one of several servers with the same slug.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InWorkspace {
    /// Id or slug of the workspace, when the slug of the server is ambiguous.
    #[param(example = "acme")]
    workspace_id: Option<String>,
}

/// The server that path and query name.
pub(crate) fn named(caller: &Caller, server: &str) -> Result<ServerRef, Failure> {
    let asked: InWorkspace = caller.query()?;
    Ok(ServerRef { server: Reference::parse(server), workspace: query::reference(asked.workspace_id) })
}
