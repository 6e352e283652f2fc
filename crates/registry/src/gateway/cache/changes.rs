//! The newest changes in memory, and what a follower of them gets: everything once, in the order of commits.

use crate::gateway::Gateway;
use crate::gateway::prepare::last_changes;
use crate::lookup::servers::is_live;
use crate::storage::entity::{change, deployment, integration, sequence, server, workspace};
use crate::{Actor, Error, Result};
use registry_core::id::WorkspaceId;
use registry_core::permission::Permission;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// How many changes are kept in memory.
const MAX_CHANGES: usize = 16_384;
/// How many changes one answer holds at most.
const PAGE: u64 = 1_000;
/// Key of the newest revision that was pruned, in `deployment`.
pub(super) const PRUNED: &str = "changes.pruned";

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayChange {
    /// Its place in the order of commits.
    pub revision: i64,
    /// What changed.
    pub happening: ChangeEvent,
    /// The workspace it belongs to; `None`: all may know of it.
    pub(super) workspace: Option<Uuid>,
}

#[cfg(test)]
impl GatewayChange {
    pub(crate) fn of(revision: i64, happening: ChangeEvent) -> Self {
        Self { revision, happening, workspace: None }
    }
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeEvent {
    /// The document of a server: fetch it again.
    Changed {
        /// Slug of the workspace.
        workspace: String,
        /// Slug of the server.
        server: String,
    },
    /// A server that is no more: forget it.
    Deleted {
        /// Slug of the workspace.
        workspace: String,
        /// Slug of the server.
        server: String,
    },
    /// API keys or users changed: a credential may no longer be valid.
    Identities,
}

/// What a follower gets.
#[derive(Debug)]
pub enum WatchResult {
    /// Changes after the one it knew, oldest first; none when nothing happened while it waited. `revision`: the newest that
    /// this answer covers.
    Changes {
        /// The changes this caller may know of.
        changes: Vec<Arc<GatewayChange>>,
        /// Follow on from here.
        revision: i64,
    },
    /// What it knew is so old that the changes since are not kept any more: fetch everything, and follow on from here.
    Expired {
        /// The newest revision.
        revision: i64,
    },
}

/// The newest changes.
pub(crate) struct ChangeLog {
    kept: RwLock<RecentChanges>,
    /// The newest revision that followers may be told of, for those who wait.
    pub(super) announced: watch::Sender<i64>,
}

struct RecentChanges {
    /// The newest revision that followers may be told of; -1: none yet.
    announced: i64,
    /// Everything after this revision is here.
    after: i64,
    changes: VecDeque<Arc<GatewayChange>>,
}

impl Default for ChangeLog {
    fn default() -> Self {
        let kept = RecentChanges { announced: -1, after: 0, changes: VecDeque::new() };
        Self { kept: RwLock::new(kept), announced: watch::Sender::new(-1) }
    }
}

impl ChangeLog {
    /// Begins to keep what comes after `revision`.
    pub(super) fn begin(&self, revision: i64) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        *kept = RecentChanges { announced: revision, after: revision, changes: VecDeque::new() };
        drop(kept);
        self.announced.send_replace(revision);
    }

    /// Keeps `changes`; followers learn of them with [`Self::announce`].
    pub(super) fn keep(&self, changes: Vec<GatewayChange>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.changes.extend(changes.into_iter().map(Arc::new));
        while kept.changes.len() > MAX_CHANGES {
            if let Some(gone) = kept.changes.pop_front() {
                kept.after = gone.revision;
            }
        }
    }

    /// Tells of everything kept up to `revision`; nothing when that was told before.
    pub(super) fn announce(&self, revision: i64) {
        self.kept.write().unwrap_or_else(PoisonError::into_inner).announced = revision;
        self.announced.send_if_modified(|announced| std::mem::replace(announced, revision) != revision);
    }

    /// What came after `since`, if all of it is in memory.
    fn after(&self, since: i64) -> Option<(Vec<Arc<GatewayChange>>, i64)> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let announced = kept.announced;
        // Newer than what was announced: of another process that was quicker, or of no database we know.
        if since < kept.after || since > announced {
            return None;
        }
        let from = kept.changes.partition_point(|change| change.revision <= since);
        let changes = kept.changes.range(from..).take_while(|change| change.revision <= announced);
        let changes: Vec<_> = changes.take(usize::try_from(PAGE).unwrap_or(usize::MAX)).cloned().collect();
        let full = changes.len() as u64 == PAGE;
        let covered = changes.last().filter(|_| full).map_or(announced, |last| last.revision);
        Some((changes, covered))
    }
}

