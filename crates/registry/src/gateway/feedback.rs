//! What gateways say back: that they need a client now, and that a client does not work (INV-13).

use crate::gateway::Gateway;
use crate::gateway::documents::GatewayDocument;
use crate::lookup::clients::{active_clients, usable};
use crate::lookup::workspaces;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{millis, moment};
use crate::storage::entity::{oauth_client, registration};
use crate::storage::write::Event;
use crate::{Actor, Error, Result};
use chrono::Duration;
use registry_core::clock::Timestamp;
use registry_core::id::{RegistrationId, ServerId, WorkspaceId};
use registry_core::permission::Permission;
use registry_core::registration::{State, Verification};
use registry_core::slug::Reference;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use serde_json::json;
use std::time::Instant;

/// How long another process's commit may go unnoticed that changes the state of a registration but no document.
const MISSED: std::time::Duration = std::time::Duration::from_millis(500);

/// How long the first report of a client counts.
fn report_counts_for() -> Duration {
    Duration::days(1)
}

/// How far two reports of one gateway lie apart to be two.
fn distinct_after() -> Duration {
    Duration::minutes(1)
}

/// A client that a gateway needs now.
#[derive(Debug)]
pub enum Ensured {
    /// It is there.
    Ready(GatewayDocument),
    /// It is not, yet.
    NotYet(RegistrationProgress),
}

/// How the registration of a server stands, for a gateway that waits.
#[derive(Clone, Debug)]
pub struct RegistrationProgress {
    /// The state; `None`: the server needs no client.
    pub state: Option<State>,
    /// Stable code of why.
    pub reason: Option<String>,
    /// The same as a sentence.
    pub detail: Option<String>,
    /// When it will be tried again at the earliest.
    pub not_before: Option<Timestamp>,
}

/// What is done about a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it speaks of another generation than the active one. Fetch the document again.
    Stale,
    /// Nothing: this error is none that a new client would mend.
    Ignored,
    /// It is remembered; a second distinct report confirms it.
    Noted,
    /// The authorization server is asked.
    Checking,
    /// The client is gone for certain: it is replaced, or a user is asked to approve that.
    Replacing,
    /// The authorization server is looked for again.
    Rediscovering,
}

impl Verdict {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Ignored => "ignored",
            Self::Noted => "noted",
            Self::Checking => "checking",
            Self::Replacing => "replacing",
            Self::Rediscovering => "rediscovering",
        }
    }
}

