//! All writes: a transaction that ends with its audit events and changes in commit order.
//!
//! [`Registry::begin_write`] opens it, [`Write::commit`] commits it; dropped without commit, it is rolled back.

use crate::actor::{Actor, Channel};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{hex, millis};
use crate::storage::database_fault::DatabaseFault;
use crate::storage::entity::{audit_event, change, deployment, sequence};
use crate::storage::notify::CHANNEL;
use crate::storage::writability;
use crate::{Error, Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{IntegrationId, ServerId, WorkspaceId};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    AccessMode, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    DbBackend, EntityTrait, IsolationLevel, QueryFilter, QuerySelect, QueryTrait, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use uuid::{ContextV7, Timestamp as UuidTime, Uuid};

/// Maximum number of rows per statement: `SQLite` allows 32,766 parameters, that is 32 columns.
pub(crate) const MAX_ROWS_PER_STATEMENT: usize = 1_000;

/// What an interactive write keeps others from changing until it ends (ADR 7). Workers lock their own rows. SQLite has one
/// write at a time in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteLock {
    /// Nothing but what it locks itself.
    None,
    /// The layers above workspaces; others may read them at the same time. Followed by [`Write::lock_workspace`].
    Workspaces,
    /// Everything.
    Everything,
}

impl WriteLock {
    /// The statement that takes it in PostgreSQL. Advisory locks belong to a database, not to a schema: the table's own
    /// number keeps registries in schemas of one database from waiting for each other. The second number, 7301, stands for
    /// the layers above workspaces, 7302 in the first place for one workspace, 7303 for the sums of `tally`.
    fn statement(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Workspaces => {
                Some("SELECT pg_advisory_xact_lock_shared('deployment'::regclass::oid::int, 7301)")
            }
            Self::Everything => Some("SELECT pg_advisory_xact_lock('deployment'::regclass::oid::int, 7301)"),
        }
    }
}

/// How long a write waits for the writes before it; the database has its own limit after that.
const MAX_WAIT_FOR_TURN: Duration = Duration::from_secs(10);

/// An open write transaction.
pub(crate) struct Write<'a> {
    pub(crate) txn: DatabaseTransaction,
    pub(crate) now: Timestamp,
    pub(crate) registry: &'a Registry,
    /// The rows of `deployment` at the beginning of the write.
    pub(crate) deployment: Vec<deployment::Model>,
    actor: Actor,
    events: Vec<Event>,
    changes: Vec<Change>,
    /// The servers that `changes` name.
    changed_servers: HashSet<ServerId>,
    /// Whether a rollout may go on after the commit.
    moves_rollouts: bool,
    /// Whether it writes the claimed registration only: it makes no other due.
    is_step: bool,
    /// The turn of this write among those of this process; last, so that it ends after the transaction.
    turn: Option<OwnedMutexGuard<()>>,
}

/// An audit event that the commit writes.
pub(crate) struct Event {
    pub(crate) action: AuditAction,
    pub(crate) subject_kind: &'static str,
    pub(crate) subject_id: Option<String>,
    pub(crate) subject_name: Option<String>,
    pub(crate) workspace: Option<WorkspaceId>,
    /// Never contains a secret: configurations contain markers, keys and sessions are named by id.
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

impl Event {
    pub(crate) fn new(action: AuditAction, subject_kind: &'static str, id: impl std::fmt::Display) -> Self {
        Self {
            action,
            subject_kind,
            subject_id: Some(id.to_string()),
            subject_name: None,
            workspace: None,
            before: None,
            after: None,
        }
    }

    pub(crate) fn named(mut self, name: impl Into<String>) -> Self {
        self.subject_name = Some(name.into());
        self
    }

    pub(crate) fn in_workspace(mut self, workspace: Option<WorkspaceId>) -> Self {
        self.workspace = workspace;
        self
    }

    pub(crate) fn before(mut self, value: Value) -> Self {
        self.before = Some(value);
        self
    }

    pub(crate) fn after(mut self, value: Value) -> Self {
        self.after = Some(value);
        self
    }
}

/// A change that the commit adds to the change feed.
struct Change {
    kind: &'static str,
    workspace: Option<WorkspaceId>,
    server: Option<ServerId>,
    integration: Option<IntegrationId>,
}

/// The kind of changes that tell of an integration with many servers.
pub(crate) const INTEGRATION_CHANGED: &str = "integration";
/// The kinds of changes that tell of a deletion: the servers that belong to it are deleted one after the other later.
pub(crate) const INTEGRATION_DELETED: &str = "integration_deleted";
/// See [`INTEGRATION_DELETED`].
pub(crate) const WORKSPACE_DELETED: &str = "workspace_deleted";

impl Registry {
    /// Opens a write; refused if this process has other settings than the deployment. On SQLite it takes the write lock
    /// immediately, so that no other write can change what it reads.
    pub(crate) async fn begin_write(&self, actor: &Actor) -> Result<Write<'_>> {
        let lock = if actor.origin.door == Channel::Worker { WriteLock::None } else { WriteLock::Everything };
        self.begin_locked_write(actor, lock).await
    }

