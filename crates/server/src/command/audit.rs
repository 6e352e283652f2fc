//! `mcp-registry audit …`.

use super::database::open_existing;
use super::{CommandError, print};
use crate::cli::VerifyAudit;
use crate::config::Config;

/// Verifies the hash chain and prints the result; fails where it breaks.
pub(super) async fn verify(config: &Config, options: &VerifyAudit) -> Result<(), CommandError> {
    let registry = open_existing(config).await?.registry;
    let verdict = registry.audit().verify(&registry.operator(), &options.public_key).await?;
    if let Some(broken) = verdict.broken {
        return Err(CommandError::new(format!(
            "The audit log breaks at number {}: {}.",
            broken.number, broken.why
        )));
    }
    if let Some(noted) = &options.contains {
        let odd = || CommandError::new("`--contains` takes `NUMBER:HASH`, as printed by an earlier run.");
        let (number, hash) = noted.split_once(':').ok_or_else(odd)?;
        let number: i64 = number.parse().map_err(|_| odd())?;
        // Events pruned behind a checkpoint cannot be compared.
        let removed = verdict.first.is_some_and(|first| number < first);
        if !removed && registry.audit().hash_of(&registry.operator(), number).await?.as_deref() != Some(hash)
        {
            return Err(CommandError::new(match verdict.restored {
                Some(event) => format!(
                    "Number {number} is not the given event. This database was restored from a backup (event {event}): events between the backup and the restoration are in the database that was kept next to it. Otherwise the log was changed."
                ),
                None => format!("Number {number} is not the given event: the log was changed."),
            }));
        }
    }
    match verdict.first {
        Some(first) => print(format_args!(
            "{} events, {first} to {}, form an unbroken chain; {} checkpoints are valid",
            verdict.events, verdict.last, verdict.checkpoints
        ))?,
        None => print("no events")?,
    }
    print(format_args!("last {}:{}", verdict.last, verdict.last_hash))?;
    for key in &verdict.public_keys {
        print(format_args!("signed with {key}"))?;
    }
    if let Some(event) = verdict.restored {
        print(format_args!("restored from a backup: event {event}"))?;
    }
    if verdict.unchecked.is_empty() {
        return Ok(());
    }
    Err(CommandError::unchecked(format!(
        "No problem was found, but this could not be checked. {}",
        verdict.unchecked.join(" ")
    )))
}

/// Starts signing the log with a new key.
pub(super) async fn restart(config: &Config) -> Result<(), CommandError> {
    let registry = open_existing(config).await?.registry;
    registry.deployment().check_keys().await?;
    registry.audit().restart(&registry.operator()).await?;
    print(
        "The audit log is now signed with a new key. Save the public key that `mcp-registry audit verify` prints tomorrow.",
    )
}
