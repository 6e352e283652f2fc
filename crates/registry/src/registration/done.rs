//! Records a discovery or a client that a step brought, and says what is known then without reading again what was written:
//! what most steps of most registrations are.

use crate::Result;
use crate::ports::registration_queue::{AfterStep, Claim, Recorded, StepError};
use crate::ports::step_record::NewClient;
use crate::registration::attempts::begin_if_free;
use crate::registration::clients::{
    prepare_client, republish, republishes, store_client, update_client_discovery,
};
use crate::registration::context::{Context, LoadedRow, guarded, guarded_unchanged};
use crate::registration::failures::{close_attempt, settled};
use crate::registration::observed::observed;
use crate::registration::settle::{ClaimEnd, settle_in};
use crate::registration::situation::clients_of;
use crate::storage::columns::millis;
use crate::storage::entity::{oauth_client, registration};
use crate::storage::write::Write;
use registry_core::clock::Timestamp;
use registry_core::id::AttemptId;
use registry_core::oauth::{Discovery, Exchange};
use registry_core::origin::origin_of;
use registry_core::registration::{AttemptOutcome, AttemptStep, State};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Iterable, TryIntoModel, UpdateMany};
use serde_json::{Map, Value};

/// A step that succeeded.
pub(crate) struct Done<'a> {
    pub(crate) claim: &'a Claim,
    pub(crate) context: &'a Context,
    pub(crate) attempt: AttemptId,
    pub(crate) exchanges: Vec<Exchange>,
}

impl Done<'_> {
    /// A discovery. A client of the same authorization server takes it over: one document, never a mix.
    pub(crate) async fn discovered(
        mut self,
        mut write: Write<'_>,
        discovery: Discovery,
        after: impl FnOnce(&Context) -> AfterStep + Send,
    ) -> Result<Recorded<LoadedRow>, StepError> {
        let context = self.context;
        let text = serde_json::to_string(&discovery)?;
        let failed_here = context.row.row.failed_step.as_deref() == Some(AttemptStep::Discover.as_str());
        let found = registration::ActiveModel {
            discovery: Set(Some(text.clone())),
            discovered_at: Set(Some(write.millis())),
            rediscover_at: Set(Some(millis(write.now + context.desired.rules.rediscover_every))),
            // Shared out by whom a registration asks, not by the issuer that its metadata name.
            upstream: Set(Some(origin_of(
                discovery.authorization_server().registration_endpoint().unwrap_or(&discovery.issuer),
            ))),
            failed_inputs: if failed_here { Set(None) } else { NotSet },
            updated_at: Set(write.millis()),
            ..Default::default()
        };
        let row = guarded(&mut write, self.claim, registration::Entity::update_many().set(found)).await?;
        self.close(&mut write, None).await?;
        if let Some(client) = &context.observed.client
            && client.belongs_to(&discovery)
        {
            update_client_discovery(&mut write, &row, context, client.id, text).await?;
        }
        let at = write.now;
        go_on(
            write,
            self.claim,
            context,
            Known { row, discovery: Some((discovery, at)), client: None },
            after,
        )
        .await
    }

    /// A new client, or a document that was published again. With the body that was sent for it, if one was.
    pub(crate) async fn client(
        mut self,
        mut write: Write<'_>,
        client: NewClient,
        request: Option<Map<String, Value>>,
        after: impl FnOnce(&Context) -> AfterStep + Send,
    ) -> Result<Recorded<LoadedRow>, StepError> {
        let context = self.context;
        let reached = self.reached(&write);
        let discovery = context.observed.discovery.clone();
        if let Some((id, published)) = republishes(context, &client) {
            let row = guarded(&mut write, self.claim, answering(reached, context)).await?;
            let response = republish(&mut write, &row, context, id, published).await?;
            self.close(&mut write, Some(response)).await?;
            return go_on(write, self.claim, context, Known { row, discovery, client: None }, after).await;
        }
        let client = prepare_client(&write, context, client, request).await?;
        if context.row.newest_generation > 0 {
            let row = guarded(&mut write, self.claim, answering(reached, context)).await?;
            let added = Some(client.model.clone());
            let response = store_client(&mut write, context, client).await?;
            self.close(&mut write, Some(response)).await?;
            return go_on(write, self.claim, context, Known { row, discovery, client: added }, after).await;
        }
        // The first client: the end of the claim is written with it, if nothing else happened meanwhile.
        let mut row = context.row.row.clone().into_active_model();
        set_all(&mut row, &reached);
        row.request = Set(None);
        let known = Known { row: row.try_into_model()?, discovery, client: Some(client.model.clone()) };
        let next = known_after(&write, context, known).await?;
        let end = match after(&next) {
            AfterStep::Settle(outcome) => Some(ClaimEnd::of(&write, &next, &next.row.row, outcome, true)),
            AfterStep::Register(_) | AfterStep::Other => None,
        };
        let mut update = reached.clone();
        update.request = Set(None);
        if let Some(end) = &end {
            set_all(&mut update, &end.changed);
        }
        let update = registration::Entity::update_many().set(update);
        let written = guarded_unchanged(&mut write, self.claim, context, update).await?;
        if written.is_none() {
            guarded(&mut write, self.claim, answering(reached, context)).await?;
        }
        let response = store_client(&mut write, context, client).await?;
        self.close(&mut write, Some(response)).await?;
        let recorded = match (written, end) {
            (None, _) => Recorded::Changed,
            (Some(_), Some(end)) => {
                end.announce(&mut write, &next);
                Recorded::Settled
            }
            (Some(_), None) => Recorded::Next(Box::new(next)),
        };
        write.commit().await?;
        Ok(recorded)
    }

    /// What is written on the registration when it has its client.
    fn reached(&self, write: &Write<'_>) -> registration::ActiveModel {
        let mut reached = settled(&self.context.row.row, State::Registered, write.millis(), true);
        reached.id = NotSet;
        if self.context.observed.client.as_ref().is_some_and(|client| client.verification.is_some()) {
            reached.replaced_at = Set(Some(write.millis()));
        }
        reached
    }

    async fn close(&mut self, write: &mut Write<'_>, response: Option<Value>) -> Result<()> {
        let exchanges = std::mem::take(&mut self.exchanges);
        close_attempt(write, self.attempt.0, AttemptOutcome::Succeeded, None, exchanges, response).await
    }
}

