//! What is read, validated and sealed for a change of access before its write begins.

use crate::access::request::AccessChange;
use crate::configuration::access_rows::blank;
use crate::lookup::workspaces;
use crate::secrets::markers::{Before, PreparedConfiguration, prepare, sealed_ids};
use crate::secrets::reentered::{SealedRows, read_sealed};
use crate::storage::entity::{access, integration, workspace};
use crate::storage::owner::OwnerKind;
use crate::{Actor, Error, Registry, Result};
use registry_core::slug::Reference;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// The workspaces that the changes name.
pub(super) async fn named_workspaces(
    db: &impl ConnectionTrait,
    actor: &Actor,
    model: &integration::Model,
    changes: &[AccessChange],
) -> Result<HashMap<Reference, workspace::Model>> {
    let named = NamedWorkspaces::read(db, actor, model, changes).await?;
    Ok(named.workspaces)
}

/// A configuration text that was validated and sealed for an access row before the write began.
pub(super) struct SealedChange {
    /// The row it was made for, and what text it had.
    pub(super) row: Uuid,
    stored_text: Option<String>,
    pub(super) ready: PreparedConfiguration,
}

impl SealedChange {
    pub(super) async fn make(
        registry: &Registry,
        db: &impl ConnectionTrait,
        index: usize,
        text: Option<&str>,
        row: &access::Model,
        read: Option<&SealedRows>,
    ) -> Result<Self> {
        let prefix = format!("/workspaces/{index}/configurations");
        let stored_text = row.configuration.clone();
        let owner = OwnerKind::Access.with_id(row.id);
        let before = Before { text: stored_text.as_deref(), url_changed: false, read };
        let ready = prepare(registry, db, owner, &prefix, text, before).await?;
        Ok(Self { row: row.id, stored_text, ready })
    }

    pub(super) fn fits(&self, row: &access::Model) -> bool {
        self.row == row.id && self.stored_text == row.configuration
    }
}

/// The workspaces that the changes name, and their access rows, read with two queries.
pub(super) struct NamedWorkspaces {
    workspaces: HashMap<Reference, workspace::Model>,
    rows: HashMap<Uuid, access::Model>,
}

impl NamedWorkspaces {
    pub(super) async fn read(
        db: &impl ConnectionTrait,
        actor: &Actor,
        model: &integration::Model,
        changes: &[AccessChange],
    ) -> Result<Self> {
        let named: Vec<&Reference> = changes.iter().map(|change| &change.workspace).collect();
        let workspaces = workspaces::find_all(db, actor, &named).await?;
        let ids: HashSet<Uuid> = workspaces.values().map(|workspace| workspace.id).collect();
        let rows = access::Entity::find()
            .filter(access::Column::IntegrationId.eq(model.id))
            .filter(access::Column::WorkspaceId.is_in(ids))
            .all(db)
            .await?;
        Ok(Self { workspaces, rows: rows.into_iter().map(|row| (row.workspace_id, row)).collect() })
    }

    /// The stored secrets of the rows, read with one query.
    pub(super) async fn sealed_rows(&self, db: &impl ConnectionTrait) -> Result<SealedRows> {
        let texts = self.rows.values().map(|row| row.configuration.as_deref());
        let ids: Vec<Uuid> = texts.flat_map(|text| sealed_ids(text).into_values()).map(|id| id.0).collect();
        read_sealed(db, &ids).await
    }

    pub(super) fn workspace(&self, reference: &Reference) -> Result<&workspace::Model> {
        let found = self.workspaces.get(reference);
        found.ok_or_else(|| Error::not_found("workspace", crate::lookup::slugs::show(reference)))
    }

    pub(super) fn row(
        &self,
        registry: &Registry,
        model: &integration::Model,
        workspace: &workspace::Model,
    ) -> access::Model {
        self.rows.get(&workspace.id).cloned().unwrap_or_else(|| blank(registry, model, workspace))
    }
}
