//! Judges the sections `secrets` and `vault`.

use crate::config::{Config, SecretSource};
use registry::SecretReference;
use registry_core::finding::{Finding, Findings};
use registry_outbound::check_trusted_url;
use std::collections::BTreeMap;

impl Config {
    /// Who may use the declared secrets, and where they may be sent.
    pub(super) fn declared_secrets(&self, findings: &mut Findings) -> BTreeMap<String, SecretReference> {
        let mut refuse = |key: String, code: &'static str, why: String| {
            findings.push(Finding::error(key, code, why));
        };
        if let Some(address) = &self.vault.address {
            if let Err(why) = check_trusted_url(address) {
                refuse(
                    "/vault/address".to_owned(),
                    "invalid_url",
                    format!("`vault.address` may not be asked: {why}."),
                );
            }
            if self.vault.token.is_some() == self.vault.token_file.is_some() {
                let why = "Set one of `vault.token` and `vault.token_file`.".to_owned();
                refuse("/vault/token_file".to_owned(), "missing_value", why);
            }
        }
        let mut declared = BTreeMap::new();
        for (name, secret) in &self.secrets {
            match secret.source() {
                SecretSource::Missing => refuse(
                    format!("/secrets/{name}"),
                    "missing_value",
                    format!("`secrets.{name}` must set exactly one of `env`, `file` and `vault`."),
                ),
                SecretSource::Vault(_) if self.vault.address.is_none() => refuse(
                    format!("/secrets/{name}/vault"),
                    "missing_value",
                    format!("`secrets.{name}` is kept in a vault, but `vault.address` is not set."),
                ),
                SecretSource::Vault(path) if !path.contains('/') => refuse(
                    format!("/secrets/{name}/vault"),
                    "invalid_value",
                    format!(
                        "`secrets.{name}.vault` is written `<mount>/<path>`, e.g. \"secret/mcp/linear\"."
                    ),
                ),
                _ => {}
            }
            let reference =
                SecretReference { workspaces: secret.workspaces.clone(), hosts: secret.hosts.clone() };
            declared.insert(name.clone(), reference);
        }
        declared
    }
}
