//! Advanced Configurations at all their levels: reading and saving.

use crate::configuration::costs::Affected;
use crate::configuration::impact::{Impact, ImpactTracker, ReplacementMode};
use crate::configuration::revision_rows::add_revision;
use crate::configuration::row::{Configuration, ConfigurationRow, ConfigurationScope};
use crate::configuration::{Configurations, mapped_secrets};
use crate::lookup::naming;
use crate::secrets::markers::{Before, PreparedConfiguration, prepare, put};
use crate::storage::audit_action::AuditAction;
use crate::storage::write::{Event, Write};
use crate::{Actor, Error, Result};
use registry_core::finding::Findings;
use registry_core::id::{RolloutId, WorkspaceId};
use registry_core::metadata::AdvancedConfiguration;
use registry_core::rollout::RolloutOptions;
use serde_json::json;
use std::sync::Arc;

/// A saved value, with its warnings and notices.
#[derive(Clone, Debug)]
pub struct Saved<T> {
    /// The value after the save.
    pub value: T,
    /// Warnings and notices.
    pub findings: Findings,
    /// Impact of the save on servers and clients.
    pub affected: Affected,
    /// The rollout that brings the change to the servers, where they are many; `None`: all were reached.
    pub rollout: Option<RolloutId>,
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
    /// How the change of the organisation's layer reaches the servers, where they are many.
    pub rollout: RolloutOptions,
}

/// What goes into a row and its history.
pub(crate) struct Written {
    pub(crate) text: Option<String>,
    pub(crate) note: Option<String>,
    /// The number of the revision it is.
    pub(crate) restored_from: Option<i64>,
}

/// How a text reaches servers.
pub(crate) struct Delivery {
    pub(crate) replacements: ReplacementMode,
    pub(crate) options: RolloutOptions,
    /// What was worked out before the transaction, where there are many servers.
    pub(crate) forecast: Option<Affected>,
}

impl<'a> Configurations<'a> {
    /// Begins the write of one layer: in its workspace where it is a server's or a workspace's.
    pub(crate) async fn begin_layer_write(
        self,
        actor: &Actor,
        layer_row: &ConfigurationRow,
    ) -> Result<Write<'a>> {
        let workspace = match layer_row {
            ConfigurationRow::Access(row) => row.workspace_id,
            ConfigurationRow::Server(row) => row.workspace_id,
            ConfigurationRow::Organisation(_) | ConfigurationRow::Integration(_) => {
                return self.registry.begin_write(actor).await;
            }
        };
        let write = self.registry.begin_workspace_write(actor).await?;
        write.lock_workspace(WorkspaceId(workspace)).await?;
        Ok(write)
    }

    /// One level's configuration.
    pub async fn get(self, actor: &Actor, scope: &ConfigurationScope) -> Result<Configuration> {
        let layer_row = self.row(self.registry.db(), actor, scope, false).await?;
        Ok(Self::show(&layer_row))
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
        let new = NewConfiguration { text, note, expected_version, ..NewConfiguration::default() };
        self.save(actor, scope, new).await
    }

    /// As [`Self::set`], with a choice of when clients are replaced. A text that is the stored one changes nothing.
    pub async fn save(
        self,
        actor: &Actor,
        scope: &ConfigurationScope,
        new: NewConfiguration,
    ) -> Result<Saved<Configuration>> {
        let layer_row = self.row(self.registry.db(), actor, scope, true).await?;
        let forecast = self.forecast_if_many(actor, &layer_row, new.text.as_deref()).await?;
        let mut write = self.begin_layer_write(actor, &layer_row).await?;
        let layer_row = self.writable_row(&write, actor, scope).await?;
        naming::expect_version(new.expected_version, layer_row.version())?;
        let text = Written { text: new.text, note: new.note, restored_from: None };
        let delivery = Delivery { replacements: new.replacements, options: new.rollout, forecast };
        let saved = self.save_text(&mut write, layer_row, text, delivery).await?;
        write.commit().await?;
        Ok(saved)
    }

    /// What saving `text` would do, where the servers are too many to look at in the transaction of the save. Refuses what
    /// contradicts itself at a server.
    pub(crate) async fn forecast_if_many(
        self,
        actor: &Actor,
        layer_row: &ConfigurationRow,
        text: Option<&str>,
    ) -> Result<Option<Affected>> {
        if matches!(layer_row, ConfigurationRow::Server(_)) {
            return Ok(None);
        }
        let most = self.registry.settings().rollout_sizes.immediate;
        if !layer_row.scope().servers().has_more_than(self.registry.db(), most).await? {
            return Ok(None);
        }
        let layer = match text {
            // A text with errors is refused by the save itself.
            Some(text) => self.parse_unsaved(text, layer_row.text())?.1,
            None => Some(AdvancedConfiguration::empty()),
        };
        let Some(layer) = layer else { return Ok(None) };
        let forecast = self.forecast(actor, layer_row, &Arc::new(layer), None).await?;
        if forecast.findings.has_errors() {
            return Err(Error::Invalid(forecast.findings));
        }
        Ok(Some(forecast.affected))
    }

    pub(crate) async fn save_text(
        self,
        write: &mut Write<'_>,
        layer_row: ConfigurationRow,
        written: Written,
        delivery: Delivery,
    ) -> Result<Saved<Configuration>> {
        let owner = layer_row.owner();
        let mut ready = {
            let text = written.text.as_deref();
            let before = Before { text: layer_row.text(), ..Before::default() };
            prepare(write.registry, &write.txn, owner, "", text, before).await?
        };
        if ready.stored.text.as_deref() == layer_row.text() {
            // The logo at the same address may be another one by now.
            put(write, vec![ready.secrets]).await?;
            let value = Self::show(&layer_row);
            let findings = ready.stored.findings;
            return Ok(Saved { value, findings, affected: Affected::default(), rollout: None });
        }
        let mut impact = ImpactTracker::capture(write, layer_row.scope())
            .await?
            .with_replacements(delivery.replacements)
            .with_forecast(delivery.forecast);
        if let ConfigurationRow::Organisation(row) = &layer_row {
            // Servers keep the revision that they have until the rollout reaches them, with its secrets.
            let old_secrets = if impact.is_deferred() { ready.secrets.keep_old() } else { Vec::new() };
            impact = impact
                .moves_to(row.configuration_revision + 1, delivery.options)
                .with_old_secrets(old_secrets);
        }
        let PreparedConfiguration { stored, secrets } = ready;
        put(write, vec![secrets]).await?;
        mapped_secrets::refuse_overlap(write, owner.id, stored.text.as_deref()).await?;
        let event = Event::new(AuditAction::ConfigurationSaved, owner.kind.as_str(), owner.id)
            .in_workspace(layer_row.workspace())
            .before(json!(layer_row.text()))
            .after(json!(stored.text));
        write.audit(event);
        let layer_row = layer_row.save(write, stored.text.clone()).await?;
        add_revision(write, owner, layer_row.revision(), stored.text, written.note, written.restored_from)
            .await?;
        let Impact { affected, rollout } = impact.apply(write, "", "configuration saved").await?;
        Ok(Saved { value: Self::show(&layer_row), findings: stored.findings, affected, rollout })
    }
}