    /// As [`Self::begin_write`], for a write in one workspace: those of other workspaces go on beside it. It locks the
    /// workspace with [`Write::lock_workspace`] before it reads what it validates.
    pub(crate) async fn begin_workspace_write(&self, actor: &Actor) -> Result<Write<'_>> {
        self.begin_locked_write(actor, WriteLock::Workspaces).await
    }

    /// As [`Self::begin_write`], for a write that only adds audit events.
    pub(crate) async fn begin_record(&self, actor: &Actor) -> Result<Write<'_>> {
        self.begin_locked_write(actor, WriteLock::None).await
    }

    async fn begin_locked_write(&self, actor: &Actor, lock: WriteLock) -> Result<Write<'_>> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let turn = self.write_turn().await;
        let txn = self.begin_on_writable_connection(options).await?;
        if let (DbBackend::Postgres, Some(statement)) = (txn.get_database_backend(), lock.statement()) {
            // The same as SQLite's immediate transactions: no other write happens between reading a row, validating it
            // together with its layers, and writing it.
            txn.execute_unprepared(statement).await?;
        }
        let mut write = self.unchecked_write(txn, turn, actor);
        // `/readyz` does not stop clients that reach this process directly: their writes are refused here.
        let deployment = deployment::Entity::find().all(&write.txn).await?;
        write.check_deployment(deployment)?;
        Ok(write)
    }

    /// Opens a write of the worker `actor` that has not read `deployment` yet. Its first statement reads these rows beside
    /// what it is for, and hands them to [`Write::check_deployment`]; without that it must not be committed.
    pub(crate) async fn begin_unchecked_write(&self, actor: &Actor) -> Result<Write<'_>> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let turn = self.write_turn().await;
        let txn = self.begin_on_writable_connection(options).await?;
        Ok(Write { is_step: true, ..self.unchecked_write(txn, turn, actor) })
    }

    /// The turn of one write. SQLite writes one transaction at a time, and who finds it busy sleeps and may be overtaken for
    /// ever: the writes of one process wait for one another here instead, in order. One that waited long goes without.
    async fn write_turn(&self) -> Option<OwnedMutexGuard<()>> {
        if self.db().get_database_backend() != DbBackend::Sqlite {
            return None;
        }
        let turn = self.inner.write_turn.clone().lock_owned();
        tokio::time::timeout(MAX_WAIT_FOR_TURN, turn).await.ok()
    }

    fn unchecked_write(
        &self,
        txn: DatabaseTransaction,
        turn: Option<OwnedMutexGuard<()>>,
        actor: &Actor,
    ) -> Write<'_> {
        Write {
            txn,
            now: self.now(),
            registry: self,
            deployment: Vec::new(),
            actor: actor.clone(),
            events: Vec::new(),
            changes: Vec::new(),
            changed_servers: HashSet::new(),
            moves_rollouts: false,
            is_step: false,
            turn,
        }
    }

    /// Begins a transaction on a connection that can write: some connections of the pool may have been opened while the
    /// database was read-only.
    async fn begin_on_writable_connection(&self, options: TransactionOptions) -> Result<DatabaseTransaction> {
        for _ in 0..=self.settings().max_connections {
            #[expect(clippy::disallowed_methods, reason = "the one place that opens transactions")]
            let begun = self.db().begin_with_options(options).await;
            let error = match begun {
                Ok(txn) => return Ok(txn),
                Err(error) => error,
            };
            let is_read_only = matches!(DatabaseFault::cause_of(&error), Some((DatabaseFault::ReadOnly, _)));
            let error = Error::from(error);
            if !is_read_only {
                return Err(error);
            }
        }
        Err(DatabaseFault::ReadOnly.into())
    }

    /// Begins a read transaction: a consistent snapshot of many rows.
    pub(crate) async fn begin_read(&self) -> Result<DatabaseTransaction> {
        // SQLite transactions read a snapshot anyway; sea-orm warns if more is requested there.
        let postgres = self.db().get_database_backend() == DbBackend::Postgres;
        let options = TransactionOptions {
            isolation_level: postgres.then_some(IsolationLevel::RepeatableRead),
            access_mode: postgres.then_some(AccessMode::ReadOnly),
            ..Default::default()
        };
        #[expect(clippy::disallowed_methods, reason = "nothing is written in it")]
        let txn = self.db().begin_with_options(options).await?;
        Ok(txn)
    }

    /// A new id (UUIDv7), ordered by time.
    pub(crate) fn new_id(&self) -> Uuid {
        static CONTEXT: std::sync::Mutex<ContextV7> = std::sync::Mutex::new(ContextV7::new());
        let now = self.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        Uuid::new_v7(UuidTime::from_unix(&CONTEXT, seconds, now.timestamp_subsec_nanos()))
    }
}

