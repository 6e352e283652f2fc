//! The subcommands, one file each, and what they share.

mod audit;
mod backup;
mod check;
mod database;
pub mod demo;
mod key;
mod migrate;
mod openapi;
mod restore;
mod rollout;
mod sandbox;
mod seal;
pub mod serve;
mod shutdown;
mod sync;
mod user;
mod work;

use crate::cli::{Audit, Cli, Command, Key, Seal, User};
use crate::config::Config;
use crate::telemetry;
use shutdown::ShutdownSignal;
use std::fmt;
use std::io::{ErrorKind, Write};

/// Why a command failed: a sentence for the operator.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    message: String,
    code: u8,
}

impl CommandError {
    /// A failure with this sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// The command succeeded and found no problem, but something could not be checked, or could not be done.
    fn unchecked(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 3 }
    }

    /// The exit code of the process: 1, or 3 when something could not be checked.
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl From<registry::Error> for CommandError {
    fn from(error: registry::Error) -> Self {
        // The operator may see the cause of an internal error; callers over HTTP never do.
        match &error {
            registry::Error::Internal(cause) => Self::new(format!("{error} Cause: {cause}")),
            _ => Self::new(error.to_string()),
        }
    }
}

/// Writes a command's output and a line's end. A reader that has gone away (`mcp-registry openapi | head`) is no failure.
fn print(text: impl fmt::Display) -> Result<(), CommandError> {
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CommandError::new(format!("Standard output cannot be written: {error}.")))
        }
        _ => Ok(()),
    }
}

/// Does what was typed.
pub(crate) async fn run(cli: Cli) -> Result<(), CommandError> {
    // Long-running commands install their signal handlers first.
    match &cli.command {
        Command::Openapi(options) => return openapi::run(options),
        Command::Demo(options) => return Box::pin(demo::run(options.once, ShutdownSignal::install()?)).await,
        Command::Sandbox(options) => return sandbox::run(options, ShutdownSignal::install()?).await,
        Command::Seal(Seal::NewKey) => return seal::new_key(),
        Command::Sync(options) => return Box::pin(sync::run(options, ShutdownSignal::install()?)).await,
        _ => {}
    }
    let config = Config::load(cli.config.as_deref()).map_err(|error| CommandError::new(error.to_string()))?;
    if matches!(cli.command, Command::Check) {
        return check::run(&config);
    }
    telemetry::init(&config.log);
    match cli.command {
        Command::Serve(options) => serve::run(&config, options, ShutdownSignal::install()?).await,
        Command::Work => work::run(&config, ShutdownSignal::install()?).await,
        Command::Migrate(options) => migrate::run(&config, options).await,
        Command::Key(Key::Create(options)) => key::create(&config, options).await,
        Command::User(User::Link(options)) => user::link(&config, &options).await,
        Command::User(User::Reset(options)) => user::reset(&config, &options).await,
        Command::Backup(options) => backup::backup(&config, &options).await,
        Command::Restore(options) => restore::restore(&config, &options).await,
        Command::Audit(Audit::Verify(options)) => audit::verify(&config, &options).await,
        Command::Audit(Audit::Restart) => audit::restart(&config).await,
        Command::Rollout(command) => rollout::run(&config, command).await,
        Command::Seal(command) => seal::run(&config, command).await,
        Command::Check | Command::Openapi(_) | Command::Demo(_) | Command::Sandbox(_) | Command::Sync(_) => {
            Ok(())
        }
    }
}
