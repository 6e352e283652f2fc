//! Which integrations are due for a look: new ones, those that were saved since, and each once a day.

use crate::capabilities::Capabilities;
use crate::capabilities::look::unknown;
use crate::storage::columns::millis;
use crate::storage::entity::{integration, server_info};
use crate::storage::write::Write;
use crate::{Actor, Result};
use futures_util::{StreamExt, stream};
use registry_core::origin::origin_of;
use registry_core::registration::{AuthType, Transport};
use registry_core::server_info::SyncStatus;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, IntoActiveModel, JoinType, QueryFilter, QueryOrder,
    QuerySelect,
};
use std::collections::HashSet;
use uuid::Uuid;

/// How often an integration is looked at, in milliseconds.
const INTERVAL: i64 = 86_400_000;
/// Looks that are due at the same time are spread over this time, in milliseconds.
const SPREAD: i64 = 3_600_000;
/// When a look that began, and of which nothing was recorded, is repeated, in milliseconds.
const LOST_AFTER: i64 = 600_000;
/// How many due integrations are considered at once; those of one host follow one another.
const CONSIDERED: u64 = 64;
/// How many looks of one process are in progress at once.
const AT_ONCE: usize = 4;

/// An integration that may be due.
#[derive(FromQueryResult)]
struct Candidate {
    id: Uuid,
    url: String,
    updated_at: i64,
    tried_at: Option<i64>,
}

impl Candidate {
    /// Whether it is looked at now: a daily look waits for a time that depends on the id, so that integrations that were made
    /// together are not looked at together for ever.
    fn is_now(&self, now: i64) -> bool {
        let Some(tried_at) = self.tried_at else { return true };
        let waits = tried_at >= now - INTERVAL - SPREAD && tried_at < now - INTERVAL;
        let own = i64::from(u16::from_be_bytes([self.id.as_bytes()[14], self.id.as_bytes()[15]]));
        tried_at < self.updated_at || !waits || tried_at + INTERVAL + own * SPREAD / 65_536 <= now
    }
}

impl Capabilities<'_> {
    /// Called by a worker: looks at some of the integrations that are due, at most one of each host, four at a time. Returns how
    /// many that were; 0: none is due. A look that fails is repeated a day later, or when the integration is saved.
    pub async fn look_at_due(self, worker: &str) -> Result<usize> {
        let actor = Actor::worker(worker);
        let now = millis(self.registry.now());
        let mut hosts = HashSet::new();
        let mut candidates = self.candidates(now).await?;
        candidates.retain(|one| one.is_now(now) && hosts.insert(origin_of(&one.url)));
        candidates.truncate(2 * AT_ONCE);
        if candidates.is_empty() {
            return Ok(0);
        }
        let write = self.registry.begin_record(&actor).await?;
        let mut begun = Vec::new();
        for candidate in candidates {
            if begin(&write, &candidate).await? {
                begun.push(candidate.id);
            }
        }
        let models =
            integration::Entity::find().filter(integration::Column::Id.is_in(begun)).all(&write.txn).await?;
        write.commit().await?;
        let count = models.len();
        let looks = stream::iter(models).map(|model| self.look_and_tell(&actor, model));
        looks.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
        Ok(count)
    }

    async fn look_and_tell(self, actor: &Actor, model: integration::Model) {
        let slug = model.slug.clone();
        if let Err(error) = self.look_at(actor, model, false).await {
            tracing::warn!(%error, source = ?std::error::Error::source(&error), integration = %slug, "a look at an MCP server failed");
        }
    }

    async fn candidates(self, now: i64) -> Result<Vec<Candidate>> {
        let tried_at = Expr::col((server_info::Entity, server_info::Column::TriedAt));
        let lost = Condition::all()
            .add(server_info::Column::Status.eq(SyncStatus::Pending.as_str()))
            .add(server_info::Column::Error.is_null())
            .add(server_info::Column::TriedAt.lt(now - LOST_AFTER));
        let due = Condition::any()
            .add(server_info::Column::OwnerId.is_null())
            .add(tried_at.clone().lt(Expr::col((integration::Entity, integration::Column::UpdatedAt))))
            .add(server_info::Column::TriedAt.lt(now - INTERVAL))
            .add(lost);
        let relation = integration::Entity::belongs_to(server_info::Entity)
            .from(integration::Column::Id)
            .to(server_info::Column::OwnerId);
        let found = integration::Entity::find()
            .select_only()
            .columns([integration::Column::Id, integration::Column::Url, integration::Column::UpdatedAt])
            .column(server_info::Column::TriedAt)
            .join(JoinType::LeftJoin, relation.into())
            .filter(
                integration::Column::AuthType.is_in([AuthType::None.as_str(), AuthType::Headers.as_str()]),
            )
            .filter(integration::Column::Transport.eq(Transport::Http.as_str()))
            .filter(integration::Column::Enabled.eq(true))
            .filter(integration::Column::DeletedAt.is_null())
            .filter(due)
            .order_by_asc(Expr::expr(tried_at).if_null(0))
            .order_by_asc(integration::Column::Id)
            .limit(CONSIDERED)
            .into_model::<Candidate>()
            .all(self.registry.db())
            .await?;
        Ok(found)
    }
}

/// Notes that the look begins; `false`: another process was first.
async fn begin(write: &Write<'_>, candidate: &Candidate) -> Result<bool> {
    let now = write.millis();
    let written = match candidate.tried_at {
        None => {
            server_info::Entity::insert(unknown(candidate.id, now).into_active_model())
                .on_conflict(OnConflict::column(server_info::Column::OwnerId).do_nothing().to_owned())
                .exec_without_returning(&write.txn)
                .await?
        }
        Some(tried_at) => {
            server_info::Entity::update_many()
                .col_expr(server_info::Column::TriedAt, Expr::value(now))
                .filter(server_info::Column::OwnerId.eq(candidate.id))
                .filter(server_info::Column::TriedAt.eq(tried_at))
                .exec(&write.txn)
                .await?
                .rows_affected
        }
    };
    Ok(written > 0)
}
