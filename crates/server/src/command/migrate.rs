//! `mcp-registry migrate`.

use super::CommandError;
use super::database::{database_name, open_making, print_remark};
use crate::cli::Migrate;
use crate::config::Config;
use registry::{RecordSettings, SettingsStatus};

/// Migrates the schema and records the deployment's values; or begins, rolls back or ends a change of settings.
pub(super) async fn run(config: &Config, options: Migrate) -> Result<(), CommandError> {
    let registry = open_making(config).await?;
    print_remark(format_args!("database {}", database_name(&config.database.url)));
    if options.finish_rollout {
        registry.deployment().usable().await?;
        print_remark(if registry.deployment().finish_rollout().await? {
            "the rollout has ended: only the current settings are accepted now"
        } else {
            "no rollout is in progress; nothing was changed"
        });
        return Ok(());
    }
    let recording = if options.put_back { RecordSettings::PutBack } else { RecordSettings::Changes };
    let done = registry.deployment().migrate_and_record(recording).await?;
    if !done.changed.is_empty() {
        print_remark(format_args!(
            "settings generation {} is current; changed: {}. Processes with the previous settings stay in service. Restart them one after the other with the new settings, then run `mcp-registry migrate --finish-rollout`.",
            done.generation,
            done.changed.join(", ")
        ));
    }
    if let (SettingsStatus::Previous(_), Some(remark)) = (&done.settings, done.settings.remark()) {
        print_remark(format_args!(
            "warning: {remark}. They were not recorded again. To roll back to them, run `mcp-registry migrate --put-back`."
        ));
    }
    tracing::info!("the database is up to date");
    Ok(())
}
