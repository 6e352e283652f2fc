//! What the worker calls: claim what is due, load what is wanted and known, record what came of a step.
//!
//! Every write here is guarded by the claim's fence: a worker that lost its lease writes nothing (`domain.md` §5 rule 7).

use crate::actor::Actor;
use crate::entity::{attempt, oauth_client, registration, sealed_value};
use crate::layers::{Scope, ServerLayers};
use crate::recording::{end_active, event, fail, finish, settled};
use crate::registrations::{active_clients, method, workspace_of};
use crate::stored::{json, millis, moment};
use crate::write::Write;
use crate::{Error, Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{AttemptId, RegistrationId, SealedId, ServerId};
use registry_core::metadata::Credentials;
use registry_core::oauth::{Adjustment, Discovery, Exchange, Failure, FailureClass, Issued};
use registry_core::registration::{ActiveClient, Block, ClientStatus, Desired, Observed, Request, State};
use registry_core::secret::Secret;
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Statement,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// "Look at it again when something happens": later than every clock.
const NEVER: i64 = i64::MAX;

/// A registration that one worker holds for a while.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The registration.
    pub registration: RegistrationId,
    /// Grows with each claim; a write with an older one is refused.
    fence: i64,
    worker: String,
}

/// What is wanted and known of a claimed registration.
#[derive(Clone, Debug)]
pub struct Situation {
    /// `workspace/server`, for logs.
    pub name: String,
    /// What is wanted.
    pub desired: Desired,
    /// What is known.
    pub observed: Observed,
    /// Where the active client can be deleted: RFC 7592 URI and the sealed token.
    pub management: Option<(String, SealedId)>,
    state: State,
    wanted: i64,
    pub(crate) layers: ServerLayers,
}

/// A client that a step brought.
#[derive(Debug)]
pub enum NewClient {
    /// Issued by RFC 7591.
    Issued(Box<Issued>),
    /// Entered by an admin: its credentials, the method it authenticates with, and the metadata shown for it.
    Entered {
        /// `client_id` and the sealed secret.
        credentials: Credentials,
        /// How it authenticates at the token endpoint.
        token_endpoint_auth_method: String,
        /// What is handed out beside the id.
        metadata: Map<String, Value>,
    },
}

/// What came of a step.
#[derive(Debug)]
pub enum StepRecord {
    /// The authorization server was found.
    Discovered(Box<Discovery>),
    /// There is a new client; it becomes the active one, the former drains.
    Client(NewClient),
    /// The active client was withdrawn; the sentence says how.
    Withdrawn(String),
    /// It did not work.
    Failed(Failure),
}

