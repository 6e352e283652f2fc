//! Removes from an upstream's answer every repetition of a secret that was sent to it or that it issued.

use super::answer::Issued;
use super::clean::clean;
use super::discovery::Discovery;
use super::failure::{Failure, FailureClass};
use crate::secret::Secret;
use serde_json::{Map, Value};

/// How many members that repeat a secret are named.
const MAX_NAMED: usize = 5;

impl Issued {
    /// Takes out what repeats one of `secrets` under another name, however it is written: the answer is kept, shown and
    /// handed to gateways. A `client_id` stays: stubs issue a secret equal to the id, and the id is no secret.
    pub fn hide(&mut self, secrets: &[Secret]) {
        let Self { response, warnings, .. } = self;
        hide_members(response, secrets, &["client_id"], warnings);
        if secrets.iter().any(|secret| secret.is_in_text(&self.token_endpoint_auth_method)) {
            let fallback = if self.client_secret.is_some() { "client_secret_basic" } else { "none" };
            fallback.clone_into(&mut self.token_endpoint_auth_method);
            self.warnings.push("`token_endpoint_auth_method` repeats a secret and is not kept.".to_owned());
        }
        for warning in &mut self.warnings {
            for secret in secrets {
                *warning = secret.scrub(warning);
            }
        }
    }
}

impl Discovery {
    /// Takes out what repeats one of `secrets`, which its servers may have been sent before. What cannot be left out is a
    /// failure.
    pub fn hide(&mut self, secrets: &[Secret]) -> Result<(), Failure> {
        let Self { metadata, protected_resource, warnings, .. } = self;
        let endpoints = ["authorization_endpoint", "token_endpoint"];
        let endpoints = endpoints.map(|name| metadata.contains_key(name).then_some(name));
        hide_members(metadata, secrets, &[], warnings);
        if let Some(resource) = protected_resource {
            hide_members(resource, secrets, &[], warnings);
        }
        self.scopes.retain(|scope| !secrets.iter().any(|secret| secret.is_in_text(scope)));
        self.challenge_scope = self
            .challenge_scope
            .take()
            .filter(|scope| !secrets.iter().any(|secret| secret.is_in_text(scope)));
        let needed = [
            Some(self.issuer.as_str()),
            Some(&self.resource),
            Some(&self.authorization_server_listed),
            Some(&self.metadata_url),
            self.protected_resource_url.as_deref(),
        ];
        let repeats = |text: &str| secrets.iter().any(|secret| secret.is_in_text(text));
        let whole = endpoints.into_iter().flatten().all(|name| self.metadata.contains_key(name));
        if whole && !needed.into_iter().flatten().any(repeats) {
            return Ok(());
        }
        Err(Failure::new(
            FailureClass::Security,
            "endpoint_not_allowed",
            "The metadata repeat a secret in an address that is needed, so they are not used. Ask the server's owner, and replace the secret.",
        ))
    }
}

/// Removes the members that repeat one of `secrets`, but for those in `kept`, and says so.
fn hide_members(
    members: &mut Map<String, Value>,
    secrets: &[Secret],
    kept: &[&str],
    warnings: &mut Vec<String>,
) {
    let mut hidden: Vec<String> = Vec::new();
    members.retain(|name, value| {
        let repeats = |secret: &Secret| secret.is_in_text(name) || secret.is_in(value);
        let stays = kept.contains(&name.as_str()) || !secrets.iter().any(repeats);
        if !stays {
            hidden.push(clean(name, 60));
        }
        stays
    });
    let more = hidden.len().saturating_sub(MAX_NAMED);
    warnings.extend(
        hidden.iter().take(MAX_NAMED).map(|name| format!("`{name}` repeats a secret and is not kept.")),
    );
    if more > 0 {
        warnings.push(format!("{more} more members repeat a secret and are not kept."));
    }
}
