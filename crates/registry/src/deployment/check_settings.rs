//! Validation of all settings, before a deployment is opened.

use crate::Settings;
use crate::identity::bearer::verifier::BearerAuthenticator;
use registry_core::finding::{Finding, Findings};

impl Settings {
    /// The findings about these settings; pointers name the configuration key (`/gateway/urls/0`).
    pub fn check(&self) -> Findings {
        let mut findings = self.check_values();
        if let Some(jwt) = &self.jwt
            && let Err(message) = BearerAuthenticator::new(jwt)
        {
            findings.push(Finding::error("/auth/jwt", "invalid_value", message));
        }
        findings
    }
}
