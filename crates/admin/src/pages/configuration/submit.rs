//! What was posted from the page: checked, reviewed, or saved.

use super::choice::Choice;
use super::place::Place;
use super::saving::{Decision, review, save};
use super::show::{PageState, show};
use super::typed::Typed;
use crate::failure::Failure;
use crate::session::Visitor;
use actix_web::{HttpRequest, HttpResponse};
use registry_core::finding::Findings;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Submitted {
    configuration: String,
    #[serde(default)]
    version: Option<i64>,
    #[serde(default)]
    base: Option<i64>,
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
    let typed = Typed {
        // Browsers send line ends as CR LF; what is stored has the ones that were typed.
        text: form.configuration.replace("\r\n", "\n"),
        version: form.version,
        base: form.base,
        note: form.note,
        choice: Choice { server: form.server, all: form.all.is_some() },
    };
    let decision = match form.intent.as_str() {
        "save" => Decision::Open,
        "save-now" => Decision::Now,
        "save-later" => Decision::Later,
        "review" => return review(request, visitor, place, typed).await,
        intent => {
            // Whatever else is posted, nothing is saved by it.
            let state = match intent {
                "edit" => PageState::Read,
                "logo" => PageState::Logo,
                _ => PageState::Checked,
            };
            let stored = visitor.registry.configuration(&visitor.actor, &place.subject).await?;
            return show(request, visitor, place, stored, typed, state, Findings::default()).await;
        }
    };
    save(request, visitor, place, typed, decision).await
}