impl Write<'_> {
    /// Takes over the rows of `deployment` as this write read them; refused if this process has other settings than the
    /// deployment.
    pub(crate) fn check_deployment(&mut self, rows: Vec<deployment::Model>) -> Result<()> {
        let in_force = self.registry.apply_recorded_settings(&rows)?;
        if self.actor.origin.door != Channel::Cli {
            in_force.status.require()?;
        }
        self.deployment = rows;
        Ok(())
    }

    /// Takes the lock of interactive writes: for writes that validate rows together with their layers.
    pub(crate) async fn lock_interactive_writes(&self) -> Result<()> {
        if let (DbBackend::Postgres, Some(statement)) =
            (self.txn.get_database_backend(), WriteLock::Everything.statement())
        {
            self.txn.execute_unprepared(statement).await?;
            self.reload_settings().await?;
        }
        Ok(())
    }

    /// Takes the lock of one workspace. What was read of its servers and access before may have changed since.
    pub(crate) async fn lock_workspace(&self, workspace: WorkspaceId) -> Result<()> {
        if self.txn.get_database_backend() == DbBackend::Postgres {
            // The end of an id is random. Two workspaces that share a lock only wait for each other.
            let [.., a, b, c, d] = *workspace.0.as_bytes();
            let key = i32::from_be_bytes([a, b, c, d]);
            self.txn.execute_unprepared(&format!("SELECT pg_advisory_xact_lock(7302, {key})")).await?;
        }
        Ok(())
    }

    /// Applies shared settings that changed while this write waited for a lock. For work on rows that a change of
    /// settings enqueues: once such a row is locked, the row and the settings fit together.
    pub(crate) async fn reload_settings(&self) -> Result<()> {
        if self.txn.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let deployment = deployment::Entity::find().all(&self.txn).await?;
        let in_force = self.registry.apply_recorded_settings(&deployment)?;
        if self.actor.origin.door == Channel::Cli { Ok(()) } else { in_force.status.require() }
    }

    /// Adds an audit event.
    pub(crate) fn audit(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Whether this write recorded an audit event, as every change does.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Adds to the change feed that the document of a server changed.
    pub(crate) fn server_changed(&mut self, workspace: WorkspaceId, server: ServerId) {
        if self.changed_servers.insert(server) {
            self.changes.push(Change {
                kind: "server",
                workspace: Some(workspace),
                server: Some(server),
                integration: None,
            });
        }
    }

    /// Adds to the change feed that an integration with many servers changed: whatever is held of its servers is out of
    /// date.
    pub(crate) fn integration_changed(&mut self, integration: IntegrationId) {
        self.changes.push(Change {
            kind: INTEGRATION_CHANGED,
            workspace: None,
            server: None,
            integration: Some(integration),
        });
    }

    /// Adds to the change feed that an integration with many servers was deleted: whatever is held of its servers must be
    /// forgotten.
    pub(crate) fn integration_deleted(&mut self, integration: IntegrationId) {
        let integration = Some(integration);
        self.changes.push(Change { kind: INTEGRATION_DELETED, workspace: None, server: None, integration });
    }

    /// The same of a workspace with many servers.
    pub(crate) fn workspace_deleted(&mut self, workspace: WorkspaceId) {
        let workspace = Some(workspace);
        self.changes.push(Change { kind: WORKSPACE_DELETED, workspace, server: None, integration: None });
    }

    /// Wakes the worker of this process after the commit: a rollout may go on.
    pub(crate) fn rollout_moves(&mut self) {
        self.moves_rollouts = true;
    }

    /// Adds to the change feed that API keys, users or shared settings changed.
    pub(crate) fn identities_changed(&mut self) {
        self.changes.push(Change { kind: "identity", workspace: None, server: None, integration: None });
    }

    /// The name for `created_by` and `updated_by`.
    pub(crate) fn actor_name(&self) -> String {
        self.actor.name.clone()
    }

    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }

    pub(crate) fn millis(&self) -> i64 {
        millis(self.now)
    }

    /// Writes audit events and changes, and commits. The one `sequence` row is locked last: so the order of its numbers
    /// is the order of commits on both engines, and other writes wait for two statements only.
    pub(crate) async fn commit(self) -> Result<()> {
        let Self {
            txn,
            now,
            registry,
            actor,
            events,
            changes,
            deployment: _,
            changed_servers: _,
            moves_rollouts,
            is_step,
            turn,
        } = self;
        let told = !changes.is_empty();
        let mut newest = None;
        if !events.is_empty() || !changes.is_empty() {
            let row = sequence::Entity::find_by_id(1).lock_exclusive().one(&txn).await?.ok_or_else(|| {
                Error::Unavailable("The database is not migrated. Run `mcp-registry migrate`.".into())
            })?;
            let mut next = <sequence::ActiveModel as Default>::default();
            let mut hash = row.audit_hash;
            let mut rows = Vec::with_capacity(events.len());
            for (number, event) in (row.audit + 1..).zip(events) {
                let id = registry.new_id();
                let mut model = event.into_model(number, id, now, &actor, std::mem::take(&mut hash));
                model.hash = chain_hash(&model);
                hash.clone_from(&model.hash);
                rows.push(audit_event::ActiveModel::from(model).reset_all());
            }
            next.audit = Set(row.audit + i64::try_from(rows.len()).unwrap_or_default());
            next.audit_hash = Set(hash);
            for chunk in rows.chunks(MAX_ROWS_PER_STATEMENT) {
                audit_event::Entity::insert_many(chunk.iter().cloned()).exec_without_returning(&txn).await?;
            }
            let revision = row.revision + i64::try_from(changes.len()).unwrap_or_default();
            next.revision = Set(revision);
            newest = Some(revision);
            let mut rows = Vec::with_capacity(changes.len());
            for (revision, change) in (row.revision + 1..).zip(changes) {
                rows.push(change::ActiveModel {
                    revision: Set(revision),
                    kind: Set(change.kind.to_owned()),
                    workspace_id: Set(change.workspace.map(|id| id.0)),
                    server_id: Set(change.server.map(|id| id.0)),
                    at: Set(millis(now)),
                    integration_id: Set(change.integration.map(|id| id.0)),
                });
            }
            for chunk in rows.chunks(5_000) {
                change::Entity::insert_many(chunk.iter().cloned()).exec_without_returning(&txn).await?;
            }
            let mut update = sequence::Entity::update_many().set(next).filter(sequence::Column::Id.eq(1));
            if told && txn.get_database_backend() == DbBackend::Postgres {
                // Sent with the commit, to every process that listens.
                let notified = Expr::cust(format!("pg_notify('{CHANNEL}', '')"));
                QueryTrait::query(&mut update).returning(Query::returning().expr(notified));
            }
            txn.execute(&QueryTrait::into_query(update)).await?;
        }
        txn.commit().await?;
        drop(turn);
        registry.sync_commits(newest).await?;
        writability::note_written();
        if let Some(replica) = &registry.inner.replica {
            replica.note_change(&actor);
        }
        registry.inner.commit_notify.notify_waiters();
        if !is_step {
            registry.inner.enqueued_notify.notify_waiters();
        }
        if moves_rollouts {
            registry.inner.rollout_notify.notify_one();
        }
        Ok(())
    }
}

