//! When a commit is on the disk. PostgreSQL answers a commit when it is; SQLite would do so too (`synchronous = FULL`), but
//! each commit would wait for the disk while all others wait for it. Here a commit of SQLite ends the transaction, and one
//! `fdatasync` of the write-ahead log then puts all commits since the last one on the disk (ADR 28).

use crate::storage::database_fault::DatabaseFault;
use crate::storage::writability;
use crate::{Registry, Result};
use sea_orm::sqlx;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tokio::sync::Mutex;

/// What of the database of this process is on the disk.
pub(crate) struct Durability {
    /// The write-ahead log of SQLite; `None`: a commit is on the disk when it returns, or there is no disk.
    log: Option<PathBuf>,
    /// How often a commit asked for the disk.
    asked: AtomicU64,
    /// Of those, how many are on the disk. Held while the disk works, so that those who come meanwhile are served together.
    synced: Mutex<u64>,
    /// The newest revision that is known to be on the disk.
    revision: AtomicI64,
}

impl Durability {
    /// Of the database behind `url`.
    pub(crate) fn of(url: &str) -> Self {
        let options = url.starts_with("sqlite:").then(|| SqliteConnectOptions::from_str(url).ok()).flatten();
        let file = options.filter(|_| !url.contains(":memory:")).map(|one| one.get_filename().to_owned());
        let log = file.map(|file| {
            let mut log = file.into_os_string();
            log.push("-wal");
            PathBuf::from(log)
        });
        Self {
            log,
            asked: AtomicU64::default(),
            synced: Mutex::default(),
            revision: AtomicI64::new(i64::MIN),
        }
    }

    /// Returns when everything that is committed now is on the disk.
    async fn sync(&self) -> io::Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut synced = self.synced.lock().await;
        if *synced >= mine {
            return Ok(());
        }
        let asked = self.asked.load(Ordering::SeqCst);
        let log = log.clone();
        tokio::task::spawn_blocking(move || sync_file(&log)).await.map_err(io::Error::other)??;
        *synced = asked;
        Ok(())
    }
}

/// Puts on the disk what was written to a file. Without the file everything is in the database itself, and on the disk.
fn sync_file(path: &Path) -> io::Result<()> {
    match File::open(path) {
        Ok(file) => file.sync_data(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

impl Registry {
    /// Returns when everything that is committed now is on the disk; `newest` is the newest revision among it, if known.
    pub(crate) async fn sync_commits(&self, newest: Option<i64>) -> Result<()> {
        let durability = &self.inner.durability;
        durability.sync().await.map_err(|error| {
            writability::note(DatabaseFault::DiskFails, &sqlx::Error::Io(error));
            DatabaseFault::DiskFails
        })?;
        durability.revision.fetch_max(newest.unwrap_or(i64::MIN), Ordering::Relaxed);
        Ok(())
    }

    /// Returns when `revision`, which was read, is on the disk: a gateway must not hear of one that a power cut can undo.
    pub(crate) async fn sync_revision(&self, revision: i64) -> Result<()> {
        let durability = &self.inner.durability;
        if durability.log.is_some() && durability.revision.load(Ordering::Relaxed) < revision {
            self.sync_commits(Some(revision)).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::Durability;
    use std::sync::Arc;
    use tokio::task::JoinSet;

    fn of(folder: &tempfile::TempDir, name: &str) -> Arc<Durability> {
        Arc::new(Durability::of(&format!("sqlite://{}?mode=rwc", folder.path().join(name).display())))
    }

    #[tokio::test]
    async fn those_who_wait_share_one_sync() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.sqlite-wal"), "log").unwrap();
        let durability = of(&folder, "a.sqlite");
        // The disk is at work, so that all of them wait.
        let busy = durability.synced.lock().await;
        let mut waiting = JoinSet::new();
        for _ in 0..50 {
            let durability = durability.clone();
            waiting.spawn(async move { durability.sync().await });
        }
        while durability.asked.load(std::sync::atomic::Ordering::SeqCst) < 50 {
            tokio::task::yield_now().await;
        }
        assert!(waiting.try_join_next().is_none(), "nobody returns before the disk has answered");
        drop(busy);
        // The first of them syncs for all.
        waiting.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(*durability.synced.lock().await, 50);
        for done in waiting.join_all().await {
            done.unwrap();
        }
        assert_eq!(*durability.synced.lock().await, 50);
    }

    #[tokio::test]
    async fn each_sync_covers_what_was_committed_before_it() {
        let folder = tempfile::tempdir().unwrap();
        // Nothing to sync: the log was moved into the database when its last connection closed.
        of(&folder, "b.sqlite").sync().await.unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let broken = of(&folder, "file/c.sqlite");
        assert!(broken.sync().await.is_err(), "a disk that fails is not passed over");
        assert_eq!(*broken.synced.lock().await, 0, "and the next one tries again");
        for url in ["sqlite::memory:", "postgres://registry@localhost/registry"] {
            assert!(Durability::of(url).log.is_none(), "{url}");
        }
    }
}
