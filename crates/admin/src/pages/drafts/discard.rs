//! The end of a draft that becomes nothing.

use super::open;
use crate::http::failure::Failure;
use crate::http::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Draft, DraftStep};
use registry_core::id::DraftId;

/// Its addresses.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(resume).service(confirm).service(discard);
}

#[derive(Template)]
#[template(path = "pages/drafts/discard.html")]
struct Page {
    shell: Shell,
    draft: Draft,
    back: String,
}

/// Where one left off.
#[get("/drafts/{draft}")]
async fn resume(visitor: Visitor, path: web::Path<DraftId>) -> Result<HttpResponse, Failure> {
    let draft = visitor.registry.drafts().get(&visitor.actor, *path).await?;
    Ok(go(super::step_page(draft.id, draft.step)))
}

#[get("/drafts/{draft}/discard")]
async fn confirm(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<DraftId>,
) -> Result<HttpResponse, Failure> {
    match open(&visitor, &path).await? {
        Ok(draft) => {
            let shell = Shell::of(&request, &visitor, "integrations", format!("Discard {}", draft.name));
            let back = super::step_page(draft.id, draft.step.max(DraftStep::Check));
            Ok(html(StatusCode::OK, &Page { shell, draft, back })?)
        }
        Err(elsewhere) => Ok(elsewhere),
    }
}

#[post("/drafts/{draft}/discard")]
async fn discard(visitor: Visitor, path: web::Path<DraftId>) -> Result<HttpResponse, Failure> {
    visitor.registry.drafts().delete(&visitor.actor, *path).await?;
    Ok(go("/ui/integrations/new?done=discarded"))
}
