//! Changes which workspaces may use an integration, and the workspace layers of its configuration.

use crate::access::IntegrationAccess;
use crate::access::list::{AccessList, list};
use crate::access::prepared::{NamedWorkspaces, SealedChange, named_workspaces};
use crate::access::request::{AccessChange, AccessUpdate};
use crate::configuration::access_rows::find_or_blank;
use crate::configuration::impact::{Impact, ImpactTracker};
use crate::configuration::revision_rows::add_revisions;
use crate::configuration::save::Saved;
use crate::configuration::scope::LayerScope;
use crate::lookup::integrations;
use crate::lookup::integrations::access_enabled;
use crate::secrets::markers::{PreparedConfiguration, put};
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{access, integration, workspace};
use crate::storage::owner::OwnerKind;
use crate::storage::write::{Event, Write};
use crate::{Actor, Channel, ConflictCode, Error, Result};
use registry_core::finding::{Finding, Findings, Report};
use registry_core::id::{IntegrationId, WorkspaceId};
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, Iterable, QueryFilter};
use serde_json::json;
use std::collections::HashSet;
use uuid::Uuid;

impl IntegrationAccess<'_> {
    /// Changes who may use an integration, and workspace layers. Switching access on creates no server.
    pub async fn update(
        self,
        actor: &Actor,
        reference: &Reference,
        update: AccessUpdate,
    ) -> Result<Saved<AccessList>> {
        actor.require(Permission::UpdateIntegrations)?;
        // Slow work happens before the write transaction: reading, validating, sealing.
        let model = integrations::find(self.registry.db(), actor, reference).await?;
        let ready = self.validate_changes(actor, &model, &update.workspaces).await?;
        let mut write = self.registry.begin_write(actor).await?;
        let model = integrations::find(&write.txn, actor, reference).await?;
        let named = named_workspaces(&write.txn, actor, &model, &update.workspaces).await?;
        let workspaces = named.values().map(|workspace| workspace.id).collect();
        // As the request names them: `named` holds each workspace under its id and under its slug.
        let by_slug = update
            .workspaces
            .iter()
            .filter_map(|change| Some((change, named.get(&change.workspace)?)))
            .map(|(change, workspace)| (workspace.id, matches!(change.workspace, Reference::Slug(_))))
            .collect();
        let scope = match update.global_access {
            Some(_) => LayerScope::Integration(IntegrationId(model.id)),
            None => LayerScope::Access(IntegrationId(model.id), workspaces),
        };
        let before = ImpactTracker::capture(&write, scope).await?.with_replacements(update.replacements);
        if let Some(global) = update.global_access {
            set_global(&mut write, actor, &model, global, update.override_existing).await?;
        }
        let findings = apply_all(&mut write, actor, &model, update.workspaces, ready).await?;
        if actor.origin().door == Channel::Api {
            remember_names(&write, &model, by_slug).await?;
        }
        // Each change was recorded as an event.
        let impact = if write.has_events() {
            before.apply(&mut write, "/workspaces", "workspace access saved").await?
        } else {
            Impact::default()
        };
        let model = integrations::find(&write.txn, actor, reference).await?;
        let value = list(&write.txn, actor, &model).await?;
        write.commit().await?;
        Ok(Saved { value, findings, affected: impact.affected, rollout: impact.rollout })
    }

    /// Refuses invalid changes; validates and seals the configuration texts against the current rows.
    async fn validate_changes(
        self,
        actor: &Actor,
        model: &integration::Model,
        changes: &[AccessChange],
    ) -> Result<Vec<Option<SealedChange>>> {
        if changes.len() > MAX_WORKSPACES {
            let message = format!(
                "These are {} workspaces; one request takes {MAX_WORKSPACES}. Split it.",
                changes.len()
            );
            return Err(Error::invalid(Finding::error("/workspaces", "too_many", message)));
        }
        let named = NamedWorkspaces::read(self.registry.db(), actor, model, changes).await?;
        let stored = named.sealed_rows(self.registry.db()).await?;
        let mut report = Report::default();
        let mut seen = HashSet::new();
        let mut ready = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            let workspace = named.workspace(&change.workspace)?;
            if !seen.insert(workspace.id) {
                let message = "This workspace is named twice. Name each workspace once.";
                report.push(Finding::error(format!("/workspaces/{index}/id"), "duplicate", message));
            }
            let Some(text) = change.configuration.as_ref().change() else {
                ready.push(None);
                continue;
            };
            let row = named.row(self.registry, model, workspace);
            let text = text.map(String::as_str);
            match SealedChange::make(self.registry, self.registry.db(), index, text, &row, Some(&stored))
                .await
            {
                Ok(one) => ready.push(Some(one)),
                Err(Error::Invalid(findings)) => {
                    report.extend_below("", findings);
                    ready.push(None);
                }
                Err(other) => return Err(other),
            }
        }
        if report.has_errors() { Err(Error::Invalid(report.into_findings())) } else { Ok(ready) }
    }
}

