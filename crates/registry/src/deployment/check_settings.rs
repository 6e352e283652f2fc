//! The check of all settings, before a deployment is opened with them.

use crate::Settings;
use crate::identity::bearer::verifier::TokenKeys;
use registry_core::finding::{Finding, Findings};

impl Settings {
    /// What is wrong with these settings; pointers name the configuration key (`/gateway/urls/0`).
    pub fn check(&self) -> Findings {
        let mut findings = self.check_values();
        if let Some(jwt) = &self.jwt
            && let Err(message) = TokenKeys::new(jwt)
        {
            findings.push(Finding::error("/auth/jwt", "invalid_value", message));
        }
        findings
    }
}
