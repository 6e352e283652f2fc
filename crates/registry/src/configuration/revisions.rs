//! The saved versions of Advanced Configurations: listed, restored, never erased.

use crate::configuration::Configurations;
use crate::configuration::check::Checked;
use crate::configuration::impact::ReplacementMode;
use crate::configuration::row::{Configuration, ConfigurationRow, ConfigurationScope};
use crate::configuration::save::{Delivery, Saved, Written};
use crate::lookup::naming;
use crate::lookup::servers::ServerRef;
use crate::pagination::{ListOrder, Page, PageRequest, Total};
use crate::secrets::markers::with_current_secrets;
use crate::storage::columns::moment;
use crate::storage::entity::revision;
use crate::{Actor, Error, Result, pagination};
use registry_core::clock::Timestamp;
use registry_core::finding::Findings;
use registry_core::id::RevisionId;
use registry_core::permission::Permission;
use registry_core::rollout::RolloutOptions;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoSimpleExpr, Order, QueryFilter};

/// One saved version of a configuration.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Its id.
    pub id: RevisionId,
    /// 1 for the first.
    pub number: i64,
    /// The text, with markers; `None` when the configuration was cleared.
    pub text: Option<String>,
    /// Who saved it.
    pub actor: String,
    /// Audit channel: `api`, `web`, `cli`.
    pub door: String,
    /// Note of the author, at most 500 characters.
    pub note: Option<String>,
    /// The number it was restored from.
    pub restored_from: Option<i64>,
    /// When it was saved.
    pub created_at: Timestamp,
}
impl Configurations<'_> {
    /// Saved versions, newest first.
    pub async fn revisions(
        self,
        actor: &Actor,
        scope: &ConfigurationScope,
        request: PageRequest,
    ) -> Result<Page<Revision>> {
        let layer_row = self.row(self.registry.db(), actor, scope, false).await?;
        let select = revision::Entity::find()
            .filter(revision::Column::SubjectKind.eq(layer_row.owner().kind.as_str()))
            .filter(revision::Column::SubjectId.eq(layer_row.owner().id));
        let place = request.cursor.map(|cursor| vec![cursor.key().into()]);
        // Their numbers have no gaps.
        let total = Total::Known(layer_row.revision().unsigned_abs());
        let (db, order) = (self.registry.db(), by_number());
        pagination::fetch_ordered(db, select, &order, place, request, total)
            .await?
            .try_map(|row| Ok(row.into()))
    }

    /// One saved version.
    pub async fn revision(self, actor: &Actor, scope: &ConfigurationScope, number: i64) -> Result<Revision> {
        let layer_row = self.row(self.registry.db(), actor, scope, false).await?;
        Ok(find(self.registry.db(), &layer_row, number).await?.into())
    }

    /// What restoring a version would send and cost today: its text with the present secrets under today's other layers.
    /// The findings say, as those of [`Self::revert`], which secrets are gone.
    pub async fn check_revision(
        self,
        actor: &Actor,
        scope: &ConfigurationScope,
        number: i64,
        preview: Option<&ServerRef>,
    ) -> Result<Checked> {
        actor.require(Permission::CheckConfiguration)?;
        let layer_row = self.row(self.registry.db(), actor, scope, false).await?;
        let row = find(self.registry.db(), &layer_row, number).await?;
        let (text, notices) = with_present_secrets_or_none(row.text, &layer_row)?;
        let mut checked =
            self.dry_run(actor, Some(&layer_row), text.as_deref().unwrap_or_default(), preview).await?;
        checked.findings.extend_below("", notices);
        Ok(checked)
    }

    /// Creates an earlier version the present one, as a new version. Secrets that were replaced since then stay as they
    /// are now; the findings say which.
    pub async fn revert(
        self,
        actor: &Actor,
        scope: &ConfigurationScope,
        number: i64,
        expected_version: Option<i64>,
        replacements: ReplacementMode,
        options: RolloutOptions,
    ) -> Result<Saved<Configuration>> {
        let layer_row = self.row(self.registry.db(), actor, scope, true).await?;
        let row = find(self.registry.db(), &layer_row, number).await?;
        let (text, _) = with_present_secrets_or_none(row.text, &layer_row)?;
        let forecast = self.forecast_if_many(actor, &layer_row, text.as_deref()).await?;
        let mut write = self.begin_layer_write(actor, &layer_row).await?;
        let layer_row = self.writable_row(&write, actor, scope).await?;
        naming::expect_version(expected_version, layer_row.version())?;
        let row = find(&write.txn, &layer_row, number).await?;
        let (text, notices) = with_present_secrets_or_none(row.text, &layer_row)?;
        let written = Written { text, note: None, restored_from: Some(number) };
        let delivery = Delivery { replacements, options, forecast };
        let mut saved = self.save_text(&mut write, layer_row, written, delivery).await?;
        saved.findings.extend_below("", notices);
        write.commit().await?;
        Ok(saved)
    }
}

/// The newest first.
fn by_number() -> ListOrder<revision::Model> {
    ListOrder {
        terms: vec![(revision::Column::Number.into_simple_expr(), Order::Desc)],
        place: |row| (row.number, row.id),
    }
}

async fn find(
    db: &impl ConnectionTrait,
    layer_row: &ConfigurationRow,
    number: i64,
) -> Result<revision::Model> {
    revision::Entity::find()
        .filter(revision::Column::SubjectKind.eq(layer_row.owner().kind.as_str()))
        .filter(revision::Column::SubjectId.eq(layer_row.owner().id))
        .filter(revision::Column::Number.eq(number))
        .one(db)
        .await?
        .ok_or_else(|| Error::not_found("revision", number))
}

/// A version's text as it can be saved now; one that cleared the level stays none.
fn with_present_secrets_or_none(
    text: Option<String>,
    layer_row: &ConfigurationRow,
) -> Result<(Option<String>, Findings)> {
    match text {
        Some(text) => {
            let (text, notices) = with_current_secrets(&text, layer_row.text())?;
            Ok((Some(text), notices))
        }
        None => Ok((None, Findings::default())),
    }
}

impl From<revision::Model> for Revision {
    fn from(row: revision::Model) -> Self {
        Self {
            id: RevisionId(row.id),
            number: row.number,
            text: row.text,
            actor: row.actor,
            door: row.door,
            note: row.note,
            restored_from: row.restored_from,
            created_at: moment(row.created_at),
        }
    }
}
