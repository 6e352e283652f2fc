//! The binary `mcp-registry` as a library: reads the configuration, plugs outbound into registry, builds API and pages,
//! runs what the subcommand asks.
//!
//! This crate must not know rules of any kind: it decides nothing about integrations, metadata or registrations.
//!
//! A tour in six lines:
//! * [`config::Config`]: every setting, where it comes from, what is wrong with it.
//! * [`app::build`]: the one actix `App` that the binary serves and tests call.
//! * [`command`]: what each subcommand does; [`command::serve::start`] runs everything in this process.
//! * [`command::demo`]: registry and sandbox together, through the public API.
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
pub mod telemetry;
pub mod validation;

use clap::Parser;
use rustix::fs::Mode;
use rustix::process::umask;
use std::process::ExitCode;
use std::time::Duration;

/// How long threads that block may hold up the end of the process.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Does what the command line says; the process's exit code: 0 done, 1 not done (standard error says why), 2 typed wrongly, 3 done,
/// but something could not be checked.
pub fn run() -> ExitCode {
    // Whatever this program writes (databases and their journals, keys, copies) is nobody else's business.
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
    // A thread that still waits for something outside, a name that is looked up, holds nobody up.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("mcp-registry: {failed}");
            ExitCode::from(failed.code())
        }
    }
}
