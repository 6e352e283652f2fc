//! How a command takes the deployment's database: what it may make there, what it records, and what it says about it.

use super::Failed;
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

/// How often a database that seems to be in use is looked at before that is believed: a backup is over soon.
const MAX_LOCK_CHECKS: u32 = 15;
/// Between two such looks.
const LOCK_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// The deployment's database, opened by a command that looks after it.
pub(super) struct Visited {
    /// The application on it.
    pub(super) registry: Registry,
    /// Why the sealing keys are not here, if they are not: then nothing sealed can be read, and nothing is sealed.
    pub(super) lost: Option<String>,
}

/// Says something to the operator: standard error is for people, standard output for what was asked for.
pub(super) fn say(text: impl std::fmt::Display) {
    eprintln!("mcp-registry: {text}");
}

/// The database as it is. Nothing is made and no setting is recorded, whatever this shell's environment is: beside a
/// running deployment that would change it.
pub(super) async fn visit(config: &Config) -> Result<Visited, Failed> {
    require_database(config)?;
    let url = config.database.url.expose();
    let (ring, lost) = match sealing_keys::find(config).await {
        Ok(Ring::Found(ring)) => (ring, None),
        Ok(Ring::NotThere(path)) => {
            (SealingRing::none(), Some(format!("The sealing key file {} is not there.", absolute(&path))))
        }
        Err(why) => (SealingRing::none(), Some(why)),
    };
    let registry = open_on(config, url, ring, Missing::Refuse).await?;
    say(format_args!("database {}", which(&config.database.url)));
    registry.deployment().usable().await?;
    if let Some(why) = &lost {
        say(format_args!("warning: {why} This goes on without sealing keys."));
    }
    let unreadable = registry.deployment().lost_keys().await?;
    for sentence in &unreadable {
        say(format_args!("warning: {sentence}"));
    }
    if lost.is_none()
        && unreadable.is_empty()
        && let Err(error) = registry.deployment().check_keys().await
    {
        say(format_args!("warning: {error}"));
    }
    Ok(Visited { registry, lost })
}

/// The database of a deployment that this process is going to be part of. SQLite is made where there is none, and brought
/// up to date; on PostgreSQL that is the work of `migrate`, run once per release.
pub(super) async fn join(config: &Config) -> Result<Registry, Failed> {
    let registry = open_making(config).await?;
    if !config.database.url.is_sqlite() {
        // The settings in force, before anything is answered. A database that is away or not migrated says so later.
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
            tracing::warn!(generation, settings = %changed.join(", "), "the settings of the deployment changed; registrations follow");
        }
        SettingsStatus::Previous(_) => tracing::warn!("{remark}"),
        _ => {
            return Err(Failed::new(format!(
                "Another process uses the database {}, and {remark}. This process does not start, because gateways would get other clients. Start it with the settings of the others. To change the settings of all: run `mcp-registry migrate` with the new ones, then restart the processes one after the other.",
                which(&config.database.url)
            )));
        }
    }
    Ok(registry)
}

/// The database, made where there is none: for `migrate`, and for [`join`].
pub(super) async fn open_making(config: &Config) -> Result<Registry, Failed> {
    sealing_keys::prepare_folder(config).map_err(Failed::new)?;
    let ring = match sealing_keys::find(config).await.map_err(Failed::new)? {
        Ring::Found(ring) => ring,
        Ring::NotThere(path) => {
            refuse_a_new_key(config, &path).await?;
            sealing_keys::make(&path).map_err(Failed::new)?
        }
    };
    open_on(config, config.database.url.expose(), ring, Missing::Create).await
}

/// Another database with the same keys, which must be here unless `without_keys` accepts that they are lost.
pub(super) async fn open_copy(config: &Config, url: &str, without_keys: bool) -> Result<Registry, Failed> {
    let ring = match sealing_keys::find(config).await {
        Ok(Ring::Found(ring)) => ring,
        Ok(Ring::NotThere(_)) | Err(_) if without_keys => SealingRing::none(),
        Err(why) => return Err(Failed::new(why)),
        Ok(Ring::NotThere(path)) => {
            return Err(Failed::new(format!(
                "The sealing key file {} is not there, so nobody can tell whether the secrets of the copy can be opened. Put the key file of that time there first.",
                absolute(&path)
            )));
        }
    };
    open_on(config, url, ring, Missing::Refuse).await
}

/// A database that was sealed keeps its key: beside it a fresh one would open nothing of what is stored.
async fn refuse_a_new_key(config: &Config, path: &Path) -> Result<(), Failed> {
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
    Err(Failed::new(format!(
        "The secrets in the database {} are sealed with the key `{}`, which was expected in {}. That file is not there. Put its copy back. If the key is lost for good: `mcp-registry seal status` says what that costs; write a new key with `mcp-registry seal new-key` into that file, and give up the old one with `mcp-registry seal abandon {}`.",
        which(&config.database.url),
        sealing_keys_in_use.join("`, `"),
        absolute(path),
        sealing_keys_in_use.first().map_or("", String::as_str),
    )))
}

/// Refuses where there is no database, instead of making one.
fn require_database(config: &Config) -> Result<(), Failed> {
    if !config.database.url.is_sqlite() {
        return Ok(());
    }
    let folder =
        std::env::current_dir().map_or_else(|_| "?".to_owned(), |folder| folder.display().to_string());
    match config.database.url.sqlite_file() {
        Some(file) if Path::new(file).is_file() => Ok(()),
        Some(file) => Err(Failed::new(format!(
            "There is no database at {file} (working directory {folder}). Run this in the folder that the deployment runs in, or set `database.url` (MCP_REGISTRY__DATABASE__URL) to its database. `mcp-registry serve` makes a new one.",
        ))),
        None => Err(Failed::new(
            "A database in memory belongs to the process that made it; no command reaches it.",
        )),
    }
}

/// Whether no other process has the SQLite database open.
async fn is_alone(config: &Config) -> Result<bool, Failed> {
    let Some(file) = config.database.url.sqlite_file() else { return Ok(true) };
    for _ in 0..MAX_LOCK_CHECKS {
        match registry::release(Path::new(file)).await {
            Ok(Released::Whole) => return Ok(true),
            Ok(Released::Damaged) => {
                return Err(Failed::new(format!(
                    "The database {} is damaged. Restore a copy (docs/operations.md).",
                    which(&config.database.url)
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
) -> Result<Registry, Failed> {
    let settings = config.checked_settings().map_err(Failed::new)?;
    let guarded = guarded(config, settings.egress.clone()).map_err(Failed::new)?;
    let operator = operator(config).map_err(Failed::new)?;
    let outside = ExternalServices(guarded, operator.clone(), Secrets::new(config, operator));
    Ok(Registry::open_or(missing, url, settings, ring, Arc::new(SystemClock), Arc::new(outside)).await?)
}

/// Which database that is, for people: a path, or host and name. Never a password.
pub(super) fn which(url: &DatabaseUrl) -> String {
    if let Some(file) = url.sqlite_file() {
        return absolute(Path::new(file));
    }
    if url.is_sqlite() {
        return "in memory".to_owned();
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
            ("postgres s3cret", "PostgreSQL"),
        ] {
            assert_eq!(which(&DatabaseUrl::from(url.to_owned())), name);
        }
    }
}
