//! `mcp-registry backup` and `mcp-registry restore`, for SQLite.

use super::{Failed, open, open_on, open_ready, print};
use crate::cli::{Backup, Restore};
use crate::config::Config;
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Writes a copy, whole or not at all, while others work.
pub(super) async fn backup(config: &Config, options: &Backup) -> Result<(), Failed> {
    let registry = open_ready(config).await?;
    let target = &options.file;
    if target.exists() {
        return Err(Failed::new(format!("{} exists. Name a new file.", target.display())));
    }
    let draft = beside(target, "part");
    let failed =
        |error: std::io::Error| Failed::new(format!("{} cannot be written: {error}.", target.display()));
    // Made before, so that nobody else can read it while it is written; SQLite takes an empty file.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
    let made = async {
        registry.back_up(&registry.operator(), &draft).await?;
        File::open(&draft).and_then(|file| file.sync_all()).map_err(failed)?;
        // Unlike a rename this never replaces what somebody else just wrote there.
        fs::hard_link(&draft, target).map_err(failed)?;
        sync_folder(target).map_err(failed)
    };
    let made = made.await;
    drop(fs::remove_file(&draft));
    made?;
    print(format_args!(
        "{} holds everything but the sealing keys. Keep them apart from it.",
        target.display()
    ))
}

/// Puts a copy in the database's place, after it was judged as a whole: its file, its schema, its secrets.
pub(super) async fn restore(config: &Config, options: &Restore) -> Result<(), Failed> {
    let Some(database) = config.database.url.sqlite_file().map(PathBuf::from) else {
        return Err(Failed::new(
            "Only SQLite is restored by this command. PostgreSQL: `pg_restore` (docs/operations.md).",
        ));
    };
    let source = &options.file;
    registry::check_copy(source).await?;
    if database.exists() {
        if !options.replace {
            return Err(Failed::new(format!(
                "{} exists. Add `--replace` to put the copy in its place; what is there now is kept beside it.",
                database.display()
            )));
        }
        registry::release(&database).await?;
    }
    crate::keys::prepare_folder(config).map_err(Failed::new)?;
    let failed =
        |error: std::io::Error| Failed::new(format!("{} cannot be written: {error}.", database.display()));
    let draft = beside(&database, "restoring");
    fs::copy(source, &draft).map_err(failed)?;
    let judged = async {
        fs::set_permissions(&draft, Permissions::from_mode(0o600)).map_err(failed)?;
        let copy = open_on(config, &format!("sqlite://{}?mode=rw", draft.display())).await?;
        copy.migrate().await?;
        let lost: u64 = copy.sealing_keys(&copy.operator()).await?.iter().map(|key| key.unreadable).sum();
        if lost > 0 {
            return Err(Failed::new(format!(
                "{lost} secrets of the copy cannot be opened with the sealing keys that are configured. Bring the keys of that time back."
            )));
        }
        copy.note_restored(&copy.operator()).await?;
        Ok(copy.disconnect().await?)
    };
    let judged: Result<(), Failed> = judged.await;
    let judged = match judged {
        Ok(()) => registry::release(&draft).await.map_err(Failed::from),
        refused => refused,
    };
    if let Err(refused) = judged {
        for leftover in [draft.clone(), beside(&draft, "-wal"), beside(&draft, "-shm")] {
            drop(fs::remove_file(leftover));
        }
        return Err(refused);
    }
    File::open(&draft).and_then(|file| file.sync_all()).map_err(failed)?;
    if database.exists() {
        let kept = beside(&database, "before-restore");
        fs::rename(&database, &kept).map_err(failed)?;
        print(format_args!("what was there is kept as {}", kept.display()))?;
    }
    fs::rename(&draft, &database).map_err(failed)?;
    sync_folder(&database).map_err(failed)?;
    open(config).await?.ready().await?;
    print(format_args!("{} is restored from {}", database.display(), source.display()))
}

fn beside(file: &Path, word: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(if word.starts_with('-') { word.to_owned() } else { format!(".{word}") });
    file.with_file_name(name)
}

/// A new name is on disk only when its folder is.
fn sync_folder(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
