//! How commands open the deployment's database: what they may create, record and print.

use super::CommandError;
use crate::adapters::{ExternalServices, guarded, operator};
use crate::clock::SystemClock;
use crate::config::{Config, DatabaseUrl};
use crate::sealing_keys::{self, Ring};
use crate::secrets::Secrets;
use registry::{Migrated, Missing, RecordSettings, Registry, Released, SealingRing, SettingsStatus};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How often a database that seems to be in use is checked again: a backup is soon finished.
const MAX_LOCK_CHECKS: u32 = 15;
/// Interval between two such checks.
const LOCK_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// The deployment's database, opened by a maintenance command.
pub(super) struct OpenedDatabase {
    /// The application on it.
    pub(super) registry: Registry,
    /// Why the sealing keys are missing, if they are: then secrets can be neither decrypted nor encrypted.
    pub(super) lost: Option<String>,
}

/// Prints a remark for the operator on standard error; standard output is for results.
pub(super) fn print_remark(text: impl std::fmt::Display) {
    eprintln!("mcp-registry: {text}");
}

/// Opens the existing database. Nothing is created and no setting is recorded, because this shell's environment may
/// differ from that of the running deployment.
pub(super) async fn open_existing(config: &Config) -> Result<OpenedDatabase, CommandError> {
    require_database(config)?;
    let url = config.database.url.expose();
    let (ring, lost) = match sealing_keys::find(config).await {
        Ok(Ring::Found(ring)) => (ring, None),
        Ok(Ring::NotThere(path)) => {
            (SealingRing::none(), Some(format!("The sealing key file {} does not exist.", absolute(&path))))
        }
        Err(why) => (SealingRing::none(), Some(why)),
    };
    let registry = open_on(config, url, ring, Missing::Refuse).await?;
    print_remark(format_args!("database {}", database_name(&config.database.url)));
    registry.deployment().usable().await?;
    if let Some(why) = &lost {
        print_remark(format_args!("warning: {why} The command continues without sealing keys."));
    }
    let unreadable = registry.deployment().lost_keys().await?;
    for sentence in &unreadable {
        print_remark(format_args!("warning: {sentence}"));
    }
    if lost.is_none()
        && unreadable.is_empty()
        && let Err(error) = registry.deployment().check_keys().await
    {
        print_remark(format_args!("warning: {error}"));
    }
    Ok(OpenedDatabase { registry, lost })
}

/// Opens the database of the deployment that this process joins. An SQLite database is created if needed and
/// migrated; on PostgreSQL `migrate` does that, once per release.
pub(super) async fn join(config: &Config) -> Result<Registry, CommandError> {
    let registry = open_making(config).await?;
    if !config.database.url.is_sqlite() {
        // Loads the current settings before the first request. A missing or outdated database is reported later.
        if let Err(error) = registry.settings_status().await {
            tracing::debug!(%error, "the shared settings could not be read yet");
        }
        return Ok(registry);
    }
    let standing = registry.deployment().migrate_and_record(RecordSettings::Nothing).await?.settings;
    let Some(remark) = standing.remark() else { return Ok(registry) };
    registry.disconnect().await?;
    let alone = is_alone(config).await?;
    let registry = open_making(config).await?;
    match standing {
        _ if alone => {
            let Migrated { changed, generation, .. } =
                registry.deployment().migrate_and_record(RecordSettings::Exclusive).await?;
            tracing::warn!(generation, settings = %changed.join(", "), "the settings of the deployment changed; registrations are reconciled");
        }
        SettingsStatus::Previous(_) => tracing::warn!("{remark}"),
        _ => {
            return Err(CommandError::new(format!(
                "Another process uses the database {}, and {remark}. This process does not start, because gateways would get other clients. Start it with the settings of the others. To change the settings of all: run `mcp-registry migrate` with the new ones, then restart the processes one after the other.",
                database_name(&config.database.url)
            )));
        }
    }
    Ok(registry)
}

/// Opens the database, and creates it if needed: for `migrate` and [`join`].
pub(super) async fn open_making(config: &Config) -> Result<Registry, CommandError> {
    sealing_keys::prepare_folder(config).map_err(CommandError::new)?;
    let ring = match sealing_keys::find(config).await.map_err(CommandError::new)? {
        Ring::Found(ring) => ring,
        Ring::NotThere(path) => {
            refuse_a_new_key(config, &path).await?;
            sealing_keys::make(&path).map_err(CommandError::new)?
        }
    };
    open_on(config, config.database.url.expose(), ring, Missing::Create).await
}

/// Another database with the same keys, which must be here unless `without_keys` accepts that they are lost.
pub(super) async fn open_copy(
    config: &Config,
    url: &str,
    without_keys: bool,
) -> Result<Registry, CommandError> {
    let ring = match sealing_keys::find(config).await {
        Ok(Ring::Found(ring)) => ring,
        Ok(Ring::NotThere(_)) | Err(_) if without_keys => SealingRing::none(),
        Err(why) => return Err(CommandError::new(why)),
        Ok(Ring::NotThere(path)) => {
            return Err(CommandError::new(format!(
                "The sealing key file {} is not there, so it is unknown whether the secrets of the backup can be decrypted. Put the key file of the backup there first.",
                absolute(&path)
            )));
        }
    };
    open_on(config, url, ring, Missing::Refuse).await
}

