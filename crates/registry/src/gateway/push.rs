//! Tells the open gateway of changes: it holds what it fetched for hours, and drops it when `POST /sync` names a server.
//!
//! Each configured gateway has a position in the change feed. One process at a time tells it everything after that position,
//! in the order of commits; what it could not be told is told again, with what changed since.

use crate::actor::Channel;
use crate::gateway::Gateway;
use crate::gateway::cache::{ChangeEvent, GatewayChange, WatchResult};
use crate::ports::trusted_http::{Body, HttpRequest};
use crate::settings::PushTarget;
use crate::storage::columns::{millis, moment};
use crate::storage::entity::{api_key, gateway_push, organisation, server, workspace};
use crate::{Actor, Result};
use metrics::{counter, gauge};
use registry_core::clock::Timestamp;
use registry_core::permission::{Permission, Role};
use registry_core::secret::Secret;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How many servers one request names.
const MAX_SERVERS: usize = 500;
/// How long a request for changes waits.
const WAIT: Duration = Duration::from_secs(5);
/// How long a process that died holds up a gateway.
const LEASE_TTL: i64 = 30_000;
/// How long another process waits before it looks whether the lease is free.
const LEASE_POLL: Duration = Duration::from_secs(5);
/// The wait after the first failure, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const MAX_WAIT: Duration = Duration::from_mins(1);
/// Keys that changed this long before the last success are named again, in milliseconds: clocks of processes differ.
const KEYS_OVERLAP: i64 = 60_000;

/// How one gateway was told of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushState {
    /// The address of the gateway.
    pub url: String,
    /// The revision of the last change that it was told.
    pub position: i64,
    /// How many revisions it is behind.
    pub behind: i64,
    /// When it was last told something, or there was nothing to tell.
    pub told_at: Option<Timestamp>,
    /// Since when it cannot be told; `None`: it can.
    pub failing_since: Option<Timestamp>,
    /// Why not, a sentence.
    pub error: Option<String>,
}

/// What came of one step.
enum Step {
    /// Go on at once.
    Next,
    /// Look again after this time.
    Wait(Duration),
}

/// A server that a gateway is told of: slug and slug of the workspace.
type Named = (String, String);

