//! `mcp-registry seal …`: the keys that stored secrets are sealed with.

use super::{Failed, open, open_with_what_is_there, print};
use crate::cli::Seal;
use crate::config::Config;
use registry::{Registry, SealingKey, SealingKeyUse};

/// Prints a fresh key. A secret.
pub(super) fn new_key() -> Result<(), Failed> {
    print(SealingKey::generate()?.to_line())
}

pub(super) async fn run(config: &Config, command: Seal) -> Result<(), Failed> {
    let registry = match command {
        Seal::Rotate => open(config).await?,
        // What a lost key costs must be said without it.
        _ => open_with_what_is_there(config, config.database.url.expose()).await?,
    };
    match command {
        Seal::NewKey => new_key(),
        Seal::Status => status(&registry).await,
        Seal::Rotate => rotate(&registry).await,
        Seal::Abandon(options) => {
            let lost = registry.abandon_sealing_key(&registry.operator(), &options.key).await?;
            print(format_args!(
                "given up {}: {lost} secrets are lost until they are entered again",
                options.key
            ))
        }
    }
}

/// A line for each key, then one for each secret that cannot be opened; fails if there is one.
async fn status(registry: &Registry) -> Result<(), Failed> {
    let keys = registry.sealing_keys(&registry.operator()).await?;
    for key in &keys {
        let place = match key {
            SealingKeyUse { present: false, .. } => "MISSING",
            SealingKeyUse { primary: true, .. } => "seals and opens",
            _ => "opens",
        };
        print(format_args!("{}: {place}; {} secrets, {} unreadable", key.id, key.values, key.unreadable))?;
        for cost in &key.costs {
            print(format_args!("  lost: {cost}"))?;
        }
    }
    let unreadable: u64 = keys.iter().map(|key| key.unreadable).sum();
    if unreadable == 0 {
        return Ok(());
    }
    Err(Failed::new(format!(
        "{unreadable} secrets cannot be opened. Bring the missing keys back; if they are gone for good, run `mcp-registry seal abandon <id>`, then enter what is listed again."
    )))
}

async fn rotate(registry: &Registry) -> Result<(), Failed> {
    let done = registry.reseal(&registry.operator()).await?;
    print(format_args!("{} secrets are sealed anew", done.values))?;
    if done.left > 0 {
        return Err(Failed::new(format!(
            "{} secrets are under keys that are not here; `mcp-registry seal status` names them.",
            done.left
        )));
    }
    let keys = registry.sealing_keys(&registry.operator()).await?;
    let free: Vec<_> =
        keys.iter().filter(|key| key.values == 0 && !key.primary).map(|key| &*key.id).collect();
    if !free.is_empty() {
        print(format_args!("no longer needed: {}", free.join(", ")))?;
    }
    Ok(())
}
