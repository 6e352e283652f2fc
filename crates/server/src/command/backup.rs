//! `mcp-registry backup`, for SQLite: writes a complete backup or none, while the database is in use.

use super::database::open_existing;
use super::{CommandError, print};
use crate::cli::Backup;
use crate::config::Config;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Writes a backup.
pub(super) async fn backup(config: &Config, options: &Backup) -> Result<(), CommandError> {
    let registry = open_existing(config).await?.registry;
    let target = &options.file;
    if target.exists() {
        return Err(CommandError::new(format!("{} exists. Name a new file.", target.display())));
    }
    let draft = with_end(target, ".part");
    let failed =
        |error: Error| CommandError::new(format!("{} cannot be written: {error}.", target.display()));
    // Created first with its mode, so that other users cannot read it while it is written; SQLite accepts an empty file.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(|error| match error
        .kind()
    {
        ErrorKind::AlreadyExists => CommandError::new(format!(
            "{} exists: another backup is writing it, or a backup was interrupted. Remove it in that case.",
            draft.display()
        )),
        _ => failed(error),
    })?;
    let made = async {
        registry.deployment().back_up(&registry.operator(), &draft).await?;
        File::open(&draft).and_then(|file| file.sync_all()).map_err(failed)?;
        // Unlike a rename this never replaces a file that another process just wrote.
        fs::hard_link(&draft, target).map_err(failed)?;
        sync_folder(target).map_err(failed)
    };
    let made = made.await;
    drop(fs::remove_file(&draft));
    made?;
    print(format_args!(
        "{} contains everything except the sealing keys. Store them separately.",
        target.display()
    ))
}

/// The path with something after its name.
pub(super) fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(end);
    name.into()
}

/// A new file name is durable only after a sync of its folder.
pub(super) fn sync_folder(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
