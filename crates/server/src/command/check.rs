//! `mcp-registry check`: prints the effective settings as TOML, with secrets masked, and the problems found.

use super::{CommandError, print};
use crate::config::Config;
use crate::validation::{Checked, key_of};
use serde_json::Value;
use std::fmt::Write;

/// Prints settings and findings; fails if a finding is an error.
pub(super) fn run(config: &Config) -> Result<(), CommandError> {
    let Checked { findings, .. } = config.check();
    let mut text = effective(config);
    for finding in &findings {
        let _ = writeln!(
            text,
            "\n# {}: {}: {}",
            finding.severity.as_str(),
            key_of(&finding.pointer),
            finding.message
        );
    }
    print(text.trim_end())?;
    if findings.has_errors() {
        return Err(CommandError::new("The configuration is not valid; the last lines above say why."));
    }
    Ok(())
}

/// The settings as TOML: JSON's strings, numbers, truth values and lists of them are valid TOML.
fn effective(config: &Config) -> String {
    let mut text = String::new();
    // Plain structs with string keys cannot fail to serialise.
    let value = serde_json::to_value(config).unwrap_or_default();
    section(&mut text, "", &value);
    text
}

fn section(text: &mut String, path: &str, value: &Value) {
    let Some(members) = value.as_object() else { return };
    let is_section = |member: &Value| member.as_object().is_some_and(|members| !members.is_empty());
    let mut below = Vec::new();
    let mut head = !path.is_empty() && members.values().any(|member| !is_section(member));
    for (name, member) in members {
        if is_section(member) {
            below.push((name, member));
            continue;
        }
        if head {
            head = false;
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{path}]");
        }
        let name = key(name);
        let _ = if member.is_null() {
            writeln!(text, "# {name} is not set")
        } else {
            writeln!(text, "{name} = {member}")
        };
    }
    for (name, member) in below {
        let name = key(name);
        section(text, &if path.is_empty() { name } else { format!("{path}.{name}") }, member);
    }
}

/// A TOML key: bare where it may be.
fn key(name: &str) -> String {
    if !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::DatabaseUrl;
    use registry_core::secret::Secret;
    use std::io::Write as _;

    #[test]
    fn output_is_a_configuration_file_without_secrets() {
        let mut config = Config::default();
        config.database.url = DatabaseUrl::from("postgres://me:s3cret@db/registry".to_owned());
        config.sealing.keys = vec![Secret::from("k1:c2VjcmV0")];
        config.auth.jwt.roles.insert("Platform Admins".to_owned(), "admin".to_owned());
        let text = effective(&config);
        assert!(!text.contains("s3cret") && !text.contains("c2VjcmV0"), "{text}");
        assert!(text.contains("# public_url is not set"), "{text}");

        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let again = Config::from_sources(Some(file.path()), []).unwrap();
        assert_eq!(effective(&again), text);
        assert_eq!(again.auth.jwt.roles["Platform Admins"], "admin");
    }
}
