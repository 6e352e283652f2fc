//! What the worker calls around each step: record that it begins, record what came of it, close the claim.

use crate::actor::Actor;
use crate::registration::brief::workspace_of;
use crate::registration::clients::{NewClient, Published, take_over};
use crate::registration::context::{Claim, NEVER, Situation, claimed, lease_clock};
use crate::registration::failures::{
    INTERRUPTED, deletion_sent, event, fail, finish, keep_withdrawing, manage_failed, settled, superseded,
};
use crate::registration::issuer_rate::slow_down;
use crate::registration::{Queue, orphans};
use crate::storage::columns::{hex, millis, set_word};
use crate::storage::entity::{attempt, oauth_client, registration};
use crate::storage::write::Write;
use crate::{Error, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{AttemptId, OauthClientId, SealedId, ServerId};
use registry_core::oauth::{
    Adjustment, Discovery, Exchange, Failure, FailureClass, Issued, client_id_document, document_url,
};
use registry_core::origin::origin_of;
use registry_core::registration::{
    AttemptOutcome, AttemptStep, Block, ClientStatus, RegistrationMethod, State,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::{Map, Value, json};

/// What came of a step.
#[derive(Debug)]
pub enum StepRecord {
    /// The authorization server was found.
    Discovered(Box<Discovery>),
    /// There is a new client; it becomes the active one, the former drains. With the body that was sent for it.
    Client(Box<NewClient>, Option<Map<String, Value>>),
    /// The client was updated to this body (RFC 7592 §2.2).
    Updated(OauthClientId, Box<Issued>, Map<String, Value>),
    /// The client was read and is known (RFC 7592 §2.1).
    Verified(OauthClientId, Box<Issued>),
    /// The published document cannot be read from outside; another way is taken if there is one.
    DocumentUnreachable(Failure),
    /// The client is gone upstream, or needs no deletion: how.
    Withdrawn(OauthClientId, &'static str),
    /// The client could not be deleted: it goes into the orphan ledger, or is tried again if that may help.
    NotWithdrawn(OauthClientId, Failure),
    /// It did not work.
    Failed(Failure),
}

/// How a claim is closed.
#[derive(Clone, Debug)]
pub enum Settlement {
    /// Nothing may be done before this moment.
    Wait(Timestamp),
    /// This issuer's budget has room at this moment.
    Turn(Timestamp, String),
    /// A person must act.
    Block(Block, Option<Timestamp>),
    /// The client serves, and a person must agree to a new one.
    Ask(Block, Option<Timestamp>),
    /// All is as wanted.
    Rest(State, Option<Timestamp>),
}

impl Queue<'_> {
    /// Records that a step begins, *before* anything is sent, and prolongs the lease. `None` when the claim is lost.
    pub async fn begin_attempt(
        self,
        claim: &Claim,
        situation: &Situation,
        step: AttemptStep,
        request: Option<&Map<String, Value>>,
        adjustments: &[Adjustment],
    ) -> Result<Option<AttemptId>> {
        let write = self.registry.begin_write(&Actor::worker(&claim.worker)).await?;
        let Some(row) = claimed(&write, claim).await? else { return Ok(None) };
        // What is answered may have to be sealed: nothing is sent by whoever cannot.
        write.permit()?;
        let id = self.enter_attempt(&write, &row, claim, situation, (step, request, adjustments)).await?;
        write.commit().await?;
        Ok(Some(id))
    }

    /// As [`Self::begin_attempt`], for the deletion of a client: should its answer be lost, it is known which client may be
    /// gone.
    pub async fn begin_deletion(
        self,
        claim: &Claim,
        situation: &Situation,
        client: OauthClientId,
    ) -> Result<Option<AttemptId>> {
        let write = self.registry.begin_write(&Actor::worker(&claim.worker)).await?;
        let Some(row) = claimed(&write, claim).await? else { return Ok(None) };
        let id =
            self.enter_attempt(&write, &row, claim, situation, (AttemptStep::Withdraw, None, &[])).await?;
        deletion_sent(&write, client).await?;
        write.commit().await?;
        Ok(Some(id))
    }

    async fn enter_attempt(
        self,
        write: &Write<'_>,
        row: &registration::Model,
        claim: &Claim,
        situation: &Situation,
        (step, request, adjustments): (AttemptStep, Option<&Map<String, Value>>, &[Adjustment]),
    ) -> Result<AttemptId> {
        let number: Option<i64> = attempt::Entity::find()
            .select_only()
            .column(attempt::Column::Number)
            .filter(attempt::Column::RegistrationId.eq(row.id))
            .order_by_desc(attempt::Column::Number)
            .limit(1)
            .into_tuple()
            .one(&write.txn)
            .await?;
        let id = self.registry.new_id();
        attempt::ActiveModel {
            id: Set(id),
            registration_id: Set(row.id),
            number: Set(number.unwrap_or(0) + 1),
            step: set_word(step),
            fence: Set(claim.fence),
            started_at: Set(write.millis()),
            outcome: set_word(AttemptOutcome::Pending),
            request: Set(request.map(serde_json::to_string).transpose()?),
            adjustments: Set(serde_json::to_string(adjustments)?),
            exchanges: Set("[]".to_owned()),
            ..Default::default()
        }
        .insert(&write.txn)
        .await?;
        // What looks after a client that serves is nobody's business; what may change it is.
        let quiet = matches!(step, AttemptStep::Discover | AttemptStep::Verify | AttemptStep::Withdraw)
            && situation.serves(write.now);
        let state = match step {
            _ if situation.desired.is_gone(write.now) => State::Withdrawing,
            _ if quiet || step == AttemptStep::Withdraw => situation.state,
            _ => State::Registering,
        };
        registration::ActiveModel {
            id: Set(row.id),
            state: set_word(state),
            lease_until: Set(lease_clock(write).await? + self.lease_millis()),
            updated_at: Set(write.millis()),
            ..Default::default()
        }
        .update(&write.txn)
        .await?;
        Ok(AttemptId(id))
    }

    /// Publishes the Client ID Metadata Document of a claimed registration: from now on it is answered at its URL. `None`
    /// when the claim is lost.
    pub async fn publish_document(
        self,
        claim: &Claim,
        situation: &Situation,
    ) -> Result<Option<std::result::Result<Published, Failure>>> {
        let Some(public) = &situation.layers.in_force.settings.cimd_public_url else {
            return Err(Error::Internal("a document without `cimd.public_url`".into()));
        };
        let write = self.registry.begin_write(&Actor::worker(&claim.worker)).await?;
        let Some(row) = claimed(&write, claim).await? else { return Ok(None) };
        // Not the registration's own id: it would tell everybody when the server was made.
        let id = match row.document_id.clone() {
            Some(id) => id,
            None => random_id()?,
        };
        let url = document_url(public, &id);
        let effective = &situation.desired.effective;
        let text = match client_id_document(&url, &effective.client_metadata, effective.scope_is_admins) {
            Ok(text) => text,
            Err(failure) => return Ok(Some(Err(failure))),
        };
        registration::ActiveModel {
            id: Set(row.id),
            document_id: Set(Some(id)),
            document: Set(Some(text.clone())),
            ..Default::default()
        }
        .update(&write.txn)
        .await?;
        write.commit().await?;
        Ok(Some(Ok(Published { url, text })))
    }

    /// Records what came of a step: attempt, registration, client, change and audit in one transaction. False when the
    /// claim is lost and nothing was written.
    pub async fn finish_attempt(
        self,
        claim: &Claim,
        situation: &Situation,
        id: AttemptId,
        record: StepRecord,
        exchanges: Vec<Exchange>,
    ) -> Result<bool> {
        let mut write = self.registry.begin_write(&Actor::worker(&claim.worker)).await?;
        let Some(row) = claimed(&write, claim).await? else { return Ok(false) };
        // Somebody asked for something after the situation was loaded: this outcome does not answer that.
        let asked_since = row.wanted != situation.wanted;
        let tried = attempt::Entity::find_by_id(id.0)
            .one(&write.txn)
            .await?
            .ok_or_else(|| Error::not_found("attempt", id))?;
        let record = match record {
            StepRecord::Client(client, _) if self.is_superseded(&write, &client).await? => {
                StepRecord::Failed(superseded())
            }
            record => record,
        };
        heed_limit(&write, situation, &record, &exchanges).await?;
        match record {
            StepRecord::Discovered(discovery) => {
                finish(&write, &tried, AttemptOutcome::Succeeded, None, exchanges, None).await?;
                self.discovered(&mut write, &row, situation, &discovery).await?;
            }
            StepRecord::Client(client, request) => {
                let response = self.add_client(&mut write, &row, situation, *client, request).await?;
                finish(&write, &tried, AttemptOutcome::Succeeded, None, exchanges, Some(response)).await?;
                let mut reached = settled(&row, State::Registered, write.millis(), asked_since);
                let recovered =
                    situation.observed.client.as_ref().is_some_and(|client| client.verification.is_some());
                if recovered {
                    reached.replaced_at = Set(Some(write.millis()));
                }
                reached.update(&write.txn).await?;
            }
            StepRecord::Updated(client, issued, request) => {
                let response =
                    self.update_client(&mut write, &row, situation, client, *issued, Some(request)).await?;
                finish(&write, &tried, AttemptOutcome::Succeeded, None, exchanges, Some(response)).await?;
                settled(&row, State::Registered, write.millis(), asked_since).update(&write.txn).await?;
            }
            StepRecord::Verified(client, issued) => {
                let response = self.update_client(&mut write, &row, situation, client, *issued, None).await?;
                finish(&write, &tried, AttemptOutcome::Succeeded, None, exchanges, Some(response)).await?;
                let mut verified = registration::ActiveModel { id: Set(row.id), ..Default::default() };
                verified.failures = Set(0);
                verified.not_before = Set(None);
                verified.update(&write.txn).await?;
            }
            StepRecord::DocumentUnreachable(failure) => {
                finish(&write, &tried, AttemptOutcome::Failed, Some(&failure), exchanges, None).await?;
                let mut other = registration::ActiveModel { id: Set(row.id), ..Default::default() };
                other.document_unreachable_at = Set(Some(write.millis()));
                other.update(&write.txn).await?;
            }
            StepRecord::Withdrawn(client, how) => {
                finish(&write, &tried, AttemptOutcome::Succeeded, None, exchanges, None).await?;
                self.withdrawn(&mut write, &row, situation, client, how, None).await?;
            }
            StepRecord::NotWithdrawn(client, failure) => {
                let lost = failure.class == FailureClass::Ambiguous;
                finish(
                    &write,
                    &tried,
                    if lost { AttemptOutcome::Lost } else { AttemptOutcome::Failed },
                    Some(&failure),
                    exchanges,
                    None,
                )
                .await?;
                if !keep_withdrawing(&write, client, &failure).await? {
                    self.withdrawn(&mut write, &row, situation, client, "not_possible", Some(&failure))
                        .await?;
                }
            }
            // It is planned anew at once, with what was saved since.
            StepRecord::Failed(failure) if failure.code == INTERRUPTED => {
                finish(&write, &tried, AttemptOutcome::Failed, Some(&failure), exchanges, None).await?;
            }
            StepRecord::Failed(failure) => {
                let lost = failure.class == FailureClass::Ambiguous;
                finish(
                    &write,
                    &tried,
                    if lost { AttemptOutcome::Lost } else { AttemptOutcome::Failed },
                    Some(&failure),
                    exchanges,
                    None,
                )
                .await?;
                if lost && tried.step()? == AttemptStep::Register {
                    let issuer = situation.observed.discovery.as_ref().map(|(found, _)| found.issuer.clone());
                    orphans::enter_lost_answer(&mut write, &situation.layers, &tried, issuer, &failure)
                        .await?;
                }
                if !manage_failed(&mut write, &row, situation, tried.step()?, &failure).await? {
                    let serves = situation.serves(write.now);
                    fail(
                        &mut write,
                        row,
                        &situation.layers,
                        &situation.desired,
                        (tried.step()?, &failure),
                        serves,
                        asked_since,
                    )
                    .await?;
                }
            }
        }
        write.commit().await?;
        Ok(true)
    }

    /// A discovery that succeeded. A client of the same authorization server takes it over: one document, never a mix.
    async fn discovered(
        self,
        write: &mut Write<'_>,
        row: &registration::Model,
        situation: &Situation,
        discovery: &Discovery,
    ) -> Result<()> {
        let text = serde_json::to_string(discovery)?;
        let mut found = registration::ActiveModel {
            id: Set(row.id),
            discovery: Set(Some(text.clone())),
            discovered_at: Set(Some(write.millis())),
            rediscover_at: Set(Some(millis(write.now + situation.desired.rules.rediscover_every))),
            // Shared out by whom a registration asks, not by the issuer that its metadata name.
            upstream: Set(Some(origin_of(
                discovery.authorization_server().registration_endpoint().unwrap_or(&discovery.issuer),
            ))),
            updated_at: Set(write.millis()),
            ..Default::default()
        };
        if row.failed_step.as_deref() == Some(AttemptStep::Discover.as_str()) {
            found.failed_inputs = Set(None);
        }
        found.update(&write.txn).await?;
        if let Some(client) = &situation.observed.client
            && client.belongs_to(discovery)
        {
            take_over(write, row, situation, client.id, text).await?;
        }
        Ok(())
    }

    /// A client that is gone upstream, or given up. With `failure` it goes into the ledger of orphans.
    async fn withdrawn(
        self,
        write: &mut Write<'_>,
        row: &registration::Model,
        situation: &Situation,
        id: OauthClientId,
        how: &str,
        failure: Option<&Failure>,
    ) -> Result<()> {
        let client = oauth_client::Entity::find_by_id(id.0)
            .one(&write.txn)
            .await?
            .ok_or_else(|| Error::not_found("client", id))?;
        if let Some(failure) = failure {
            orphans::enter_not_withdrawn(write, &situation.layers, &client, failure).await?;
        }
        // Its secrets are of no more use to anybody.
        write
            .delete_sealed(
                [client.client_secret_id, client.registration_access_token_id]
                    .into_iter()
                    .flatten()
                    .map(SealedId),
            )
            .await?;
        let was_cimd = client.method == RegistrationMethod::Cimd.as_str();
        let event = event(situation, "registration.client_withdrawn", row.id).after(json!({
            "client_id": client.client_id, "issuer": client.issuer, "generation": client.generation,
            "how": how, "reason": failure.map(|failure| failure.code),
        }));
        let mut ended = client.clone().into_active_model();
        ended.status = set_word(ClientStatus::Withdrawn);
        ended.ended_at = Set(Some(client.ended_at.unwrap_or_else(|| write.millis())));
        ended.withdrawal = Set(Some(how.to_owned()));
        ended.withdrawal_detail = Set(failure.map(|failure| failure.message.clone()));
        ended.client_secret_id = Set(None);
        ended.registration_access_token_id = Set(None);
        ended.update(&write.txn).await?;
        let mut changed = registration::ActiveModel {
            id: Set(row.id),
            updated_at: Set(write.millis()),
            ..Default::default()
        };
        let others = oauth_client::Entity::find()
            .filter(oauth_client::Column::RegistrationId.eq(row.id))
            .filter(oauth_client::Column::Status.ne(ClientStatus::Withdrawn.as_str()))
            .filter(oauth_client::Column::Method.eq(RegistrationMethod::Cimd.as_str()))
            .count(&write.txn)
            .await?;
        if was_cimd && others == 0 {
            changed.document = Set(None);
        }
        changed.update(&write.txn).await?;
        write.audit(event);
        write.server_changed(workspace_of(&situation.layers), ServerId(row.server_id));
        Ok(())
    }

    /// Closes a claim. If something happened since the situation was loaded, the registration is due at once.
    pub async fn settle(self, claim: &Claim, situation: &Situation, how: Settlement) -> Result<bool> {
        let mut write = self.registry.begin_write(&Actor::worker(&claim.worker)).await?;
        let Some(row) = claimed(&write, claim).await? else { return Ok(false) };
        let undisturbed = row.wanted == situation.wanted;
        let until = match &how {
            Settlement::Wait(until) | Settlement::Turn(until, _) => Some(*until),
            Settlement::Block(_, until) | Settlement::Ask(_, until) | Settlement::Rest(_, until) => *until,
        };
        let mut changed = registration::ActiveModel {
            id: Set(row.id),
            due_at: Set(if undisturbed { until.map_or(NEVER, millis) } else { write.millis() }),
            lease_until: Set(0),
            lease_owner: Set(None),
            ..Default::default()
        };
        // A wait for its turn serves a request later; whoever asked is served by everything else.
        if undisturbed && !matches!(how, Settlement::Turn(..)) {
            changed.request = Set(None);
        }
        let serves = situation.serves(write.now);
        let idle = matches!(situation.state, State::Registered | State::Registering | State::Queued);
        let (state, said) = match how {
            // Nobody has a client, and nothing has failed: why nothing is done must be said all the same.
            Settlement::Wait(until)
                if idle && !serves && until > write.now && !situation.desired.is_gone(write.now) =>
            {
                (Some(State::Retrying), Some(cooling_down()))
            }
            Settlement::Wait(_) => (None, None),
            Settlement::Turn(..) if serves || situation.desired.is_gone(write.now) => (None, None),
            Settlement::Turn(_, url) => (Some(State::Queued), Some(waiting_turn(&origin_of(&url)))),
            // "A client may exist upstream" must stay visible; it does not become an ordinary failure.
            Settlement::Block(block, _) if block.code == Failure::answer_lost().code => {
                (Some(State::Unconfirmed), Some(block))
            }
            Settlement::Block(block, _) => (Some(State::Failed), Some(block)),
            Settlement::Ask(block, _) => (Some(State::Outdated), Some(block)),
            Settlement::Rest(state, _) => (Some(state), None),
        };
        if let Some(Block { code, detail }) = &said {
            changed.reason = Set(Some(code.clone()));
            if matches!(state, Some(State::Failed | State::Unconfirmed)) {
                changed.failed_inputs = Set(Some(situation.desired.inputs()));
            }
            if detail.is_some() {
                changed.detail = Set(detail.clone());
                changed.error = Set(None);
                changed.error_description = Set(None);
                changed.failed_step = Set(None);
            }
        }
        if let Some(state) = state
            && (state.as_str() != row.state
                || said.as_ref().is_some_and(|said| row.reason.as_ref() != Some(&said.code)))
        {
            changed.state = set_word(state);
            changed.updated_at = Set(write.millis());
            let mut event =
                event(situation, "registration.state_changed", row.id).before(json!({ "state": row.state }));
            event.after = Some(json!({ "state": state, "reason": said.as_ref().map(|block| &block.code) }));
            write.audit(event);
            write.server_changed(workspace_of(&situation.layers), ServerId(row.server_id));
            if matches!(state, State::Registered | State::Withdrawn) {
                clear(&mut changed);
            }
        }
        changed.update(&write.txn).await?;
        write.commit().await?;
        Ok(true)
    }

    /// The Client ID Metadata Document published under this id, if one is.
    pub async fn client_id_document(self, id: &str) -> Result<Option<String>> {
        let row = registration::Entity::find()
            .filter(registration::Column::DocumentId.eq(id))
            .one(self.registry.db())
            .await?;
        Ok(row.and_then(|row| row.document))
    }
}

/// Slows down what is sent to the origin that answered 429: the one that answered, not the issuer that metadata name.
async fn heed_limit(
    write: &Write<'_>,
    situation: &Situation,
    record: &StepRecord,
    exchanges: &[Exchange],
) -> Result<()> {
    let (StepRecord::Failed(failure) | StepRecord::NotWithdrawn(_, failure)) = record else {
        return Ok(());
    };
    match exchanges.last().filter(|exchange| exchange.status == Some(429)) {
        Some(answered) if failure.code == "rate_limited" => {
            slow_down(write, &answered.url, situation.layers.workspace.id, failure.retry_after).await
        }
        _ => Ok(()),
    }
}

/// 128 random bits as text.
fn random_id() -> Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Error::Internal("the system gave no random numbers".into()))?;
    Ok(hex(&bytes))
}

/// Forgets what went wrong before; not how long to be polite, and not what may have been left behind upstream.
fn clear(changed: &mut registration::ActiveModel) {
    changed.reason = Set(None);
    changed.detail = Set(None);
    changed.error = Set(None);
    changed.error_description = Set(None);
    changed.failed_inputs = Set(None);
    changed.failed_step = Set(None);
    changed.failures = Set(0);
}

fn cooling_down() -> Block {
    Block {
        code: "cooling_down".to_owned(),
        detail: Some("There is no usable client, and the last one was made a short while ago: a new one waits, so that an authorization server that forgets clients or lets their secrets expire at once is not flooded with them.".to_owned()),
    }
}

fn waiting_turn(origin: &str) -> Block {
    Block {
        code: "waiting_turn".to_owned(),
        detail: Some(format!(
            "{origin} is asked only so often (`worker.issuer_rate`), and others came first. It is sent when its turn comes."
        )),
    }
}
