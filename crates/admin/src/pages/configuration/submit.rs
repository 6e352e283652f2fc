//! What was posted from the page: checked, or saved.

use super::choice::Choice;
use super::place::Place;
use super::show::{PageState, show};
use crate::failure::Failure;
use crate::session::Visitor;
use crate::view::go;
use actix_web::{HttpRequest, HttpResponse};
use registry_core::finding::{Finding, Findings};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Submitted {
    configuration: String,
    #[serde(default)]
    version: Option<i64>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    intent: String,
    #[serde(default)]
    server: String,
    all: Option<String>,
}

pub(super) async fn submit(
    request: &HttpRequest,
    visitor: &Visitor,
    place: Place,
    form: Submitted,
) -> Result<HttpResponse, Failure> {
    let choice = Choice { server: form.server, all: form.all.is_some() };
    // Browsers send line ends as CR LF; what is stored has the ones that were typed.
    let text = form.configuration.replace("\r\n", "\n");
    let (registry, actor) = (&visitor.registry, &visitor.actor);
    let mut refusal = Findings::default();
    let state = if form.intent == "check" {
        PageState::Checked
    } else {
        let new = Some(text.clone()).filter(|text| !text.trim().is_empty());
        let note = Some(form.note).filter(|note| !note.trim().is_empty());
        match registry.set_configuration(actor, &place.subject, new, note, form.version).await {
            Ok(saved) => {
                let (revision, queued) = (saved.value.revision, saved.affected.registrations);
                let done = format!("saved-{revision}-{queued}");
                return Ok(go(format!("{}?{}", place.action, choice.query(&done))));
            }
            Err(registry::Error::Invalid(findings)) => {
                refusal = findings;
                PageState::Refused
            }
            Err(registry::Error::Conflict { code, message, .. }) => {
                refusal.push(Finding::error("", code, message));
                PageState::Refused
            }
            Err(registry::Error::Stale { .. }) => PageState::Conflict,
            Err(error) => return Err(error.into()),
        }
    };
    let stored = registry.configuration(actor, &place.subject).await?;
    show(request, visitor, place, stored, text, choice, state, refusal).await
}
