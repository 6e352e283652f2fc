//! The guarded client of this configuration.

use crate::config::Config;
use registry_core::egress::EgressPolicy;
use registry_outbound::{Guarded, Limits};
use std::fs;
use std::time::Duration;

/// The client for upstreams: what may be reached, how long a request may take, whose certificates are trusted.
pub(crate) fn guarded(config: &Config, policy: EgressPolicy) -> Result<Guarded, String> {
    let total = Duration::from_secs(config.worker.request_timeout);
    let limits = Limits { total, connect: Limits::default().connect.min(total) };
    let guarded = Guarded::new(policy, limits);
    let Some(path) = &config.egress.ca_file else { return Ok(guarded) };
    let failed = |what: &dyn std::fmt::Display| format!("The certificate file {}: {what}.", path.display());
    let pem = fs::read(path).map_err(|error| failed(&error))?;
    guarded.trusting(&pem).map_err(|error| failed(&error))
}
