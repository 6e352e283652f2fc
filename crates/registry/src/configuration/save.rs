//! Advanced Configurations at all their levels: reading and saving.

use crate::configuration::costs::Affected;
use crate::configuration::impact::{ImpactTracker, ReplacementMode};
use crate::configuration::revision_rows::add_revision;
use crate::configuration::row::{Configuration, ConfigurationRow, ConfigurationScope};
use crate::configuration::{Configurations, mapped_secrets};
use crate::lookup::naming;
use crate::secrets::markers::store;
use crate::storage::audit_action::AuditAction;
use crate::storage::write::{Event, Write};
use crate::{Actor, Result};
use registry_core::finding::Findings;
use serde_json::json;

/// A saved value, with its warnings and notices.
#[derive(Clone, Debug)]
pub struct Saved<T> {
    /// The value after the save.
    pub value: T,
    /// Warnings and notices.
    pub findings: Findings,
    /// Impact of the save on servers and clients.
    pub affected: Affected,
}

/// A configuration to save.
#[derive(Clone, Debug, Default)]
pub struct NewConfiguration {
    /// The JSON text; `None` clears the level.
    pub text: Option<String>,
    /// Note in the revision, at most 500 characters.
    pub note: Option<String>,
    /// Expected version ([`Configuration::version`]); `None`: no check.
    pub expected_version: Option<i64>,
    /// Whether clients that cannot be updated in place are replaced without approval.
    pub replacements: ReplacementMode,
}

/// What goes into a row and its history.
pub(crate) struct Written {
    pub(crate) text: Option<String>,
    pub(crate) note: Option<String>,
    /// The number of the revision it is.
    pub(crate) restored_from: Option<i64>,
}

impl Configurations<'_> {
    /// One level's configuration.
    pub async fn get(self, actor: &Actor, scope: &ConfigurationScope) -> Result<Configuration> {
        let layer_row = self.row(self.registry.db(), actor, scope, false).await?;
        self.show(self.registry.db(), &layer_row).await
    }

    /// Saves (or with `None` clears) one level's configuration; what clients this costs is left to the rules. Pointers of
    /// findings are relative to the text.
    pub async fn set(
        self,
        actor: &Actor,
        scope: &ConfigurationScope,
        text: Option<String>,
        note: Option<String>,
        expected_version: Option<i64>,
    ) -> Result<Saved<Configuration>> {
        let new = NewConfiguration { text, note, expected_version, replacements: ReplacementMode::Policy };
        self.save(actor, scope, new).await
    }

    /// As [`Self::set`], with a choice of when clients are replaced.
    pub async fn save(
        self,
        actor: &Actor,
        scope: &ConfigurationScope,
        new: NewConfiguration,
    ) -> Result<Saved<Configuration>> {
        let mut write = self.registry.begin_write(actor).await?;
        let layer_row = self.writable_row(&mut write, actor, scope).await?;
        naming::expect_version(new.expected_version, layer_row.version())?;
        let text = Written { text: new.text, note: new.note, restored_from: None };
        let saved = self.save_text(&mut write, layer_row, text, new.replacements).await?;
        write.commit().await?;
        Ok(saved)
    }

    pub(crate) async fn save_text(
        self,
        write: &mut Write<'_>,
        layer_row: ConfigurationRow,
        written: Written,
        replacements: ReplacementMode,
    ) -> Result<Saved<Configuration>> {
        let before = ImpactTracker::capture(write, layer_row.scope()).await?.with_replacements(replacements);
        let owner = layer_row.owner();
        let stored = store(write, owner, "", written.text.as_deref(), layer_row.text(), false).await?;
        mapped_secrets::refuse_overlap(write, owner.id, stored.text.as_deref()).await?;
        let event = Event::new(AuditAction::ConfigurationSaved, owner.kind.as_str(), owner.id)
            .in_workspace(layer_row.workspace())
            .before(json!(layer_row.text()))
            .after(json!(stored.text));
        write.audit(event);
        let layer_row = layer_row.save(write, stored.text.clone()).await?;
        add_revision(write, owner, stored.text, written.note, written.restored_from).await?;
        let affected = before.apply(write, "", "configuration saved").await?;
        let value = self.show(&write.txn, &layer_row).await?;
        Ok(Saved { value, findings: stored.findings, affected })
    }
}
