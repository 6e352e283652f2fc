//! Reads the environment variables that declared secrets are kept in.

use super::sections::Config;
use registry_core::secret::Secret;
use std::collections::BTreeMap;

impl Config {
    /// The variables that declared secrets are kept in, as they are when the process starts.
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    pub(crate) fn secret_variables(&self) -> BTreeMap<String, Secret> {
        let variables = self.secrets.values().filter_map(|secret| secret.env.as_ref());
        variables
            .filter_map(|name| Some((name.clone(), Secret::from(std::env::var(name).ok()?.as_str()))))
            .collect()
    }
}