/// A database with encrypted secrets needs its key: a new key could not decrypt them.
async fn refuse_a_new_key(config: &Config, path: &Path) -> Result<(), CommandError> {
    let file = config.database.url.sqlite_file().map(Path::new);
    if !file.is_some_and(|file| file.metadata().is_ok_and(|file| file.len() > 0)) {
        return Ok(());
    }
    let registry =
        open_on(config, config.database.url.expose(), SealingRing::none(), Missing::Refuse).await?;
    let sealing_keys_in_use: Vec<String> =
        registry.deployment().sealing_keys_in_use().await?.into_iter().collect();
    registry.disconnect().await?;
    if sealing_keys_in_use.is_empty() {
        return Ok(());
    }
    Err(CommandError::new(format!(
        "The secrets in the database {} are sealed with the key `{}`, which was expected in {}. That file does not exist. Put a copy of it back. If the key is lost: `mcp-registry seal status` lists the lost secrets; create a new key with `mcp-registry seal new-key` into that file, and give up the old one with `mcp-registry seal abandon {}`.",
        database_name(&config.database.url),
        sealing_keys_in_use.join("`, `"),
        absolute(path),
        sealing_keys_in_use.first().map_or("", String::as_str),
    )))
}

/// Fails if there is no database, instead of creating one.
fn require_database(config: &Config) -> Result<(), CommandError> {
    if !config.database.url.is_sqlite() {
        return Ok(());
    }
    let folder =
        std::env::current_dir().map_or_else(|_| "?".to_owned(), |folder| folder.display().to_string());
    match config.database.url.sqlite_file() {
        Some(file) if Path::new(file).is_file() => Ok(()),
        Some(file) => Err(CommandError::new(format!(
            "There is no database at {file} (working directory {folder}). Run this in the folder that the deployment runs in, or set `database.url` (MCP_REGISTRY__DATABASE__URL) to its database. `mcp-registry serve` creates a new one.",
        ))),
        None => Err(CommandError::new(
            "An in-memory database belongs to the process that created it; other commands cannot open it.",
        )),
    }
}

/// Whether no other process has the SQLite database open.
async fn is_alone(config: &Config) -> Result<bool, CommandError> {
    let Some(file) = config.database.url.sqlite_file() else { return Ok(true) };
    for _ in 0..MAX_LOCK_CHECKS {
        match registry::release(Path::new(file)).await {
            Ok(Released::Whole) => return Ok(true),
            Ok(Released::Damaged) => {
                return Err(CommandError::new(format!(
                    "The database {} is damaged. Restore a copy (docs/operations.md).",
                    database_name(&config.database.url)
                )));
            }
            Err(_) => tokio::time::sleep(LOCK_CHECK_INTERVAL).await,
        }
    }
    Ok(false)
}

async fn open_on(
    config: &Config,
    url: &str,
    ring: SealingRing,
    missing: Missing,
) -> Result<Registry, CommandError> {
    let settings = config.checked_settings().map_err(CommandError::new)?;
    let guarded = guarded(config, settings.egress.clone()).map_err(CommandError::new)?;
    let operator = operator(config).map_err(CommandError::new)?;
    let outside = ExternalServices(guarded, operator.clone(), Secrets::new(config, operator));
    Ok(Registry::open_or(missing, url, settings, ring, Arc::new(SystemClock), Arc::new(outside)).await?)
}

/// Display name of the database: a path, or host and name. Never a password.
pub(super) fn database_name(url: &DatabaseUrl) -> String {
    if let Some(file) = url.sqlite_file() {
        return absolute(Path::new(file));
    }
    if url.is_sqlite() {
        return "in memory".to_owned();
    }
    if let Some(hosts) = url.hosts() {
        let path = Url::parse(hosts.first_url()).map_or_else(|_| String::new(), |url| url.path().to_owned());
        return format!("{hosts}{path}");
    }
    let Ok(url) = Url::parse(url.expose()) else { return "PostgreSQL".to_owned() };
    let named =
        |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let host = url.host_str().filter(|host| !host.is_empty()).map(str::to_owned).or_else(|| named("host"));
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    let database = Some(url.path().trim_start_matches('/').to_owned()).filter(|name| !name.is_empty());
    let database = database.or_else(|| named("dbname")).unwrap_or_default();
    format!("{}{port}/{database}", host.unwrap_or_default())
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).map_or_else(|_| path.display().to_string(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_without_its_password() {
        for (url, name) in [
            ("postgres://me:s3cret@db.example:5433/registry?sslmode=require", "db.example:5433/registry"),
            ("postgres:///registry?host=/run/postgresql&password=s3cret", "/run/postgresql/registry"),
            ("sqlite:///var/lib/registry.sqlite?mode=rwc", "/var/lib/registry.sqlite"),
            ("sqlite::memory:", "in memory"),
            ("postgres://me:s3cret@h1:5433,h2/registry?sslmode=require", "h1:5433,h2:5432/registry"),
            ("postgres s3cret", "PostgreSQL"),
            ("postgres://me:s3cret@h1:x,h2/registry", "PostgreSQL"),
        ] {
            assert_eq!(database_name(&DatabaseUrl::from(url.to_owned())), name);
        }
    }
}
