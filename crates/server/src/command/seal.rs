//! `mcp-registry seal …`: the keys that stored secrets are sealed with.

use super::database::{Visited, visit};
use super::{Failed, print};
use crate::cli::Seal;
use crate::config::Config;
use registry::{Registry, SealingKey, SealingKeyUse};

/// Prints a fresh key. A secret.
pub(super) fn new_key() -> Result<(), Failed> {
    print(SealingKey::generate()?.to_line())
}

pub(super) async fn run(config: &Config, command: Seal) -> Result<(), Failed> {
    let Visited { registry, lost } = visit(config).await?;
    match command {
        Seal::NewKey => new_key(),
        Seal::Status => status(&registry, lost.is_some()).await,
        Seal::Rotate => match lost {
            Some(why) => Err(Failed::new(format!("{why} Nothing was changed."))),
            None => rotate(&registry).await,
        },
        Seal::Abandon(_) if lost.is_some() => Err(Failed::new(format!(
            "{} First put a new key there (`mcp-registry seal new-key` prints one); then give the old one up.",
            lost.unwrap_or_default()
        ))),
        Seal::Abandon(options) => {
            let lost = registry.secrets().abandon_key(&registry.operator(), &options.key).await?;
            print(format_args!(
                "given up {}: {lost} secrets are lost until they are entered again",
                options.key
            ))
        }
    }
}

/// A line for each key, then one for each secret that cannot be opened; fails if there is one.
async fn status(registry: &Registry, lost: bool) -> Result<(), Failed> {
    let mut keys = registry.secrets().keys(&registry.operator()).await?;
    // What stands in for keys that are not here is nobody's.
    keys.retain(|key| !(lost && key.primary));
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
    let done = registry.secrets().reseal(&registry.operator()).await?;
    print(format_args!("{} secrets are sealed anew", done.values))?;
    if done.left > 0 {
        return Err(Failed::new(format!(
            "{} secrets are under keys that are not here; `mcp-registry seal status` names them.",
            done.left
        )));
    }
    let keys = registry.secrets().keys(&registry.operator()).await?;
    let free: Vec<_> =
        keys.iter().filter(|key| key.values == 0 && !key.primary).map(|key| &*key.id).collect();
    if !free.is_empty() {
        print(format_args!("no longer needed: {}", free.join(", ")))?;
    }
    Ok(())
}
