//! The sealing keys: configured, printed by a program of the operator, or created next to an SQLite database on first use.

use crate::config::Config;
use registry::{SealingKey, SealingRing};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use zeroize::Zeroizing;

/// Timeout of the program that prints the keys.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum output of the program, in bytes: a thousand keys.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

/// Where the keys of this configuration are.
enum Source {
    /// In the configuration itself.
    Given,
    /// What a program prints.
    Command(Vec<String>),
    /// In a file the operator names; it must exist.
    File(PathBuf),
    /// Next to the SQLite database; created if missing.
    BesideDatabase(PathBuf),
    /// None: a database in memory uses a key that lives as long as the process.
    Fleeting,
}

/// The result of looking for the keys.
#[derive(Debug)]
pub enum Ring {
    /// The keys.
    Found(SealingRing),
    /// No key file yet next to an SQLite database; it is created on first use.
    NotThere(PathBuf),
}

/// Loads the keys of this configuration. Creates nothing.
pub async fn find(config: &Config) -> Result<Ring, String> {
    let keys = match source(config)? {
        Source::Given => given(config)?,
        Source::Command(line) => printed(&line).await?,
        Source::BesideDatabase(path) if !path.exists() => return Ok(Ring::NotThere(path)),
        Source::File(path) | Source::BesideDatabase(path) => read(&path)?,
        Source::Fleeting => vec![SealingKey::generate().map_err(|error| error.to_string())?],
    };
    SealingRing::new(keys).map(Ring::Found)
}

/// Makes the key file of a new SQLite database (mode 0600); the ring with it, or with what another process made meanwhile.
pub(crate) fn make(path: &Path) -> Result<SealingRing, String> {
    let keys = match create(path) {
        Ok(key) => vec![key],
        Err(Creation::Exists) => read(path)?,
        Err(Creation::CommandError(message)) => return Err(message),
    };
    SealingRing::new(keys)
}

/// Checks the keys of this configuration, without creating or running anything.
pub(crate) fn inspect(config: &Config) -> Result<(), String> {
    let keys = match source(config)? {
        Source::Given => given(config)?,
        Source::File(path) => read(&path)?,
        Source::BesideDatabase(path) if path.exists() => read(&path)?,
        Source::BesideDatabase(_) | Source::Fleeting | Source::Command(_) => return Ok(()),
    };
    SealingRing::new(keys).map(drop)
}

