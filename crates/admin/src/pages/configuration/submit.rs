//! Handles the posted form: validate, apply a button, switch the view, review, or save.

use super::saving::{Decision, review, save};
use super::show::{PageState, show};
use super::submitted::{Intent, Submitted};
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::configuration::quick_fixes::apply_quick_fix;
use crate::pages::configuration::scope::PageScope;
use crate::view::go;
use actix_web::{HttpRequest, HttpResponse};
use registry_core::finding::Findings;

pub(super) async fn submit(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    scope: PageScope,
    pairs: Vec<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let stored = signed_in.registry.configurations().get(&signed_in.actor, &scope.subject).await?;
    let submitted = Submitted::read(pairs)?;
    let mut typed = submitted.typed(stored.text.as_deref());
    let decision = match submitted.intent {
        Intent::Save => Decision::Open,
        Intent::SaveNow => Decision::Now,
        Intent::SaveLater => Decision::Later,
        Intent::Review => return review(request, signed_in, scope, typed).await,
        // Nothing is saved, whatever else is posted.
        intent => {
            let state = match intent {
                Intent::Form | Intent::Json => {
                    typed.choice.as_form = intent == Intent::Form;
                    if typed.whole() == stored.text.as_deref().unwrap_or_default() {
                        return Ok(go(format!("{}?{}", scope.action, typed.choice.query(""))));
                    }
                    PageState::Read
                }
                Intent::Edit => PageState::Read,
                // The page itself validates while the user types: the response is not logged as an action.
                Intent::LiveCheck if request.headers().contains_key("hx-request") => PageState::Read,
                Intent::Logo => PageState::Logo,
                Intent::QuickFix(intent) => match apply_quick_fix(&intent, &typed.text) {
                    Some((text, said)) => {
                        typed.text = text;
                        PageState::Changed(said)
                    }
                    None => PageState::Checked,
                },
                // The four buttons that save are handled above.
                Intent::Check
                | Intent::LiveCheck
                | Intent::Save
                | Intent::SaveNow
                | Intent::SaveLater
                | Intent::Review => PageState::Checked,
            };
            return show(request, signed_in, scope, stored, typed, state, Findings::default()).await;
        }
    };
    save(request, signed_in, scope, typed, decision).await
}
