//! `mcp-registry seal …`: the encryption keys of stored secrets.

use super::database::{OpenedDatabase, open_existing};
use super::{CommandError, print};
use crate::cli::Seal;
use crate::config::Config;
use registry::{Registry, SealingKey, SealingKeyUse};

/// Prints a new key. A secret.
pub(super) fn new_key() -> Result<(), CommandError> {
    print(SealingKey::generate()?.to_line())
}

pub(super) async fn run(config: &Config, command: Seal) -> Result<(), CommandError> {
    let OpenedDatabase { registry, lost } = open_existing(config).await?;
    match command {
        Seal::NewKey => new_key(),
        Seal::Status => status(&registry, lost.is_some()).await,
        Seal::Rotate => match lost {
            Some(why) => Err(CommandError::new(format!("{why} Nothing was changed."))),
            None => rotate(&registry).await,
        },
        Seal::Abandon(_) if lost.is_some() => Err(CommandError::new(format!(
            "{} First put a new key there (`mcp-registry seal new-key` prints one); then abandon the old one.",
            lost.unwrap_or_default()
        ))),
        Seal::Abandon(options) => {
            let lost = registry.secrets().abandon_key(&registry.operator(), &options.key).await?;
            print(format_args!(
                "abandoned {}: {lost} secrets are lost until they are entered again",
                options.key
            ))
        }
    }
}

/// Prints a line for each key, then one for each secret that cannot be decrypted; fails if there is one.
async fn status(registry: &Registry, lost: bool) -> Result<(), CommandError> {
    let mut keys = registry.secrets().keys(&registry.operator()).await?;
    // The placeholder for missing keys is not a key.
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
    Err(CommandError::new(format!(
        "{unreadable} secrets cannot be decrypted. Bring back the missing keys; if they are lost, run `mcp-registry seal abandon <id>`, then enter the listed secrets again."
    )))
}

async fn rotate(registry: &Registry) -> Result<(), CommandError> {
    let done = registry.secrets().reseal(&registry.operator()).await?;
    print(format_args!("{} secrets re-encrypted", done.values))?;
    if done.left > 0 {
        return Err(CommandError::new(format!(
            "{} secrets are encrypted with missing keys; `mcp-registry seal status` names them.",
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