/// The key file, if every user of this machine may read it. This is only a warning: mounted secrets often have such modes in containers.
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
    let sealing = &config.sealing;
    let given = [sealing.key_file.is_some(), !sealing.key_command.is_empty(), !sealing.keys.is_empty()];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(
            "Set only one of `sealing.key_file`, `sealing.key_command` and `sealing.keys`.".to_owned()
        );
    }
    if let Some(path) = &sealing.key_file {
        return Ok(Source::File(path.clone()));
    }
    if !sealing.key_command.is_empty() {
        return Ok(Source::Command(sealing.key_command.clone()));
    }
    match (sealing.keys.is_empty(), config.database.url.sqlite_file()) {
        (false, _) => Ok(Source::Given),
        (true, Some(file)) => Ok(Source::BesideDatabase(Path::new(file).with_file_name("sealing.key"))),
        (true, None) if config.database.url.is_sqlite() => Ok(Source::Fleeting),
        (true, None) => Err(
            "With PostgreSQL the sealing key must be given, because every process needs the same one: set `sealing.key_file`, `sealing.key_command` or the variable MCP_REGISTRY__SEALING__KEYS (`<id>:<base64 of 32 bytes>`, e.g. k1 and `openssl rand -base64 32`)."
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

fn read(path: &Path) -> Result<Vec<SealingKey>, String> {
    let failed = |what: &str| format!("The sealing key file {}: {what}.", path.display());
    let text = fs::read_to_string(path).map_err(|error| failed(&error.to_string()))?;
    lines(&text).map_err(|message| failed(&message))
}

/// What the program of `sealing.key_command` prints. Neither its output nor what it complains of is ever repeated.
async fn printed(line: &[String]) -> Result<Vec<SealingKey>, String> {
    let [program, arguments @ ..] = line else { return Ok(Vec::new()) };
    let failed = |what: &str| format!("The program of `sealing.key_command`, {program}: {what}.");
    let run = async {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().map_err(|error| failed(&error.to_string()))?;
        let mut text = Zeroizing::new(Vec::new());
        if let Some(output) = child.stdout.take() {
            let output = output.take(MAX_OUTPUT_BYTES + 1).read_to_end(&mut text).await;
            output.map_err(|error| failed(&error.to_string()))?;
        }
        if text.len() as u64 > MAX_OUTPUT_BYTES {
            return Err(failed("it printed too much"));
        }
        let status = child.wait().await.map_err(|error| failed(&error.to_string()))?;
        if status.success() { Ok(text) } else { Err(failed(&format!("it failed, {status}"))) }
    };
    let printed = tokio::time::timeout(COMMAND_TIMEOUT, run)
        .await
        .map_err(|_| failed("it did not end within 10 seconds"))??;
    let text = std::str::from_utf8(&printed).map_err(|_| failed("it did not print text"))?;
    lines(text).map_err(|message| failed(&message))
}

/// One key per line, the first one encrypts; empty lines and lines with `#` are ignored.
fn lines(text: &str) -> Result<Vec<SealingKey>, String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(SealingKey::parse)
        .collect()
}

enum Creation {
    Exists,
    CommandError(String),
}

/// Creates the file atomically: two processes that start together must use the same key.
fn create(path: &Path) -> Result<SealingKey, Creation> {
    let failed = |error: &dyn std::fmt::Display| {
        Creation::CommandError(format!("The sealing key file {} cannot be made: {error}.", path.display()))
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
                "# Encrypts the secrets in the database next to this file. Without it they are lost: keep a copy."
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
    use crate::config::DatabaseUrl;
    use registry_core::secret::Secret;

    fn on_sqlite(folder: &Path) -> Config {
        let mut config = Config::default();
        config.database.url =
            DatabaseUrl::from(format!("sqlite://{}?mode=rwc", folder.join("new/registry.sqlite").display()));
        config
    }

    #[tokio::test]
    async fn sealing_key_file_is_created_once_with_owner_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let config = on_sqlite(folder.path());
        inspect(&config).unwrap();
        assert!(!folder.path().join("new").exists(), "looking makes nothing");
        prepare_folder(&config).unwrap();
        let file = folder.path().join("new/sealing.key");
        assert!(matches!(find(&config).await, Ok(Ring::NotThere(path)) if path == file));
        assert!(!file.exists(), "finding makes nothing");
        make(&file).unwrap();
        let first = fs::read_to_string(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path().join("new")).unwrap().permissions().mode() & 0o777, 0o700);
        make(&file).unwrap();
        assert!(matches!(find(&config).await, Ok(Ring::Found(_))));
        assert_eq!(fs::read_to_string(&file).unwrap(), first);
        assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 1, "no draft is left");
    }

    #[tokio::test]
    async fn postgres_requires_a_configured_key() {
        let mut config = Config::default();
        config.database.url = DatabaseUrl::from("postgres://localhost/registry".to_owned());
        assert!(find(&config).await.unwrap_err().contains("sealing.key_file"));
        config.sealing.keys = vec![Secret::from(SealingKey::generate().unwrap().to_line().as_str())];
        find(&config).await.unwrap();
    }

    #[tokio::test]
    async fn invalid_key_is_not_repeated_in_the_error() {
        let mut config = Config::default();
        config.sealing.keys = vec![Secret::from("k1:bm90MzJieXRlcw==")];
        let message = find(&config).await.unwrap_err();
        assert!(message.contains("32 bytes") && !message.contains("bm90"), "{message}");
    }

    #[tokio::test]
    async fn world_readable_key_file_is_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        fs::write(&file, format!("# ours\n\n{}\n", SealingKey::generate().unwrap().to_line())).unwrap();
        let mut config = Config::default();
        config.sealing.key_file = Some(file.clone());
        for (mode, exposed) in [(0o644, true), (0o640, false), (0o600, false)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(exposed_file(&config).is_some(), exposed, "{mode:o}");
            find(&config).await.unwrap();
        }
    }

    #[tokio::test]
    async fn key_command_prints_the_keys() {
        let key = SealingKey::generate().unwrap().to_line();
        let mut config = Config::default();
        let mut told = async |script: &str| {
            config.sealing.key_command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
            find(&config).await.map(drop)
        };
        told(&format!("echo '# from the vault'; echo {key}")).await.unwrap();
        let message = told("echo k1:c2VjcmV0; exit 0").await.unwrap_err();
        assert!(message.contains("32 bytes") && !message.contains("c2Vj"), "{message}");
        let message = told("echo s3cret >&2; exit 3").await.unwrap_err();
        assert!(message.contains("exit status: 3") && !message.contains("s3cret"), "{message}");
        let message = told("yes k1:c2VjcmV0").await.unwrap_err();
        assert!(message.contains("printed too much") && !message.contains("c2Vj"), "{message}");
        config.sealing.keys = vec![Secret::from(key.as_str())];
        assert!(find(&config).await.unwrap_err().contains("only one"));
    }
}
