//! `mcp-registry user …`.

use super::{Failed, open_without_keys, print};
use crate::cli::{Link, Reset};
use crate::config::Config;
use registry::{Door, Origin, Registry};
use registry_core::permission::Role;

/// Prints a link that signs a person in once.
pub(super) async fn link(config: &Config, options: &Link) -> Result<(), Failed> {
    let registry = open_without_keys(config).await?;
    print(sign_in_link(&registry, &base(config), &options.email, options.role).await?)
}

/// Makes an admin of a person, whatever became of them, and prints a link that signs them in once.
pub(super) async fn reset(config: &Config, options: &Reset) -> Result<(), Failed> {
    let registry = open_without_keys(config).await?;
    let token = registry.reset_person(&options.email, Origin::new(Door::Cli)).await?;
    print(address(&base(config), &token))
}

fn base(config: &Config) -> String {
    config.server.public_url.clone().unwrap_or_else(|| format!("http://{}", config.server.listen))
}

fn address(base: &str, token: &str) -> String {
    format!("{base}/ui/sign-in/link?token={token}")
}

/// A one-time link for `email` below the deployment's `base` URL. A secret: whoever has it is signed in.
pub(super) async fn sign_in_link(
    registry: &Registry,
    base: &str,
    email: &str,
    role: Option<Role>,
) -> Result<String, Failed> {
    let token = registry.create_sign_in_link_as(email, role, Origin::new(Door::Cli)).await?;
    Ok(address(base, &token))
}
