//! `mcp-registry restore`, for SQLite: a copy takes the database's place, after it was judged as a whole.

use super::backup::{sync_folder, with_end};
use super::database::{open_copy, say, which};
use super::{Failed, print};
use crate::cli::Restore;
use crate::clock::SystemClock;
use crate::config::Config;
use registry::{CurrentAccess, RecordSettings, Registry, Released};
use registry_core::clock::Clock;
use std::fs::{self, File, Permissions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// What SQLite keeps beside a file; of another file it would be taken for the copy's own.
const JOURNALS: [&str; 2] = ["-wal", "-shm"];

/// Puts a copy in the database's place. What is there now is kept.
pub(super) async fn restore(config: &Config, options: &Restore) -> Result<(), Failed> {
    let Some(database) = config.database.url.sqlite_file().map(PathBuf::from) else {
        return Err(Failed::new(
            "Only SQLite is restored by this command. PostgreSQL: `pg_restore` (docs/operations.md).",
        ));
    };
    let source = &options.file;
    registry::check_copy(source).await?;
    let mut current = None;
    if database.exists() {
        if !options.replace {
            return Err(Failed::new(format!(
                "{} exists. Add `--replace` to put the copy in its place; what is there now is kept beside it.",
                database.display()
            )));
        }
        if registry::release(&database).await? == Released::Damaged {
            print(format_args!("what is there is damaged"))?;
        } else if !options.as_it_was {
            current = registry::current_access(&database).await;
        }
    }
    crate::sealing_keys::prepare_folder(config).map_err(Failed::new)?;
    let failed = |error: Error| Failed::new(format!("{} cannot be written: {error}.", database.display()));
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
        print(format_args!("what was there is kept as {}", kept.display()))?;
    }
    fs::rename(&draft, &database).map_err(failed)?;
    sync_folder(&database).map_err(failed)?;
    let restored = open_copy(config, config.database.url.expose(), options.accept_lost_keys).await?;
    restored.deployment().usable().await?;
    if !options.accept_lost_keys {
        restored.deployment().check_keys().await?;
    }
    say(format_args!("database {}", which(&config.database.url)));
    if let Some(remark) = restored.settings_status().await?.remark() {
        say(format_args!("warning: {remark}"));
    }
    print(format_args!("{} is restored from {}", database.display(), source.display()))
}

/// Brings the copy up to date; refuses what the configured sealing keys do not open; notes the restoration in it, and takes
/// away in it what was taken away since.
async fn judge(
    config: &Config,
    options: &Restore,
    draft: &Path,
    current: Option<&CurrentAccess>,
) -> Result<(), Failed> {
    let url = format!("sqlite://{}?mode=rw", draft.display());
    let copy = open_copy(config, &url, options.accept_lost_keys).await?;
    copy.deployment().migrate_schema().await?;
    let lost = copy.deployment().lost_keys().await?;
    if lost.is_empty() {
        // Its settings are those of its time, whatever this shell has.
        copy.deployment().migrate_and_record(RecordSettings::Nothing).await?;
    } else if !options.accept_lost_keys {
        return Err(Failed::new(format!(
            "{} Nothing was restored. Bring the keys of that time back; if they are lost, add `--accept-lost-keys`.",
            lost.join(" ")
        )));
    }
    let lost: u64 = copy.secrets().keys(&copy.operator()).await?.iter().map(|key| key.unreadable).sum();
    if lost > 0 && !options.accept_lost_keys {
        return Err(Failed::new(format!(
            "{lost} secrets of the copy cannot be opened with the sealing keys that are configured. Restore another copy; or add `--accept-lost-keys`, and enter them again."
        )));
    }
    copy.deployment().record_restored(&copy.operator()).await?;
    revoke(&copy, options, current).await?;
    copy.disconnect().await?;
    match registry::release(draft).await? {
        Released::Whole => Ok(()),
        Released::Damaged => {
            Err(Failed::new("The copy was damaged while it was judged; nothing was restored."))
        }
    }
}

/// What was taken away since the copy was made stays so, where that is known; says what does.
async fn revoke(copy: &Registry, options: &Restore, current: Option<&CurrentAccess>) -> Result<(), Failed> {
    let mut known = false;
    if let Some(current) = current {
        if let Some(kept) = copy.deployment().keep_revocations(&copy.operator(), current).await? {
            known = true;
            for (what, names) in [
                ("still revoked, or ending sooner", &kept.keys),
                ("still deactivated", &kept.deactivated),
                ("with the lower role of now", &kept.roles),
                ("with the password of now", &kept.passwords),
            ] {
                for name in names {
                    print(format_args!("{what}: {name}"))?;
                }
            }
            if kept.sessions > 0 {
                print(format_args!("still ended: {} sessions", kept.sessions))?;
            }
        } else {
            print("what is there is the database of another deployment")?;
        }
    }
    if let Some(since) = options.revoke_keys_since {
        for name in copy.deployment().revoke_keys_made_since(&copy.operator(), since).await? {
            print(format_args!("revoked: {name}"))?;
        }
    }
    if options.as_it_was {
        print("keys, people, roles and sessions that were ended after that copy work again: look at them")?;
    } else if !known {
        print(
            "what was ended after that copy is not known: API keys that were revoked and people who were deactivated since work again. Look at both; `--revoke-keys-since` revokes keys while restoring.",
        )?;
    }
    Ok(())
}

/// The copy belongs to whom the database belonged to, or its folder, whoever restores it; nobody else reads it.
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

/// Keeps what is there, journals and all, under another name; whether anything was there. The database's own name stays
/// until the copy takes it, so that there is one at every moment.
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
