//! Where the settings come from: the file and the environment. The only place that reads variables `MCP_REGISTRY__…`;
//! `secret_variables` reads those that hold declared secrets.

use super::sections::Config;
use config::{ConfigError, File, FileFormat, Map, Value, ValueKind};
use registry_core::metadata::Branding;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;

/// The prefix of every variable that holds a setting: `MCP_REGISTRY__WORKER__POLL_MS` is `worker.poll_ms`.
const PREFIX: &str = "MCP_REGISTRY__";
/// The configuration file, relative to the working directory, that is read if it exists and no other file is named.
const DEFAULT_FILE: &str = "registry.toml";

/// How the text of a variable becomes the value of its setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Text, number or truth value: the text verbatim. An empty text counts as no variable.
    Scalar,
    /// A list: comma-separated. An empty text is the empty list.
    List,
    /// A table: comma-separated `name=value`. An empty text is the empty table.
    Table,
}

/// Why the configuration could not be read. The message names the setting or the source, and never quotes a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(String);

/// Every setting, as `section.key`, with its kind. The settings are taken from the serialised defaults, so this map cannot
/// disagree with them.
pub fn known_keys() -> BTreeMap<String, KeyKind> {
    fn walk(prefix: &str, value: &Json, keys: &mut BTreeMap<String, KeyKind>) {
        match value {
            Json::Object(members) if !members.is_empty() => {
                for (name, member) in members {
                    let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    walk(&key, member, keys);
                }
            }
            Json::Object(_) => drop(keys.insert(prefix.to_owned(), KeyKind::Table)),
            Json::Array(_) => drop(keys.insert(prefix.to_owned(), KeyKind::List)),
            _ => drop(keys.insert(prefix.to_owned(), KeyKind::Scalar)),
        }
    }
    let mut keys = BTreeMap::new();
    // A serialised `Branding` lacks the members that are not set, so each of them is set here.
    let set = || Some(String::new());
    let defaults = Branding::default();
    let branding = Branding {
        client_name: defaults.client_name,
        client_uri: defaults.client_uri,
        logo_uri: defaults.logo_uri,
        software_id: defaults.software_id,
        software_version: set(),
        scope: set(),
        grant_types: defaults.grant_types,
        response_types: defaults.response_types,
        token_endpoint_auth_method: defaults.token_endpoint_auth_method,
        contacts: vec![String::new()],
        tos_uri: set(),
        policy_uri: set(),
    };
    // Serialising plain structs cannot fail. If it did, no setting would be known and every variable refused, which is safe.
    let whole = serde_json::to_value(Config { branding, ..Config::default() }).unwrap_or_default();
    walk("", &whole, &mut keys);
    keys
}

impl Config {
    /// The defaults, overridden by the file, overridden by the environment of the process. A given `file` must exist; if none
    /// is given, `registry.toml` is read if it exists.
    pub fn load(file: Option<&Path>) -> Result<Self, LoadError> {
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            let value = value
                .into_string()
                .map_err(|_| LoadError(format!("The variable {name} is not valid UTF-8.")))?;
            variables.push((name.to_owned(), value));
        }
        Self::from_sources(file, variables)
    }

    /// As [`Self::load`], with `variables` (name and text) as the environment. Names that do not begin with `MCP_REGISTRY__`
    /// are ignored.
    pub fn from_sources(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, LoadError> {
        let mut builder = config::Config::builder();
        let file = match file {
            Some(path) if !path.is_file() => {
                return Err(LoadError(format!("The configuration file {} does not exist.", path.display())));
            }
            Some(path) => Some(path),
            None => Some(Path::new(DEFAULT_FILE)).filter(|path| path.is_file()),
        };
        if let Some(path) = file {
            builder = builder.add_source(File::from(path).format(FileFormat::Toml));
        }
        let keys = known_keys();
        for (name, text) in variables {
            let Some(value) = variable(&keys, &name, &text)? else { continue };
            builder = builder.set_override(value.0, value.1).map_err(|error| explain(&error))?;
        }
        builder.build().and_then(config::Config::try_deserialize).map_err(|error| explain(&error))
    }
}

