//! The command line.

use chrono::DateTime;
use clap::{Args, Parser, Subcommand};
use registry_core::clock::Timestamp;
use registry_core::id::RolloutId;
use registry_core::permission::Role;
use std::path::PathBuf;

mod sync;

pub use sync::{SyncOptions, SyncTarget};

/// The parsed command line.
#[derive(Debug, Parser)]
#[command(
    name = "mcp-registry",
    version,
    about = "MCP Registry: a control plane for the OAuth client identity of MCP gateways.",
    after_help = "Settings come from defaults, then registry.toml, then variables such as MCP_REGISTRY__SERVER__LISTEN.\n\
                  `mcp-registry check` prints the effective settings. All settings: docs/configuration.md.\n\n\
                  To see the whole product work on one machine: mcp-registry demo"
)]
pub struct Cli {
    /// The configuration file [default: registry.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API and the pages, and run the registration worker, in one process
    Serve(Serve),
    /// Run only the registration worker, without a listener (for deployments with several processes)
    Work,
    /// Migrate the database and record the settings that all processes must share
    Migrate(Migrate),
    /// Print the OpenAPI document
    Openapi(Openapi),
    /// API keys
    #[command(subcommand)]
    Key(Key),
    /// Print the effective settings, with secrets masked, and the problems found
    Check,
    /// Run a demo: the registry and a sandbox upstream on this machine; nothing is stored
    Demo(Demo),
    /// Serve an MCP server and its OAuth server on loopback, for experiments; failure modes are configurable
    Sandbox(Sandbox),
    /// Write the servers of a registry into another gateway and keep them up to date, or print the static configuration of one
    Sync(SyncOptions),
    /// Users
    #[command(subcommand)]
    User(User),
    /// Write a backup of an SQLite database while it is in use
    Backup(Backup),
    /// Restore a backup over an SQLite database that is not in use
    Restore(Restore),
    /// The audit log
    #[command(subcommand)]
    Audit(Audit),
    /// The encryption keys of stored secrets
    #[command(subcommand)]
    Seal(Seal),
    /// Changes of a layer with more than 100 servers, on their way to these servers
    #[command(subcommand)]
    Rollout(Rollout),
}

/// Options of `serve`.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Serve {
    /// Do not run the registration worker; `mcp-registry work` runs it in other processes
    #[arg(long)]
    pub no_worker: bool,
}

/// Options of `migrate`.
#[derive(Args, Clone, Copy, Debug)]
pub struct Migrate {
    /// End a rollout of changed settings: from now on only processes with the current settings are accepted
    #[arg(long, conflicts_with = "put_back")]
    pub finish_rollout: bool,
    /// Roll back to the settings before the rollout: run this command with those settings
    #[arg(long)]
    pub put_back: bool,
}

/// Options of `openapi`.
#[derive(Args, Debug)]
pub struct Openapi {
    /// Print nothing; exit 1 if FILE differs from this document
    #[arg(long, value_name = "FILE", conflicts_with = "write")]
    pub check: Option<PathBuf>,
    /// Write the document to FILE instead
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
}

/// Subcommands of `key`.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Create an API key and print only the key; it is shown only once
    Create(NewKey),
}

/// Options of `key create`.
#[derive(Args, Debug)]
pub struct NewKey {
    /// The name of the key in lists and in the audit log
    #[arg(long)]
    pub name: String,
    /// admin, manager, viewer or gateway
    #[arg(long, value_parser = parse_role)]
    pub role: Role,
    /// Bind the key to one workspace (slug or id) [default: the whole organisation]
    #[arg(long)]
    pub workspace: Option<String>,
}

/// Options of `demo`.
#[derive(Args, Clone, Copy, Debug)]
pub struct Demo {
    /// Exit after the printout instead of running until Ctrl-C; exit 1 if any step failed
    #[arg(long)]
    pub once: bool,
}

/// Options of `sandbox`.
#[derive(Args, Debug)]
#[command(after_long_help = failure_modes())]
pub struct Sandbox {
    /// Failure modes as JSON, for example {"registration_refusal": {"status": 403, "error": "access_denied"}};
    /// a line on standard input changes them; the sandbox stops at the end of standard input
    #[arg(long, value_name = "JSON")]
    pub quirks: Option<String>,
    /// The port [default: a free one]
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

/// Subcommands of `user`.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Print a one-time sign-in link; a new user becomes an admin if no user can sign in yet, otherwise a viewer
    Link(Link),
    /// Break glass: make this user an active admin, remove password and sessions, and print a one-time sign-in link
    Reset(Reset),
}

/// Options of `user link`.
#[derive(Args, Debug)]
pub struct Link {
    /// The user's e-mail address
    #[arg(long)]
    pub email: String,
    /// The role of a new user: admin, manager or viewer [default: admin for the first user, then viewer]
    #[arg(long, value_parser = parse_role)]
    pub role: Option<Role>,
}

