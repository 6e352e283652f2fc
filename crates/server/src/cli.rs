//! The command line.

use chrono::DateTime;
use clap::{Args, Parser, Subcommand};
use registry_core::clock::Timestamp;
use registry_core::permission::Role;
use std::path::PathBuf;

/// What was typed.
#[derive(Debug, Parser)]
#[command(
    name = "mcp-registry",
    version,
    about = "MCP Registry: a control plane for the OAuth client identity of MCP gateways.",
    after_help = "Settings come from defaults, then registry.toml, then variables such as MCP_REGISTRY__SERVER__LISTEN.\n\
                  `mcp-registry check` shows what is in force. All settings: docs/configuration.md.\n\n\
                  To see the whole product work on one machine: mcp-registry demo"
)]
pub struct Cli {
    /// The configuration file [default: registry.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API and the pages, and register clients, in one process
    Serve(Serve),
    /// Only register clients: no listener (for deployments with several processes)
    Work,
    /// Bring the database up to date and record what all processes must agree on
    Migrate(Migrate),
    /// Print the OpenAPI document
    Openapi(Openapi),
    /// API keys
    #[command(subcommand)]
    Key(Key),
    /// Print the settings in force, secrets masked, and what is wrong with them
    Check,
    /// Show the whole product at work: registry and a sandbox upstream on this machine, nothing kept
    Demo(Demo),
    /// Serve an MCP server and its OAuth server on loopback, to try things on; they misbehave as told
    Sandbox(Sandbox),
    /// People
    #[command(subcommand)]
    User(User),
    /// Write a copy of an SQLite database, while others work
    Backup(Backup),
    /// Put a copy in the place of an SQLite database that nobody uses
    Restore(Restore),
    /// The audit log
    #[command(subcommand)]
    Audit(Audit),
    /// The keys that stored secrets are sealed with
    #[command(subcommand)]
    Seal(Seal),
}

/// Options of `serve`.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Serve {
    /// Leave registering to `mcp-registry work` in other processes
    #[arg(long)]
    pub no_worker: bool,
}

/// Options of `migrate`.
#[derive(Args, Clone, Copy, Debug)]
pub struct Migrate {
    /// End a rollout of changed settings: from now on only processes with the settings in force are in service
    #[arg(long, conflicts_with = "put_back")]
    pub finish_rollout: bool,
    /// Put the settings of before a rollout back in force: run it with those settings
    #[arg(long)]
    pub put_back: bool,
}

/// Options of `openapi`.
#[derive(Args, Debug)]
pub struct Openapi {
    /// Print nothing; exit 1 if FILE is not exactly this document
    #[arg(long, value_name = "FILE", conflicts_with = "write")]
    pub check: Option<PathBuf>,
    /// Write the document to FILE instead
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
}

/// Subcommands of `key`.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make an API key and print it, and nothing else; it is shown only this once
    Create(NewKey),
}

/// Options of `key create`.
#[derive(Args, Debug)]
pub struct NewKey {
    /// What the key is called in lists and in the audit log
    #[arg(long)]
    pub name: String,
    /// admin, manager, viewer or gateway
    #[arg(long, value_parser = role)]
    pub role: Role,
    /// Bind the key to one workspace (slug or id) [default: the whole organisation]
    #[arg(long)]
    pub workspace: Option<String>,
}

/// Options of `demo`.
#[derive(Args, Clone, Copy, Debug)]
pub struct Demo {
    /// End after the printout instead of staying up until Ctrl-C; exit 1 if any step failed
    #[arg(long)]
    pub once: bool,
}

/// Options of `sandbox`.
#[derive(Args, Debug)]
pub struct Sandbox {
    /// How it misbehaves, as JSON, for example {"registration_refusal": {"status": 403, "error": "access_denied"}};
    /// a line on standard input changes it, and its end ends the sandbox
    #[arg(long, value_name = "JSON")]
    pub quirks: Option<String>,
    /// The port [default: a free one]
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

/// Subcommands of `user`.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Print a link that signs a person in once; somebody new becomes an admin while nobody can sign in, else a viewer
    Link(Link),
    /// Break glass: make this person an admin again, active, without password and sessions, and print a one-time link
    Reset(Reset),
}

/// Options of `user reset`.
#[derive(Args, Debug)]
pub struct Reset {
    /// The person's e-mail address
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
    /// The copy, as `backup` wrote it
    pub file: PathBuf,
    /// Replace a database that exists; it is kept beside the new one
    #[arg(long)]
    pub replace: bool,
    /// Bring everything back as it was in the copy: also keys, people, roles and sessions that were ended since
    #[arg(long)]
    pub as_it_was: bool,
    /// Revoke every API key of the copy that was made at or after this moment (RFC 3339, or `all`), and end all sessions
    #[arg(long, value_name = "TIMESTAMP", value_parser = since, conflicts_with = "as_it_was")]
    pub revoke_keys_since: Option<Timestamp>,
    /// Restore although sealing keys are lost: what they sealed must be entered again
    #[arg(long)]
    pub accept_lost_keys: bool,
}

/// Subcommands of `audit`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check that no event was changed, added or removed since it was written; exit 1 and name the first that was, 3 when
    /// something could not be checked
    Verify(VerifyAudit),
    /// Sign the log from now on with a new key, as it is now: when `verify` complains and you know why; on record
    Restart,
}

/// Options of `audit verify`.
#[derive(Args, Debug)]
pub struct VerifyAudit {
    /// A key, in hex, that signed points must be signed with, as an earlier run printed it; may be given several times
    #[arg(long, value_name = "HEX")]
    pub public_key: Vec<String>,
    /// An event that must be there, `NUMBER:HASH`, as an earlier run printed the last one
    #[arg(long, value_name = "NUMBER:HASH")]
    pub contains: Option<String>,
}

/// Subcommands of `seal`.
#[derive(Debug, Subcommand)]
pub enum Seal {
    /// Print a new key, as a line for the key file
    NewKey,
    /// Open every stored secret; say which key seals how many, and what is lost where a key is missing
    Status,
    /// Put every stored secret under the first key, while others go on serving; may be interrupted and run again
    Rotate,
    /// Say that a key is lost for good, so that processes without it serve again
    Abandon(Abandon),
}

/// Options of `seal abandon`.
#[derive(Args, Debug)]
pub struct Abandon {
    /// The key's id, as `seal status` shows it
    pub key: String,
}

/// Options of `user link`.
#[derive(Args, Debug)]
pub struct Link {
    /// The person's e-mail address
    #[arg(long)]
    pub email: String,
    /// What somebody new may do: admin, manager or viewer [default: admin for the first, then viewer]
    #[arg(long, value_parser = role)]
    pub role: Option<Role>,
}

fn since(text: &str) -> Result<Timestamp, String> {
    if text == "all" {
        return Ok(Timestamp::UNIX_EPOCH);
    }
    DateTime::parse_from_rfc3339(text)
        .map(|moment| moment.to_utc())
        .map_err(|_| "write a moment such as 2026-11-23T08:00:00Z, or `all`".to_owned())
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "there are the roles admin, manager, viewer and gateway".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_role_is_one_of_ours() {
        let typed =
            |role| Cli::try_parse_from(["mcp-registry", "key", "create", "--name", "n", "--role", role]);
        assert!(typed("gateway").is_ok());
        assert!(typed("root").is_err_and(|error| error.to_string().contains("manager")));
    }
}
