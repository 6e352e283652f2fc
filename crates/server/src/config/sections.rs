//! Every setting, with its default. `docs/configuration.md` documents them; a test compares the two.

use super::auth::Auth;
use super::redact::{DatabaseUrl, secret_list};
use registry_core::metadata::Branding;
use registry_core::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole configuration. `Default` is what runs with no configuration at all.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The listener and how it is reached.
    pub server: Server,
    /// Where everything is kept.
    pub database: Database,
    /// Where gateways are reached.
    pub gateway: Gateway,
    /// Client ID Metadata Documents.
    pub cimd: Cimd,
    /// The lowest layer of client metadata.
    pub branding: Branding,
    /// What may be reached although private.
    pub egress: Egress,
    /// The registration worker.
    pub worker: Worker,
    /// Authentication besides API keys.
    pub auth: Auth,
    /// The keys that secrets are sealed with.
    pub sealing: Sealing,
    /// Rate and concurrency limits.
    pub limits: RequestLimits,
    /// Secrets that integrations may name, kept elsewhere.
    pub secrets: BTreeMap<String, DeclaredSecret>,
    /// The vault that some of them are kept in.
    pub vault: Vault,
    /// The audit log.
    pub audit: Audit,
    /// How long history is kept.
    pub retention: Retention,
    /// The pages.
    pub ui: Ui,
    /// What is logged, and how.
    pub log: Log,
}

/// Section `server`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port; port 0 takes a free one.
    pub listen: String,
    /// The URL of this deployment, without trailing slash; unset: `http://` and the listen address.
    pub public_url: Option<String>,
    /// Threads that serve requests; unset: one per processor.
    pub workers: Option<usize>,
    /// Whether session cookies are for https only; unset: yes exactly when `public_url` is https.
    pub secure_cookies: Option<bool>,
    /// Proxies (addresses or networks) whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<String>,
    /// `max-age` of HSTS in seconds (RFC 6797); unset: no header.
    pub hsts: Option<u64>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: None,
            workers: None,
            secure_cookies: None,
            hsts: None,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Server {
    /// Whether session cookies are for https only.
    pub fn cookies_are_secure(&self) -> bool {
        self.secure_cookies
            .unwrap_or_else(|| self.public_url.as_deref().is_some_and(|url| url.starts_with("https://")))
    }
}

/// Section `database`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite://<file>?mode=rwc` or `postgres://…`, also with several hosts.
    pub url: DatabaseUrl,
    /// A PostgreSQL replica that answers lists for users.
    pub read_url: Option<DatabaseUrl>,
    /// The most connections one process opens to PostgreSQL, and as many to the replica.
    pub max_connections: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: DatabaseUrl::from("sqlite://./data/registry.sqlite?mode=rwc".to_owned()),
            read_url: None,
            max_connections: 10,
        }
    }
}

/// Section `gateway`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gateway {
    /// One URL per gateway deployment, without trailing slash, or its whole callback; all https or all loopback.
    pub urls: Vec<String>,
    /// The most mebibytes of documents that one process holds in memory for gateways.
    pub memory: usize,
    /// The control plane of the open gateway.
    pub portkey: Portkey,
}

/// Section `gateway.portkey`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Portkey {
    /// Whether `/v2` is served.
    pub enabled: bool,
    /// The gateways that are told of changes with `POST /sync`; empty: those of `gateway.urls`.
    pub sync_urls: Vec<String>,
    /// Their `MCP_SYNC_AUTH_TOKEN`; unset, and no file: they are not told.
    pub sync_token: Option<Secret>,
    /// A file with that token instead.
    pub sync_token_file: Option<PathBuf>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self { urls: vec!["http://localhost:8787".to_owned()], memory: 512, portkey: Portkey::default() }
    }
}

/// Section `cimd`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cimd {
    /// The public https base URL of Client ID Metadata Documents; unset: not offered to authorization servers.
    pub public_url: Option<String>,
}

/// Section `egress`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Egress {
    /// Host names and networks (CIDR) that may be reached although their addresses are private.
    pub allow: Vec<String>,
    /// Whether upstreams on this machine may be reached, over plain http too. For development.
    pub allow_http_loopback: bool,
    /// A PEM file with certificate authorities that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// Section `worker`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Registrations worked on at the same time.
    pub concurrency: usize,
    /// Interval in milliseconds between polls for due registrations.
    pub poll_ms: u64,
    /// Seconds one request to an upstream may take.
    pub request_timeout: u64,
    /// Seconds to wait before a registration whose answer was lost is repeated, once.
    pub unconfirmed_pause: u64,
    /// How often one authorization server is asked, by all workers together.
    pub issuer_rate: IssuerRate,
    /// Seconds between two discoveries for a registered client.
    pub rediscover_every: u64,
    /// Seconds after which a client that no gateway ever fetched is checked, or replaced.
    pub refresh_unused_after: u64,
    /// Seconds that a replaced client drains before it is deregistered.
    pub drain_for: u64,
    /// Seconds that a client is kept after access to it was switched off.
    pub withdraw_after: u64,
    /// Seconds between two replacements that gateways' reports may lead to.
    pub replace_cooldown: u64,
    /// Minimum age of a client secret in seconds before it is renewed.
    pub least_secret_life: u64,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            concurrency: 16,
            poll_ms: 1000,
            request_timeout: 10,
            unconfirmed_pause: 60,
            issuer_rate: IssuerRate::default(),
            rediscover_every: 86_400,
            refresh_unused_after: 2_592_000,
            drain_for: 604_800,
            withdraw_after: 2_592_000,
            replace_cooldown: 3_600,
            least_secret_life: 600,
        }
    }
}

