//! What came of a step, recorded: one function for each kind of record.

use crate::actor::Actor;
use crate::ports::registration_queue::{AfterStep, Claim, Recorded, StepError};
use crate::ports::step_record::StepRecord;
use crate::registration::brief::workspace_of;
use crate::registration::clients::{is_superseded, update_client};
use crate::registration::context::{Context, LoadedRow, claimed, serves};
use crate::registration::done::Done;
use crate::registration::failures::{
    INTERRUPTED, close_attempt, event, fail, keep_withdrawing, manage_failed, settled, superseded,
};
use crate::registration::issuer_rate::slow_down;
use crate::registration::orphans;
use crate::registration::unusable::record_left_behind;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::set_word;
use crate::storage::entity::{attempt, oauth_client, registration};
use crate::storage::write::Write;
use crate::{Error, Registry, Result};
use registry_core::id::{AttemptId, OauthClientId, SealedId, ServerId};
use registry_core::oauth::{Exchange, Failure, FailureClass, Issued};
use registry_core::registration::{AttemptOutcome, AttemptStep, ClientStatus, RegistrationMethod, State};
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};
use serde_json::{Map, Value, json};

/// An attempt that is being completed.
struct Finishing<'a, 'w> {
    write: Write<'w>,
    row: registration::Model,
    attempt: attempt::Model,
    context: &'a Context,
    exchanges: Vec<Exchange>,
    /// A user asked for something after the context was loaded: this outcome does not answer that.
    asked_since: bool,
}

/// Records what came of a step: attempt, registration, client, change and audit event in one transaction, with what follows
/// where `after` says that the claim ends or a request is sent with what is known then.
pub(crate) async fn finish(
    registry: &Registry,
    claim: &Claim,
    context: &Context,
    id: AttemptId,
    record: StepRecord,
    exchanges: Vec<Exchange>,
    after: impl FnOnce(&Context) -> AfterStep + Send,
) -> Result<Recorded<LoadedRow>, StepError> {
    let record = match record {
        StepRecord::Discovered(discovery) => {
            let write = registry.begin_claim_write(claim).await?;
            let done = Done { claim, context, attempt: id, exchanges };
            return done.discovered(write, *discovery, after).await;
        }
        StepRecord::Client(client, request) => {
            let write = registry.begin_claim_write(claim).await?;
            if is_superseded(registry, &write, &client).await? {
                write.txn.rollback().await?;
                StepRecord::Failed(superseded())
            } else {
                let done = Done { claim, context, attempt: id, exchanges };
                return done.client(write, *client, request, after).await;
            }
        }
        record => record,
    };
    let write = registry.begin_write(&Actor::worker(&claim.worker)).await?;
    let row = claimed(&write, claim).await?;
    let attempt = attempt::Entity::find_by_id(id.0)
        .one(&write.txn)
        .await?
        .ok_or_else(|| Error::not_found("attempt", id))?;
    heed_limit(&write, context, &record, &exchanges).await?;
    let asked_since = row.wanted != context.row.row.wanted;
    let mut finishing = Finishing { write, row, attempt, context, exchanges, asked_since };
    match record {
        StepRecord::Discovered(_) | StepRecord::Client(..) => {}
        StepRecord::Updated(client, issued, request) => finishing.updated(client, *issued, request).await?,
        StepRecord::Verified(client, issued) => finishing.verified(client, *issued).await?,
        StepRecord::DocumentUnreachable(failure) => finishing.document_unreachable(&failure).await?,
        StepRecord::Withdrawn(client, how) => finishing.withdrawn(client, how).await?,
        StepRecord::NotWithdrawn(client, failure) => finishing.not_withdrawn(client, &failure).await?,
        StepRecord::Adjusted(failure) => finishing.close(outcome_of(&failure), Some(&failure), None).await?,
        StepRecord::Failed(failure) => finishing.failed(&failure).await?,
    }
    finishing.write.commit().await?;
    Ok(Recorded::Changed)
}

impl Finishing<'_, '_> {
    async fn updated(
        &mut self,
        client: OauthClientId,
        issued: Issued,
        request: Map<String, Value>,
    ) -> Result<()> {
        let response =
            update_client(&mut self.write, &self.row, self.context, client, issued, Some(request)).await?;
        self.close(AttemptOutcome::Succeeded, None, Some(response)).await?;
        let reached = settled(&self.row, State::Registered, self.write.millis(), self.asked_since);
        reached.update(&self.write.txn).await?;
        Ok(())
    }