impl Gateway<'_> {
    /// The changes after `since`. Waits at most `wait` for one when there is none. Without `since`: where to follow on
    /// from, at once.
    pub async fn watch_changes(
        self,
        actor: &Actor,
        since: Option<i64>,
        wait: Duration,
    ) -> Result<WatchResult> {
        actor.require(Permission::FetchGatewayDocument)?;
        let Some(mut since) = since else {
            let announced = *self.registry.inner.live.changes.announced.borrow();
            let revision =
                if announced < 0 { self.newest_revision(self.registry.db()).await? } else { announced };
            return Ok(WatchResult::Changes { changes: Vec::new(), revision });
        };
        let mut announced = self.registry.inner.live.changes.announced.subscribe();
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let (changes, covered) = match self.registry.inner.live.changes.after(since) {
                Some(found) => found,
                None => match self.changes_after(since).await? {
                    Some(found) => found,
                    None => {
                        return Ok(WatchResult::Expired {
                            revision: self.newest_revision(self.registry.db()).await?,
                        });
                    }
                },
            };
            let sees =
                |change: &Arc<GatewayChange>| change.workspace.is_none_or(|id| actor.sees(WorkspaceId(id)));
            let changes: Vec<_> = changes.into_iter().filter(sees).collect();
            since = covered;
            if !changes.is_empty() || tokio::time::Instant::now() >= deadline || self.is_closing() {
                return Ok(WatchResult::Changes { changes, revision: since });
            }
            announced.borrow_and_update();
            if self.is_closing() {
                continue;
            }
            if *announced.borrow() <= since {
                // Nobody announces in a process that does not follow; there the wait is the whole answer.
                drop(tokio::time::timeout_at(deadline, announced.changed()).await);
            }
        }
    }

    /// The newest revision there is.
    pub(crate) async fn newest_revision(self, db: &impl ConnectionTrait) -> Result<i64> {
        let row = sequence::Entity::find_by_id(1).one(db).await?;
        let row = row.ok_or_else(|| {
            Error::Unavailable("The database is not migrated. Run `mcp-registry migrate`.".into())
        })?;
        self.registry.sync_revision(row.revision).await?;
        Ok(row.revision)
    }

    /// One page of the changes after `since` from the database; `None` when some of them were pruned.
    pub(super) async fn changes_after(self, since: i64) -> Result<Option<(Vec<Arc<GatewayChange>>, i64)>> {
        let read = self.registry.begin_read().await?;
        let newest = self.newest_revision(&read).await?;
        // A revision that was never given is of another database, or of this one before it was restored.
        if since < pruned(&read).await? || since > newest {
            return Ok(None);
        }
        let rows = change::Entity::find()
            .filter(change::Column::Revision.gt(since))
            .order_by_asc(change::Column::Revision)
            .limit(PAGE)
            .all(&read)
            .await?;
        let covered =
            if rows.len() as u64 == PAGE { rows.last().map_or(since, |row| row.revision) } else { newest };
        let changes = events_of(&read, rows).await?;
        read.commit().await?;
        Ok(Some((changes.into_iter().map(Arc::new).collect(), covered)))
    }
}

/// The newest revision whose changes may be gone; 0: none are.
pub(super) async fn pruned(db: &impl ConnectionTrait) -> Result<i64> {
    let row = deployment::Entity::find_by_id(PRUNED.to_owned()).one(db).await?;
    Ok(row.and_then(|row| row.value.parse().ok()).unwrap_or(0))
}

/// What the rows say to gateways. A server that is gone is told as such, once for each reader, unless another one has its name
/// by now.
pub(super) async fn events_of(
    db: &impl ConnectionTrait,
    rows: Vec<change::Model>,
) -> Result<Vec<GatewayChange>> {
    let ids: BTreeSet<Uuid> = rows.iter().filter_map(|row| row.server_id).collect();
    let named = if ids.is_empty() { NamedServers::default() } else { NamedServers::of(db, ids).await? };
    let told = rows.into_iter().filter_map(|row| {
        let Some(id) = row.server_id else {
            // Of an integration or a workspace gateways learn with each of its servers.
            let identities = row.integration_id.is_none() && row.workspace_id.is_none();
            return identities.then_some(GatewayChange {
                revision: row.revision,
                happening: ChangeEvent::Identities,
                workspace: None,
            });
        };
        let one = named.servers.get(&id)?;
        let team = named.workspaces.get(&one.workspace_id)?;
        let (workspace, server) = (team.slug.clone(), one.slug.clone());
        let happening = match named.gone.get(&id) {
            None => ChangeEvent::Changed { workspace, server },
            // The other server's changes speak of the name, or the end is told later.
            Some(last) if named.has_successor(team, one) || *last != row.revision => return None,
            Some(_) => ChangeEvent::Deleted { workspace, server },
        };
        Some(GatewayChange { revision: row.revision, happening, workspace: Some(one.workspace_id) })
    });
    Ok(told.collect())
}

