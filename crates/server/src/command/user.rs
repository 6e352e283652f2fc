//! `mcp-registry user link`.

use super::{Failed, open_ready, print};
use crate::cli::Link;
use crate::config::Config;
use registry::{Door, Origin, Registry};
use registry_core::permission::Role;

/// Prints a link that signs a person in once.
pub(super) async fn link(config: &Config, options: &Link) -> Result<(), Failed> {
    let registry = open_ready(config).await?;
    let base = match &config.server.public_url {
        Some(url) => url.clone(),
        None => format!("http://{}", config.server.listen),
    };
    print(sign_in_link(&registry, &base, &options.email, options.role).await?)
}

/// A one-time link for `email` below the deployment's `base` URL. A secret: whoever has it is signed in.
pub(super) async fn sign_in_link(
    registry: &Registry,
    base: &str,
    email: &str,
    role: Option<Role>,
) -> Result<String, Failed> {
    let token = registry.create_sign_in_link_as(email, role, Origin::new(Door::Cli)).await?;
    Ok(format!("{base}/ui/sign-in/link?token={token}"))
}