/// The setting that the variable `name` sets, as `section.key`, and the value of `text`. `None`: `name` lacks the prefix, or
/// `text` is empty and the setting a [`KeyKind::Scalar`]. Fails for an unknown setting and for a table entry without `=`.
fn variable(
    keys: &BTreeMap<String, KeyKind>,
    name: &str,
    text: &str,
) -> Result<Option<(String, Value)>, LoadError> {
    let Some(path) = name.strip_prefix(PREFIX) else { return Ok(None) };
    let key = path.to_ascii_lowercase().replace("__", ".");
    let Some(shape) = keys.get(&key) else {
        return Err(LoadError(unknown_variable(keys, name, &key)));
    };
    let origin = Some(format!("the variable {name}"));
    let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let kind = match shape {
        KeyKind::Scalar if text.is_empty() => return Ok(None),
        KeyKind::Scalar => ValueKind::String(text.to_owned()),
        KeyKind::List => ValueKind::Array(parts().map(|part| Value::new(origin.as_ref(), part)).collect()),
        KeyKind::Table => {
            let mut table = Map::new();
            for part in parts() {
                let (entry, value) = part.split_once('=').ok_or_else(|| {
                    LoadError(format!("The variable {name} must be a comma-separated list of name=value."))
                })?;
                table.insert(entry.trim().to_owned(), Value::new(origin.as_ref(), value.trim()));
            }
            ValueKind::Table(table)
        }
    };
    Ok(Some((key, Value::new(origin.as_ref(), kind))))
}

/// The message for the variable `name` of the unknown setting `key`: it lists the settings of the same section, or the
/// sections, if the section is unknown too.
fn unknown_variable(keys: &BTreeMap<String, KeyKind>, name: &str, key: &str) -> String {
    let section = key.split('.').next().unwrap_or_default();
    let there: Vec<&str> =
        keys.keys().map(String::as_str).filter(|known| known.split('.').next() == Some(section)).collect();
    if there.is_empty() {
        let mut sections: Vec<&str> = keys.keys().filter_map(|known| known.split('.').next()).collect();
        sections.dedup();
        format!(
            "The variable {name} names the section `{section}`, which does not exist; there are: {}.",
            sections.join(", ")
        )
    } else {
        format!(
            "The variable {name} means the setting `{key}`, which does not exist; there are: {}.",
            there.join(", ")
        )
    }
}

