//! `mcp-registry audit …`.

use super::database::visit;
use super::{Failed, print};
use crate::cli::VerifyAudit;
use crate::config::Config;

/// Says what the log's chain came to; fails where it breaks.
pub(super) async fn verify(config: &Config, options: &VerifyAudit) -> Result<(), Failed> {
    let registry = visit(config).await?.registry;
    let verdict = registry.audit().verify(&registry.operator(), &options.public_key).await?;
    if let Some(broken) = verdict.broken {
        return Err(Failed::new(format!(
            "The audit log breaks at number {}: {}.",
            broken.number, broken.why
        )));
    }
    if let Some(noted) = &options.contains {
        let odd = || Failed::new("`--contains` takes `NUMBER:HASH`, as an earlier run printed it.");
        let (number, hash) = noted.split_once(':').ok_or_else(odd)?;
        let number: i64 = number.parse().map_err(|_| odd())?;
        // What was removed behind a signed point cannot be compared any more.
        let removed = verdict.first.is_some_and(|first| number < first);
        if !removed && registry.audit().hash_of(&registry.operator(), number).await?.as_deref() != Some(hash)
        {
            return Err(Failed::new(match verdict.restored {
                Some(event) => format!(
                    "Number {number} is not the event that was noted. This database was restored from a copy (event {event} says so): events that were noted between that copy and the restoration are in the database that was kept beside it. Otherwise the log was changed."
                ),
                None => format!("Number {number} is not the event that was noted: the log was changed."),
            }));
        }
    }
    match verdict.first {
        Some(first) => print(format_args!(
            "{} events, {first} to {}, are linked; {} signed points agree",
            verdict.events, verdict.last, verdict.checkpoints
        ))?,
        None => print("no events")?,
    }
    print(format_args!("last {}:{}", verdict.last, verdict.last_hash))?;
    for key in &verdict.public_keys {
        print(format_args!("signed with {key}"))?;
    }
    if let Some(event) = verdict.restored {
        print(format_args!("restored from a copy: event {event}"))?;
    }
    if verdict.unchecked.is_empty() {
        return Ok(());
    }
    Err(Failed::unchecked(format!(
        "Nothing wrong was found, but this could not be checked. {}",
        verdict.unchecked.join(" ")
    )))
}

/// Signs the log from now on with a new key.
pub(super) async fn restart(config: &Config) -> Result<(), Failed> {
    let registry = visit(config).await?.registry;
    registry.deployment().check_keys().await?;
    registry.audit().restart(&registry.operator()).await?;
    print(
        "The audit log is signed with a new key from now on. Note the public key that `mcp-registry audit verify` prints tomorrow.",
    )
}
