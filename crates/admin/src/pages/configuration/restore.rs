//! Restore an earlier version: shows what it would change and cost, then saves a new version with its content.

use super::layout::laid_out;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::configuration::preview::diff::{Diff, LineChange};
use crate::pages::configuration::scope::PageScope;
use crate::view::{Cost, Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use registry::{Configuration, Error, ReplacementMode, Revision};
use registry_core::finding::{Finding, Findings, Severity};
use registry_core::rollout::RolloutOptions;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "pages/restore.html")]
struct Page {
    shell: Shell,
    scope: PageScope,
    stored: Configuration,
    version: Revision,
    diff: Diff,
    cost: Cost,
    /// What cannot be restored from the version, or is invalid now.
    findings: Vec<Finding>,
    state: State,
}

/// The result of the previous request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// None.
    Asked,
    /// The version is no longer valid.
    Refused,
    /// Another user saved first.
    Conflict,
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    number: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Submitted {
    number: i64,
    /// The version of the row that was shown.
    version: i64,
    #[serde(default)]
    intent: Intent,
}

/// The button.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Intent {
    #[default]
    Now,
    /// Clients that need a replacement stay in use until a user approves.
    Later,
}

/// The confirmation page.
pub(super) async fn ask(
    request: HttpRequest,
    signed_in: SignedInUser,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, Failure> {
    let scope = PageScope::of_request(&request, &signed_in).await?;
    page(&request, &signed_in, scope, wanted.number, State::Asked, Findings::default()).await
}

/// Restores the version.
pub(super) async fn restore(
    request: HttpRequest,
    signed_in: SignedInUser,
    form: web::Form<Submitted>,
) -> Result<HttpResponse, Failure> {
    let scope = PageScope::of_request(&request, &signed_in).await?;
    let replacements = match form.intent {
        Intent::Now => ReplacementMode::Policy,
        Intent::Later => ReplacementMode::Defer,
    };
    let saved = signed_in
        .registry
        .configurations()
        .revert(
            &signed_in.actor,
            &scope.subject,
            form.number,
            Some(form.version),
            replacements,
            RolloutOptions::default(),
        )
        .await;
    match saved {
        Ok(saved) => {
            if let (Some(rollout), None) = (saved.rollout, signed_in.actor.workspace()) {
                return Ok(go(format!("/ui/rollouts/{rollout}")));
            }
            let (made, affected) = (saved.value.revision, saved.affected);
            let done =
                format!("restored-{}-{made}-{}-{}", form.number, affected.registrations, affected.asked);
            Ok(go(format!("{}?done={done}", scope.history())))
        }
        Err(Error::Invalid(findings)) => {
            page(&request, &signed_in, scope, form.number, State::Refused, findings).await
        }
        Err(Error::Stale { .. }) => {
            page(&request, &signed_in, scope, form.number, State::Conflict, Findings::default()).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn page(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    scope: PageScope,
    number: i64,
    state: State,
    refusal: Findings,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let stored = registry.configurations().get(actor, &scope.subject).await?;
    let version = registry.configurations().revision(actor, &scope.subject, number).await?;
    let checked = registry.configurations().check_revision(actor, &scope.subject, number, None).await?;
    let text = |text: Option<&str>| text.map(laid_out).unwrap_or_default();
    let diff = Diff::of(&text(stored.text.as_deref()), &text(version.text.as_deref()));
    let mut findings: Vec<Finding> = checked
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error || finding.code.starts_with("secret_"))
        .cloned()
        .collect();
    findings.extend(refusal.0.into_iter().filter(|new| !checked.findings.0.contains(new)));
    let invalid = findings.iter().any(|finding| finding.severity == Severity::Error);
    let state = if invalid && state == State::Asked { State::Refused } else { state };
    let problem = if state == State::Asked { "" } else { "Problem: " };
    let page = Page {
        shell: Shell::of(
            request,
            signed_in,
            scope.section,
            format!("{problem}Restore v{number}: {}", scope.of),
        ),
        cost: Cost::of(&checked),
        scope,
        stored,
        version,
        diff,
        findings,
        state,
    };
    let status = match state {
        State::Asked => StatusCode::OK,
        State::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        State::Conflict => StatusCode::CONFLICT,
    };
    Ok(html(status, &page)?)
}
