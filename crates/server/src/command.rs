//! What each subcommand does, a file each, and what they share.

mod audit;
mod backup;
mod check;
pub mod demo;
mod ending;
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
use ending::Ending;
use registry::Registry;
use std::fmt;
use std::io::{ErrorKind, Write};
use std::sync::Arc;

/// Why a command did not do what was asked: a sentence for the operator.
#[derive(Debug, Clone)]
pub struct Failed(String);

impl Failed {
    /// A failure with this sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
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
    // What runs until it is told to end catches the signals for that before it does anything else.
    match &cli.command {
        Command::Openapi(options) => return openapi::run(options),
        Command::Demo(options) => return demo::run(options.once, Ending::caught()?).await,
        Command::Sandbox(options) => return sandbox::run(options, Ending::caught()?).await,
        Command::Seal(Seal::NewKey) => return seal::new_key(),
        _ => {}
    }
    let config = Config::load(cli.config.as_deref()).map_err(|error| Failed::new(error.to_string()))?;
    if matches!(cli.command, Command::Check) {
        return check::run(&config);
    }
    telemetry::init(&config.log);
    match cli.command {
        Command::Serve(options) => serve::run(&config, options, Ending::caught()?).await,
        Command::Work => work::run(&config, Ending::caught()?).await,
        Command::Migrate => migrate::run(&config).await,
        Command::Key(Key::Create(options)) => key::create(&config, options).await,
        Command::User(User::Link(options)) => user::link(&config, &options).await,
        Command::User(User::Reset(options)) => user::reset(&config, &options).await,
        Command::Backup(options) => backup::backup(&config, &options).await,
        Command::Restore(options) => restore::restore(&config, &options).await,
        Command::Audit(Audit::Verify(options)) => audit::verify(&config, &options).await,
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
    let settings = config.checked_settings().map_err(Failed::new)?;
    keys::prepare_folder(config).map_err(Failed::new)?;
    let ring = keys::ring(config).await.map_err(Failed::new)?;
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

/// The same, refused when it is not ready for use.
async fn open_ready(config: &Config) -> Result<Registry, Failed> {
    let registry = open_migrated(config).await?;
    registry.ready().await?;
    Ok(registry)
}
