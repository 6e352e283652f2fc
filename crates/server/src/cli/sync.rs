//! Options of `sync`.

use crate::sync::mark::parse_owner;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Options of `sync`.
#[derive(Args, Debug)]
#[command(
    after_help = "The API key of the registry (role gateway) comes from --key-file or from the variable SYNC_REGISTRY_KEY, the token of\n\
                  the gateway's admin API from --token-file or SYNC_GATEWAY_TOKEN. Files are read before each use, so that what\n\
                  was rotated needs no restart.\n\n\
                  Exit code 0: all servers are there, or wait for their client. 1: something failed. 3: some servers cannot be\n\
                  served by this gateway; the output names them."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct SyncOptions {
    /// The gateway
    #[arg(long, value_enum)]
    pub to: SyncTarget,
    /// The registry; may be repeated for its replicas
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", value_delimiter = ',')]
    pub server: Vec<String>,
    /// The file with the API key of the registry
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The address of the gateway's admin API: https, or http on this machine
    #[arg(long, value_name = "URL", required_if_eq_any([("to", "litellm"), ("to", "contextforge")]))]
    pub gateway: Option<String>,
    /// The file with the token of the gateway's admin API
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The address at which users reach the gateway, to choose its callback [default: that of --gateway]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// The owner in the marks; entries of other owners are left alone
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = parse_owner)]
    pub owner: String,
    /// Print what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// End after the first pass instead of following the changes
    #[arg(long)]
    pub once: bool,
    /// Write all entries again, also those that have not changed
    #[arg(long, requires = "once")]
    pub rewrite: bool,
    /// Delete all entries of this owner if the registry has no server
    #[arg(long)]
    pub allow_empty: bool,
    /// How long the registry may take to answer at the start
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_seconds)]
    pub wait: Duration,
    /// How often the gateway is compared with the registry although nothing has changed
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = parse_seconds)]
    pub every: Duration,
    /// The file to write a static configuration to [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write secrets into a static configuration, in place of references to environment variables
    #[arg(long)]
    pub with_secrets: bool,
}

/// Gateways that servers can be written into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SyncTarget {
    /// LiteLLM, by its admin API; it needs a database
    Litellm,
    /// ContextForge, by its admin API
    Contextforge,
    /// `mcp_servers` of LiteLLM's configuration file
    LitellmConfig,
    /// `servers.json` of the open gateway without a control plane
    PortkeyLocal,
    /// The configuration of agentgateway
    Agentgateway,
}

impl SyncTarget {
    /// Whether a file is written, and no admin API called.
    pub fn is_file(self) -> bool {
        matches!(self, Self::LitellmConfig | Self::PortkeyLocal | Self::Agentgateway)
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err("write a number of seconds, at least 1".to_owned()),
    }
}
