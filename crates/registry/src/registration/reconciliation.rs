//! What the worker calls first: claim what is due, load what is wanted and known, open what is sent.
//!
//! Every write for a worker is guarded by the claim's fence: one that lost its lease writes nothing
//! (INV-7). What came of a step is written in `recording`.

use crate::actor::Actor;
use crate::configuration::layers::{Scope, ServerLayers};
use crate::lookup::clients::{active_client, active_clients, foreign_management, managed_at, method};
use crate::registration::Queue;
use crate::registration::context::{Claim, NEVER, Situation, claimed, lease_clock};
use crate::registration::failures::{ANSWER_LOST, leave_open, superseded};
use crate::secrets::rotation::is_key_abandoned;
use crate::storage::columns::{json, millis, moment};
use crate::storage::entity::{attempt, oauth_client, registration, sealed_value};
use crate::storage::write::Write;
use crate::{Error, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{OauthClientId, RegistrationId, SealedId, ServerId};
use registry_core::oauth::{Discovery, Failure, FailureClass, ManagedClient};
use registry_core::registration::{
    ClientStatus, EndingClient, Observed, RegistrationMethod, Request, State, Verification,
};
use registry_core::secret::Secret;
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Statement,
};
use serde_json::{Map, Value};
use uuid::Uuid;

/// How a client can be withdrawn.
#[derive(Debug)]
pub enum Withdrawal {
    /// By deleting it (RFC 7592 §2.3).
    Delete {
        /// What is needed for that.
        recorded: Box<ManagedClient>,
        /// What it means when the token is refused (RFC 7592 §2.1: gone, or never ours): that the client is gone, where a
        /// deletion was sent before and its answer lost, or where a gateway says so too.
        gone_if_refused: Option<&'static str>,
    },
    /// Not at all: the authorization server gave no address or token for it, or only an address on another origin than
    /// the endpoint that registered it, which is here then.
    Unmanageable(Option<String>),
    /// There is nothing to do: why.
    Nothing(&'static str),
}

impl Queue<'_> {
    /// Claims at most `limit` due registrations for `worker`, those due longest first, but of no upstream more than
    /// `most_each` at once: one that is dead or slow must not hold up the rest.
    pub async fn claim(self, worker: &str, limit: u64, most_each: u64) -> Result<Vec<Claim>> {
        let due = registration::Entity::find()
            .filter(registration::Column::DueAt.lte(millis(self.registry.now())))
            .count(self.registry.db())
            .await?;
        if due == 0 || limit == 0 {
            return Ok(Vec::new());
        }
        let write = self.registry.begin_write(&Actor::worker(worker)).await?;
        let lease_now = lease_clock(&write).await?;
        let candidates = fair_candidates(&write, worker, lease_now, limit, most_each).await?;
        let mut rows = registration::Entity::find()
            .filter(registration::Column::Id.is_in(candidates.iter().copied()))
            .filter(registration::Column::DueAt.lte(write.millis()))
            .filter(registration::Column::LeaseUntil.lte(lease_now))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&write.txn)
            .await?;
        rows.sort_by_key(|row| candidates.iter().position(|id| *id == row.id));
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
    pub async fn next_due(self) -> Result<Option<Timestamp>> {
        let next: Option<i64> = registration::Entity::find()
            .select_only()
            .column(registration::Column::DueAt)
            .filter(registration::Column::DueAt.lt(NEVER))
            .order_by_asc(registration::Column::DueAt)
            .limit(1)
            .into_tuple()
            .one(self.registry.db())
            .await?;
        Ok(next.map(moment))
    }

    /// What is wanted and known; `None` when the claim is lost. A request that another worker sent and never recorded
    /// an answer for becomes a lost answer here: its lease has ended, so nobody waits for it any more.
    pub async fn load(self, claim: &Claim) -> Result<Option<Situation>> {
        let mut write = self.registry.begin_write(&Actor::worker(&claim.worker)).await?;
        let Some(mut row) = claimed(&write, claim).await? else { return Ok(None) };
        write.reload_settings().await?;
        let layers = self.layers_of(&write, row.server_id).await?;
        let desired = self.registry.configurations().desired(&layers, Some(&row))?;
        let open = attempt::Entity::find()
            .filter(attempt::Column::RegistrationId.eq(row.id))
            .filter(attempt::Column::FinishedAt.is_null())
            .filter(attempt::Column::Fence.lt(claim.fence))
            .order_by_asc(attempt::Column::Number)
            .all(&write.txn)
            .await?;
        for left in open {
            row = leave_open(&mut write, row, &layers, &desired, &left).await?;
        }
        let situation = Situation {
            name: format!("{}/{}", layers.workspace.slug, layers.server.slug),
            observed: observed(&write, &row).await?,
            desired,
            state: State::parse(&row.state).unwrap_or(State::Queued),
            wanted: row.wanted,
            layers,
        };
        write.commit().await?;
        Ok(Some(situation))
    }