/// Records how the caller named workspaces, because a client looks for them as it named them.
async fn remember_names(
    write: &Write<'_>,
    model: &integration::Model,
    by_slug: Vec<(Uuid, bool)>,
) -> Result<()> {
    for named_so in [true, false] {
        let ids: Vec<_> = by_slug.iter().filter(|one| one.1 == named_so).map(|one| one.0).collect();
        if !ids.is_empty() {
            access::Entity::update_many()
                .col_expr(access::Column::BySlug, Expr::value(named_so))
                .filter(access::Column::IntegrationId.eq(model.id))
                .filter(access::Column::WorkspaceId.is_in(ids))
                .filter(access::Column::BySlug.eq(!named_so))
                .exec(&write.txn)
                .await?;
        }
    }
    Ok(())
}

/// Maximum number of workspaces that one request changes.
const MAX_WORKSPACES: usize = 1_000;

pub(crate) async fn set_global(
    write: &mut Write<'_>,
    actor: &Actor,
    model: &integration::Model,
    global: bool,
    override_existing: bool,
) -> Result<()> {
    integrations::require_owner(actor, model)?;
    if model.workspace_id.is_some() {
        return Err(belongs_to_workspace());
    }
    if override_existing {
        for mut row in
            access::Entity::find().filter(access::Column::IntegrationId.eq(model.id)).all(&write.txn).await?
        {
            if row.enabled != Some(global) {
                let before = snapshot(&row);
                row.enabled = Some(global);
                mark_updated(write, &mut row);
                let event = Event::new(AuditAction::AccessUpdated, "access", row.id);
                let event = event.named(&model.slug).in_workspace(Some(WorkspaceId(row.workspace_id)));
                write.audit(event.before(before).after(snapshot(&row)));
                row.into_active_model().reset_all().update(&write.txn).await?;
            }
        }
    }
    if model.global_access != global {
        let mut after = model.clone();
        after.global_access = global;
        after.version += 1;
        after.updated_at = write.millis();
        after.updated_by = write.actor_name();
        after.into_active_model().reset_all().update(&write.txn).await?;
        write.audit(
            Event::new(AuditAction::IntegrationGlobalAccess, "integration", model.id)
                .named(&model.slug)
                .before(json!(model.global_access))
                .after(json!(global)),
        );
    }
    Ok(())
}

