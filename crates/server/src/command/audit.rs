//! `mcp-registry audit verify`.

use super::{Failed, open_ready, print};
use crate::cli::VerifyAudit;
use crate::config::Config;

/// Says what the log's chain came to; fails where it breaks.
pub(super) async fn verify(config: &Config, options: &VerifyAudit) -> Result<(), Failed> {
    let registry = open_ready(config).await?;
    let verdict = registry.verify_audit(&registry.operator(), options.public_key.as_deref()).await?;
    if let Some(broken) = verdict.broken {
        return Err(Failed::new(format!(
            "The audit log breaks at number {}: {}.",
            broken.number, broken.why
        )));
    }
    match verdict.first {
        Some(first) => print(format_args!(
            "{} events, {first} to {}, are linked; {} signed points agree",
            verdict.events, verdict.last, verdict.checkpoints
        ))?,
        None => print("no events")?,
    }
    for key in &verdict.public_keys {
        print(format_args!("signed with {key}"))?;
    }
    Ok(())
}
