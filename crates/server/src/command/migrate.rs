//! `mcp-registry migrate`.

use super::Failed;
use super::database::{open_making, say, which};
use crate::cli::Migrate;
use crate::config::Config;
use registry::{RecordSettings, SettingsStatus};

/// Brings the schema up to date and records the deployment's values; or begins, undoes or ends a change of settings.
pub(super) async fn run(config: &Config, options: Migrate) -> Result<(), Failed> {
    let registry = open_making(config).await?;
    say(format_args!("database {}", which(&config.database.url)));
    if options.finish_rollout {
        registry.deployment().usable().await?;
        say(if registry.deployment().finish_rollout().await? {
            "the rollout has ended: only the settings in force are valid now"
        } else {
            "no rollout is under way; nothing was changed"
        });
        return Ok(());
    }
    let recording = if options.put_back { RecordSettings::PutBack } else { RecordSettings::Changes };
    let done = registry.deployment().migrate_and_record(recording).await?;
    if !done.changed.is_empty() {
        say(format_args!(
            "settings generation {} is in force; changed: {}. Processes with the settings of before stay in service. Restart them one after the other with the new ones, then run `mcp-registry migrate --finish-rollout`.",
            done.generation,
            done.changed.join(", ")
        ));
    }
    if let (SettingsStatus::Previous(_), Some(remark)) = (&done.settings, done.settings.remark()) {
        say(format_args!(
            "warning: {remark}. They were not recorded again. To put them back in force, run `mcp-registry migrate --put-back`."
        ));
    }
    tracing::info!("the database is up to date");
    Ok(())
}