/// `reached`, which answers the request of a user; one who asked for something since then still waits for it.
fn answering(reached: registration::ActiveModel, context: &Context) -> UpdateMany<registration::Entity> {
    let wanted = Expr::col(registration::Column::Wanted).eq(context.row.row.wanted);
    let left = CaseStatement::new()
        .case(wanted, Expr::value(None::<String>))
        .finally(Expr::col(registration::Column::Request));
    registration::Entity::update_many().set(reached).col_expr(registration::Column::Request, left.into())
}

/// Sets in `model` what `changed` sets.
fn set_all(model: &mut registration::ActiveModel, changed: &registration::ActiveModel) {
    for column in registration::Column::iter() {
        if let Set(value) = changed.get(column) {
            model.set(column, value);
        }
    }
}

/// What is known after a step.
struct Known {
    row: registration::Model,
    discovery: Option<(Discovery, Timestamp)>,
    /// The client that the step added.
    client: Option<oauth_client::Model>,
}

/// Commits, with what follows where `after` says that the claim ends or a request is sent.
async fn go_on(
    mut write: Write<'_>,
    claim: &Claim,
    before: &Context,
    known: Known,
    after: impl FnOnce(&Context) -> AfterStep + Send,
) -> Result<Recorded<LoadedRow>, StepError> {
    if known.row.wanted != before.row.row.wanted {
        write.commit().await?;
        return Ok(Recorded::Changed);
    }
    let context = known_after(&write, before, known).await?;
    let recorded = match after(&context) {
        AfterStep::Settle(outcome) => {
            settle_in(&mut write, claim, &context, outcome).await?;
            Recorded::Settled
        }
        AfterStep::Register(request) => match begin_if_free(&mut write, claim, &context, &request).await? {
            Some(attempt) => Recorded::Begun(Box::new(context), attempt, request),
            None => Recorded::Next(Box::new(context)),
        },
        AfterStep::Other => Recorded::Next(Box::new(context)),
    };
    write.commit().await?;
    Ok(recorded)
}

/// What is wanted and known now. Nothing else happened to the registration since `before`, so that what is wanted is the same;
/// former clients are read, because gateways write them too.
async fn known_after(write: &Write<'_>, before: &Context, known: Known) -> Result<Context> {
    let Known { row, discovery, client } = known;
    let clients = if before.row.newest_generation == 0 {
        client.as_slice().to_vec()
    } else {
        clients_of(&write.txn, [row.id]).await?.remove(&row.id).unwrap_or_default()
    };
    let newest_generation = client.as_ref().map_or(before.row.newest_generation, |client| client.generation);
    Ok(Context {
        name: before.name.clone(),
        desired: before.desired.clone(),
        observed: observed(write.registry, &row, &clients, discovery)?,
        row: LoadedRow { row, layers: before.row.layers.clone(), newest_generation },
    })
}
