//! What each subcommand does, a file each, and what they share.

mod audit;
mod backup;
mod check;
pub mod demo;
mod key;
mod migrate;
mod openapi;
mod restore;
mod sandbox;
mod seal;
pub mod serve;
mod user;
mod work;

use crate::cli::{Audit, Cli, Command, Key, Seal, User};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::outgoing::{guarded, operator};
use crate::secrets::Secrets;
use crate::upstream::Outside;
use crate::{keys, telemetry};
use registry::{Registry, SealingRing};
use std::fmt;
use std::io::{ErrorKind, Write};
use std::sync::Arc;

/// Why a command did not do what was asked: a sentence for the operator.
#[derive(Debug, Clone)]
pub struct Failed {
    message: String,
    code: u8,
}

impl Failed {
    /// A failure with this sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// What was asked was done, and nothing was found wrong, but something could not be checked.
    fn unchecked(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 3 }
    }

    /// The exit code of the process: 1, or 3 when something could not be checked.
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failed {}

impl From<registry::Error> for Failed {
    fn from(error: registry::Error) -> Self {
        // The operator may see the cause of an internal error; callers over HTTP never do.
        match &error {
            registry::Error::Internal(cause) => Self::new(format!("{error} Cause: {cause}")),
            _ => Self::new(error.to_string()),
        }
    }
}

/// Writes a command's output and a line's end. A reader that has gone away (`mcp-registry openapi | head`) is no failure.
fn print(text: impl fmt::Display) -> Result<(), Failed> {
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failed::new(format!("Standard output cannot be written: {error}.")))
        }
        _ => Ok(()),
    }
}

/// Does what was typed.
pub(crate) async fn run(cli: Cli) -> Result<(), Failed> {
    match &cli.command {
        Command::Openapi(options) => return openapi::run(options),
        Command::Demo(options) => return demo::run(options.once).await,
        Command::Sandbox(options) => return sandbox::run(options).await,
        Command::Seal(Seal::NewKey) => return seal::new_key(),
        _ => {}
    }
    let config = Config::load(cli.config.as_deref()).map_err(|error| Failed::new(error.to_string()))?;
    if matches!(cli.command, Command::Check) {
        return check::run(&config);
    }
    telemetry::init(&config.log);
    match cli.command {
        Command::Serve(options) => serve::run(&config, options).await,
        Command::Work => work::run(&config).await,
        Command::Migrate => migrate::run(&config).await,
        Command::Key(Key::Create(options)) => key::create(&config, options).await,
        Command::User(User::Link(options)) => user::link(&config, &options).await,
        Command::User(User::Reset(options)) => user::reset(&config, &options).await,
        Command::Backup(options) => backup::backup(&config, &options).await,
        Command::Restore(options) => restore::restore(&config, &options).await,
        Command::Audit(Audit::Verify(options)) => audit::verify(&config, &options).await,
        Command::Audit(Audit::Restart) => audit::restart(&config).await,
        Command::Seal(command) => seal::run(&config, command).await,
        Command::Check | Command::Openapi(_) | Command::Demo(_) | Command::Sandbox(_) => Ok(()),
    }
}

/// The application on this configuration's database, as it is.
async fn open(config: &Config) -> Result<Registry, Failed> {
    open_on(config, config.database.url.expose()).await
}

/// The same on another database.
async fn open_on(config: &Config, url: &str) -> Result<Registry, Failed> {
    keys::prepare_folder(config).map_err(Failed::new)?;
    let ring = keys::ring(config).await;
    open_with(config, url, ring.map_err(Failed::new)?).await
}

async fn open_with(config: &Config, url: &str, ring: SealingRing) -> Result<Registry, Failed> {
    let settings = config.checked_settings().map_err(Failed::new)?;
    let guarded = guarded(config, settings.egress.clone()).map_err(Failed::new)?;
    let operator = operator(config).map_err(Failed::new)?;
    let outside = Outside(guarded, operator.clone(), Secrets::new(config, operator));
    Ok(Registry::open(url, settings, ring, Arc::new(SystemClock), Arc::new(outside)).await?)
}

/// The same, its schema brought up to date on SQLite; on PostgreSQL that is the work of `migrate`, run once per release.
async fn open_migrated(config: &Config) -> Result<Registry, Failed> {
    let registry = open(config).await?;
    if config.database.url.is_sqlite() {
        registry.migrate().await?;
    }
    Ok(registry)
}

/// For commands that seal nothing: they work while a sealing key is lost, and standard error says what that costs.
async fn open_without_keys(config: &Config) -> Result<Registry, Failed> {
    let registry = open_with_what_is_there(config, config.database.url.expose()).await?;
    if let Err(error) = registry.check_schema().await {
        if !config.database.url.is_sqlite() {
            return Err(error.into());
        }
        registry.migrate().await?;
    }
    for lost in registry.lost_keys().await? {
        warn(&lost);
    }
    Ok(registry)
}

/// With those sealing keys that can be read; they are never made here.
async fn open_with_what_is_there(config: &Config, url: &str) -> Result<Registry, Failed> {
    let ring = keys::existing(config).await.unwrap_or_else(|why| {
        warn(&format!("{why} This goes on without sealing keys."));
        SealingRing::none()
    });
    open_with(config, url, ring).await
}

/// Something that is wrong and stops nothing.
fn warn(sentence: &str) {
    eprintln!("mcp-registry: {sentence}");
}