impl Event {
    fn into_model(
        self,
        number: i64,
        id: Uuid,
        now: Timestamp,
        actor: &Actor,
        previous_hash: String,
    ) -> audit_event::Model {
        audit_event::Model {
            number,
            id,
            at: millis(now),
            actor_kind: actor.kind.to_owned(),
            actor_id: actor.id.clone(),
            actor_name: actor.name.clone(),
            door: actor.origin.door.as_str().to_owned(),
            action: self.action.as_str().to_owned(),
            subject_kind: self.subject_kind.to_owned(),
            subject_id: self.subject_id,
            subject_name: self.subject_name,
            workspace_id: self.workspace.map(|id| id.0),
            request_id: actor.origin.request_id.clone(),
            address: actor.origin.address.clone(),
            before: self.before.map(|value| value.to_string()),
            after: self.after.map(|value| value.to_string()),
            previous_hash,
            hash: String::new(),
        }
    }
}

/// SHA-256 over every column of the event and the hash of the one before, each length-prefixed so that no two rows
/// can be written to read alike.
pub(crate) fn chain_hash(event: &audit_event::Model) -> String {
    let mut hasher = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    add(event.previous_hash.as_bytes());
    add(&event.number.to_be_bytes());
    add(event.id.as_bytes());
    add(&event.at.to_be_bytes());
    for text in [&event.actor_kind, &event.actor_name, &event.door, &event.action, &event.subject_kind] {
        add(text.as_bytes());
    }
    let workspace = event.workspace_id.map(|id| id.to_string());
    for text in [
        &event.actor_id,
        &event.subject_id,
        &event.subject_name,
        &workspace,
        &event.request_id,
        &event.address,
        &event.before,
        &event.after,
    ] {
        // Absent and empty are different things.
        add(&[u8::from(text.is_some())]);
        add(text.as_deref().unwrap_or_default().as_bytes());
    }
    hex(&hasher.finalize())
}
