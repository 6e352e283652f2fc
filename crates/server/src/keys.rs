//! The sealing keys: given by the operator, or made beside an SQLite database on first use.

use crate::config::Config;
use registry::{SealingKey, SealingRing};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where the keys of this configuration are.
enum Source {
    /// In the configuration itself.
    Given,
    /// In a file the operator names; it must exist.
    File(PathBuf),
    /// Beside the SQLite database; made if it is not there.
    BesideDatabase(PathBuf),
    /// Nowhere: a database in memory takes a key that lives as long.
    Fleeting,
}

/// The ring of this configuration. With SQLite and no key given, the key file is made on first use (mode 0600).
pub fn ring(config: &Config) -> Result<SealingRing, String> {
    let keys = match source(config)? {
        Source::Given => given(config)?,
        Source::File(path) => read(&path)?,
        Source::BesideDatabase(path) => match create(&path) {
            Ok(key) => vec![key],
            Err(Creation::Exists) => read(&path)?,
            Err(Creation::Failed(message)) => return Err(message),
        },
        Source::Fleeting => vec![SealingKey::generate().map_err(|error| error.to_string())?],
    };
    SealingRing::new(keys)
}

/// Says what is wrong with the keys of this configuration, without making anything.
pub(crate) fn inspect(config: &Config) -> Result<(), String> {
    let keys = match source(config)? {
        Source::Given => given(config)?,
        Source::File(path) => read(&path)?,
        Source::BesideDatabase(path) if path.exists() => read(&path)?,
        Source::BesideDatabase(_) | Source::Fleeting => return Ok(()),
    };
    SealingRing::new(keys).map(drop)
}

/// The key file, if everybody on this machine may read it. Not refused: mounted secrets often look so in containers.
pub(crate) fn exposed_file(config: &Config) -> Option<PathBuf> {
    let Ok(Source::File(path) | Source::BesideDatabase(path)) = source(config) else { return None };
    let mode = fs::metadata(&path).ok()?.permissions().mode();
    (mode & 0o007 != 0).then_some(path)
}

/// Makes the folder of an SQLite database (mode 0700 when it is new).
pub(crate) fn prepare_folder(config: &Config) -> Result<(), String> {
    let Some(file) = config.database.url.sqlite_file() else { return Ok(()) };
    let Some(folder) = Path::new(file).parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| format!("The folder {} cannot be made: {error}.", folder.display()))
}

fn source(config: &Config) -> Result<Source, String> {
    match (&config.sealing.key_file, config.sealing.keys.is_empty(), config.database.url.sqlite_file()) {
        (Some(_), false, _) => {
            Err("Set either `sealing.key_file` or `sealing.keys`, not both.".to_owned())
        }
        (Some(path), true, _) => Ok(Source::File(path.clone())),
        (None, false, _) => Ok(Source::Given),
        (None, true, Some(file)) => Ok(Source::BesideDatabase(Path::new(file).with_file_name("sealing.key"))),
        (None, true, None) if config.database.url.is_sqlite() => Ok(Source::Fleeting),
        (None, true, None) => Err(
            "With PostgreSQL the sealing key must be given, because every process needs the same one: set `sealing.key_file` or the variable MCP_REGISTRY__SEALING__KEYS (`<id>:<base64 of 32 bytes>`, e.g. k1 and `openssl rand -base64 32`)."
                .to_owned(),
        ),
    }
}

fn given(config: &Config) -> Result<Vec<SealingKey>, String> {
    config
        .sealing
        .keys
        .iter()
        .map(|key| SealingKey::parse(key.expose()))
        .collect::<Result<_, _>>()
        .map_err(|message| format!("In `sealing.keys`: {message}."))
}

/// One key per line, the first one seals; empty lines and lines with `#` are passed over.
fn read(path: &Path) -> Result<Vec<SealingKey>, String> {
    let failed = |what: &str| format!("The sealing key file {}: {what}.", path.display());
    let text = fs::read_to_string(path).map_err(|error| failed(&error.to_string()))?;
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(SealingKey::parse)
        .collect::<Result<_, _>>()
        .map_err(|message| failed(&message))
}

enum Creation {
    Exists,
    Failed(String),
}

/// Makes the file whole or not at all: two processes that start together must end with one key.
fn create(path: &Path) -> Result<SealingKey, Creation> {
    let failed = |error: &dyn std::fmt::Display| {
        Creation::Failed(format!("The sealing key file {} cannot be made: {error}.", path.display()))
    };
    if path.exists() {
        return Err(Creation::Exists);
    }
    let key = SealingKey::generate().map_err(|error| failed(&error))?;
    let draft = path.with_extension(format!("key.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            writeln!(
                file,
                "# Seals the secrets in the database beside it. Without it they are lost: keep a copy."
            )?;
            writeln!(file, "{}", key.to_line())?;
            file.sync_all()
        })
        // A hard link, unlike a rename, never replaces a key that is already in use.
        .and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match written {
        Ok(()) => removed.map(|()| key).map_err(|error| failed(&error)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Creation::Exists),
        Err(error) => Err(failed(&error)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::{DatabaseUrl, Hidden};

    fn on_sqlite(folder: &Path) -> Config {
        let mut config = Config::default();
        config.database.url =
            DatabaseUrl::from(format!("sqlite://{}?mode=rwc", folder.join("new/registry.sqlite").display()));
        config
    }

    #[test]
    fn a_key_is_made_once_and_only_for_the_owner() {
        let folder = tempfile::tempdir().unwrap();
        let config = on_sqlite(folder.path());
        inspect(&config).unwrap();
        assert!(!folder.path().join("new").exists(), "looking makes nothing");
        prepare_folder(&config).unwrap();
        ring(&config).unwrap();
        let file = folder.path().join("new/sealing.key");
        let first = fs::read_to_string(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path().join("new")).unwrap().permissions().mode() & 0o777, 0o700);
        ring(&config).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), first);
        assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn postgres_wants_a_key_of_its_own() {
        let mut config = Config::default();
        config.database.url = DatabaseUrl::from("postgres://localhost/registry".to_owned());
        assert!(ring(&config).unwrap_err().contains("sealing.key_file"));
        config.sealing.keys = vec![Hidden::from(SealingKey::generate().unwrap().to_line().as_str())];
        ring(&config).unwrap();
    }

    #[test]
    fn a_bad_key_is_not_repeated() {
        let mut config = Config::default();
        config.sealing.keys = vec![Hidden::from("k1:bm90MzJieXRlcw==")];
        let message = ring(&config).unwrap_err();
        assert!(message.contains("32 bytes") && !message.contains("bm90"), "{message}");
    }

    #[test]
    fn a_file_that_everybody_reads_is_pointed_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        fs::write(&file, format!("# ours\n\n{}\n", SealingKey::generate().unwrap().to_line())).unwrap();
        let mut config = Config::default();
        config.sealing.key_file = Some(file.clone());
        for (mode, exposed) in [(0o644, true), (0o640, false), (0o600, false)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(exposed_file(&config).is_some(), exposed, "{mode:o}");
            ring(&config).unwrap();
        }
    }
}
