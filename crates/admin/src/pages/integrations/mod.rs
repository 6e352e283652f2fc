//! Integrations: the list with its bulk actions, and the pages of one integration.

mod bulk;
mod copies;
mod delete;
mod done;
mod edit;
mod known_server;
mod list;
mod query;
mod reregister;
mod show;
mod switch;

pub(super) use known_server::known_server_box;

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use actix_web::web::ServiceConfig;
use registry::{PageRequest, Workspace, WorkspaceFilter};
use registry_core::finding::Finding;

/// Mounts the routes of these pages. Pages without an integration are below `new`, which cannot be a slug.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .configure(list::routes)
        .configure(bulk::routes)
        .configure(copies::routes)
        .configure(edit::routes)
        .configure(switch::routes)
        .configure(reregister::routes)
        .configure(delete::routes)
        .configure(known_server::routes)
        .configure(show::routes);
}

/// Workspaces for pickers.
pub(super) async fn all_workspaces(signed_in: &SignedInUser) -> Result<Vec<Workspace>, Failure> {
    let all = PageRequest::new(0, 1000);
    Ok(signed_in.registry.workspaces().list(&signed_in.actor, WorkspaceFilter::default(), all).await?.items)
}

/// The id of the field that a finding is about; secrets of a configuration are entered on its own page.
fn field(finding: &Finding) -> &'static str {
    match finding.pointer.split('/').nth(1) {
        Some("slug") => "slug",
        Some("url" | "configurations") => "url",
        Some("description") => "description",
        Some("auth_type") => "auth",
        _ => "name",
    }
}
