//! The saved versions of Advanced Configurations: listed, restored, never erased.

use crate::configuration::Configurations;
use crate::configuration::check::Checked;
use crate::configuration::impact::Replacements;
use crate::configuration::owner::{Carrier, Configuration, Subject};
use crate::configuration::save::{Saved, Written};
use crate::lookup::naming;
use crate::lookup::servers::ServerRef;
use crate::pagination::{Page, PageRequest};
use crate::secrets::markers::with_current_secrets;
use crate::storage::columns::moment;
use crate::storage::entity::revision;
use crate::{Actor, Error, Result, pagination};
use registry_core::clock::Timestamp;
use registry_core::finding::Findings;
use registry_core::id::RevisionId;
use registry_core::permission::Permission;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

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
    /// Through which door: `api`, `web`, `cli`.
    pub door: String,
    /// What the author said of it.
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
        subject: &Subject,
        request: PageRequest,
    ) -> Result<Page<Revision>> {
        let carrier = self.row(self.registry.db(), actor, subject, false).await?;
        let select = revision::Entity::find()
            .filter(revision::Column::SubjectKind.eq(carrier.kind()))
            .filter(revision::Column::SubjectId.eq(carrier.id()))
            .order_by_desc(revision::Column::Number);
        pagination::fetch(self.registry.db(), select, request).await?.try_map(|row| Ok(row.into()))
    }

    /// One saved version.
    pub async fn revision(self, actor: &Actor, subject: &Subject, number: i64) -> Result<Revision> {
        let carrier = self.row(self.registry.db(), actor, subject, false).await?;
        Ok(find(self.registry.db(), &carrier, number).await?.into())
    }

    /// What restoring a version would send and cost today: its text with the present secrets under today's other layers.
    /// The findings say, as those of [`Self::revert`], which secrets are gone.
    pub async fn check_revision(
        self,
        actor: &Actor,
        subject: &Subject,
        number: i64,
        preview: Option<&ServerRef>,
    ) -> Result<Checked> {
        actor.require(Permission::CheckConfiguration)?;
        let carrier = self.row(self.registry.db(), actor, subject, false).await?;
        let row = find(self.registry.db(), &carrier, number).await?;
        let (text, notices) = with_present_secrets_or_none(row.text, &carrier)?;
        let mut checked =
            self.judge(actor, Some(&carrier), text.as_deref().unwrap_or_default(), preview).await?;
        checked.findings.extend_below("", notices);
        Ok(checked)
    }

    /// Makes an earlier version the present one, as a new version. Secrets that were replaced since then stay as they
    /// are now; the findings say which.
    pub async fn revert(
        self,
        actor: &Actor,
        subject: &Subject,
        number: i64,
        expected_version: Option<i64>,
        replacements: Replacements,
    ) -> Result<Saved<Configuration>> {
        let mut write = self.registry.begin_write(actor).await?;
        let carrier = self.writable_row(&mut write, actor, subject).await?;
        naming::expect_version(expected_version, carrier.version())?;
        let row = find(&write.txn, &carrier, number).await?;
        let (text, notices) = with_present_secrets_or_none(row.text, &carrier)?;
        let written = Written { text, note: None, restored_from: Some(number) };
        let mut saved = self.save_text(&mut write, carrier, written, replacements).await?;
        saved.findings.extend_below("", notices);
        write.commit().await?;
        Ok(saved)
    }
}

async fn find(db: &impl ConnectionTrait, carrier: &Carrier, number: i64) -> Result<revision::Model> {
    revision::Entity::find()
        .filter(revision::Column::SubjectKind.eq(carrier.kind()))
        .filter(revision::Column::SubjectId.eq(carrier.id()))
        .filter(revision::Column::Number.eq(number))
        .one(db)
        .await?
        .ok_or_else(|| Error::not_found("revision", number))
}

/// A version's text as it can be saved now; one that cleared the level stays none.
fn with_present_secrets_or_none(
    text: Option<String>,
    carrier: &Carrier,
) -> Result<(Option<String>, Findings)> {
    match text {
        Some(text) => {
            let (text, notices) = with_current_secrets(&text, carrier.text())?;
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
