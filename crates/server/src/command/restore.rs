//! `mcp-registry restore`, for SQLite: replaces the database with a backup, after the backup was checked as a whole.

use super::backup::{sync_folder, with_end};
use super::database::{database_name, open_copy, print_remark};
use super::{CommandError, print};
use crate::cli::Restore;
use crate::clock::SystemClock;
use crate::config::Config;
use registry::{CurrentAccess, RecordSettings, Registry, Released};
use registry_core::clock::Clock;
use std::fs::{self, File, Permissions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// SQLite's journal files; those of another database must not be used with the backup.
const JOURNALS: [&str; 2] = ["-wal", "-shm"];

/// Replaces the database with a backup. The current database is kept.
pub(super) async fn restore(config: &Config, options: &Restore) -> Result<(), CommandError> {
    let Some(database) = config.database.url.sqlite_file().map(PathBuf::from) else {
        return Err(CommandError::new(
            "Only SQLite is restored by this command. PostgreSQL: `pg_restore` (docs/operations.md).",
        ));
    };
    let source = &options.file;
    registry::check_copy(source).await?;
    let mut current = None;
    if database.exists() {
        if !options.replace {
            return Err(CommandError::new(format!(
                "{} exists. Add `--replace` to restore the backup; the current database is kept next to it.",
                database.display()
            )));
        }
        if registry::release(&database).await? == Released::Damaged {
            print(format_args!("the current database is damaged"))?;
        } else if !options.as_it_was {
            current = registry::current_access(&database).await;
        }
    }
    crate::sealing_keys::prepare_folder(config).map_err(CommandError::new)?;
    let failed =
        |error: Error| CommandError::new(format!("{} cannot be written: {error}.", database.display()));
    let draft = with_end(&database, ".restoring");
    // Of a restore that was ended.
    remove(&draft).map_err(failed)?;
    let judged = async {
        fs::copy(source, &draft).map_err(failed)?;
        give(&draft, &database).map_err(failed)?;
        judge(config, options, &draft, current.as_ref()).await?;
        File::open(&draft).and_then(|file| file.sync_all()).map_err(failed)
    };
    if let Err(refused) = judged.await {
        drop(remove(&draft));
        return Err(refused);
    }
    let now = SystemClock.now().format("%Y%m%dT%H%M%S%.3fZ");
    let kept = with_end(&database, &format!(".before-restore-{now}"));
    if keep(&database, &kept).map_err(failed)? {
        print(format_args!("the previous database is kept as {}", kept.display()))?;
    }
    fs::rename(&draft, &database).map_err(failed)?;
    sync_folder(&database).map_err(failed)?;
    let restored = open_copy(config, config.database.url.expose(), options.accept_lost_keys).await?;
    restored.deployment().usable().await?;
    if !options.accept_lost_keys {
        restored.deployment().check_keys().await?;
    }
    print_remark(format_args!("database {}", database_name(&config.database.url)));
    if let Some(remark) = restored.settings_status().await?.remark() {
        print_remark(format_args!("warning: {remark}"));
    }
    print(format_args!("{} is restored from {}", database.display(), source.display()))
}

/// Migrates the backup; fails if the configured sealing keys cannot decrypt it; records the restoration in it, and revokes
/// what was revoked since.
async fn judge(
    config: &Config,
    options: &Restore,
    draft: &Path,
    current: Option<&CurrentAccess>,
) -> Result<(), CommandError> {
    let url = format!("sqlite://{}?mode=rw", draft.display());
    let copy = open_copy(config, &url, options.accept_lost_keys).await?;
    copy.deployment().migrate_schema().await?;
    let lost = copy.deployment().lost_keys().await?;
    if lost.is_empty() {
        // The settings stay those of the backup, independent of this shell.
        copy.deployment().migrate_and_record(RecordSettings::Nothing).await?;
    } else if !options.accept_lost_keys {
        return Err(CommandError::new(format!(
            "{} Nothing was restored. Bring back the keys of the backup; if they are lost, add `--accept-lost-keys`.",
            lost.join(" ")
        )));
    }
    let lost: u64 = copy.secrets().keys(&copy.operator()).await?.iter().map(|key| key.unreadable).sum();
    if lost > 0 && !options.accept_lost_keys {
        return Err(CommandError::new(format!(
            "{lost} secrets of the backup cannot be decrypted with the configured sealing keys. Restore another backup; or add `--accept-lost-keys`, and enter them again."
        )));
    }
    copy.deployment().record_restored(&copy.operator()).await?;
    revoke(&copy, options, current).await?;
    copy.disconnect().await?;
    match registry::release(draft).await? {
        Released::Whole => Ok(()),
        Released::Damaged => {
            Err(CommandError::new("The backup was damaged while it was checked; nothing was restored."))
        }
    }
}

/// What was revoked since the backup stays revoked, where that is known; prints what does.
async fn revoke(
    copy: &Registry,
    options: &Restore,
    current: Option<&CurrentAccess>,
) -> Result<(), CommandError> {
    let mut known = false;
    if let Some(current) = current {
        if let Some(kept) = copy.deployment().keep_revocations(&copy.operator(), current).await? {
            known = true;
            for (what, names) in [
                ("still revoked, or ending sooner", &kept.keys),
                ("still deactivated", &kept.deactivated),
                ("with the current lower role", &kept.roles),
                ("with the current password", &kept.passwords),
            ] {
                for name in names {
                    print(format_args!("{what}: {name}"))?;
                }
            }
            if kept.sessions > 0 {
                print(format_args!("still ended: {} sessions", kept.sessions))?;
            }
        } else {
            print("the current database belongs to another deployment")?;
        }
    }
    if let Some(since) = options.revoke_keys_since {
        for name in copy.deployment().revoke_keys_made_since(&copy.operator(), since).await? {
            print(format_args!("revoked: {name}"))?;
        }
    }
    if options.as_it_was {
        print("API keys, users, roles and sessions revoked after this backup are valid again: review them")?;
    } else if !known {
        print(
            "what was revoked after this backup is unknown: API keys revoked and users deactivated after it are valid again. Review both; `--revoke-keys-since` revokes keys during the restore.",
        )?;
    }
    Ok(())
}

/// The restored file gets the owner of the database or its folder; other users cannot read it.
fn give(draft: &Path, database: &Path) -> Result<(), Error> {
    fs::set_permissions(draft, Permissions::from_mode(0o600))?;
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let owner = fs::metadata(database).or_else(|_| fs::metadata(folder))?;
    let now = fs::metadata(draft)?;
    if (now.uid(), now.gid()) != (owner.uid(), owner.gid()) {
        chown(draft, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Keeps the current database and its journals under another name; returns whether there was one. The database's own name stays
/// until the backup replaces it, so that a database exists at every moment.
fn keep(database: &Path, kept: &Path) -> Result<bool, Error> {
    let mut any = false;
    for end in JOURNALS {
        let journal = with_end(database, end);
        if journal.exists() {
            any = true;
            fs::rename(journal, with_end(kept, end))?;
        }
    }
    if database.exists() {
        any = true;
        match fs::hard_link(database, kept) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => fs::rename(database, kept)?,
            linked => linked?,
        }
    }
    sync_folder(database)?;
    Ok(any)
}

fn remove(draft: &Path) -> Result<(), Error> {
    for leftover in [draft.to_owned()].into_iter().chain(JOURNALS.map(|end| with_end(draft, end))) {
        match fs::remove_file(leftover) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