/// Changes the rows of many workspaces with a few statements. `ready` holds what was made of the texts before the write.
async fn apply_all(
    write: &mut Write<'_>,
    actor: &Actor,
    model: &integration::Model,
    changes: Vec<AccessChange>,
    ready: Vec<Option<SealedChange>>,
) -> Result<Findings> {
    let named = NamedWorkspaces::read(&write.txn, actor, model, &changes).await?;
    let mut report = Report::default();
    let (mut secrets, mut revisions, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (change, ready)) in changes.into_iter().zip(ready).enumerate() {
        let workspace = named.workspace(&change.workspace)?;
        let mut row = named.row(write.registry, model, workspace);
        // A row that is not there yet takes the id that its secrets were sealed for.
        if row.version == 0
            && let Some(ready) = &ready
        {
            row.id = ready.row;
        }
        let fresh = row.version == 0;
        let before = row.clone();
        if let Some(enabled) = change.enabled {
            enable(actor, model, &mut row, workspace, enabled)?;
        }
        if let Some(text) = change.configuration.change() {
            let ready = match ready.filter(|ready| ready.fits(&row)) {
                Some(ready) => ready,
                // The row changed since the text was sealed: seal again.
                None => {
                    SealedChange::make(write.registry, &write.txn, index, text.as_deref(), &row, None).await?
                }
            };
            let PreparedConfiguration { stored, secrets: sealed } = ready.ready;
            report.extend_below("", stored.findings);
            secrets.push(sealed);
            if stored.text != row.configuration {
                row.configuration_revision += 1;
                revisions.push((row.id, row.configuration_revision, stored.text.clone()));
            }
            row.configuration = stored.text;
        }
        if row == before && !(fresh && change.enabled.is_some()) {
            continue;
        }
        mark_updated(write, &mut row);
        write.audit(
            Event::new(AuditAction::AccessUpdated, "access", row.id)
                .named(format!("{} in {}", model.slug, workspace.slug))
                .in_workspace(Some(WorkspaceId(workspace.id)))
                .before(snapshot(&before))
                .after(snapshot(&row)),
        );
        rows.push(row.into_active_model().reset_all());
    }
    put(write, secrets).await?;
    add_revisions(write, OwnerKind::Access, revisions).await?;
    for chunk in rows.chunks(MAX_WORKSPACES) {
        let columns = access::Column::iter().filter(|column| !matches!(column, access::Column::Id));
        access::Entity::insert_many(chunk.iter().cloned())
            .on_conflict(OnConflict::column(access::Column::Id).update_columns(columns).to_owned())
            .exec_without_returning(&write.txn)
            .await?;
    }
    Ok(report.into_findings())
}

/// Says whether a workspace may use the integration.
fn enable(
    actor: &Actor,
    model: &integration::Model,
    row: &mut access::Model,
    workspace: &workspace::Model,
    enabled: bool,
) -> Result<()> {
    if enabled != access_enabled(model, Some(row), WorkspaceId(workspace.id)) {
        if model.workspace_id.is_some() {
            return Err(belongs_to_workspace());
        }
        // A workspace cannot grant itself access.
        integrations::require_owner(actor, model)?;
        row.enabled = Some(enabled);
    } else if actor.workspace().is_none() && model.workspace_id.is_none() {
        // An explicit decision of the organisation outlives later changes of the global access.
        row.enabled = Some(enabled);
    }
    Ok(())
}

pub(crate) async fn apply(
    write: &mut Write<'_>,
    actor: &Actor,
    model: &integration::Model,
    change: AccessChange,
) -> Result<Findings> {
    apply_all(write, actor, model, vec![change], vec![None]).await
}

/// The same for many workspaces.
pub(crate) async fn apply_each(
    write: &mut Write<'_>,
    actor: &Actor,
    model: &integration::Model,
    changes: Vec<AccessChange>,
) -> Result<Findings> {
    let ready = changes.iter().map(|_| None).collect();
    apply_all(write, actor, model, changes, ready).await
}

/// Lets a workspace use an integration because an organisation admin makes a server there.
pub(crate) async fn grant(
    write: &mut Write<'_>,
    actor: &Actor,
    model: &integration::Model,
    workspace: &workspace::Model,
) -> Result<()> {
    let row = find_or_blank(write.registry, &write.txn, model, workspace).await?;
    if access_enabled(model, Some(&row), WorkspaceId(workspace.id)) {
        return Ok(());
    }
    let change = AccessChange {
        workspace: Reference::Id(workspace.id),
        enabled: Some(true),
        configuration: Patch::Keep,
    };
    apply(write, actor, model, change).await.map(|_| ())
}

fn mark_updated(write: &Write<'_>, row: &mut access::Model) {
    row.version += 1;
    row.updated_at = write.millis();
    row.updated_by = write.actor_name();
}

fn belongs_to_workspace() -> Error {
    Error::Conflict {
        code: ConflictCode::IntegrationOfWorkspace,
        message: "This integration belongs to one workspace and cannot be opened to others.".to_owned(),
        pointer: None,
    }
}

fn snapshot(row: &access::Model) -> serde_json::Value {
    json!({ "enabled": row.enabled, "configurations": row.configuration })
}
