//! The servers that lie under a layer: filtered, counted up to a bound, and sampled where they are many.

use crate::Result;
use crate::lookup::servers::is_live;
use crate::pagination::count_up_to;
use crate::storage::entity::server;
use registry_core::id::{IntegrationId, ServerId, WorkspaceId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect,
    Select, Statement,
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A set of servers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ServerScope<'a> {
    All,
    Workspace(WorkspaceId),
    Integration(IntegrationId),
    /// Servers of the integration in these workspaces.
    Access(IntegrationId, &'a [Uuid]),
    Server(ServerId),
    Servers(&'a [Uuid]),
}

/// The servers that a change reaches. Unlike a [`ServerScope`] it owns what it names.
#[derive(Clone, Debug)]
pub(crate) enum LayerScope {
    Organisation,
    /// A workspace has no layer of its own: only its deletion reaches its servers.
    Workspace(WorkspaceId),
    Integration(IntegrationId),
    /// The integration's layers of these workspaces.
    Access(IntegrationId, Vec<Uuid>),
    Server(ServerId),
}

impl LayerScope {
    pub(crate) fn servers(&self) -> ServerScope<'_> {
        match self {
            Self::Organisation => ServerScope::All,
            Self::Workspace(id) => ServerScope::Workspace(*id),
            Self::Integration(id) => ServerScope::Integration(*id),
            Self::Access(id, workspaces) => ServerScope::Access(*id, workspaces),
            Self::Server(id) => ServerScope::Server(*id),
        }
    }
}

/// The servers of up to this many are looked at one by one; of more, a sample of this many.
pub(crate) const MAX_EXACT: u64 = 1_000;
/// The most servers that a request counts.
pub(crate) const MAX_COUNTED: u64 = 100_000;

/// Servers of a scope: all of them, or a sample.
pub(crate) struct ScopeSample {
    /// Ids of live servers.
    pub(crate) ids: Vec<Uuid>,
    /// How many live servers the scope has.
    pub(crate) total: u64,
    /// Whether `ids` holds all of them.
    pub(crate) exact: bool,
}

impl ScopeSample {
    /// What a count among the sampled servers means for all of them.
    pub(crate) fn scale(&self, count: u64) -> u64 {
        if self.exact || self.ids.is_empty() {
            return count;
        }
        let sampled = self.ids.len() as u64;
        count.saturating_mul(self.total).div_ceil(sampled)
    }
}

impl ServerScope<'_> {
    /// The servers of the scope, deleted ones too.
    pub(crate) fn filter(self, select: Select<server::Entity>) -> Select<server::Entity> {
        match self {
            Self::All => select,
            Self::Workspace(id) => select.filter(server::Column::WorkspaceId.eq(id.0)),
            Self::Integration(id) => select.filter(server::Column::IntegrationId.eq(id.0)),
            Self::Access(integration, workspaces) => select
                .filter(server::Column::IntegrationId.eq(integration.0))
                .filter(server::Column::WorkspaceId.is_in(workspaces.iter().copied())),
            Self::Server(id) => select.filter(server::Column::Id.eq(id.0)),
            Self::Servers(ids) => select.filter(server::Column::Id.is_in(ids.iter().copied())),
        }
    }

    fn live(self) -> Select<server::Entity> {
        self.filter(server::Entity::find()).filter(is_live())
    }

    /// Ids of at most `most` live servers, by id.
    pub(crate) async fn first_ids(
        self,
        db: &impl ConnectionTrait,
        most: u64,
        order: Order,
    ) -> Result<Vec<Uuid>> {
        let select = self.live().select_only().column(server::Column::Id);
        Ok(select.order_by(server::Column::Id, order).limit(most).into_tuple().all(db).await?)
    }

    /// How many live servers the scope has, counted up to `most`.
    pub(crate) async fn count(self, db: &impl ConnectionTrait, most: u64) -> Result<u64> {
        count_up_to(db, self.live(), most).await
    }

    /// Whether the scope has more live servers than `most`.
    pub(crate) async fn has_more_than(self, db: &impl ConnectionTrait, most: u64) -> Result<bool> {
        Ok(self.first_ids(db, most + 1, Order::Asc).await?.len() as u64 > most)
    }

    /// How many live servers the scope has, and whether they were counted to the end.
    pub(crate) async fn bounded_count(self, db: &impl ConnectionTrait) -> Result<(u64, bool)> {
        let count = self.count(db, MAX_COUNTED).await?;
        Ok((count, count < MAX_COUNTED))
    }

    /// All servers of the scope that `workspace` has (`None`: all workspaces) where they are few, else a sample.
    pub(crate) async fn sample(
        self,
        db: &impl ConnectionTrait,
        workspace: Option<WorkspaceId>,
    ) -> Result<ScopeSample> {
        if let Some(workspace) = workspace {
            // The servers of one workspace are read by its own index; the scope is applied to them.
            let mut select = self.live().filter(server::Column::WorkspaceId.eq(workspace.0)).select_only();
            select = select.column(server::Column::Id).order_by_asc(server::Column::SlugKey);
            let ids: Vec<Uuid> = select.limit(MAX_EXACT + 1).into_tuple().all(db).await?;
            return Ok(ScopeSample { total: ids.len() as u64, exact: ids.len() as u64 <= MAX_EXACT, ids });
        }
        let ids = self.first_ids(db, MAX_EXACT + 1, Order::Asc).await?;
        if ids.len() as u64 <= MAX_EXACT {
            return Ok(ScopeSample { total: ids.len() as u64, exact: true, ids });
        }
        let total = self.count(db, MAX_COUNTED).await?;
        let ids = if matches!(self, Self::All) {
            random_servers(db, total).await?
        } else {
            // The oldest and the newest: what differs among servers of one integration mostly differs by age.
            let half = MAX_EXACT / 2;
            let newest = self.first_ids(db, half, Order::Desc).await?;
            let oldest = ids.into_iter().take(usize::try_from(half).unwrap_or(500));
            oldest.chain(newest).collect::<BTreeSet<_>>().into_iter().collect()
        };
        Ok(ScopeSample { ids, total, exact: false })
    }
}

/// Servers chosen at random, about as many as [`MAX_EXACT`]; `total`: how many there are. Neither engine reads the table
/// for that.
async fn random_servers(db: &impl ConnectionTrait, total: u64) -> Result<Vec<Uuid>> {
    let statement = match db.get_database_backend() {
        DbBackend::Postgres => {
            // Reads whole blocks chosen at random; twice the part, because blocks differ.
            let percent = (MAX_EXACT * 200).div_ceil(total.max(1)).min(100);
            format!(
                "SELECT id FROM server TABLESAMPLE SYSTEM ({percent}) WHERE deleted_at IS NULL LIMIT {MAX_EXACT}"
            )
        }
        _ => format!(
            "SELECT id FROM server WHERE deleted_at IS NULL AND rowid IN (SELECT abs(random() % \
             (SELECT max(rowid) FROM server)) + 1 FROM server LIMIT {}) LIMIT {MAX_EXACT}",
            MAX_EXACT * 2
        ),
    };
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), statement)).await?;
    Ok(rows.into_iter().map(|row| row.try_get_by_index(0)).collect::<std::result::Result<_, _>>()?)
}
