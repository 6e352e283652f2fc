//! `mcp-registry audit verify`.

use super::database::visit;
use super::{Failed, print};
use crate::cli::VerifyAudit;
use crate::config::Config;

/// Says what the log's chain came to; fails where it breaks.
pub(super) async fn verify(config: &Config, options: &VerifyAudit) -> Result<(), Failed> {
    let registry = visit(config).await?.registry;
    let verdict = registry.verify_audit(&registry.operator(), &options.public_key).await?;
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
        if !removed && registry.audit_hash(&registry.operator(), number).await?.as_deref() != Some(hash) {
            return Err(Failed::new(format!(
                "Number {number} is not the event that was noted: the log was changed."
            )));
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
    Ok(())
}
