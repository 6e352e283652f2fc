//! Step 2: the result of discovery, and how gateways shall identify themselves.

use super::choice::{self, Form, Intent};
use super::{Problem, Wizard, host, onwards, open, step_page};
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{KnownServerBox, Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Draft, DraftStep, Error};
use registry_core::clock::Timestamp;
use registry_core::id::DraftId;
use registry_core::preflight::{Approach, Availability, Probe, Quality};

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(submit).service(again);
}

#[derive(Template)]
#[template(path = "pages/drafts/check.html")]
struct Page {
    shell: Shell,
    wizard: Wizard,
    draft: Draft,
    form: Form,
    callbacks: Vec<String>,
    known: Option<KnownServerBox>,
    now: Timestamp,
}

/// One approach on the page.
struct Choice {
    approach: Approach,
    availability: Availability,
    checked: bool,
}

impl Page {
    fn host(&self) -> String {
        host(&self.draft.url)
    }

    /// Whether the upstream did not answer.
    fn unreachable(&self) -> bool {
        self.draft.examination.as_ref().is_some_and(|found| !found.reached)
    }

    fn options(&self) -> Vec<Choice> {
        let examination = self.draft.examination.as_ref();
        let availability = |approach| {
            examination.map_or(Availability::Unknown, |found| found.availability(approach).clone())
        };
        let open = |approach: &Approach| !matches!(availability(*approach), Availability::Closed(_));
        let proposed = examination.and_then(|found| found.proposed);
        let chosen = self.form.approach.filter(open).or(proposed);
        Approach::ALL
            .into_iter()
            .map(|approach| Choice {
                approach,
                availability: availability(approach),
                checked: chosen == Some(approach),
            })
            .collect()
    }

    /// Whether discovery proposes this approach and the user has not chosen one yet.
    fn is_proposed(&self, option: &Choice) -> bool {
        let proposed = self.draft.examination.as_ref().and_then(|found| found.proposed);
        self.form.approach.is_none() && proposed == Some(option.approach)
    }
}

impl Choice {
    fn name(&self) -> &'static str {
        choice::name(self.approach)
    }

    fn meaning(&self) -> &'static str {
        choice::meaning(self.approach)
    }

    /// Why it cannot be used.
    fn closed(&self) -> Option<&str> {
        match &self.availability {
            Availability::Closed(why) => Some(why),
            Availability::Offered | Availability::Unknown => None,
        }
    }
}

/// CSS class, icon and text alternative of a probe.
pub(crate) fn grade_look(probe: &Probe) -> (&'static str, &'static str, &'static str) {
    match probe.grade {
        Quality::Good => ("ok", "tick", "Good"),
        Quality::Doubtful => ("warn", "warn", "Worth a look"),
        Quality::Bad => ("bad", "bad", "In the way"),
        Quality::Unknown => ("", "dash", "Not known"),
    }
}

#[get("/drafts/{draft}/check")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<DraftId>,
) -> Result<HttpResponse, Failure> {
    match open(&signed_in, &path).await? {
        Ok(draft) => {
            let form = Form::of(&draft);
            render(&request, &signed_in, StatusCode::OK, draft, form, Vec::new()).await
        }
        Err(elsewhere) => Ok(elsewhere),
    }
}

// POST, because it sends requests. The response waits for theirs, until their timeout.
#[post("/drafts/{draft}/check/again")]
async fn again(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<DraftId>,
) -> Result<HttpResponse, Failure> {
    let draft = match open(&signed_in, &path).await? {
        Ok(draft) => draft,
        Err(elsewhere) => return Ok(elsewhere),
    };
    match signed_in.registry.drafts().probe(&signed_in.actor, draft.id).await {
        Ok(_) => Ok(go(step_page(draft.id, DraftStep::Check))),
        Err(error @ Error::TooSoon { .. }) => {
            let problems = vec![Problem::new("again", error.to_string())];
            let form = Form::of(&draft);
            render(&request, &signed_in, StatusCode::TOO_MANY_REQUESTS, draft, form, problems).await
        }
        Err(error) => Err(error.into()),
    }
}

#[post("/drafts/{draft}/check")]
async fn submit(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<DraftId>,
    fields: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let draft = match open(&signed_in, &path).await? {
        Ok(draft) => draft,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let form = Form::read(fields.into_inner(), &draft)?;
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    // The settings of a known server decide the approach where they contain a client; its id may be entered with them.
    let preset =
        draft.known_server().filter(|_| form.intent == Intent::Preset).and_then(|known| known.preset);
    let by_hand = preset.is_some_and(|preset| preset.approach() == Some(Approach::ByHand));
    let decided = preset.is_some_and(|preset| preset.approach().is_some());
    if preset.is_some() && (form.approach.is_none() || decided && (!by_hand || form.client_id.is_empty())) {
        return Ok(go(format!("{}?preset=true", step_page(draft.id, DraftStep::Metadata))));
    }
    let form = if by_hand { Form { approach: Some(Approach::ByHand), ..form } } else { form };
    let Some(approach) = form.approach else {
        if form.intent == Intent::Draft {
            return Ok(onwards(form.intent == Intent::Draft, draft.id, DraftStep::Check));
        }
        let problems = vec![Problem::new("approach", "Say how the gateway shall identify itself.")];
        return render(&request, &signed_in, refused, draft, form, problems).await;
    };
    let saved = signed_in
        .registry
        .drafts()
        .choose_approach(&signed_in.actor, draft.id, approach, form.entered())
        .await;
    match saved {
        Ok(_) if preset.is_some() => {
            Ok(go(format!("{}?preset=true", step_page(draft.id, DraftStep::Metadata))))
        }
        Ok(_) => Ok(onwards(form.intent == Intent::Draft, draft.id, DraftStep::Metadata)),
        Err(Error::Invalid(findings)) => {
            let errors = findings.0.into_iter();
            let problems = errors.map(|finding| Problem::of(finding, field)).collect();
            render(&request, &signed_in, refused, draft, form, problems).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The field that a finding is about.
fn field(pointer: &str) -> String {
    let ends = |name: &str| pointer.ends_with(name);
    if ends("/client_id") {
        "client_id"
    } else if ends("/client_secret") {
        "client_secret"
    } else if pointer.starts_with("/headers") || pointer.starts_with("/custom_headers") {
        "headers"
    } else {
        "approach"
    }
    .to_owned()
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    status: StatusCode,
    draft: Draft,
    form: Form,
    problems: Vec<Problem>,
) -> Result<HttpResponse, Failure> {
    let wizard = Wizard::of(&draft, DraftStep::Check, problems);
    let text = draft.configuration.as_deref().unwrap_or_default();
    let page = Page {
        known: draft.known_server().map(|known| KnownServerBox::of(known, text, draft.approach, "preset")),
        shell: Shell::of(request, signed_in, "integrations", wizard.title("check the server")),
        wizard,
        callbacks: signed_in.registry.deployment().organisation(&signed_in.actor).await?.callback_urls,
        now: signed_in.registry.now(),
        draft,
        form,
    };
    Ok(html(status, &page)?)
}
