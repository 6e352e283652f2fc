//! Migrating the database, and recording the shared settings.

use crate::configuration::rollout_rows::{self, NewRollout};
use crate::configuration::scope::{LayerScope, ServerScope};
use crate::deployment::Deployment;
use crate::deployment::open::{SCHEMA, newest_migration};
use crate::secrets::rotation::{announce_keys, known_keys};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::millis;
use crate::storage::deployment_values::{KEY_CHECK, record, recorded};
use crate::storage::entity::{deployment, organisation, registration};
use crate::storage::settings_generations::{FORMER_KEYS, Generations, SETTINGS, SettingsStatus, names};
use crate::storage::write::{Event, Write};
use crate::{ConflictCode, Error, Result};
use registry_core::rollout::{RolloutKind, RolloutOptions};
use registry_migrations::{Migrator, MigratorTrait};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Why registrations are enqueued, for display.
const SETTINGS_CHANGED: &str = "deployment settings changed";

/// Which settings of this process a migration records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordSettings {
    /// None, if settings are recorded already: for commands that only maintain the database.
    Nothing,
    /// Changed settings become the generation in force; the previous ones stay valid during the rollout. Settings of
    /// the previous generation are not recorded again: a process that restarts with them during a rollout must not undo
    /// it.
    Changes,
    /// As `Changes`, and settings of the previous generation come into force again (rollback).
    PutBack,
    /// This process is the only one: its settings come into force, and no others are valid.
    Exclusive,
}

/// Result of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The generation in force.
    pub generation: i64,
    /// The settings that this migration changed.
    pub changed: Vec<&'static str>,
    /// How the settings of this process compare with it.
    pub settings: SettingsStatus,
}