    async fn verified(&mut self, client: OauthClientId, issued: Issued) -> Result<()> {
        let response = update_client(&mut self.write, &self.row, self.context, client, issued, None).await?;
        self.close(AttemptOutcome::Succeeded, None, Some(response)).await?;
        registration::ActiveModel {
            id: Set(self.row.id),
            failures: Set(0),
            not_before: Set(None),
            ..Default::default()
        }
        .update(&self.write.txn)
        .await?;
        Ok(())
    }

    async fn document_unreachable(&mut self, failure: &Failure) -> Result<()> {
        self.close(AttemptOutcome::Failed, Some(failure), None).await?;
        registration::ActiveModel {
            id: Set(self.row.id),
            document_unreachable_at: Set(Some(self.write.millis())),
            ..Default::default()
        }
        .update(&self.write.txn)
        .await?;
        Ok(())
    }

    async fn withdrawn(&mut self, client: OauthClientId, how: &str) -> Result<()> {
        self.close(AttemptOutcome::Succeeded, None, None).await?;
        end_client(&mut self.write, &self.row, self.context, client, how, None).await
    }

    async fn not_withdrawn(&mut self, client: OauthClientId, failure: &Failure) -> Result<()> {
        self.close(outcome_of(failure), Some(failure), None).await?;
        if keep_withdrawing(&self.write, client, failure).await? {
            return Ok(());
        }
        end_client(&mut self.write, &self.row, self.context, client, "not_possible", Some(failure)).await
    }

    async fn failed(&mut self, failure: &Failure) -> Result<()> {
        self.close(outcome_of(failure), Some(failure), None).await?;
        // An interrupted step is planned again at once, with what was saved since.
        if failure.code == INTERRUPTED {
            return Ok(());
        }
        let Self { write, row, attempt, context, .. } = self;
        if attempt.step()? == AttemptStep::Register {
            record_left_behind(write, row, context, attempt, failure).await?;
        }
        if manage_failed(write, row, context, attempt.step()?, failure).await? {
            return Ok(());
        }
        let serving = serves(context, write.now);
        let of_step = (attempt.step()?, failure);
        fail(write, row.clone(), &context.row.layers, &context.desired, of_step, serving, self.asked_since)
            .await?;
        Ok(())
    }

    /// Completes the attempt.
    async fn close(
        &mut self,
        outcome: AttemptOutcome,
        failure: Option<&Failure>,
        response: Option<Value>,
    ) -> Result<()> {
        let exchanges = std::mem::take(&mut self.exchanges);
        close_attempt(&self.write, self.attempt.id, outcome, failure, exchanges, response).await
    }
}

/// Whether an attempt failed, or its answer was lost.
fn outcome_of(failure: &Failure) -> AttemptOutcome {
    if failure.class == FailureClass::Ambiguous { AttemptOutcome::Lost } else { AttemptOutcome::Failed }
}

/// A client that is gone upstream, or given up. With `failure` it becomes an orphaned client.
async fn end_client(
    write: &mut Write<'_>,
    row: &registration::Model,
    context: &Context,
    id: OauthClientId,
    how: &str,
    failure: Option<&Failure>,
) -> Result<()> {
    let client = oauth_client::Entity::find_by_id(id.0)
        .one(&write.txn)
        .await?
        .ok_or_else(|| Error::not_found("client", id))?;
    let layers = &context.row.layers;
    match (client.status.as_str() == ClientStatus::Unusable.as_str(), failure) {
        (true, Some(failure)) => orphans::explain_unusable(write, &client, failure).await?,
        (true, None) => orphans::resolve_unusable(write, layers, &client, how).await?,
        (false, Some(failure)) => orphans::enter_not_withdrawn(write, layers, &client, failure).await?,
        (false, None) => {}
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
    let event = event(context, AuditAction::RegistrationClientWithdrawn, row.id).after(json!({
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
    let mut changed =
        registration::ActiveModel { id: Set(row.id), updated_at: Set(write.millis()), ..Default::default() };
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
    write.server_changed(workspace_of(&context.row.layers), ServerId(row.server_id));
    Ok(())
}

/// Slows down what is sent to the origin that answered 429: the one that answered, not the issuer that metadata name.
async fn heed_limit(
    write: &Write<'_>,
    context: &Context,
    record: &StepRecord,
    exchanges: &[Exchange],
) -> Result<()> {
    let (StepRecord::Failed(failure) | StepRecord::NotWithdrawn(_, failure)) = record else {
        return Ok(());
    };
    match exchanges.last().filter(|exchange| exchange.status == Some(429)) {
        Some(answered) if failure.code == "rate_limited" => {
            slow_down(write, &answered.url, context.row.layers.workspace.id, failure.retry_after).await
        }
        _ => Ok(()),
    }
}
