//! Workspaces, what is in them, and their servers.

mod delete;
mod edit;
mod list;
mod server;
mod show;

use actix_web::web::ServiceConfig;
use registry_core::finding::Finding;

/// Its addresses; `new` comes before whatever a slug could be.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(list::list)
        .configure(edit::routes)
        .configure(delete::routes)
        .configure(server::routes)
        .service(show::show);
}

/// The field a finding is about, by its id.
fn field(finding: &Finding) -> &'static str {
    match finding.pointer.rsplit('/').next() {
        Some("slug") => "slug",
        Some("description") => "description",
        Some("integration") => "integration",
        _ => "name",
    }
}
