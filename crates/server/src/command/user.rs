//! `mcp-registry user …`.

use super::database::{open_existing, print_remark};
use super::{CommandError, print};
use crate::cli::{Link, Reset};
use crate::config::Config;
use registry::{Channel, Registry, RequestContext};
use registry_core::permission::Role;

/// Prints a one-time sign-in link for a user.
pub(super) async fn link(config: &Config, options: &Link) -> Result<(), CommandError> {
    let registry = open_existing(config).await?.registry;
    let base = base(config, &registry).await?;
    print(sign_in_link(&registry, &base, &options.email, options.role).await?)
}

/// Makes a user an active admin, and prints a one-time sign-in link.
pub(super) async fn reset(config: &Config, options: &Reset) -> Result<(), CommandError> {
    let registry = open_existing(config).await?.registry;
    let base = base(config, &registry).await?;
    let token = registry.users().reset(&options.email, RequestContext::new(Channel::Cli)).await?;
    print(address(&base, &token))
}

/// The URL of the deployment: as configured here, otherwise as recorded by the serving process.
async fn base(config: &Config, registry: &Registry) -> Result<String, CommandError> {
    let noted = registry.deployment().recorded_address().await?;
    let own = config.server.public_url.clone();
    if let (Some(own), Some(noted)) = (&own, &noted)
        && own != noted
    {
        print_remark(format_args!(
            "warning: `server.public_url` is {own} here, but the deployment serves at {noted}. The link below is for {own}."
        ));
    }
    Ok(own.or(noted).unwrap_or_else(|| format!("http://{}", config.server.listen)))
}

fn address(base: &str, token: &str) -> String {
    format!("{base}/ui/sign-in/link?token={token}")
}

/// A one-time link for `email` below the deployment's `base` URL. The link is a secret: it signs in its bearer.
pub(super) async fn sign_in_link(
    registry: &Registry,
    base: &str,
    email: &str,
    role: Option<Role>,
) -> Result<String, CommandError> {
    let token =
        registry.users().create_sign_in_link_as(email, role, RequestContext::new(Channel::Cli)).await?;
    Ok(address(base, &token))
}
