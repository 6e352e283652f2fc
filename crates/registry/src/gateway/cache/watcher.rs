//! The task that learns of every commit and keeps true what is held.

use super::changes::{PRUNED, events_of, pruned};
use super::commit_listener::CommitListener;
use super::document::CachedDocument;
use super::identity::Identity;
use crate::gateway::Gateway;
use crate::lookup::api_keys::actors_of;
use crate::lookup::tally;
use crate::storage::columns::millis;
use crate::storage::deployment_values::record;
use crate::storage::entity::change;
use crate::storage::write::{INTEGRATION_CHANGED, INTEGRATION_DELETED, WORKSPACE_DELETED};
use crate::{Error, Result};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long at most until a commit of another process is seen when nothing tells of it.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How often a database that is away is tried.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(200);
/// How long the database may take to answer before it counts as away.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);
/// How many documents are prepared in one reading.
const DOCUMENT_BATCH: usize = 100;
/// How often readings and uses are written down, and old changes pruned.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(30);
/// Between two times that the counts of lists are added up (ADR 25).
const SUM_INTERVAL: Duration = Duration::from_secs(2);
/// How many changes one write forgets at most.
const PRUNED_CHANGES: i64 = 5_000;
/// How many changes are kept for those who follow.
const MAX_CHANGES: i64 = 200_000;