/// Options of `user reset`.
#[derive(Args, Debug)]
pub struct Reset {
    /// The user's e-mail address
    #[arg(long)]
    pub email: String,
}

/// Options of `backup`.
#[derive(Args, Debug)]
pub struct Backup {
    /// The file to write; it must not exist
    pub file: PathBuf,
}

/// Options of `restore`.
#[derive(Args, Debug)]
pub struct Restore {
    /// The backup, as `backup` wrote it
    pub file: PathBuf,
    /// Replace an existing database; it is kept next to the restored one
    #[arg(long)]
    pub replace: bool,
    /// Restore exactly the state of the backup: also API keys, users, roles and sessions that were revoked since
    #[arg(long)]
    pub as_it_was: bool,
    /// Revoke every API key of the backup that was created at or after this timestamp (RFC 3339, or `all`), and end all sessions
    #[arg(long, value_name = "TIMESTAMP", value_parser = parse_since, conflicts_with = "as_it_was")]
    pub revoke_keys_since: Option<Timestamp>,
    /// Restore although sealing keys are lost: secrets encrypted with them must be entered again
    #[arg(long)]
    pub accept_lost_keys: bool,
}

/// Subcommands of `rollout`.
#[derive(Debug, Subcommand)]
pub enum Rollout {
    /// Print the newest rollouts, a line each
    List,
    /// Print the progress of a rollout until it ends or pauses; exit 1 if it stopped because of failures
    Watch(WatchRollout),
    /// Pause a rollout after its present batch
    Pause(NamedRollout),
    /// Go on with a rollout that was paused, or that stopped because of failures
    Resume(NamedRollout),
}

/// Options of `rollout watch`.
#[derive(Args, Debug)]
pub struct WatchRollout {
    /// The id of the rollout [default: the newest]
    pub rollout: Option<RolloutId>,
}

/// Options of `rollout pause` and `rollout resume`.
#[derive(Args, Debug)]
pub struct NamedRollout {
    /// The id of the rollout
    pub rollout: RolloutId,
}

/// Subcommands of `audit`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Verify that no event was changed, added or removed since it was written; exit 1 and name the first such event; exit 3
    /// if something could not be checked
    Verify(VerifyAudit),
    /// Start signing the log with a new key from its current state, when `verify` fails for a known reason; this is audited
    Restart,
}

/// Options of `audit verify`.
#[derive(Args, Debug)]
pub struct VerifyAudit {
    /// A public key, in hex, that checkpoints must be signed with, as printed by an earlier run; may be repeated
    #[arg(long, value_name = "HEX")]
    pub public_key: Vec<String>,
    /// An event that must exist, `NUMBER:HASH`, as printed by an earlier run
    #[arg(long, value_name = "NUMBER:HASH")]
    pub contains: Option<String>,
}

/// Subcommands of `seal`.
#[derive(Debug, Subcommand)]
pub enum Seal {
    /// Generate a key and print it as a line for the key file
    NewKey,
    /// Decrypt every stored secret; print how many secrets each key encrypts, and which are lost if a key is missing
    Status,
    /// Re-encrypt every stored secret with the first key, without downtime; may be interrupted and run again
    Rotate,
    /// Declare a key as lost, so that processes without it can serve again
    Abandon(Abandon),
}

/// Options of `seal abandon`.
#[derive(Args, Debug)]
pub struct Abandon {
    /// The key's id, as `seal status` shows it
    pub key: String,
}

/// The timestamp of `--revoke-keys-since`; `all` is the epoch.
fn parse_since(text: &str) -> Result<Timestamp, String> {
    if text == "all" {
        return Ok(Timestamp::UNIX_EPOCH);
    }
    DateTime::parse_from_rfc3339(text)
        .map(|moment| moment.to_utc())
        .map_err(|_| "write a timestamp such as 2026-11-23T08:00:00Z, or `all`".to_owned())
}

fn parse_role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "the roles are admin, manager, viewer and gateway".to_owned())
}

/// Every failure mode of the sandbox with its default.
fn failure_modes() -> String {
    let defaults = serde_json::to_string_pretty(&registry_sandbox::Quirks::default()).unwrap_or_default();
    format!("Failure modes and their defaults (docs/sandbox.md says what each one does):\n{defaults}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_passes_the_checks_of_clap() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_of_the_sandbox_lists_failure_modes() {
        let mut command = Cli::command();
        let help = command.find_subcommand_mut("sandbox").expect("a command").render_long_help().to_string();
        assert!(help.contains("\"challenge_on_get\": false"), "{help}");
    }

    #[test]
    fn an_unknown_role_is_refused() {
        let parsed =
            |role| Cli::try_parse_from(["mcp-registry", "key", "create", "--name", "n", "--role", role]);
        assert!(parsed("gateway").is_ok());
        assert!(parsed("root").is_err_and(|error| error.to_string().contains("manager")));
    }
}
