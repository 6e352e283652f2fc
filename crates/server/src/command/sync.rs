//! `mcp-registry sync`: a caller of the API of a registry, which may be elsewhere. It needs no settings and no database.

use super::shutdown::ShutdownSignal;
use super::{CommandError, print};
use crate::cli::{SyncOptions, SyncTarget};
use crate::config::Log;
use crate::sync::admin_api::{AdminApi, AdminError};
use crate::sync::apply::{Outcome, Pass, apply};
use crate::sync::context_forge::ContextForge;
use crate::sync::export::{agent_gateway, litellm_config, portkey_local};
use crate::sync::litellm::LiteLlm;
use crate::sync::mark::Fingerprints;
use crate::sync::plan::Ownership;
use crate::sync::target::TargetGateway;
use crate::telemetry;
use mcp_registry_client::{Follower, FollowerOptions, GatewayDocument, Registry};
use registry_outbound::check_trusted_url;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Changes that come within this time are written together.
const SETTLE_INTERVAL: Duration = Duration::from_millis(200);
/// The first time between two passes that fail; it doubles.
const MIN_RETRY_INTERVAL: Duration = Duration::from_secs(1);
const MAX_RETRY_INTERVAL: Duration = Duration::from_mins(1);

/// Runs until the process is told to end; with `--once`, or for a file, until everything is written.
pub(super) async fn run(options: &SyncOptions, mut shutdown: ShutdownSignal) -> Result<(), CommandError> {
    telemetry::init(&Log::default());
    let key = secret(
        options.key_file.as_deref(),
        "SYNC_REGISTRY_KEY",
        "--key-file",
        "the API key of the registry",
    )?;
    for server in &options.server {
        check_trusted_url(server)
            .map_err(|why| CommandError::new(format!("Secrets are not read from {server}: {why}.")))?;
    }
    let source = Source::new(options, key)?;
    let work = async {
        if options.to.is_file() {
            return export(options, &source).await;
        }
        let target = target(options)?;
        let ownership = Ownership {
            owner: options.owner.clone(),
            fingerprints: Fingerprints::default(),
            rewrite: options.rewrite,
        };
        let documents = source.first_documents(options.wait).await?;
        if options.once || options.dry_run {
            let outcome = pass(options, target.as_ref(), &ownership, &documents, &mut BTreeSet::new()).await;
            let outcome = outcome.map_err(|error| CommandError::new(error.to_string()))?;
            return ended(&outcome, options.dry_run);
        }
        follow(options, &source, &ownership).await
    };
    tokio::select! {
        biased;
        () = shutdown.received() => Ok(()),
        () = source.follower.run() => Ok(()),
        ended = work => ended,
    }
}

/// The documents of the registry.
struct Source {
    follower: Follower,
    changed: Arc<Notify>,
    /// Why the registry does not answer, in its own words.
    trouble: Arc<Mutex<Option<String>>>,
}

impl Source {
    fn new(options: &SyncOptions, key: String) -> Result<Self, CommandError> {
        let file = options.key_file.clone();
        let key = move || match &file {
            Some(file) => {
                std::fs::read_to_string(file).map_or_else(|_| key.clone(), |text| text.trim().to_owned())
            }
            None => key.clone(),
        };
        let registry = Registry::new(&options.server, key)
            .map_err(|error| CommandError::new(format!("No HTTP client: {error}.")))?;
        let (changed, trouble) = (Arc::new(Notify::new()), Arc::new(Mutex::new(None)));
        let (tell, note) = (changed.clone(), trouble.clone());
        let follower_options = FollowerOptions {
            on_change: Box::new(move |_, _| tell.notify_one()),
            on_error: Box::new(move |error, pause| {
                tracing::warn!(%error, ?pause, "the registry does not answer; the documents at hand stay");
                *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }),
            ..FollowerOptions::default()
        };
        Ok(Self { follower: Follower::new(Arc::new(registry), follower_options), changed, trouble })
    }

    /// All documents, as soon as they were fetched once.
    async fn first_documents(&self, wait: Duration) -> Result<Vec<GatewayDocument>, CommandError> {
        tokio::time::timeout(wait, self.follower.ready()).await.map_err(|_| {
            let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let why = trouble.unwrap_or_else(|| "no answer".to_owned());
            CommandError::new(format!("The registry has not sent its servers within {wait:?}: {why}"))
        })?;
        Ok(self.documents())
    }

    fn documents(&self) -> Vec<GatewayDocument> {
        self.follower.documents().iter().map(|document| GatewayDocument::clone(document)).collect()
    }
}

