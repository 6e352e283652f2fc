//! The page for an edit conflict: both texts, and the changes of each. Nothing that was typed is lost.

use super::layout::laid_out;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::configuration::preview::diff::{Diff, LineChange};
use crate::pages::configuration::scope::PageScope;
use crate::pages::configuration::unsaved_text::UnsavedText;
use crate::view::{Shell, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use registry::{Check, Configuration};
use registry_core::clock::Timestamp;
use registry_core::finding::{Finding, Severity};

#[derive(Template)]
#[template(path = "pages/conflict.html")]
struct Page {
    shell: Shell,
    scope: PageScope,
    typed: UnsavedText,
    stored: Configuration,
    /// The other user's changes to the text that both started from; `None` when that is unknown.
    theirs: Option<Diff>,
    /// What saving would change in the other user's text; `None` while the typed text has errors.
    mine: Option<Diff>,
    errors: Vec<Finding>,
    now: Timestamp,
}

impl Page {
    fn lines(&self) -> usize {
        (self.typed.text.lines().count() + 1).clamp(12, 30)
    }
}

/// The conflict page; `stored` is the other user's text.
pub(super) async fn page(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    scope: PageScope,
    typed: UnsavedText,
    stored: Configuration,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let check = Check { subject: Some(scope.subject.clone()), text: typed.text.clone(), preview: None };
    let checked = registry.configurations().check(actor, check).await?;
    let errors: Vec<Finding> =
        checked.findings.0.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    let present = stored.text.as_deref().map(laid_out).unwrap_or_default();
    let base = match typed.base {
        Some(0) => Some(String::new()),
        Some(number) => {
            let revision = registry.configurations().revision(actor, &scope.subject, number).await.ok();
            revision.map(|revision| revision.text.as_deref().map(laid_out).unwrap_or_default())
        }
        None => None,
    };
    let page = Page {
        shell: Shell::of(
            request,
            signed_in,
            scope.section,
            format!("Problem: another user saved {}", scope.of),
        ),
        theirs: base.map(|base| Diff::of(&base, &present)),
        mine: typed.changes(&present, stored.text.as_deref()).filter(|_| errors.is_empty()),
        errors,
        now: registry.now(),
        scope,
        typed,
        stored,
    };
    Ok(html(StatusCode::CONFLICT, &page)?)
}
