//! The binary `mcp-registry` as a library: reads the configuration, connects outbound to registry, builds API and pages,
//! runs the subcommands.
//!
//! This crate contains no domain rules: it decides nothing about integrations, metadata or registrations.
//!
//! Overview:
//! * [`config::Config`]: every setting and its source.
//! * [`app::build`]: the actix `App` that the binary serves and tests call.
//! * [`command`]: the subcommands; [`command::serve::start`] runs everything in this process.
//! * [`command::demo`]: registry and sandbox together, through the public API.
//! * `sync`: the servers of a registry in gateways that have an admin API of their own.
//! * [`validation`]: what is wrong with the configuration, and the application's settings made of it.
//! * [`sealing_keys`], [`secrets`], [`telemetry`], [`clock`], [`adapters`]: sealing keys, secrets kept elsewhere, logs and
//!   metrics, the time, the outgoing clients.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
mod connections;
pub mod sealing_keys;
pub mod secrets;
mod sync;
pub mod telemetry;
pub mod validation;

use clap::Parser;
use rustix::fs::Mode;
use rustix::process::umask;
use std::process::ExitCode;
use std::time::Duration;

/// How long blocking threads may delay the shutdown of the process.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the command line and returns the exit code: 0 success, 1 failure (standard error says why), 2 invalid usage, 3 success,
/// but something could not be checked.
pub fn run() -> ExitCode {
    // Files that this program writes (databases, journals, keys, backups) are readable by their owner only.
    umask(Mode::RWXG | Mode::RWXO);
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("mcp-registry: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(command::run(cli));
    // A blocked thread, for instance a name lookup, must not delay the shutdown.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("mcp-registry: {failed}");
            ExitCode::from(failed.code())
        }
    }
}
