//! Saving, and the pages before it: a review of the changes, and a confirmation when users must sign in again.

use super::conflict;
use super::layout::laid_out;
use super::show::{PageState, show};
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::configuration::preview::diff::{Diff, LineChange};
use crate::pages::configuration::preview::sent;
use crate::pages::configuration::scope::PageScope;
use crate::pages::configuration::unsaved_text::UnsavedText;
use crate::view::{Cost, Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use registry::{Check, Checked, Configuration, Error, NewConfiguration, ReplacementMode, SentChange};
use registry_core::finding::{Finding, Findings};
use registry_core::rollout::RolloutOptions;

/// Maximum number of differences that are shown in detail.
const MAX_CHANGES_SHOWN: usize = 20;

/// The decision about clients that need a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// None yet: the user is asked when users must sign in again.
    Open,
    /// They are replaced now.
    Now,
    /// They stay in use until a user approves.
    Later,
}

#[derive(Template)]
#[template(path = "pages/review.html")]
struct ReviewPage {
    shell: Shell,
    scope: PageScope,
    typed: UnsavedText,
    stored: Configuration,
    diff: Diff,
    groups: Vec<Group>,
    /// The number of groups that are not shown.
    more: usize,
    /// The number of affected servers that are not compared individually.
    uncompared: usize,
    cost: Cost,
}

#[derive(Template)]
#[template(path = "pages/replace.html")]
struct ReplacePage {
    shell: Shell,
    scope: PageScope,
    typed: UnsavedText,
    cost: Cost,
}

/// Servers with the same difference in what is sent.
struct Group {
    servers: Vec<String>,
    diff: Diff,
}

/// Saves, or shows why not.
pub(super) async fn save(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    scope: PageScope,
    editor: UnsavedText,
    decision: Decision,
) -> Result<HttpResponse, Failure> {
    let mut typed = editor.merged();
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let stored = registry.configurations().get(actor, &scope.subject).await?;
    if typed.conflicts_with(&stored) {
        return conflict::page(request, signed_in, scope, typed, stored).await;
    }
    if decision == Decision::Open && scope.may_save {
        let cost = Cost::of(&check(signed_in, &scope, &typed).await?);
        if cost.hurts() {
            let page = ReplacePage {
                shell: Shell::of(
                    request,
                    signed_in,
                    scope.section,
                    format!("Users must sign in again: {}", scope.of),
                ),
                cost,
                scope,
                typed,
            };
            return Ok(html(StatusCode::OK, &page)?);
        }
    }
    let new = NewConfiguration {
        text: typed.to_save(),
        note: Some(typed.note.clone()).filter(|note| !note.trim().is_empty()),
        expected_version: typed.version,
        replacements: if decision == Decision::Later {
            ReplacementMode::Defer
        } else {
            ReplacementMode::Policy
        },
        rollout: RolloutOptions::default(),
    };
    let refusal = match registry.configurations().save(actor, &scope.subject, new).await {
        Ok(saved) => {
            if let (Some(rollout), None) = (saved.rollout, actor.workspace()) {
                return Ok(go(format!("/ui/rollouts/{rollout}")));
            }
            let (revision, affected) = (saved.value.revision, saved.affected);
            let done = format!("saved-{revision}-{}-{}", affected.registrations, affected.asked);
            return Ok(go(format!("{}?{}", scope.action, typed.choice.query(&done))));
        }
        Err(Error::Stale { .. }) => {
            let stored = registry.configurations().get(actor, &scope.subject).await?;
            return conflict::page(request, signed_in, scope, typed, stored).await;
        }
        Err(Error::Invalid(findings)) => findings,
        Err(Error::Conflict { code, message, .. }) => Finding::error("", code, message).into(),
        Err(error) => return Err(error.into()),
    };
    let typed = UnsavedText { version: typed.version, ..editor };
    show(request, signed_in, scope, stored, typed, PageState::Refused, refusal).await
}

/// Shows what saving would change, in the text and in what is sent.
pub(super) async fn review(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    scope: PageScope,
    editor: UnsavedText,
) -> Result<HttpResponse, Failure> {
    let mut typed = editor.merged();
    let stored = signed_in.registry.configurations().get(&signed_in.actor, &scope.subject).await?;
    if typed.conflicts_with(&stored) {
        return conflict::page(request, signed_in, scope, typed, stored).await;
    }
    let checked = check(signed_in, &scope, &typed).await?;
    let old = stored.text.as_deref().map(laid_out).unwrap_or_default();
    let (Some(diff), false) = (typed.changes(&old, stored.text.as_deref()), checked.findings.has_errors())
    else {
        let typed = UnsavedText { version: typed.version, ..editor };
        return show(request, signed_in, scope, stored, typed, PageState::Refused, Findings::default()).await;
    };
    let mut groups = grouped(&checked.changes);
    let more = groups.len().saturating_sub(MAX_CHANGES_SHOWN);
    groups.truncate(MAX_CHANGES_SHOWN);
    let page = ReviewPage {
        shell: Shell::of(request, signed_in, scope.section, format!("Review changes: {}", scope.of)),
        cost: Cost::of(&checked),
        uncompared: checked.changes.iter().filter(|change| change.sent.is_none()).count(),
        scope,
        typed,
        stored,
        diff,
        groups,
        more,
    };
    Ok(html(StatusCode::OK, &page)?)
}

async fn check(signed_in: &SignedInUser, scope: &PageScope, typed: &UnsavedText) -> Result<Checked, Failure> {
    let check = Check { subject: Some(scope.subject.clone()), text: typed.text.clone(), preview: None };
    Ok(signed_in.registry.configurations().check(&signed_in.actor, check).await?)
}

/// Groups servers with the same difference, in the order of the first of each.
fn grouped(changes: &[SentChange]) -> Vec<Group> {
    let mut keys: Vec<(String, String)> = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    for change in changes {
        let Some(sent) = &change.sent else { continue };
        let (before, after) = (sent::lines(&sent.0), sent::lines(&sent.1));
        // Only the differences: the default name contains the server's, so that whole texts are never equal.
        let only = |one: &str, other: &str| -> String {
            let other: Vec<&str> = other.lines().collect();
            one.lines().filter(|line| !other.contains(line)).flat_map(|line| [line, "\n"]).collect()
        };
        let key = (only(&before, &after), only(&after, &before));
        let name = format!("{}/{}", change.workspace, change.server);
        if let Some(index) = keys.iter().position(|known| *known == key) {
            groups[index].servers.push(name);
        } else {
            groups.push(Group { servers: vec![name], diff: Diff::of(&key.0, &key.1).without_numbers() });
            keys.push(key);
        }
    }
    groups
}