impl Gateway<'_> {
    /// Keeps in memory what gateways ask for, true to the database, until `stop`. Once for each process that serves
    /// gateways; `database_url` is that of [`Registry::open`], `memory` the most bytes of documents to hold.
    pub async fn watch(self, database_url: &str, memory: usize, stop: impl Future<Output = ()>) {
        self.registry.inner.live.documents.limit(memory);
        tokio::select! {
            () = stop => {}
            () = self.run(database_url) => {}
        }
        self.registry.inner.live.watching.store(false, Ordering::SeqCst);
        if let Err(error) = self.write_accesses().await {
            tracing::warn!(%error, "the last readings of secrets could not be written down");
        }
    }

    async fn run(self, database_url: &str) {
        let mut listener = CommitListener::Polling;
        let (mut last_maintenance, mut last_sum) = (Instant::now(), Instant::now());
        let mut moves = self.registry.primary_moves();
        loop {
            let commit = self.registry.next_commit();
            if std::mem::replace(&mut moves, self.registry.primary_moves()) != moves {
                listener = CommitListener::Polling;
                self.distrust();
            }
            let caught_up = tokio::time::timeout(DATABASE_TIMEOUT, self.catch_up()).await;
            let live = &self.registry.inner.live;
            match caught_up
                .unwrap_or_else(|_| Err(Error::Unavailable("The database does not answer.".into())))
            {
                Ok(()) => {
                    if live.away_since.swap(0, Ordering::Relaxed) != 0 {
                        tracing::info!("the database is back");
                    }
                }
                Err(error) => {
                    let now = millis(self.registry.now()).max(1);
                    if live.away_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
                    {
                        tracing::warn!(%error, "the database is away; gateways get what was known last");
                    }
                    listener = CommitListener::Polling;
                    tokio::time::sleep(RECONNECT_INTERVAL).await;
                    continue;
                }
            }
            if matches!(listener, CommitListener::Polling) {
                // What was committed before it listened is caught up with at once.
                listener = CommitListener::open(self.registry.db(), database_url).await;
                if !matches!(listener, CommitListener::Polling) {
                    continue;
                }
            }
            if last_sum.elapsed() > SUM_INTERVAL {
                last_sum = Instant::now();
                if let Err(error) = tally::add_up(self.registry.db()).await {
                    tracing::warn!(%error, "counts could not be added up");
                }
            }
            if last_maintenance.elapsed() > MAINTENANCE_INTERVAL {
                last_maintenance = Instant::now();
                if let Err(error) = self.run_maintenance().await {
                    tracing::warn!(%error, "readings could not be written down");
                }
            }
            tokio::select! {
                () = commit => {}
                () = listener.changed() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }

    /// For another primary: without synchronous replication the last commits of the former one are lost, and their revisions
    /// are given again. What is held still answers while the database is away.
    fn distrust(self) {
        let live = &self.registry.inner.live;
        live.documents.invalidate_all();
        live.identities_due.store(true, Ordering::SeqCst);
    }

    /// Takes in every change since the last time.
    async fn catch_up(self) -> Result<()> {
        let live = &self.registry.inner.live;
        if !live.is_watching() {
            let newest = self.newest_revision(self.registry.db()).await?;
            live.applied.store(newest, Ordering::SeqCst);
            live.changes.begin(newest);
            live.watching.store(true, Ordering::SeqCst);
            return Ok(());
        }
        let mut held = Vec::new();
        loop {
            // First what an interruption may have left undone: it may come at every `await`.
            if live.identities_due.load(Ordering::SeqCst) {
                self.check_identities().await?;
                live.identities_due.store(false, Ordering::SeqCst);
            }
            let applied = live.applied();
            live.changes.announce(applied);
            for batch in std::mem::take(&mut held).chunks(DOCUMENT_BATCH) {
                self.reload(batch).await?;
            }
            let newest = self.newest_revision(self.registry.db()).await?;
            if newest < applied {
                // Another database, or this one as it was: nothing that is held is of it.
                live.watching.store(false, Ordering::SeqCst);
                live.documents.invalidate_all();
                live.identities_due.store(true, Ordering::SeqCst);
                return Ok(());
            }
            if newest == applied {
                return Ok(());
            }
            let rows = change::Entity::find()
                .filter(change::Column::Revision.gt(applied))
                .order_by_asc(change::Column::Revision)
                .limit(1_000)
                .all(self.registry.db())
                .await?;
            let Some(covered) = rows.last().map(|row| row.revision) else { return Ok(()) };
            let servers: BTreeSet<Uuid> = rows.iter().filter_map(|row| row.server_id).collect();
            let identities = rows.iter().any(|row| row.kind == "identity");
            let named = |kind: &str, id: fn(&change::Model) -> Option<Uuid>| -> BTreeSet<Uuid> {
                rows.iter().filter(|row| row.kind == kind).filter_map(id).collect()
            };
            let integrations = named(INTEGRATION_CHANGED, |row| row.integration_id);
            let deleted_integrations = named(INTEGRATION_DELETED, |row| row.integration_id);
            let deleted_workspaces = named(WORKSPACE_DELETED, |row| row.workspace_id);
            let changes = events_of(self.registry.db(), rows).await?;
            if identities {
                // Shared settings are told of in the same way.
                self.registry.settings_status().await?;
                live.identities_due.store(true, Ordering::SeqCst);
            }
            live.changes.keep(changes);
            live.applied.store(covered, Ordering::SeqCst);
            // The changes of their servers follow; until then a document is made again when it is asked for.
            for id in integrations {
                live.documents.invalidate_integration(id);
            }
            if !(deleted_integrations.is_empty() && deleted_workspaces.is_empty()) {
                // Not even when the database is away.
                live.documents.forget_deleted(&deleted_integrations, &deleted_workspaces);
            }
            held = live.documents.invalidate(servers);
        }
    }

    /// Prepares cached documents again.
    async fn reload(self, servers: &[Uuid]) -> Result<()> {
        let live = &self.registry.inner.live;
        let read = self.registry.begin_read().await?;
        let as_of = self.newest_revision(&read).await?;
        let prepared = self.prepare(&read, servers, None).await?;
        read.commit().await?;
        let there: BTreeSet<Uuid> = prepared.iter().map(|one| one.facts.server).collect();
        for gone in servers.iter().filter(|id| !there.contains(id)) {
            live.documents.forget(*gone);
        }
        for one in prepared {
            live.documents.put(&Arc::new(CachedDocument::new(one, as_of)));
        }
        Ok(())
    }

    /// Checks every held credential again and lets go of those that are good no more.
    async fn check_identities(self) -> Result<()> {
        let identities = &self.registry.inner.live.identities;
        let all = identities.all();
        let keys: Vec<Uuid> = all.iter().filter_map(|(_, held)| held.key).collect();
        let good = actors_of(self.registry, &keys).await?;
        for (fingerprint, held) in all {
            match held.key.map(|key| (key, good.get(&key))) {
                // A token is good until it expires, but the workspace it names may be gone.
                None if held.actor.workspace.is_some() => identities.remove(&fingerprint),
                None => {}
                Some((_, None)) => identities.remove(&fingerprint),
                Some((key, Some((actor, until)))) => {
                    identities.put(fingerprint, Arc::new(Identity::new(actor.clone(), Some(key), *until)));
                }
            }
        }
        Ok(())
    }

    async fn run_maintenance(self) -> Result<()> {
        self.write_uses().await?;
        self.write_accesses().await?;
        self.prune_changes().await
    }

    /// Forgets changes that are older than anybody follows, but the newest of each server, which dates its document. In
    /// batches, so that no write waits long.
    pub async fn prune_changes(self) -> Result<()> {
        let through = self.newest_revision(self.registry.db()).await? - MAX_CHANGES;
        let mut from = pruned(self.registry.db()).await?;
        if through < from + MAX_CHANGES / 10 {
            return Ok(());
        }
        while from < through {
            let to = through.min(from + PRUNED_CHANGES);
            let write = self.registry.begin_write(&self.registry.operator()).await?;
            record(&write, PRUNED, json!(to)).await?;
            // Of a server with a change in this batch older ones may be left from batches before.
            // MAX is always one step in the index; for EXISTS PostgreSQL may scan the table once per row.
            let statement = format!(
                "DELETE FROM change WHERE revision <= {to} AND (revision > {from} AND server_id IS NULL \
                 OR server_id IN (SELECT server_id FROM change WHERE revision > {from} AND revision <= {to}) \
                 AND revision < (SELECT MAX(newer.revision) FROM change newer \
                 WHERE newer.server_id = change.server_id))"
            );
            write.txn.execute_unprepared(&statement).await?;
            write.commit().await?;
            from = to;
        }
        Ok(())
    }
}
