//! One registration, beside the list where there is room.

use super::advice::Advice;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::registrations::labels;
use crate::view;
use registry::{Attempt, OAuthClient, RegistrationDetail};
use registry_core::clock::Timestamp;
use registry_core::id::RegistrationId;
use registry_core::permission::Permission;
use registry_core::registration::{AttemptOutcome, ClientStatus, State};

/// What the page shows of one registration.
pub(super) struct Open {
    pub(super) detail: RegistrationDetail,
    pub(super) advice: Advice,
    /// Whether the action buttons are shown.
    pub(super) may_operate: bool,
}

impl Open {
    pub(super) async fn of(signed_in: &SignedInUser, id: RegistrationId) -> Result<Self, Failure> {
        let detail = signed_in.registry.registrations().get(&signed_in.actor, id).await?;
        Ok(Self {
            advice: Advice::of(signed_in, &detail).await?,
            // The client of a deleted server stays withdrawn: no action is possible.
            may_operate: signed_in.actor.can(Permission::OperateRegistrations)
                && !detail.registration.server_deleted,
            detail,
        })
    }

    fn state(&self) -> State {
        self.detail.registration.state
    }

    pub(super) fn moves(&self) -> bool {
        labels::moves(self.state())
    }

    pub(super) fn can_retry(&self) -> bool {
        matches!(self.state(), State::Retrying | State::Unconfirmed | State::Failed | State::Withdrawn)
    }

    pub(super) fn can_reregister(&self) -> bool {
        let serves = self.detail.registration.client_id.is_some() && self.state() != State::Outdated;
        self.state() == State::Unconfirmed || serves
    }

    pub(super) fn can_withdraw(&self) -> bool {
        self.detail.registration.client_id.is_some() && self.state() != State::Withdrawing
    }

    pub(super) fn is_outdated(&self) -> bool {
        self.state() == State::Outdated
    }

    /// The active client, which gateways are given.
    pub(super) fn active(&self) -> Option<&OAuthClient> {
        self.detail.clients.iter().find(|client| client.status == ClientStatus::Active)
    }

    /// When the authorization server says it issued the client, else when the client was recorded.
    #[expect(clippy::unused_self, reason = "called from the template")]
    pub(super) fn issued(&self, client: &OAuthClient) -> Timestamp {
        client
            .client_id_issued_at
            .and_then(|seconds| Timestamp::from_timestamp(seconds, 0))
            .unwrap_or(client.created_at)
    }

    pub(super) fn retries(&self, now: &Timestamp) -> String {
        labels::retries(&self.detail.registration, now)
    }

    #[expect(clippy::unused_self, reason = "called from the template")]
    pub(super) fn title(&self, attempt: &Attempt) -> String {
        labels::attempt_title(attempt)
    }

    #[expect(clippy::unused_self, reason = "called from the template")]
    pub(super) fn look(&self, attempt: &Attempt) -> (&'static str, &'static str) {
        labels::attempt_look(attempt)
    }

    #[expect(clippy::unused_self, reason = "called from the template")]
    pub(super) fn duration(&self, attempt: &Attempt) -> Option<String> {
        labels::duration(attempt)
    }

    /// Whether this exchange is expanded: the response that stopped the registration, while nothing is in progress.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
    pub(super) fn unfolds(&self, attempt: &Attempt, exchange: &usize) -> bool {
        let newest = self.detail.attempts.first().is_some_and(|first| first.number == attempt.number);
        newest
            && !self.moves()
            && attempt.outcome == AttemptOutcome::Failed
            && *exchange + 1 == attempt.exchanges.len()
    }

    /// Whether an attempt says something that the top of the page does not.
    pub(super) fn has_details(&self, attempt: &Attempt) -> bool {
        let newest = self.detail.attempts.first().is_some_and(|first| first.number == attempt.number);
        !newest || attempt.detail != self.detail.registration.detail
    }

    /// The issuer of the client, else the authorization server that was discovered.
    pub(super) fn issuer(&self) -> Option<&String> {
        let one = &self.detail.registration;
        one.issuer.as_ref().or(one.discovered_issuer.as_ref())
    }

    /// What was odd about the answers that brought each client, newest first: its generation and a sentence.
    pub(super) fn oddities(&self) -> Vec<(i64, &str)> {
        let mut found = Vec::new();
        for client in &self.detail.clients {
            found.extend(client.warnings.iter().map(|warning| (client.generation, warning.as_str())));
        }
        found
    }

    /// "acme / linear".
    pub(super) fn name(&self) -> String {
        let one = &self.detail.registration;
        format!("{} / {}", one.workspace.slug, one.server_slug)
    }

    /// The URL of the editor with this server in its preview.
    pub(super) fn sent_address(&self) -> String {
        let one = &self.detail.registration;
        format!(
            "/ui/integrations/{}/config?server={}%2F{}",
            one.integration.slug, one.workspace.slug, one.server_slug
        )
    }

    /// How the client's metadata compares with the desired metadata.
    pub(super) fn version_words(&self) -> String {
        let one = &self.detail.registration;
        let Some(used) = one.metadata_used else { return String::new() };
        match one.state {
            State::Registered => ", current".to_owned(),
            State::Outdated if used < one.metadata_newest => {
                format!(", v{} waits for approval", one.metadata_newest)
            }
            State::Outdated => ", a change at another level waits for approval".to_owned(),
            _ if used < one.metadata_newest => format!(", the newest is v{}", one.metadata_newest),
            _ => String::new(),
        }
    }

    /// CSS class and icon of the note.
    pub(super) fn grade(&self) -> &'static str {
        self.advice.grade
    }

    /// The last error is shown while it is relevant.
    pub(super) fn quotes(&self) -> bool {
        let one = &self.detail.registration;
        one.error.is_some() || one.error_description.is_some()
    }
}

/// The timestamp for a title attribute.
pub(super) fn clock(now: &Timestamp) -> String {
    let exact = view::exact(now);
    exact.split(['T', 'Z']).nth(1).unwrap_or_default().to_owned()
}