impl Deployment<'_> {
    /// Migrates the schema and records the shared settings, as the command `migrate` does. If callbacks or defaults
    /// changed, all registrations are enqueued.
    pub async fn migrate(self) -> Result<Migrated> {
        self.migrate_and_record(RecordSettings::Changes).await
    }

    /// Migrates the schema and records the settings as `recording` says.
    pub async fn migrate_and_record(self, recording: RecordSettings) -> Result<Migrated> {
        self.migrate_schema().await?;
        let mut write = self.registry.begin_write(&self.registry.operator()).await?;
        self.make_organisation(&write).await?;
        let recorded = recorded(&write.txn).await?;
        if recorded.contains_key(KEY_CHECK) {
            self.check_ring(&recorded)?;
        }
        let needed = self.registry.secrets().needed_keys(&write.txn).await?;
        announce_keys(&write, known_keys(&recorded), &needed).await?;
        record(&write, KEY_CHECK, needed).await?;
        let schema = newest_migration();
        if recorded.get(SCHEMA) != Some(&schema) {
            record(&write, SCHEMA, schema.clone()).await?;
            if let Some(old) = recorded.get(SCHEMA) {
                let event = Event::new(AuditAction::DeploymentChanged, "deployment", SCHEMA);
                write.audit(event.before(old.clone()).after(schema));
            }
        }
        let migrated = self.record_settings(&mut write, &recorded, recording).await?;
        write.commit().await?;
        self.registry.settings_status().await?;
        Ok(migrated)
    }

    /// Migrates the schema only; needs no sealing key.
    pub async fn migrate_schema(self) -> Result<()> {
        if let Some(step) = Migrator::unknown_step(self.registry.db()).await? {
            return Err(Error::Unavailable(format!(
                "The database was migrated by a newer release (`{step}`). Use that release, or restore an earlier backup."
            )));
        }
        Ok(Migrator::up(self.registry.db(), None).await?)
    }

    async fn make_organisation(self, write: &Write<'_>) -> Result<()> {
        if organisation::Entity::find().one(&write.txn).await?.is_some() {
            return Ok(());
        }
        organisation::ActiveModel {
            id: Set(self.registry.new_id()),
            name: Set("Organisation".to_owned()),
            configuration: Set(None),
            configuration_revision: Set(0),
            version: Set(1),
            created_at: Set(write.millis()),
            updated_at: Set(write.millis()),
            created_by: Set(write.actor_name()),
            updated_by: Set(write.actor_name()),
        }
        .insert(&write.txn)
        .await?;
        Ok(())
    }

    async fn record_settings(
        self,
        write: &mut Write<'_>,
        recorded: &BTreeMap<String, Value>,
        recording: RecordSettings,
    ) -> Result<Migrated> {
        let own = self.registry.settings().shared();
        let before = Generations::read(recorded)?;
        let standing = SettingsStatus::of(&own, before.as_ref());
        if recording == RecordSettings::PutBack && !matches!(standing, SettingsStatus::Previous(_)) {
            return Err(Error::Conflict {
                code: ConflictCode::NothingToPutBack,
                message: "The settings of this command are not those of the previous generation, so there is nothing to put back. Run it with the settings of before.".to_owned(),
                pointer: None,
            });
        }
        let next = match before.clone() {
            None => {
                Generations { generation: 1, since: write.millis(), in_force: own.clone(), previous: None }
            }
            Some(mut before) => {
                let changes = match standing {
                    SettingsStatus::Current | SettingsStatus::Unrecorded => false,
                    SettingsStatus::Previous(_) => {
                        matches!(recording, RecordSettings::PutBack | RecordSettings::Exclusive)
                    }
                    SettingsStatus::Foreign(_) => recording != RecordSettings::Nothing,
                };
                if changes {
                    before.generation += 1;
                    before.since = write.millis();
                    let former = std::mem::replace(&mut before.in_force, own.clone());
                    before.previous = (recording != RecordSettings::Exclusive).then_some(former);
                }
                before
            }
        };
        let changed = before.as_ref().map_or_else(Vec::new, |old| next.in_force.differing(&old.in_force));
        if recorded.get(SETTINGS) != Some(&serde_json::to_value(&next)?) {
            record(write, SETTINGS, serde_json::to_value(&next)?).await?;
            // Keys of an earlier release.
            deployment::Entity::delete_many()
                .filter(deployment::Column::Key.is_in(FORMER_KEYS))
                .exec(&write.txn)
                .await?;
        }
        if let (Some(old), false) = (&before, changed.is_empty()) {
            for ((name, old), (_, new)) in old.in_force.by_name()?.into_iter().zip(next.in_force.by_name()?) {
                if old != new {
                    let event = Event::new(AuditAction::DeploymentChanged, "deployment", name);
                    write.audit(event.before(old).after(new));
                }
            }
            // All processes that watch changes learn of it with this commit.
            write.identities_changed();
            // Declared secrets change no registration directly: the worker reads them again.
            if changed.iter().any(|name| *name != "secrets") {
                wake_all(write).await?;
            }
        }
        let settings = SettingsStatus::of(&own, Some(&next));
        Ok(Migrated { generation: next.generation, changed, settings })
    }

    /// Ends a rollout: from now on only processes with the settings in force may serve. Answers whether a rollout was
    /// in progress.
    pub async fn finish_rollout(self) -> Result<bool> {
        let mut write = self.registry.begin_write(&self.registry.operator()).await?;
        let recorded = recorded(&write.txn).await?;
        let before = Generations::read(&recorded)?;
        let own = self.registry.settings().shared();
        let (SettingsStatus::Current, Some(mut next)) = (SettingsStatus::of(&own, before.as_ref()), before)
        else {
            return Err(Error::Conflict {
                code: ConflictCode::OtherSettings,
                message: "The settings of this command are not those in force, so it does not end the rollout. Run it with the new settings.".to_owned(),
                pointer: None,
            });
        };
        let Some(previous) = next.previous.take() else { return Ok(false) };
        let differing = previous.differing(&next.in_force);
        record(&write, SETTINGS, serde_json::to_value(&next)?).await?;
        let event = Event::new(AuditAction::DeploymentRolloutFinished, "deployment", SETTINGS);
        write.audit(event.after(json!({ "generation": next.generation, "differing": differing })));
        write.identities_changed();
        write.commit().await?;
        Ok(true)
    }
}

impl SettingsStatus {
    /// A remark for the operator; `None`: nothing to say.
    pub fn remark(&self) -> Option<String> {
        match self {
            Self::Current | Self::Unrecorded => None,
            Self::Previous(differing) => Some(format!(
                "these are the settings of the previous generation: {} changed since. They stay valid until the rollout ends",
                names(differing)
            )),
            Self::Foreign(differing) => {
                Some(format!("the deployment recorded another {} than configured here", names(differing)))
            }
        }
    }
}

/// Enqueues all registrations, so that the worker plans them with the settings in force. Where there are many, a rollout
/// does it.
async fn wake_all(write: &mut Write<'_>) -> Result<()> {
    let most = write.registry.settings().rollout_sizes.immediate;
    if ServerScope::All.has_more_than(&write.txn, most).await? {
        let total = ServerScope::All.bounded_count(&write.txn).await?;
        let new = NewRollout {
            kind: RolloutKind::Settings,
            scope: &LayerScope::Organisation,
            revision: None,
            because: SETTINGS_CHANGED,
            holds_replacements: false,
            options: RolloutOptions::UNCHECKED,
            total,
            old_secrets: Vec::new(),
        };
        rollout_rows::start(write, new).await?;
        return Ok(());
    }
    registration::Entity::update_many()
        .col_expr(registration::Column::Wanted, Expr::col(registration::Column::Wanted).add(1))
        .col_expr(registration::Column::DueAt, Expr::value(millis(write.now)))
        .col_expr(registration::Column::WantedBecause, Expr::value(SETTINGS_CHANGED))
        .exec(&write.txn)
        .await?;
    Ok(())
}