/// Section `worker.issuer_rate`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct IssuerRate {
    /// Burst size, in requests.
    pub burst: u32,
    /// Requests per minute; half as many for an hour after each 429.
    pub per_minute: u32,
}

impl Default for IssuerRate {
    fn default() -> Self {
        Self { burst: 10, per_minute: 10 }
    }
}

/// Section `sealing`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sealing {
    /// A file with one key per line; with SQLite and nothing set: `sealing.key` beside the database, made on first use.
    pub key_file: Option<PathBuf>,
    /// A program and its arguments, run without a shell, that prints such lines: for keys kept in a vault.
    pub key_command: Vec<String>,
    /// The keys themselves, for the environment: `<id>:<base64 of 32 bytes>`.
    #[serde(deserialize_with = "secret_list")]
    pub keys: Vec<Secret>,
}

/// Section `limits`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestLimits {
    /// Burst size of one key, token or session, in requests.
    pub burst: u32,
    /// Requests per second of one key, token or session.
    pub per_second: u32,
    /// Maximum concurrent requests; further ones get 503. Gateways are not counted.
    pub at_once: usize,
    /// Seconds one request may take.
    pub seconds: u64,
    /// Maximum open connections; further ones wait.
    pub connections: usize,
    /// Maximum concurrent watch connections of one gateway key; further ones get 429.
    pub followers: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { burst: 500, per_second: 100, at_once: 256, seconds: 60, connections: 10_000, followers: 1_000 }
    }
}

/// One of the section `secrets`: `[secrets.<name>]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeclaredSecret {
    /// The variable that holds it.
    pub env: Option<String>,
    /// The file that contains the secret; read again for each use.
    pub file: Option<PathBuf>,
    /// Where it is in the vault: `<mount>/<path>` of a KV secrets engine, version 2.
    pub vault: Option<String>,
    /// Slugs of the workspaces that may use it; unset: all, and integrations of the organisation.
    pub workspaces: Option<Vec<String>>,
    /// Hosts of MCP servers it may be sent to; empty: any.
    pub hosts: Vec<String>,
}

/// The source of a declared secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// No source, or several: a configuration error.
    Missing,
    /// In this variable.
    Variable(String),
    /// In this file.
    File(PathBuf),
    /// At this path of the vault.
    Vault(String),
}

impl DeclaredSecret {
    /// Where it is kept.
    pub fn source(&self) -> SecretSource {
        match (&self.env, &self.file, &self.vault) {
            (Some(variable), None, None) => SecretSource::Variable(variable.clone()),
            (None, Some(file), None) => SecretSource::File(file.clone()),
            (None, None, Some(path)) => SecretSource::Vault(path.clone()),
            _ => SecretSource::Missing,
        }
    }
}

/// Section `vault`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vault {
    /// The address of HashiCorp Vault.
    pub address: Option<String>,
    /// The namespace there, where there are namespaces.
    pub namespace: Option<String>,
    /// The token; better a file that an agent renews.
    pub token: Option<Secret>,
    /// A file with the token; read again for each use.
    pub token_file: Option<PathBuf>,
}

/// Section `audit`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Minimum retention of audit events in days; unset: forever.
    pub keep_days: Option<u32>,
}

/// Section `retention`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Minimum retention of attempts in days; the newest 50 of each registration are kept longer.
    pub attempts_days: u32,
    /// Minimum retention of rollouts that ended, in days.
    pub rollouts_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { attempts_days: 90, rollouts_days: 365 }
    }
}

/// Section `ui`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ui {
    /// Leaves out what npm built (live filters, the JSON editor with completion), although it may be in the binary.
    pub basic: bool,
}

/// Section `log`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,registration_worker=debug`.
    pub level: String,
    /// The format of log lines.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", rename_all = "lowercase")]
pub enum LogFormat {
    /// Human-readable.
    Text,
    /// One JSON object per line, for machines.
    Json,
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is not a log format; use `text` or `json`")),
        }
    }
}
