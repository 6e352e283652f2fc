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

/// What stands in the way of a form, in the order of its fields; else the error itself.
fn problems(error: registry::Error) -> Result<Vec<Finding>, registry::Error> {
    match error {
        registry::Error::Invalid(findings) => Ok(findings.0),
        registry::Error::Conflict { code, message, pointer } => {
            Ok(vec![Finding::error(pointer.unwrap_or("/slug"), code, message)])
        }
        other => Err(other),
    }
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

/// What was typed, if anything.
fn filled(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