    /// A client of a claimed registration with everything needed to manage it (RFC 7592); `None` when the claim is lost or
    /// it is not manageable.
    pub async fn managed_client(self, claim: &Claim, id: OauthClientId) -> Result<Option<ManagedClient>> {
        if !self.holds(claim).await? {
            return Ok(None);
        }
        match oauth_client::Entity::find_by_id(id.0).one(self.registry.db()).await? {
            Some(client) => self.open_managed_client(&client).await,
            None => Ok(None),
        }
    }

    /// How a client of a claimed registration can be withdrawn; `None` when the claim is lost.
    pub async fn deletion(self, claim: &Claim, id: OauthClientId) -> Result<Option<Withdrawal>> {
        if !self.holds(claim).await? {
            return Ok(None);
        }
        let client = oauth_client::Entity::find_by_id(id.0)
            .one(self.registry.db())
            .await?
            .ok_or_else(|| Error::not_found("client", id))?;
        Ok(Some(match method(&client)? {
            RegistrationMethod::PreRegistered => Withdrawal::Nothing("entered"),
            RegistrationMethod::Cimd => Withdrawal::Nothing("unpublished"),
            // The same id may be in use for another server (RFC 7591 §3.2.1): then it is not ours alone to delete.
            RegistrationMethod::Dcr if self.is_used_elsewhere(&client).await? => {
                Withdrawal::Nothing("shared")
            }
            RegistrationMethod::Dcr => match self.open_managed_client(&client).await? {
                Some(recorded) => Withdrawal::Delete {
                    recorded: Box::new(recorded),
                    gone_if_refused: if client.withdrawal.as_deref() == Some(ANSWER_LOST) {
                        Some("deleted")
                    } else {
                        let forgotten = client.doubt.as_deref() == Some(Verification::Forgotten.as_str());
                        forgotten.then_some("forgotten")
                    },
                },
                None => Withdrawal::Unmanageable(foreign_management(&client)?),
            },
        }))
    }

    async fn is_used_elsewhere(self, client: &oauth_client::Model) -> Result<bool> {
        let others = oauth_client::Entity::find()
            .filter(oauth_client::Column::Issuer.eq(&client.issuer))
            .filter(oauth_client::Column::ClientId.eq(&client.client_id))
            .filter(oauth_client::Column::Id.ne(client.id))
            .filter(oauth_client::Column::Status.ne(ClientStatus::Withdrawn.as_str()))
            .count(self.registry.db())
            .await?;
        Ok(others > 0)
    }

    async fn open_managed_client(self, client: &oauth_client::Model) -> Result<Option<ManagedClient>> {
        match self.read_managed_client(client).await {
            // Without its token the client cannot be managed any more, as if the server had never offered it.
            Err(error) if is_key_abandoned(self.registry.db(), &error).await? => {
                tracing::warn!(client = %client.id, %error, "the token of a client is lost");
                Ok(None)
            }
            read => read,
        }
    }

    async fn read_managed_client(self, client: &oauth_client::Model) -> Result<Option<ManagedClient>> {
        let (Some(uri), Some(token)) = (managed_at(client)?, client.registration_access_token_id) else {
            return Ok(None);
        };
        let read = |text: &str, column| -> Result<Map<String, Value>> {
            json(text, "oauth_client", column, client.id)
        };
        let client_secret = match client.client_secret_id {
            Some(id) => Some(self.registry.open_sealed(self.registry.db(), SealedId(id)).await?),
            None => None,
        };
        Ok(Some(ManagedClient {
            client_id: client.client_id.clone(),
            client_secret,
            client_secret_expires_at: client.client_secret_expires_at.map(|millis| millis / 1000),
            client_id_issued_at: client.client_id_issued_at,
            token_endpoint_auth_method: client.auth_method.clone(),
            registration_client_uri: uri,
            registration_access_token: self.registry.open_sealed(self.registry.db(), SealedId(token)).await?,
            request: client
                .request
                .as_deref()
                .map(|text| read(text, "request"))
                .transpose()?
                .unwrap_or_default(),
            response: read(&client.response, "response")?,
            scope: json::<Discovery>(&client.discovery, "oauth_client", "discovery", client.id)?
                .scope(&self.registry.settings().egress),
        }))
    }

    async fn holds(self, claim: &Claim) -> Result<bool> {
        let held = registration::Entity::find_by_id(claim.registration.0)
            .filter(registration::Column::Fence.eq(claim.fence))
            .one(self.registry.db())
            .await?;
        Ok(held.is_some())
    }