impl Gateway<'_> {
    /// How each configured gateway was told of changes.
    pub async fn push_states(self, actor: &Actor) -> Result<Vec<PushState>> {
        actor.require_organisation(Permission::ReadOrganisation)?;
        let newest = self.newest_revision(self.registry.db()).await?;
        let mut states = Vec::new();
        for target in self.targets() {
            let row = gateway_push::Entity::find_by_id(target.url.clone()).one(self.registry.db()).await?;
            let position = row.as_ref().map_or(newest, |row| row.position);
            states.push(PushState {
                url: target.url.clone(),
                position,
                behind: (newest - position).max(0),
                told_at: row.as_ref().and_then(|row| row.told_at).map(moment),
                failing_since: row.as_ref().and_then(|row| row.failing_since).map(moment),
                error: row.and_then(|row| row.error),
            });
        }
        Ok(states)
    }

    fn targets(&self) -> &[PushTarget] {
        self.registry.settings().portkey.as_ref().map_or(&[], |portkey| &portkey.push)
    }

    /// Tells the configured gateways of changes, as process `name`, until `stop`.
    pub async fn push_changes(self, name: &str, stop: impl Future<Output = ()>) {
        let each = self.targets().iter().map(|target| self.push_to(target, name));
        tokio::select! {
            () = stop => {}
            _ = futures_util::future::join_all(each) => {}
        }
    }

    async fn push_to(self, target: &PushTarget, name: &str) {
        let mut failures: u32 = 0;
        loop {
            let wait = match self.push_step(target, name).await {
                Ok(Step::Next) => {
                    failures = 0;
                    continue;
                }
                Ok(Step::Wait(wait)) => wait,
                Err(error) => {
                    // The database is away, most likely.
                    failures += 1;
                    tracing::warn!(gateway = target.url, %error, "changes could not be pushed");
                    wait_after(failures)
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn push_step(self, target: &PushTarget, name: &str) -> Result<Step> {
        let row = self.push_row(target).await?;
        if !self.take_push_lease(&row, name).await? {
            return Ok(Step::Wait(LEASE_POLL));
        }
        let now = millis(self.registry.now());
        if row.next_at > now && row.next_at < now + 2 * millis_of(MAX_WAIT) {
            let wait = u64::try_from(row.next_at - now).unwrap_or_default();
            return Ok(Step::Wait(Duration::from_millis(wait.min(1_000))));
        }
        let actor = pusher(name);
        match self.watch_changes(&actor, Some(row.position), WAIT).await? {
            WatchResult::Changes { changes, revision } => {
                let servers = servers_in(&changes);
                let keys = if changes.iter().any(|change| change.happening == ChangeEvent::Identities) {
                    self.changed_keys(row.told_at).await?
                } else {
                    Vec::new()
                };
                let told = self.tell(target, &servers, &keys).await;
                self.record(&row, name, revision, told).await?;
            }
            WatchResult::Expired { revision } => {
                let told = self.tell_of_everything(target).await?;
                self.record(&row, name, revision, told).await?;
            }
        }
        Ok(Step::Next)
    }

    /// The row of a gateway; one that is new has nothing old.
    async fn push_row(self, target: &PushTarget) -> Result<gateway_push::Model> {
        let db = self.registry.db();
        if let Some(row) = gateway_push::Entity::find_by_id(target.url.clone()).one(db).await? {
            return Ok(row);
        }
        let new = gateway_push::Model {
            url: target.url.clone(),
            position: self.newest_revision(db).await?,
            lease_owner: None,
            lease_until: 0,
            told_at: None,
            failing_since: None,
            tries: 0,
            next_at: 0,
            error: None,
        };
        let conflict = OnConflict::column(gateway_push::Column::Url).do_nothing().to_owned();
        gateway_push::Entity::insert(gateway_push::ActiveModel::from(new.clone()))
            .on_conflict(conflict)
            .exec_without_returning(db)
            .await?;
        Ok(gateway_push::Entity::find_by_id(target.url.clone()).one(db).await?.unwrap_or(new))
    }

    /// Whether this process tells the gateway now.
    async fn take_push_lease(self, row: &gateway_push::Model, name: &str) -> Result<bool> {
        let now = millis(self.registry.now());
        let is_mine = row.lease_owner.as_deref() == Some(name);
        if is_mine && row.lease_until > now + LEASE_TTL / 2 {
            return Ok(true);
        }
        let free = Condition::any()
            .add(gateway_push::Column::LeaseUntil.lte(now))
            .add(gateway_push::Column::LeaseOwner.eq(name))
            // The clock was set back.
            .add(gateway_push::Column::LeaseUntil.gt(now + 2 * LEASE_TTL));
        let taken = gateway_push::Entity::update_many()
            .set(gateway_push::ActiveModel {
                lease_owner: Set(Some(name.to_owned())),
                lease_until: Set(now + LEASE_TTL),
                ..Default::default()
            })
            .filter(gateway_push::Column::Url.eq(&row.url))
            .filter(free)
            .exec(self.registry.db())
            .await?;
        Ok(taken.rows_affected == 1)
    }

    /// Writes down how far the gateway was told, or why it could not be. Nothing is written while nothing happens.
    async fn record(
        self,
        row: &gateway_push::Model,
        name: &str,
        revision: i64,
        told: std::result::Result<u64, String>,
    ) -> Result<()> {
        let now = millis(self.registry.now());
        let url = row.url.clone();
        let failing = gauge!("mcp_registry_gateway_push_failing", "gateway" => url.clone());
        let mut changed = gateway_push::ActiveModel { url: Set(url.clone()), ..Default::default() };
        match told {
            Ok(servers) => {
                failing.set(0.0);
                if servers > 0 {
                    counter!("mcp_registry_gateway_pushes_total", "outcome" => "told").increment(1);
                    tracing::info!(gateway = url, servers, revision, "the gateway was told of changes");
                }
                let was_told_lately = row.told_at.is_some_and(|at| at > now - KEYS_OVERLAP / 2);
                if row.position == revision && row.failing_since.is_none() && was_told_lately {
                    return Ok(());
                }
                changed.position = Set(revision);
                changed.told_at = Set(Some(now));
                (changed.failing_since, changed.error) = (Set(None), Set(None));
                (changed.tries, changed.next_at) = (Set(0), Set(0));
            }
            Err(why) => {
                failing.set(1.0);
                counter!("mcp_registry_gateway_pushes_total", "outcome" => "failed").increment(1);
                let tries = row.tries + 1;
                let wait = wait_after(u32::try_from(tries).unwrap_or(u32::MAX));
                if row.failing_since.is_none() {
                    tracing::warn!(
                        gateway = url,
                        error = why,
                        "the gateway cannot be told of changes; it is tried again"
                    );
                }
                changed.failing_since = Set(Some(row.failing_since.unwrap_or(now)));
                changed.error = Set(Some(why));
                (changed.tries, changed.next_at) = (Set(tries), Set(now + millis_of(wait)));
            }
        }
        gateway_push::Entity::update_many()
            .set(changed)
            .filter(gateway_push::Column::Url.eq(url))
            // Another process may have taken over.
            .filter(gateway_push::Column::LeaseOwner.eq(name))
            .exec(self.registry.db())
            .await?;
        Ok(())
    }

    /// The ids of API keys that changed since the last success.
    async fn changed_keys(self, told_at: Option<i64>) -> Result<Vec<String>> {
        let since = told_at.unwrap_or_default() - KEYS_OVERLAP;
        let ids: Vec<Uuid> = api_key::Entity::find()
            .select_only()
            .column(api_key::Column::Id)
            .filter(
                Condition::any()
                    .add(api_key::Column::RevokedAt.gt(since))
                    .add(api_key::Column::UpdatedAt.gt(since)),
            )
            .order_by_asc(api_key::Column::Id)
            .limit(MAX_SERVERS as u64)
            .into_tuple()
            .all(self.registry.db())
            .await?;
        Ok(ids.into_iter().map(|id| id.to_string()).collect())
    }

    /// Tells of all live servers: so much changed that the feed does not reach back.
    async fn tell_of_everything(self, target: &PushTarget) -> Result<std::result::Result<u64, String>> {
        let mut after: Option<Uuid> = None;
        let mut count = 0;
        loop {
            let mut select = server::Entity::find()
                .filter(server::Column::DeletedAt.is_null())
                .order_by_asc(server::Column::Id)
                .limit(MAX_SERVERS as u64);
            if let Some(after) = after {
                select = select.filter(server::Column::Id.gt(after));
            }
            let rows = select.find_also_related(workspace::Entity).all(self.registry.db()).await?;
            let Some((last, _)) = rows.last() else { return Ok(Ok(count)) };
            after = Some(last.id);
            let servers: Vec<Named> = rows
                .into_iter()
                .filter_map(|(server, workspace)| Some((server.slug, workspace?.slug)))
                .collect();
            match self.tell(target, &servers, &[]).await {
                Ok(told) => count += told,
                Err(why) => return Ok(Err(why)),
            }
        }
    }

    /// Names servers and API keys to the gateway; returns how many that were.
    async fn tell(
        self,
        target: &PushTarget,
        servers: &[Named],
        keys: &[String],
    ) -> std::result::Result<u64, String> {
        if servers.is_empty() && keys.is_empty() {
            return Ok(0);
        }
        let organisation = organisation::Entity::find().one(self.registry.db()).await;
        let organisation = organisation.ok().flatten().map(|row| row.id.to_string()).unwrap_or_default();
        let mut chunks: Vec<&[Named]> = servers.chunks(MAX_SERVERS).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        for (index, chunk) in chunks.into_iter().enumerate() {
            let named: Vec<Value> = chunk
                .iter()
                .map(|(slug, workspace)| {
                    json!({
                        "slug": slug, "workspace_id": workspace,
                        "reset_capabilities": true, "reset_user_access": true,
                    })
                })
                .collect();
            let mut body = json!({ "organisation_id": organisation, "mcpServersV2": named });
            if index == 0 && !keys.is_empty() {
                body["apiKeyIds"] = json!(keys);
            }
            self.send(target, &body).await?;
        }
        Ok((servers.len() + keys.len()) as u64)
    }

    async fn send(self, target: &PushTarget, body: &Value) -> std::result::Result<(), String> {
        let url = format!("{}/sync", target.url.trim_end_matches('/'));
        let token = Secret::new(format!("Bearer {}", target.token.expose()));
        let request = HttpRequest {
            url: &url,
            headers: vec![("authorization", token)],
            body: Some(Body::Json(Secret::new(body.to_string()))),
        };
        let response = self.registry.trusted_http().ask(request).await?;
        match response.status {
            207 => {
                let answer: Value = serde_json::from_str(response.body.expose()).unwrap_or_default();
                let failed = answer["summary"]["total_errors"].as_i64().unwrap_or(1);
                if failed == 0 {
                    return Ok(());
                }
                Err(format!("The gateway could not drop everything: {failed} errors. Its log says why."))
            }
            200..=299 => Ok(()),
            401 | 403 => Err(format!(
                "The gateway answered {} to POST /sync: `gateway.portkey.sync_token` is not its MCP_SYNC_AUTH_TOKEN.",
                response.status
            )),
            404 => Err("The gateway has no POST /sync: set MANAGED_DEPLOYMENT=ON and MCP_SYNC_ROUTES_ENABLED=true there.".to_owned()),
            status => Err(format!("The gateway answered {status} to POST /sync.")),
        }
    }
}

/// The actor that follows changes for gateways.
fn pusher(name: &str) -> Actor {
    Actor { role: Role::Gateway, ..Actor::program("system", name, Channel::Worker) }
}

/// Each server once, in the order of its last change.
fn servers_in(changes: &[Arc<GatewayChange>]) -> Vec<Named> {
    let mut seen = BTreeSet::new();
    let mut servers: Vec<Named> = changes
        .iter()
        .rev()
        .filter_map(|change| match &change.happening {
            ChangeEvent::Changed { workspace, server } | ChangeEvent::Deleted { workspace, server } => {
                Some((server.clone(), workspace.clone()))
            }
            ChangeEvent::Identities => None,
        })
        .filter(|named| seen.insert(named.clone()))
        .collect();
    servers.reverse();
    servers
}

/// The wait after `failures` failures in a row: doubled each time, with jitter over its upper half.
fn wait_after(failures: u32) -> Duration {
    let step = FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(MAX_WAIT);
    let mut random = [0; 1];
    // Without random numbers the whole step is waited.
    let part = aws_lc_rs::rand::fill(&mut random).map_or(1.0, |()| f64::from(random[0]) / 255.0);
    step.mul_f64(0.5 + part / 2.0)
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_named_once() {
        let change = |server: &str| {
            let happening = ChangeEvent::Changed { workspace: "acme".into(), server: server.into() };
            Arc::new(GatewayChange::of(1, happening))
        };
        let named = servers_in(&[change("a"), change("b"), change("a")]);
        assert_eq!(named, [("b".to_owned(), "acme".to_owned()), ("a".to_owned(), "acme".to_owned())]);
    }

    #[test]
    fn waits_grow_to_a_minute() {
        assert!(wait_after(1) <= FIRST_WAIT && wait_after(1) >= FIRST_WAIT / 2);
        for failures in [8, 100, u32::MAX] {
            assert!(wait_after(failures) <= MAX_WAIT && wait_after(failures) >= MAX_WAIT / 2);
        }
    }
}
