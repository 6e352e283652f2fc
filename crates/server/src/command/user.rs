//! `mcp-registry user …`.

use super::database::{say, visit};
use super::{Failed, print};
use crate::cli::{Link, Reset};
use crate::config::Config;
use registry::{Door, Origin, Registry};
use registry_core::permission::Role;

/// Prints a link that signs a person in once.
pub(super) async fn link(config: &Config, options: &Link) -> Result<(), Failed> {
    let registry = visit(config).await?.registry;
    let base = base(config, &registry).await?;
    print(sign_in_link(&registry, &base, &options.email, options.role).await?)
}

/// Makes an admin of a person, whatever became of them, and prints a link that signs them in once.
pub(super) async fn reset(config: &Config, options: &Reset) -> Result<(), Failed> {
    let registry = visit(config).await?.registry;
    let base = base(config, &registry).await?;
    let token = registry.users().reset(&options.email, Origin::new(Door::Cli)).await?;
    print(address(&base, &token))
}

/// Where the deployment is reached: as configured here, else as the process that serves noted it.
async fn base(config: &Config, registry: &Registry) -> Result<String, Failed> {
    let noted = registry.deployment().recorded_address().await?;
    let own = config.server.public_url.clone();
    if let (Some(own), Some(noted)) = (&own, &noted)
        && own != noted
    {
        say(format_args!(
            "warning: `server.public_url` is {own} here, but the deployment serves at {noted}. The link below is for {own}."
        ));
    }
    Ok(own.or(noted).unwrap_or_else(|| format!("http://{}", config.server.listen)))
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
    let token = registry.users().create_sign_in_link_as(email, role, Origin::new(Door::Cli)).await?;
    Ok(address(base, &token))
}
