//! `mcp-registry key create`.

use super::database::open_existing;
use super::{CommandError, print};
use crate::cli::NewKey;
use crate::config::Config;
use registry::NewApiKey;
use registry_core::slug::Reference;

/// Creates an API key and prints only the key on standard output.
pub(super) async fn create(config: &Config, options: NewKey) -> Result<(), CommandError> {
    let registry = open_existing(config).await?.registry;
    let created = registry
        .api_keys()
        .create(
            &registry.operator(),
            NewApiKey {
                name: options.name,
                role: options.role,
                scopes: Vec::new(),
                workspace: options.workspace.as_deref().map(Reference::parse),
                expires_at: None,
                reason: None,
            },
        )
        .await?;
    print(created.key)
}
