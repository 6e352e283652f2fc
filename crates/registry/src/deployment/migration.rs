//! Bringing the database up to date, and recording what every process must agree on.

use crate::deployment::Deployment;
use crate::deployment::open::{SCHEMA, newest_migration};
use crate::secrets::rotation::{announce_keys, known_keys};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::millis;
use crate::storage::deployment_values::{KEY_CHECK, record, recorded};
use crate::storage::entity::{deployment, organisation, registration};
use crate::storage::settings_generations::{FORMER_KEYS, Generations, SETTINGS, SettingsStanding, names};
use crate::storage::write::{Event, Write};
use crate::{ConflictCode, Error, Result};
use registry_migrations::{Migrator, MigratorTrait};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What of this process's settings is recorded when the database is brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Nothing, where something is recorded: for whoever only looks after the database.
    Nothing,
    /// Changed settings become the generation in force, and those of before stay valid beside them. Settings of the
    /// previous generation are not put back: a process that is started again with them during a rollout must not undo it.
    Changes,
    /// As for `Changes`, and settings of the previous generation are put back in force.
    PutBack,
    /// This process is alone: its settings are in force, whatever was, and no others are valid.
    Alone,
}

/// What became of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The generation in force.
    pub generation: i64,
    /// The settings that changed with it just now.
    pub changed: Vec<&'static str>,
    /// How this process's settings compare with it.
    pub settings: SettingsStanding,
}

impl Deployment<'_> {
    /// Brings the schema up to date and records what every process must agree on, as the operator's `migrate` does. Where
    /// callbacks or defaults changed since the last time, every registration is looked at again.
    pub async fn migrate(self) -> Result<Migrated> {
        self.bring_up(Recording::Changes).await
    }

    /// Brings the schema up to date and records as much as `recording` says.
    pub async fn bring_up(self, recording: Recording) -> Result<Migrated> {
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
        self.registry.settings_standing().await?;
        Ok(migrated)
    }

    /// Brings the schema up to date and nothing else; needs no sealing key.
    pub async fn migrate_schema(self) -> Result<()> {
        if let Some(step) = Migrator::unknown_step(self.registry.db()).await? {
            return Err(Error::Unavailable(format!(
                "The database was brought up to date by a newer release (`{step}`). Use that release, or restore a backup of before."
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
        recording: Recording,
    ) -> Result<Migrated> {
        let own = self.registry.settings().shared();
        let before = Generations::read(recorded)?;
        let standing = SettingsStanding::of(&own, before.as_ref());
        if recording == Recording::PutBack && !matches!(standing, SettingsStanding::Previous(_)) {
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
                    SettingsStanding::Current | SettingsStanding::Unrecorded => false,
                    SettingsStanding::Previous(_) => {
                        matches!(recording, Recording::PutBack | Recording::Alone)
                    }
                    SettingsStanding::Foreign(_) => recording != Recording::Nothing,
                };
                if changes {
                    before.generation += 1;
                    before.since = write.millis();
                    let former = std::mem::replace(&mut before.in_force, own.clone());
                    before.previous = (recording != Recording::Alone).then_some(former);
                }
                before
            }
        };
        let changed = before.as_ref().map_or_else(Vec::new, |old| next.in_force.differing(&old.in_force));
        if recorded.get(SETTINGS) != Some(&serde_json::to_value(&next)?) {
            record(write, SETTINGS, serde_json::to_value(&next)?).await?;
            // Where an earlier release kept the same.
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
            // Every process that follows learns of it with this commit.
            write.identities_changed();
            // Declared secrets change no registration by themselves: the worker reads them again.
            if changed.iter().any(|name| *name != "secrets") {
                wake_all(write).await?;
            }
        }
        let settings = SettingsStanding::of(&own, Some(&next));
        Ok(Migrated { generation: next.generation, changed, settings })
    }

    /// Ends a rollout: from now on only processes with the settings in force are in service. Answers whether two
    /// generations were valid until now.
    pub async fn finish_rollout(self) -> Result<bool> {
        let mut write = self.registry.begin_write(&self.registry.operator()).await?;
        let recorded = recorded(&write.txn).await?;
        let before = Generations::read(&recorded)?;
        let own = self.registry.settings().shared();
        let (SettingsStanding::Current, Some(mut next)) =
            (SettingsStanding::of(&own, before.as_ref()), before)
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

impl SettingsStanding {
    /// How this stands for the operator; `None`: as it should.
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

/// Every registration is looked at again, with the settings in force.
async fn wake_all(write: &Write<'_>) -> Result<()> {
    registration::Entity::update_many()
        .col_expr(registration::Column::Wanted, Expr::col(registration::Column::Wanted).add(1))
        .col_expr(registration::Column::DueAt, Expr::value(millis(write.now)))
        .col_expr(registration::Column::WantedBecause, Expr::value("deployment settings changed"))
        .exec(&write.txn)
        .await?;
    Ok(())
}