impl Registry {
    /// Claims at most `limit` due registrations for `worker`, those due longest first.
    pub async fn claim_due(&self, worker: &str, limit: u64) -> Result<Vec<Claim>> {
        let due = registration::Entity::find()
            .filter(registration::Column::DueAt.lte(millis(self.now())))
            .count(self.db())
            .await?;
        if due == 0 {
            return Ok(Vec::new());
        }
        let write = self.begin_write(&Actor::worker(worker)).await?;
        let lease_now = lease_clock(&write).await?;
        let rows = registration::Entity::find()
            .filter(registration::Column::DueAt.lte(write.millis()))
            .filter(registration::Column::LeaseUntil.lte(lease_now))
            .order_by_asc(registration::Column::DueAt)
            .limit(limit)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&write.txn)
            .await?;
        let mut claims = Vec::with_capacity(rows.len());
        for row in rows {
            let fence = row.fence + 1;
            registration::ActiveModel {
                id: Set(row.id),
                fence: Set(fence),
                lease_owner: Set(Some(worker.to_owned())),
                lease_until: Set(lease_now + self.lease_millis()),
                ..Default::default()
            }
            .update(&write.txn)
            .await?;
            claims.push(Claim { registration: RegistrationId(row.id), fence, worker: worker.to_owned() });
        }
        write.commit().await?;
        Ok(claims)
    }

    /// When the next registration is due, as far as is known now.
    pub async fn next_due(&self) -> Result<Option<Timestamp>> {
        let next: Option<i64> = registration::Entity::find()
            .select_only()
            .column(registration::Column::DueAt)
            .filter(registration::Column::DueAt.lt(NEVER))
            .order_by_asc(registration::Column::DueAt)
            .limit(1)
            .into_tuple()
            .one(self.db())
            .await?;
        Ok(next.map(moment))
    }

    /// Waits until this process commits something, at most `timeout`.
    pub async fn wait_for_change(&self, timeout: std::time::Duration) {
        let rung = self.inner.bell.notified();
        drop(tokio::time::timeout(timeout, rung).await);
    }

    /// What is wanted and known; `None` when the claim is lost. A request that another worker sent and never recorded
    /// an answer for becomes a lost answer here: its lease has ended, so nobody waits for it any more.
    pub async fn situation(&self, claim: &Claim) -> Result<Option<Situation>> {
        let mut write = self.begin_write(&Actor::worker(&claim.worker)).await?;
        let Some(mut row) = claimed(&write, claim).await? else { return Ok(None) };
        let layers = self.layers_of(&write, row.server_id).await?;
        let desired = self.desired(&layers)?;
        let open = attempt::Entity::find()
            .filter(attempt::Column::RegistrationId.eq(row.id))
            .filter(attempt::Column::FinishedAt.is_null())
            .filter(attempt::Column::Fence.lt(claim.fence))
            .all(&write.txn)
            .await?;
        for left in open {
            let sent = left.step == "register";
            let failure = if sent { Failure::answer_lost() } else { interrupted() };
            let outcome = if sent { "lost" } else { "failed" };
            finish(&write, &left, outcome, Some(&failure), Vec::new(), None).await?;
            row = fail(&mut write, row, &layers, &desired, &failure, true).await?;
        }
        let client = active_clients(&write.txn, [row.id]).await?.pop();
        let management = client.as_ref().and_then(|client| {
            Some((client.registration_client_uri.clone()?, SealedId(client.registration_access_token_id?)))
        });
        let discovery = match (&row.discovery, row.discovered_at) {
            (Some(text), Some(at)) => {
                Some((json::<Discovery>(text, "registration", "discovery", row.id)?, moment(at)))
            }
            _ => None,
        };
        let situation = Situation {
            name: format!("{}/{}", layers.workspace.slug, layers.server.slug),
            observed: Observed {
                client: client.map(|client| active_client(&client)).transpose()?,
                discovery,
                failed: row.reason.clone().zip(row.failed_inputs.clone()),
                not_before: row.not_before.map(moment),
                request: row.request.as_deref().and_then(Request::parse),
            },
            desired,
            management,
            state: State::parse(&row.state).unwrap_or(State::Queued),
            wanted: row.wanted,
            layers,
        };
        write.commit().await?;
        Ok(Some(situation))
    }

    /// Records that a step begins, *before* anything is sent, and prolongs the lease. `None` when the claim is lost.
    pub async fn begin_attempt(
        &self,
        claim: &Claim,
        step: &'static str,
        request: Option<&Map<String, Value>>,
        adjustments: &[Adjustment],
    ) -> Result<Option<AttemptId>> {
        let write = self.begin_write(&Actor::worker(&claim.worker)).await?;
        let Some(row) = claimed(&write, claim).await? else { return Ok(None) };
        let number: Option<i64> = attempt::Entity::find()
            .select_only()
            .column(attempt::Column::Number)
            .filter(attempt::Column::RegistrationId.eq(row.id))
            .order_by_desc(attempt::Column::Number)
            .limit(1)
            .into_tuple()
            .one(&write.txn)
            .await?;
        let id = self.new_id();
        attempt::ActiveModel {
            id: Set(id),
            registration_id: Set(row.id),
            number: Set(number.unwrap_or(0) + 1),
            step: Set(step.to_owned()),
            fence: Set(claim.fence),
            started_at: Set(write.millis()),
            outcome: Set("pending".to_owned()),
            request: Set(request.map(serde_json::to_string).transpose()?),
            adjustments: Set(serde_json::to_string(adjustments)?),
            exchanges: Set("[]".to_owned()),
            ..Default::default()
        }
        .insert(&write.txn)
        .await?;
        let state = if step == "withdraw" { State::Withdrawing } else { State::Registering };
        registration::ActiveModel {
            id: Set(row.id),
            state: Set(state.as_str().to_owned()),
            lease_until: Set(lease_clock(&write).await? + self.lease_millis()),
            updated_at: Set(write.millis()),
            ..Default::default()
        }
        .update(&write.txn)
        .await?;
        write.commit().await?;
        Ok(Some(AttemptId(id)))
    }

    /// Records what came of a step: attempt, registration, client, change and audit in one transaction. False when the
    /// claim is lost and nothing was written.
    pub async fn finish_attempt(
        &self,
        claim: &Claim,
        situation: &Situation,
        id: AttemptId,
        record: StepRecord,
        exchanges: Vec<Exchange>,
    ) -> Result<bool> {
        let mut write = self.begin_write(&Actor::worker(&claim.worker)).await?;
        let Some(row) = claimed(&write, claim).await? else { return Ok(false) };
        // Somebody asked for something after the situation was loaded: this outcome does not answer that.
        let asked_since = row.wanted != situation.wanted;
        let tried = attempt::Entity::find_by_id(id.0)
            .one(&write.txn)
            .await?
            .ok_or_else(|| Error::not_found("attempt", id))?;
        match record {
            StepRecord::Discovered(discovery) => {
                finish(&write, &tried, "succeeded", None, exchanges, None).await?;
                registration::ActiveModel {
                    id: Set(row.id),
                    discovery: Set(Some(serde_json::to_string(&discovery)?)),
                    discovered_at: Set(Some(write.millis())),
                    updated_at: Set(write.millis()),
                    ..Default::default()
                }
                .update(&write.txn)
                .await?;
            }
            StepRecord::Client(client) => {
                let response = self.add_client(&mut write, &row, situation, client).await?;
                finish(&write, &tried, "succeeded", None, exchanges, Some(response)).await?;
                let mut reached = settled(&row, State::Registered, write.millis(), asked_since);
                reached.not_before = Set(self.short_lived(&write, row.id).await?);
                reached.update(&write.txn).await?;
            }
            StepRecord::Withdrawn(how) => {
                end_active(&write, row.id, ClientStatus::Withdrawn).await?;
                finish(&write, &tried, "succeeded", None, exchanges, None).await?;
                let mut gone = settled(&row, State::Withdrawn, write.millis(), asked_since);
                gone.detail = Set(Some(how.clone()));
                gone.update(&write.txn).await?;
                let event = event(situation, "registration.withdrawn", row.id);
                write.audit(event.after(json!({ "detail": how })));
                write.server_changed(workspace_of(&situation.layers), ServerId(row.server_id));
            }
            StepRecord::Failed(failure) => {
                let lost = failure.class == FailureClass::Ambiguous;
                finish(&write, &tried, if lost { "lost" } else { "failed" }, Some(&failure), exchanges, None)
                    .await?;
                fail(&mut write, row, &situation.layers, &situation.desired, &failure, asked_since).await?;
            }
        }
        write.commit().await?;
        Ok(true)
    }

    /// Closes a claim: nothing to do until `until` (or until something happens). If something happened since the
    /// situation was loaded, the registration is due at once.
    pub async fn settle(
        &self,
        claim: &Claim,
        situation: &Situation,
        state: Option<State>,
        block: Option<Block>,
        until: Option<Timestamp>,
    ) -> Result<bool> {
        let mut write = self.begin_write(&Actor::worker(&claim.worker)).await?;
        let Some(row) = claimed(&write, claim).await? else { return Ok(false) };
        let due = if row.wanted == situation.wanted { until.map_or(NEVER, millis) } else { write.millis() };
        let mut changed = registration::ActiveModel {
            id: Set(row.id),
            due_at: Set(due),
            lease_until: Set(0),
            lease_owner: Set(None),
            ..Default::default()
        };
        // A wait serves a request later only if nobody asked; whoever asked is served by now.
        if row.wanted == situation.wanted {
            changed.request = Set(None);
        }
        let state = match &block {
            // "A client may exist upstream" must stay visible; it does not become an ordinary failure.
            Some(_) if situation.state == State::Unconfirmed => Some(State::Unconfirmed),
            Some(_) => Some(State::Failed),
            None => state,
        };
        if let Some(Block { code, detail }) = &block {
            changed.failed_inputs = Set(Some(situation.desired.inputs()));
            changed.reason = Set(Some(code.clone()));
            if detail.is_some() {
                changed.detail = Set(detail.clone());
                changed.error = Set(None);
                changed.error_description = Set(None);
            }
        }
        if let Some(state) = state
            && state.as_str() != row.state
        {
            changed.state = Set(state.as_str().to_owned());
            changed.updated_at = Set(write.millis());
            let mut event =
                event(situation, "registration.state_changed", row.id).before(json!({ "state": row.state }));
            event.after = Some(json!({ "state": state, "reason": block.as_ref().map(|block| &block.code) }));
            write.audit(event);
            write.server_changed(workspace_of(&situation.layers), ServerId(row.server_id));
            if state == State::Registered {
                changed.reason = Set(None);
                changed.detail = Set(None);
                changed.error = Set(None);
                changed.error_description = Set(None);
                changed.failed_inputs = Set(None);
                changed.not_before = Set(None);
                changed.failures = Set(0);
                changed.lost_answers = Set(0);
            } else if state == State::Outdated {
                changed.reason = Set(Some("metadata_changed".to_owned()));
                changed.detail = Set(Some(
                    "The metadata changed after this client was registered. Re-register to send the new values; people who signed in through the old client must then sign in again."
                        .to_owned(),
                ));
            }
        }
        changed.update(&write.txn).await?;
        write.commit().await?;
        Ok(true)
    }

    /// Opens a sealed value that a step sends upstream.
    pub async fn reveal(&self, claim: &Claim, id: SealedId) -> Result<Option<Secret>> {
        let held = registration::Entity::find_by_id(claim.registration.0)
            .filter(registration::Column::Fence.eq(claim.fence))
            .one(self.db())
            .await?;
        match held {
            Some(_) => self.open_sealed(self.db(), id).await.map(Some),
            None => Ok(None),
        }
    }

    /// As [`Self::reveal`], for a secret that belongs to one issuer: it is bound to the first one it is used with, and
    /// to no other after that. An MCP server that changes its metadata cannot have it sent elsewhere.
    pub async fn reveal_bound(
        &self,
        claim: &Claim,
        id: SealedId,
        issuer: &str,
    ) -> Result<Option<std::result::Result<Secret, Failure>>> {
        let Some(secret) = self.reveal(claim, id).await? else { return Ok(None) };
        sealed_value::Entity::update_many()
            .col_expr(sealed_value::Column::BoundTo, Expr::value(issuer))
            .filter(sealed_value::Column::Id.eq(id.0))
            .filter(sealed_value::Column::BoundTo.is_null())
            .exec(self.db())
            .await?;
        let row = sealed_value::Entity::find_by_id(id.0).one(self.db()).await?;
        let bound = row.and_then(|row| row.bound_to);
        if bound.as_deref() == Some(issuer) {
            return Ok(Some(Ok(secret)));
        }
        Ok(Some(Err(Failure::new(
            FailureClass::Security,
            "issuer_changed",
            "The server names another authorization server than the one your secret or token was used with. If that is right, enter it again.",
        ))))
    }

    /// The moment before which a client whose secret lives only for minutes is not replaced, if it is such a one: a
    /// server that issues them must not be asked for ever faster ones.
    async fn short_lived(&self, write: &Write<'_>, registration: Uuid) -> Result<Option<i64>> {
        let floor = write.millis() + 10 * 60_000;
        let client = active_clients(&write.txn, [registration]).await?.pop();
        let expiry = client.and_then(|client| client.client_secret_expires_at);
        Ok(expiry.filter(|expiry| *expiry < floor).map(|_| floor))
    }

    fn lease_millis(&self) -> i64 {
        i64::try_from(self.settings().lease.as_millis()).unwrap_or(i64::MAX / 4)
    }

    async fn layers_of(&self, write: &Write<'_>, server: Uuid) -> Result<ServerLayers> {
        self.load_layers(&write.txn, Scope::Server(ServerId(server)), true)
            .await?
            .pop()
            .ok_or_else(|| Error::corrupt("registration", "server_id", server))
    }
}