impl Gateway<'_> {
    /// Waits at most `wait` for the client of a server, and makes its registration due if it is not there. What politeness
    /// or what awaits a user's decision, still waits.
    pub async fn ensure(
        self,
        actor: &Actor,
        workspace: &str,
        server: &str,
        wait: std::time::Duration,
    ) -> Result<Ensured> {
        actor.require(Permission::FetchGatewayDocument)?;
        self.registry.inner.gateway_limits.admit_need(actor)?;
        let model = self.find_server(actor, workspace, server).await?;
        let deadline = Instant::now() + wait;
        let mut asked = false;
        let mut commits = self.registry.inner.live.commits();
        loop {
            commits.borrow_and_update();
            let row = registration::Entity::find()
                .filter(registration::Column::ServerId.eq(model.id))
                .one(self.registry.db())
                .await?;
            let Some(row) = row else {
                let nothing =
                    RegistrationProgress { state: None, reason: None, detail: None, not_before: None };
                return Ok(Ensured::NotYet(nothing));
            };
            let client = active_clients(self.registry.db(), [row.id]).await?.pop();
            if client.is_some_and(|client| usable(&client, self.registry.now())) {
                let document = self.document(actor, workspace, server).await?;
                return Ok(Ensured::Ready(document));
            }
            if !asked {
                asked = true;
                self.wake_registration(actor, RegistrationId(row.id), "a gateway needs it").await?;
            } else if is_decided(&row, self.registry.now()) {
                return Ok(Ensured::NotYet(progress_of(row)));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Ensured::NotYet(progress_of(row)));
            }
            tokio::select! {
                _ = commits.changed() => {}
                () = self.registry.wait_for_commit(left.min(MISSED)) => {}
            }
        }
    }

    /// Takes a gateway's word that a client does not work. A stale generation does nothing; `invalid_client` is confirmed
    /// before anything is replaced; `issuer_changed` looks for the authorization server again.
    pub async fn report(
        self,
        actor: &Actor,
        workspace: &str,
        server: &str,
        generation: i64,
        error: &str,
    ) -> Result<Verdict> {
        actor.require(Permission::FetchGatewayDocument)?;
        self.registry.inner.gateway_limits.admit_report(actor)?;
        let model = self.find_server(actor, workspace, server).await?;
        let row = registration::Entity::find()
            .filter(registration::Column::ServerId.eq(model.id))
            .one(self.registry.db())
            .await?
            .ok_or_else(|| Error::not_found("registration", server))?;
        let client = active_clients(self.registry.db(), [row.id]).await?.pop();
        let Some(client) = client.filter(|client| client.generation == generation) else {
            return Ok(Verdict::Stale);
        };
        let because = format!("a gateway reported `{error}`");
        match error {
            "invalid_client" | "unauthorized_client" | "unknown_client" => {
                let verdict = self.doubt(actor, &model, &client, error).await?;
                if matches!(verdict, Verdict::Checking | Verdict::Replacing) {
                    self.wake_registration(actor, RegistrationId(row.id), &because).await?;
                }
                Ok(verdict)
            }
            "issuer_changed" => {
                // One that was looked for since the gateway saw what it saw is not looked for again at once.
                let lately = row
                    .discovered_at
                    .map(moment)
                    .is_some_and(|at| at + distinct_after() > self.registry.now());
                if lately {
                    return Ok(Verdict::Noted);
                }
                self.rediscover(actor, RegistrationId(row.id), &because).await?;
                Ok(Verdict::Rediscovering)
            }
            _ => Ok(Verdict::Ignored),
        }
    }

    /// Records that a gateway's client was refused, and what follows from it.
    async fn doubt(
        self,
        actor: &Actor,
        server: &crate::storage::entity::server::Model,
        client: &oauth_client::Model,
        error: &str,
    ) -> Result<Verdict> {
        let mut write = self.registry.begin_write(actor).await?;
        let client = oauth_client::Entity::find_by_id(client.id)
            .lock_exclusive()
            .one(&write.txn)
            .await?
            .ok_or_else(|| Error::not_found("client", client.id))?;
        match client.doubt.as_deref().and_then(Verification::parse) {
            Some(Verification::Forgotten) => return Ok(Verdict::Replacing),
            Some(Verification::Reported | Verification::UpdateLost) => return Ok(Verdict::Checking),
            None => {}
        }
        let who = actor.who();
        let first = client.reported_at.map(moment).filter(|at| *at + report_counts_for() > write.now);
        let manageable =
            client.registration_client_uri.is_some() && client.registration_access_token_id.is_some();
        let mut changed = oauth_client::ActiveModel { id: Set(client.id), ..Default::default() };
        let (verdict, doubt) = match first {
            // Only a second report that another gateway made, or the same one later, is another report.
            Some(at) if client.reported_by.as_deref() != Some(who) || at + distinct_after() <= write.now => {
                (Verdict::Replacing, Some(Verification::Forgotten))
            }
            Some(_) => return Ok(Verdict::Noted),
            None if manageable => (Verdict::Checking, Some(Verification::Reported)),
            None => (Verdict::Noted, None),
        };
        if first.is_none() {
            changed.reported_at = Set(Some(write.millis()));
            changed.reported_by = Set(Some(who.to_owned()));
        }
        changed.doubt = Set(doubt.map(|doubt| doubt.as_str().to_owned()));
        changed.update(&write.txn).await?;
        let workspace = WorkspaceId(server.workspace_id);
        let name = workspaces::find(&write.txn, actor, &Reference::Id(server.workspace_id)).await?.slug;
        let event =
            Event::new(AuditAction::RegistrationClientReported, "registration", client.registration_id)
                .named(format!("{name}/{}", server.slug))
                .in_workspace(Some(workspace));
        write.audit(event.after(json!({
            "client_id": client.client_id, "generation": client.generation, "error": error,
            "verdict": verdict.as_str(),
        })));
        if verdict == Verdict::Replacing {
            write.server_changed(workspace, ServerId(server.id));
        }
        write.commit().await?;
        Ok(verdict)
    }

    async fn rediscover(self, actor: &Actor, id: RegistrationId, because: &str) -> Result<()> {
        let write = self.registry.begin_write(actor).await?;
        let now = write.millis();
        registration::ActiveModel { id: Set(id.0), rediscover_at: Set(Some(now)), ..Default::default() }
            .update(&write.txn)
            .await?;
        write.commit().await?;
        self.wake_registration(actor, id, because).await
    }

    /// Makes a registration due. Nothing is sent before its `not_before` all the same.
    async fn wake_registration(self, actor: &Actor, id: RegistrationId, because: &str) -> Result<()> {
        let write = self.registry.begin_write(actor).await?;
        let row = registration::Entity::find_by_id(id.0).lock_exclusive().one(&write.txn).await?;
        let Some(row) = row else { return Ok(()) };
        // It is due already; many gateways may ask at the same time.
        let is_due = row.due_at <= write.millis() && row.lease_until == 0;
        if is_due && row.wanted_because.as_deref() == Some(because) {
            return Ok(());
        }
        registration::ActiveModel {
            id: Set(row.id),
            wanted: Set(row.wanted + 1),
            wanted_because: Set(Some(because.to_owned())),
            due_at: Set(write.millis()),
            ..Default::default()
        }
        .update(&write.txn)
        .await?;
        write.commit().await
    }
}

/// Whether a worker has looked since it was made due, and nothing will change for a gateway that waits longer.
fn is_decided(row: &registration::Model, now: Timestamp) -> bool {
    let busy = matches!(State::parse(&row.state), Some(State::Queued | State::Registering));
    !busy && row.lease_until == 0 && row.due_at > millis(now)
}

fn progress_of(row: registration::Model) -> RegistrationProgress {
    RegistrationProgress {
        state: State::parse(&row.state),
        not_before: row.next_try(),
        reason: row.reason,
        detail: row.detail,
    }
}
