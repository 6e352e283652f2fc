//! Workspaces, their integrations and servers.

mod delete;
mod edit;
mod list;
mod server;
mod show;

use actix_web::web::ServiceConfig;
use registry_core::finding::Finding;

/// The paths of these pages; `new` comes before the slug pattern.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(list::list)
        .configure(edit::routes)
        .configure(delete::routes)
        .configure(server::routes)
        .service(show::show);
}

/// The id of the field that a finding is about.
fn field(finding: &Finding) -> &'static str {
    match finding.pointer.rsplit('/').next() {
        Some("slug") => "slug",
        Some("description") => "description",
        Some("integration") => "integration",
        _ => "name",
    }
}