/// The servers that changes name.
#[derive(Default)]
struct NamedServers {
    servers: HashMap<Uuid, server::Model>,
    /// Their workspaces.
    workspaces: HashMap<Uuid, workspace::Model>,
    /// Those that are deleted, or whose integration or workspace is, with the revision of their last change.
    gone: HashMap<Uuid, i64>,
    /// Keys of workspace and server of live servers that have the name of one of these by now.
    successors: BTreeSet<(String, String)>,
}

impl NamedServers {
    async fn of(db: &impl ConnectionTrait, ids: BTreeSet<Uuid>) -> Result<Self> {
        let servers = server::Entity::find().filter(server::Column::Id.is_in(ids)).all(db).await?;
        let integrations: BTreeSet<Uuid> = servers.iter().map(|one| one.integration_id).collect();
        let deleted: Vec<Uuid> = integration::Entity::find()
            .select_only()
            .column(integration::Column::Id)
            .filter(integration::Column::Id.is_in(integrations))
            .filter(integration::Column::DeletedAt.is_not_null())
            .into_tuple()
            .all(db)
            .await?;
        let teams: BTreeSet<Uuid> = servers.iter().map(|one| one.workspace_id).collect();
        let teams = workspace::Entity::find().filter(workspace::Column::Id.is_in(teams)).all(db).await?;
        let mut named = Self {
            workspaces: teams.into_iter().map(|row| (row.id, row)).collect(),
            servers: servers.into_iter().map(|row| (row.id, row)).collect(),
            ..Self::default()
        };
        let is_gone = |one: &&server::Model| {
            let team = named.workspaces.get(&one.workspace_id);
            one.deleted_at.is_some()
                || deleted.contains(&one.integration_id)
                || team.is_none_or(|team| team.deleted_at.is_some())
        };
        let gone: Vec<&server::Model> = named.servers.values().filter(is_gone).collect();
        if !gone.is_empty() {
            named.successors = successors(db, &named.workspaces, &gone).await?;
            let ids: Vec<Uuid> = gone.iter().map(|one| one.id).collect();
            named.gone = last_changes(db, &ids).await?;
        }
        Ok(named)
    }

    fn has_successor(&self, team: &workspace::Model, one: &server::Model) -> bool {
        self.successors.contains(&(team.slug_key.clone(), one.slug_key.clone()))
    }
}

/// Names of live servers among those of servers that are gone. The workspace may be another one of the same name.
async fn successors(
    db: &impl ConnectionTrait,
    workspaces: &HashMap<Uuid, workspace::Model>,
    gone: &[&server::Model],
) -> Result<BTreeSet<(String, String)>> {
    let teams = gone.iter().filter_map(|one| workspaces.get(&one.workspace_id));
    let teams: BTreeSet<&str> = teams.map(|team| team.slug_key.as_str()).collect();
    let live: Vec<(Uuid, String)> = workspace::Entity::find()
        .select_only()
        .columns([workspace::Column::Id, workspace::Column::SlugKey])
        .filter(workspace::Column::DeletedAt.is_null())
        .filter(workspace::Column::SlugKey.is_in(teams))
        .into_tuple()
        .all(db)
        .await?;
    let live: HashMap<Uuid, String> = live.into_iter().collect();
    let keys: BTreeSet<&str> = gone.iter().map(|one| one.slug_key.as_str()).collect();
    let found: Vec<(Uuid, String)> = server::Entity::find()
        .select_only()
        .columns([server::Column::WorkspaceId, server::Column::SlugKey])
        .filter(is_live())
        .filter(server::Column::WorkspaceId.is_in(live.keys().copied()))
        .filter(server::Column::SlugKey.is_in(keys))
        .into_tuple()
        .all(db)
        .await?;
    Ok(found.into_iter().filter_map(|(team, key)| Some((live.get(&team)?.clone(), key))).collect())
}
