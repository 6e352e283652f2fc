//! The sources of secrets that integrations name: variables, files, a vault.

use crate::config::{Config, SecretSource};
use futures_util::future::BoxFuture;
use registry::{SecretMembers, SecretStore, SecretText};
use registry_core::secret::Secret;
use registry_outbound::TrustedClient;
use reqwest::Method;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The most of a file.
const MAX_SECRET_FILE_BYTES: u64 = 512 * 1024;

/// The declared secrets, ready to be read. `Debug` shows none.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    sources: BTreeMap<String, SecretSource>,
    variables: BTreeMap<String, Secret>,
    vault: Option<Vault>,
    operator: TrustedClient,
}

/// `HashiCorp` Vault, the KV secrets engine, version 2.
#[derive(Clone, Debug)]
struct Vault {
    address: String,
    namespace: Option<String>,
    token: Option<Secret>,
    token_file: Option<PathBuf>,
}

impl Secrets {
    /// Those of this configuration.
    pub fn new(config: &Config, operator: TrustedClient) -> Self {
        let vault = &config.vault;
        Self {
            sources: config.secrets.iter().map(|(name, one)| (name.clone(), one.source())).collect(),
            variables: config.secret_variables(),
            vault: vault.address.clone().map(|address| Vault {
                address,
                namespace: vault.namespace.clone(),
                token: vault.token.clone(),
                token_file: vault.token_file.clone(),
            }),
            operator,
        }
    }

    async fn read(&self, name: &str) -> Result<SecretText, String> {
        let place = self.sources.get(name).ok_or("it is not declared")?;
        match place {
            SecretSource::Missing => Err("it must set one of `env`, `file` and `vault`".to_owned()),
            SecretSource::Variable(variable) => match self.variables.get(variable) {
                Some(value) => Ok(SecretText::Text(Secret::new(value.expose()))),
                None => Err(format!("the variable {variable} was not set when this process started")),
            },
            SecretSource::File(path) => {
                let failed = |what: &dyn std::fmt::Display| format!("the file {}: {what}", path.display());
                let size = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
                if size > MAX_SECRET_FILE_BYTES {
                    return Err(failed(&"it is too large"));
                }
                let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
                Ok(SecretText::Text(Secret::new(text.trim_end_matches(['\r', '\n']))))
            }
            SecretSource::Vault(path) => self.read_vault(path).await,
        }
    }

    /// `<mount>/<path>`: `GET /v1/<mount>/data/<path>`, whose members are in `data.data`.
    async fn read_vault(&self, path: &str) -> Result<SecretText, String> {
        let vault = self.vault.as_ref().ok_or("`vault.address` is not set")?;
        let (mount, path) = path.split_once('/').ok_or("`vault` is written `<mount>/<path>`")?;
        let url = format!("{}/v1/{mount}/data/{path}", vault.address.trim_end_matches('/'));
        let token = match (&vault.token, &vault.token_file) {
            (Some(token), _) => token.expose().to_owned(),
            // Read each time: agents renew it.
            (None, Some(file)) => std::fs::read_to_string(file)
                .map_err(|error| format!("the token file {}: {error}", file.display()))?
                .trim()
                .to_owned(),
            (None, None) => return Err("neither `vault.token` nor `vault.token_file` is set".to_owned()),
        };
        let mut headers = vec![("x-vault-token", token.as_str()), ("x-vault-request", "true")];
        headers.extend(vault.namespace.as_deref().map(|namespace| ("x-vault-namespace", namespace)));
        let answer = self.operator.send(Method::GET, &url, &headers, None).await?;
        if answer.status != 200 {
            return Err(format!("{url} answered {}", answer.status));
        }
        let mut members: Map<String, Value> = serde_json::from_slice(&answer.body)
            .map_err(|_| format!("{url}: the response is not a JSON object"))?;
        match members.remove("data").as_mut().and_then(|data| data.get_mut("data")).map(Value::take) {
            Some(Value::Object(members)) => Ok(SecretText::Object(SecretMembers(members))),
            _ => Err(format!("{url}: the answer has no `data.data`; is it the KV engine, version 2?")),
        }
    }
}

impl SecretStore for Secrets {
    fn read_secret<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<SecretText, String>> {
        Box::pin(self.read(name))
    }
}