/// A step that reached out and was never heard of again: its worker died, or was slower than its lease.
fn interrupted() -> Failure {
    Failure::new(
        FailureClass::Transient,
        "interrupted",
        "A worker stopped in the middle of this. It is tried again later.",
    )
}

/// The claimed row, locked, if the claim still holds.
async fn claimed(write: &Write<'_>, claim: &Claim) -> Result<Option<registration::Model>> {
    Ok(registration::Entity::find_by_id(claim.registration.0)
        .filter(registration::Column::Fence.eq(claim.fence))
        .lock_exclusive()
        .one(&write.txn)
        .await?)
}

/// Milliseconds by the clock that leases are judged by: on PostgreSQL the database's, because workers' clocks differ.
async fn lease_clock(write: &Write<'_>) -> Result<i64> {
    if write.txn.get_database_backend() != DbBackend::Postgres {
        return Ok(write.millis());
    }
    let statement = Statement::from_string(
        DbBackend::Postgres,
        "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now",
    );
    let row = write.txn.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::Internal("the database has no clock".into()))?;
    Ok(row.try_get::<i64>("", "now")?)
}

fn active_client(client: &oauth_client::Model) -> Result<ActiveClient> {
    let discovery: Discovery = json(&client.discovery, "oauth_client", "discovery", client.id)?;
    Ok(ActiveClient {
        method: method(client)?,
        digest: client.metadata_digest.clone(),
        mcp_url: discovery.mcp_url,
        secret_expires_at: client.client_secret_expires_at.map(moment),
        manageable: client.registration_client_uri.is_some() && client.registration_access_token_id.is_some(),
        fetched: client.fetched_at.is_some(),
    })
}
