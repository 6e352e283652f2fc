//! `mcp-registry migrate`.

use super::{Failed, open};
use crate::config::Config;

/// Brings the schema up to date and records the deployment's values.
pub(super) async fn run(config: &Config) -> Result<(), Failed> {
    let registry = open(config).await?;
    registry.migrate().await?;
    tracing::info!("the database is up to date");
    Ok(())
}