/// The error of the crate `config` as one sentence, with setting and source where the crate gives them.
fn explain(error: &ConfigError) -> LoadError {
    LoadError(match error {
        ConfigError::Type { origin, expected, key, .. } => format!(
            "The setting `{}`{} must be {expected}.",
            key.as_deref().unwrap_or("?"),
            origin.as_deref().map(|origin| format!(" in {origin}")).unwrap_or_default(),
        ),
        ConfigError::FileParse { uri, cause } => {
            // The cause quotes a line of the file after a `|`, and this line may contain a sealing key.
            let cause = cause.to_string();
            let lines: Vec<&str> = cause.lines().filter(|line| !line.contains('|')).map(str::trim).collect();
            format!(
                "The configuration file {} cannot be read: {}.",
                uri.as_deref().unwrap_or("(unnamed)"),
                lines.join(": ")
            )
        }
        other => format!("The configuration is not valid: {other}"),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::io::Write;

    fn load(toml: &str, variables: &[(&str, &str)]) -> Result<Config, LoadError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(toml.as_bytes()).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_sources(Some(file.path()), variables)
    }

    fn refusal(toml: &str, variables: &[(&str, &str)]) -> String {
        load(toml, variables).unwrap_err().to_string()
    }

    #[test]
    fn environment_overrides_file_and_file_overrides_defaults() {
        let toml = "[server]\nlisten = \"127.0.0.1:1\"\n[worker]\nconcurrency = 7\npoll_ms = 300\n";
        let config = load(toml, &[("MCP_REGISTRY__WORKER__CONCURRENCY", "9"), ("UNRELATED", "1")]).unwrap();
        assert_eq!(config.server.listen, "127.0.0.1:1");
        assert_eq!(
            (config.worker.concurrency, config.worker.poll_ms, config.worker.request_timeout),
            (9, 300, 10)
        );
    }

    #[test]
    fn lists_tables_numbers_and_truth_values_are_read_from_variables() {
        let config = load(
            "[gateway]\nurls = [\"http://localhost:1\"]\n",
            &[
                ("MCP_REGISTRY__GATEWAY__URLS", "https://a.example, https://b.example"),
                ("MCP_REGISTRY__EGRESS__ALLOW", "10.0.0.0/8"),
                ("MCP_REGISTRY__EGRESS__ALLOW_HTTP_LOOPBACK", "true"),
                ("MCP_REGISTRY__AUTH__JWT__ROLES", "Platform Admins=admin,readers=viewer"),
                ("MCP_REGISTRY__BRANDING__SOFTWARE_VERSION", "1.0"),
                ("MCP_REGISTRY__SEALING__KEYS", "k2:AAAA,k1:BBBB"),
                ("MCP_REGISTRY__LOG__FORMAT", "json"),
                ("MCP_REGISTRY__SERVER__PUBLIC_URL", ""),
            ],
        )
        .unwrap();
        assert_eq!(config.gateway.urls, ["https://a.example", "https://b.example"]);
        assert_eq!(config.egress.allow, ["10.0.0.0/8"]);
        assert!(config.egress.allow_http_loopback);
        assert_eq!(config.auth.jwt.roles["Platform Admins"], "admin");
        assert_eq!(serde_json::to_value(&config.branding).unwrap()["software_version"], "1.0");
        assert_eq!(config.sealing.keys[1].expose(), "k1:BBBB");
        assert_eq!(config.log.format, crate::config::LogFormat::Json);
        assert_eq!(config.server.public_url, None, "an empty variable is not set");
        assert!(load("", &[("MCP_REGISTRY__GATEWAY__URLS", "")]).unwrap().gateway.urls.is_empty());
    }

    #[test]
    fn unknown_key_is_named() {
        let message = refusal("[worker]\nconcurency = 1\n", &[]);
        assert!(message.contains("concurency") && message.contains("worker"), "{message}");
        let message = refusal("[wroker]\nconcurrency = 1\n", &[]);
        assert!(message.contains("wroker"), "{message}");
        let message = refusal("", &[("MCP_REGISTRY__WORKER__CONCURENCY", "1")]);
        assert!(
            message.contains("MCP_REGISTRY__WORKER__CONCURENCY") && message.contains("worker.concurrency"),
            "{message}"
        );
        let message = refusal("", &[("MCP_REGISTRY__WROKER__X", "1")]);
        assert!(message.contains("`wroker`") && message.contains("gateway"), "{message}");
    }

    #[test]
    fn wrong_type_is_named_without_quoting_secrets() {
        let message = refusal("", &[("MCP_REGISTRY__WORKER__CONCURRENCY", "many")]);
        assert!(message.contains("worker.concurrency"), "{message}");
        for toml in [
            "[sealing]\nkeys = [[\"k1:c2VjcmV0\"]]\n",
            "[sealing]\nkeys = { k1 = \"c2VjcmV0\" }\n",
            "[sealing]\nkeys = [\"k1:c2VjcmV0\"\n",
            "[sealing]\nkeyfile = \"k1:c2VjcmV0\"\n",
        ] {
            let message = refusal(toml, &[]);
            assert!(!message.contains("c2VjcmV0"), "{message}");
        }
    }

    #[test]
    fn named_file_must_exist() {
        let message =
            Config::from_sources(Some(Path::new("/nowhere/registry.toml")), []).unwrap_err().to_string();
        assert!(message.contains("/nowhere/registry.toml"), "{message}");
    }
}