    /// Opens a sealed value that a step sends upstream; `None` when the claim is lost. The secret belongs to one issuer: it
    /// is bound to the first one it is used with, and to no other after that. An MCP server that changes its metadata
    /// cannot have it sent elsewhere.
    pub async fn reveal_bound(
        self,
        claim: &Claim,
        id: SealedId,
        issuer: &str,
    ) -> Result<Option<std::result::Result<Secret, Failure>>> {
        if !self.holds(claim).await? {
            return Ok(None);
        }
        let Some(secret) = self.registry.open_sealed_if_present(self.registry.db(), id).await? else {
            return Ok(Some(Err(superseded())));
        };
        sealed_value::Entity::update_many()
            .col_expr(sealed_value::Column::BoundTo, Expr::value(issuer))
            .filter(sealed_value::Column::Id.eq(id.0))
            .filter(sealed_value::Column::BoundTo.is_null())
            .exec(self.registry.db())
            .await?;
        let row = sealed_value::Entity::find_by_id(id.0).one(self.registry.db()).await?;
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

    pub(crate) fn lease_millis(self) -> i64 {
        i64::try_from(self.registry.settings().lease.as_millis()).unwrap_or(i64::MAX / 4)
    }

    pub(crate) async fn layers_of(self, write: &Write<'_>, server: Uuid) -> Result<ServerLayers> {
        self.registry
            .configurations()
            .load(&write.txn, Scope::Server(ServerId(server)), true)
            .await?
            .pop()
            .ok_or_else(|| Error::corrupt("registration", "server_id", server))
    }
}

/// The due registrations to claim, fairly: each upstream's first before anybody's second, and none that has `most_each` in
/// the hands of `worker` already.
async fn fair_candidates(
    write: &Write<'_>,
    worker: &str,
    lease_now: i64,
    limit: u64,
    most_each: u64,
) -> Result<Vec<Uuid>> {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let statement = Statement::from_sql_and_values(
        write.txn.get_database_backend(),
        // Counted once for all: a count for each due row would take the square of their number.
        "WITH held AS (
            SELECT COALESCE(upstream, '') AS upstream, COUNT(*) AS count FROM registration
            WHERE lease_owner = $1 AND lease_until > $2 GROUP BY COALESCE(upstream, '')
        ), due AS (
            SELECT id, due_at, COALESCE(upstream, '') AS upstream,
                ROW_NUMBER() OVER (PARTITION BY COALESCE(upstream, '') ORDER BY due_at, id) AS number
            FROM registration WHERE due_at <= $3 AND lease_until <= $2
        )
        SELECT due.id FROM due LEFT JOIN held ON held.upstream = due.upstream
        WHERE due.number + COALESCE(held.count, 0) <= $4
        ORDER BY due.number + COALESCE(held.count, 0), due.due_at LIMIT $5",
        [
            worker.into(),
            lease_now.into(),
            write.millis().into(),
            whole(most_each.max(1)).into(),
            whole(limit).into(),
        ],
    );
    let rows = write.txn.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(row.try_get::<Uuid>("", "id")?)).collect()
}

/// What is known of a registration.
pub(crate) async fn observed(write: &Write<'_>, row: &registration::Model) -> Result<Observed> {
    let clients = oauth_client::Entity::find()
        .filter(oauth_client::Column::RegistrationId.eq(row.id))
        .filter(oauth_client::Column::Status.eq(ClientStatus::Draining.as_str()))
        .all(&write.txn)
        .await?;
    let ending = clients.into_iter().map(|client| EndingClient {
        id: OauthClientId(client.id),
        ended_at: moment(client.ended_at.unwrap_or(client.created_at)),
        not_before: client.withdraw_not_before.map(moment),
    });
    let discovery = match (&row.discovery, row.discovered_at) {
        (Some(text), Some(at)) => {
            Some((json::<Discovery>(text, "registration", "discovery", row.id)?, moment(at)))
        }
        _ => None,
    };
    let active = active_clients(&write.txn, [row.id]).await?.pop();
    Ok(Observed {
        client: active.map(|client| active_client(&client)).transpose()?,
        ending: ending.collect(),
        // What an earlier release found does not say whether it lies in the operator's network: it is looked for again.
        rediscover_at: match &discovery {
            Some((found, at))
                if found.scope.is_none() && !write.registry.settings().egress.allow.is_empty() =>
            {
                Some(*at)
            }
            _ => row.rediscover_at.map(moment),
        },
        discovery,
        failed: row.reason.clone().zip(row.failed_inputs.clone()),
        lost: row
            .lost_inputs
            .clone()
            .map(|inputs| (u32::try_from(row.lost_answers).unwrap_or(u32::MAX), inputs)),
        not_before: row.not_before.map(moment),
        request: row.request.as_deref().and_then(Request::parse),
        skipped: row.skipped.clone(),
        held: row.held.clone(),
        document_unreachable_at: row.document_unreachable_at.map(moment),
        replaced_at: row.replaced_at.map(moment),
    })
}