/// Writes each change, and compares everything now and then; goes on whatever fails.
async fn follow(options: &SyncOptions, source: &Source, ownership: &Ownership) -> Result<(), CommandError> {
    print(format_args!("Following {}; Ctrl-C ends this.", options.server.join(", ")))?;
    let (mut failures, mut told_before) = (0_u32, BTreeSet::new());
    loop {
        let outcome = match target(options) {
            Ok(target) => {
                let documents = source.documents();
                pass(options, target.as_ref(), ownership, &documents, &mut told_before).await
            }
            Err(error) => Err(AdminError::unexpected(error.to_string())),
        };
        let pause = MIN_RETRY_INTERVAL.saturating_mul(2_u32.saturating_pow(failures.min(16)));
        let pause = pause.min(MAX_RETRY_INTERVAL);
        let pause = match outcome {
            Ok(Outcome { failed: 0, .. }) => {
                failures = 0;
                options.every
            }
            Ok(_) => {
                failures += 1;
                pause
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, ?pause, "the gateway was not written; it is tried again");
                // A change does not shorten this: the gateway may be down.
                tokio::time::sleep(pause).await;
                continue;
            }
        };
        // That the time is over is no failure.
        let _ = tokio::time::timeout(pause, source.changed.notified()).await;
        tokio::time::sleep(SETTLE_INTERVAL).await;
    }
}

/// One pass over all servers; prints what was done. What the pass before told too (`told`), such as a server that waits, is not printed again.
async fn pass(
    options: &SyncOptions,
    target: &dyn TargetGateway,
    ownership: &Ownership,
    documents: &[GatewayDocument],
    told: &mut BTreeSet<String>,
) -> Result<Outcome, AdminError> {
    let pass = Pass { dry_run: options.dry_run, allow_empty: options.allow_empty };
    let mut lines = Vec::new();
    let outcome = apply(target, ownership, documents, pass, &mut |line| lines.push(line)).await;
    for line in lines.iter().filter(|line| !told.contains(*line)) {
        // A reader that has gone away stops nothing.
        let _ = print(line);
    }
    *told = lines
        .into_iter()
        .filter(|line| ["wait ", "skip ", "FAILED "].iter().any(|kind| line.starts_with(kind)))
        .collect();
    outcome
}

/// The last line of `--once`, and the exit code.
fn ended(outcome: &Outcome, dry_run: bool) -> Result<(), CommandError> {
    let Outcome { written, unchanged, waiting, refused, failed } = *outcome;
    let would = if dry_run { "to write" } else { "written" };
    print(format_args!(
        "{written} {would}, {unchanged} unchanged, {waiting} waiting, {refused} skipped, {failed} failed"
    ))?;
    if failed > 0 {
        return Err(CommandError::new("Not all servers were written; see above."));
    }
    if refused > 0 {
        return Err(CommandError::unchecked("Some servers cannot be served by this gateway; see above."));
    }
    Ok(())
}

fn target(options: &SyncOptions) -> Result<Box<dyn TargetGateway>, CommandError> {
    let gateway = options.gateway.as_deref().unwrap_or_default();
    let token = secret(
        options.token_file.as_deref(),
        "SYNC_GATEWAY_TOKEN",
        "--token-file",
        "the token of the gateway's admin API",
    )?;
    let api = AdminApi::new(gateway, token).map_err(CommandError::new)?;
    Ok(match options.to {
        SyncTarget::Litellm => Box::new(LiteLlm::new(api)),
        _ => {
            Box::new(ContextForge::new(api, options.public_url.clone().unwrap_or_else(|| gateway.to_owned())))
        }
    })
}

/// Writes a static configuration.
async fn export(options: &SyncOptions, source: &Source) -> Result<(), CommandError> {
    let documents = source.first_documents(options.wait).await?;
    let (file, lines) = match options.to {
        SyncTarget::PortkeyLocal => portkey_local::render(&documents, options.with_secrets),
        SyncTarget::Agentgateway => agent_gateway::render(&documents, options.with_secrets),
        _ => litellm_config::render(&documents, options.with_secrets),
    };
    for line in lines {
        eprintln!("{line}");
    }
    match &options.output {
        None => print(format_args!("{file:#}")),
        Some(path) => write_file(path, &file)
            .map_err(|error| CommandError::new(format!("{} cannot be written: {error}.", path.display()))),
    }
}

/// Replaces the file in one step: a gateway that reads it never sees half of it. It may hold secrets.
fn write_file(path: &Path, file: &Value) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut writer = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    writeln!(writer, "{file:#}")?;
    writer.sync_all()?;
    std::fs::rename(&beside, path)
}

/// A secret from its file, or else from its variable.
#[expect(clippy::disallowed_methods, reason = "a client of a registry, without the settings of one")]
fn secret(file: Option<&Path>, variable: &str, option: &str, what: &str) -> Result<String, CommandError> {
    let text = match file {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| CommandError::new(format!("{} cannot be read: {error}.", file.display())))?,
        None => std::env::var(variable).unwrap_or_default(),
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(CommandError::new(format!(
            "Write {what} into a file and name it with {option}, or set {variable}."
        )));
    }
    Ok(text.to_owned())
}
