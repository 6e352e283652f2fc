//! Somebody else saved first: both texts, and what each of them changes. Nothing that was typed is lost.

use super::layout::laid_out;
use crate::http::failure::Failure;
use crate::http::session::Visitor;
use crate::pages::configuration::live_check::Typed;
use crate::pages::configuration::preview::diff::{Diff, Fate};
use crate::pages::configuration::scope::Place;
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
    place: Place,
    typed: Typed,
    stored: Configuration,
    /// What they changed of the text that both began with; `None` where that is not known.
    theirs: Option<Diff>,
    /// What saving would change of theirs; `None` while the typed text has errors.
    mine: Option<Diff>,
    errors: Vec<Finding>,
    now: Timestamp,
}

impl Page {
    fn lines(&self) -> usize {
        (self.typed.text.lines().count() + 1).clamp(12, 30)
    }
}

/// The page that says so; `stored` is theirs.
pub(super) async fn page(
    request: &HttpRequest,
    visitor: &Visitor,
    place: Place,
    typed: Typed,
    stored: Configuration,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&visitor.registry, &visitor.actor);
    let check = Check { subject: Some(place.subject.clone()), text: typed.text.clone(), preview: None };
    let checked = registry.configurations().check(actor, check).await?;
    let errors: Vec<Finding> =
        checked.findings.0.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    let present = stored.text.as_deref().map(laid_out).unwrap_or_default();
    let base = match typed.base {
        Some(0) => Some(String::new()),
        Some(number) => {
            let revision = registry.configurations().revision(actor, &place.subject, number).await.ok();
            revision.map(|revision| revision.text.as_deref().map(laid_out).unwrap_or_default())
        }
        None => None,
    };
    let page = Page {
        shell: Shell::of(
            request,
            visitor,
            place.section,
            format!("Problem: somebody else saved {}", place.of),
        ),
        theirs: base.map(|base| Diff::of(&base, &present)),
        mine: typed.changes(&present, stored.text.as_deref()).filter(|_| errors.is_empty()),
        errors,
        now: registry.now(),
        place,
        typed,
        stored,
    };
    Ok(html(StatusCode::CONFLICT, &page)?)
}
