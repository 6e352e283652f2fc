//! Discard a draft.

use super::open;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Draft, DraftStep};
use registry_core::id::DraftId;

/// Mounts the routes of these pages.
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

/// The step where the user left off.
#[get("/drafts/{draft}")]
async fn resume(signed_in: SignedInUser, path: web::Path<DraftId>) -> Result<HttpResponse, Failure> {
    let draft = signed_in.registry.drafts().get(&signed_in.actor, *path).await?;
    Ok(go(super::step_page(draft.id, draft.step)))
}

#[get("/drafts/{draft}/discard")]
async fn confirm(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<DraftId>,
) -> Result<HttpResponse, Failure> {
    match open(&signed_in, &path).await? {
        Ok(draft) => {
            let shell = Shell::of(&request, &signed_in, "integrations", format!("Discard {}", draft.name));
            let back = super::step_page(draft.id, draft.step.max(DraftStep::Check));
            Ok(html(StatusCode::OK, &Page { shell, draft, back })?)
        }
        Err(elsewhere) => Ok(elsewhere),
    }
}

#[post("/drafts/{draft}/discard")]
async fn discard(signed_in: SignedInUser, path: web::Path<DraftId>) -> Result<HttpResponse, Failure> {
    signed_in.registry.drafts().delete(&signed_in.actor, *path).await?;
    Ok(go("/ui/integrations/new?done=discarded"))
}
