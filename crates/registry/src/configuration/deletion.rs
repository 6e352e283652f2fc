//! Deletes the servers of a deleted integration or workspace: few in the transaction that deletes these, many by a rollout.
//! There they count as deleted from its record on (`lookup::servers::is_live`), and batches mark them.

use crate::configuration::Configurations;
use crate::configuration::costs::{Affected, KnownClients};
use crate::configuration::enqueue::{Cause, enqueue};
use crate::configuration::layers::{ServerLayers, ServerScope};
use crate::configuration::mapped_secrets;
use crate::configuration::rollout_rows::{self, NewRollout};
use crate::configuration::scope::{LayerScope, MAX_COUNTED};
use crate::lookup::deleted::Deleted;
use crate::secrets::markers::sealed_ids;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{registration, server, server_capability, server_info, user_access};
use crate::storage::write::{Event, MAX_ROWS_PER_STATEMENT, Write};
use crate::{Registry, Result};
use registry_core::id::{ServerId, WorkspaceId};
use registry_core::rollout::{RolloutKind, RolloutOptions};
use registry_core::slug::Slug;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};
use serde_json::Value;
use std::collections::HashSet;
use uuid::Uuid;

/// Why registrations of single deleted servers are enqueued.
const SERVER_DELETED: &str = "server deleted";

impl Configurations<'_> {
    /// What deleting the servers of `scope` takes along, where they are too many to visit in the transaction that deletes
    /// what they belong to.
    pub(crate) async fn count_if_many(self, scope: &LayerScope) -> Result<Option<Deleted>> {
        let (db, under) = (self.registry.db(), scope.servers());
        let most = self.registry.settings().rollout_sizes.immediate;
        if !under.has_more_than(db, most).await? {
            return Ok(None);
        }
        let sample = under.sample(db, None).await?;
        let registrations = registration::Entity::find()
            .filter(registration::Column::ServerId.is_in(sample.ids.iter().copied()))
            .count(db)
            .await?;
        Ok(Some(Deleted {
            servers: sample.total,
            registrations: sample.scale(registrations),
            estimated: !sample.exact,
            ..Deleted::default()
        }))
    }
}

/// Deletes the live servers in `scope`, or records a rollout that does: then they count as deleted from the commit on. The
/// caller deletes what they belong to, as `because` says. `counted`: [`Configurations::count_if_many`].
pub(crate) async fn delete_under(
    write: &mut Write<'_>,
    scope: &LayerScope,
    counted: Option<Deleted>,
    because: &str,
) -> Result<Deleted> {
    let under = scope.servers();
    let most = write.registry.settings().rollout_sizes.immediate;
    if !under.has_more_than(&write.txn, most).await? {
        return delete_all(write, under).await;
    }
    let counted = if let Some(counted) = counted {
        counted
    } else {
        // They have become many since they were counted.
        let (servers, _) = under.bounded_count(&write.txn).await?;
        Deleted { servers, registrations: servers, estimated: true, ..Deleted::default() }
    };
    let new = NewRollout {
        kind: RolloutKind::Deletion,
        scope,
        revision: None,
        because,
        holds_replacements: false,
        options: RolloutOptions::UNCHECKED,
        total: (counted.servers, counted.servers < MAX_COUNTED),
        old_secrets: Vec::new(),
    };
    let rollout = rollout_rows::start(write, new).await?;
    Ok(Deleted { rollout: Some(rollout), ..counted })
}

/// Deletes every live server in `scope` and counts the deleted rows.
pub(crate) async fn delete_all(write: &mut Write<'_>, scope: ServerScope<'_>) -> Result<Deleted> {
    let servers = write.registry.configurations().load(&write.txn, scope, false).await?;
    let known = KnownClients::of(&write.txn, &servers).await?;
    let affected = ServersToDelete { servers, known }.delete(write, SERVER_DELETED.into()).await?;
    Ok(Deleted { servers: affected.servers, registrations: affected.registrations, ..Deleted::default() })
}

/// Servers that are about to be deleted, with their registrations.
pub(crate) struct ServersToDelete {
    servers: Vec<ServerLayers>,
    known: KnownClients,
}

impl ServersToDelete {
    /// Reads these servers, whose integration or workspace is deleted. So nothing of them changes any more, but that another
    /// deletion may reach them first.
    pub(crate) async fn read(registry: &Registry, db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Self> {
        let servers = registry.configurations().load(db, ServerScope::Servers(ids), true).await?;
        let known = KnownClients::of(db, &servers).await?;
        Ok(Self { servers, known })
    }

    /// Leaves out what was deleted since it was read.
    pub(crate) async fn retain_live(&mut self, write: &Write<'_>) -> Result<()> {
        let ids = self.servers.iter().map(|layers| layers.server.id);
        let live: Vec<Uuid> = server::Entity::find()
            .select_only()
            .column(server::Column::Id)
            .filter(server::Column::Id.is_in(ids))
            .filter(server::Column::DeletedAt.is_null())
            .into_tuple()
            .all(&write.txn)
            .await?;
        let live: HashSet<Uuid> = live.into_iter().collect();
        self.servers.retain(|layers| live.contains(&layers.server.id));
        Ok(())
    }

    /// Deletes them with their secrets, enqueues their registrations, and tells gateways and the audit log.
    pub(crate) async fn delete(self, write: &mut Write<'_>, cause: Cause<'_>) -> Result<Affected> {
        let Self { servers, known } = self;
        let mut affected = Affected { servers: servers.len() as u64, ..Affected::default() };
        affected.reached = affected.servers;
        let mut with_registration = Vec::new();
        for layers in &servers {
            if let Some((_, client)) = known.registration_and_client(layers) {
                with_registration.push(layers);
                affected.withdrawn += u64::from(client.is_some());
            }
        }
        affected.registrations = with_registration.len() as u64;
        enqueue(write, &with_registration, &known, cause).await?;
        for chunk in servers.chunks(MAX_ROWS_PER_STATEMENT) {
            let ids: Vec<_> = chunk.iter().map(|layers| layers.server.id).collect();
            let texts = chunk.iter().map(|layers| layers.server.configuration.as_deref());
            write.delete_sealed(texts.flat_map(|text| sealed_ids(text).into_values())).await?;
            mapped_secrets::remove_all(write, &ids).await?;
            forget_servers(write, &ids).await?;
            server::Entity::update_many()
                .col_expr(server::Column::DeletedAt, Expr::value(write.millis()))
                .col_expr(server::Column::Version, Expr::col(server::Column::Version).add(1))
                .filter(server::Column::Id.is_in(ids))
                .exec(&write.txn)
                .await?;
        }
        for layers in servers {
            let model = layers.server;
            write.server_changed(WorkspaceId(model.workspace_id), ServerId(model.id));
            write.audit(event(AuditAction::ServerDeleted, &model).before(snapshot(&model)));
        }
        Ok(affected)
    }
}

/// Deletes the server that has the slug of a new one, if it is left of an integration that was deleted: its batch would come
/// too late. The caller has found that no live server has the slug.
pub(crate) async fn free_slug_of_deleted(
    write: &mut Write<'_>,
    workspace: WorkspaceId,
    slug: &Slug,
) -> Result<()> {
    let ids: Vec<Uuid> = server::Entity::find()
        .select_only()
        .column(server::Column::Id)
        .filter(server::Column::WorkspaceId.eq(workspace.0))
        .filter(server::Column::SlugKey.eq(slug.key()))
        .filter(server::Column::DeletedAt.is_null())
        .into_tuple()
        .all(&write.txn)
        .await?;
    if !ids.is_empty() {
        let leaving = ServersToDelete::read(write.registry, &write.txn, &ids).await?;
        leaving.delete(write, SERVER_DELETED.into()).await?;
    }
    Ok(())
}

/// Deletes what was only kept while the servers were there: what they offer and say, and who may use them.
async fn forget_servers(write: &Write<'_>, ids: &[Uuid]) -> Result<()> {
    let ids = || ids.iter().copied();
    let offered = server_capability::Column::ServerId.is_in(ids());
    server_capability::Entity::delete_many().filter(offered).exec(&write.txn).await?;
    let said = server_info::Column::OwnerId.is_in(ids());
    server_info::Entity::delete_many().filter(said).exec(&write.txn).await?;
    let allowed = user_access::Column::ServerId.is_in(ids());
    user_access::Entity::delete_many().filter(allowed).exec(&write.txn).await?;
    Ok(())
}

pub(crate) fn event(action: AuditAction, model: &server::Model) -> Event {
    Event::new(action, "server", model.id)
        .named(&model.slug)
        .in_workspace(Some(WorkspaceId(model.workspace_id)))
}

pub(crate) fn snapshot(model: &server::Model) -> Value {
    serde_json::json!({
        "slug": model.slug, "name": model.name, "description": model.description,
        "configurations": model.configuration,
    })
}
