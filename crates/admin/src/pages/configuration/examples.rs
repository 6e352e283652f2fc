//! Examples to start from: the three documented ones, and other common settings.

use registry_core::examples;
use registry_core::finding::pointer_push;
use registry_core::metadata::{ALIAS_WRAPPER, CANONICAL_WRAPPER, read_members, set_member};
use serde_json::{Map, Value};

/// One example.
pub(super) struct Example {
    /// Its key in the form.
    pub(super) key: &'static str,
    /// Its purpose.
    pub(super) title: &'static str,
    /// An Advanced Configuration. Values that only the user knows are empty, so that it cannot be saved before
    /// they are filled in.
    text: &'static str,
}

/// All examples.
pub(super) const EXAMPLES: &[Example] = &[
    Example { key: "compliance", title: "Branding and legal links", text: examples::ENTERPRISE_COMPLIANCE },
    Example { key: "software", title: "Software ID a server knows", text: examples::PRE_REGISTERED_CLIENT },
    Example { key: "scopes", title: "Scopes", text: examples::CUSTOM_SCOPES },
    Example {
        key: "client",
        title: "Client registered by hand",
        text: r#"{"oauth_client_metadata": {
            "client_id": "", "client_secret": "", "token_endpoint_auth_method": "client_secret_basic"}}"#,
    },
    Example {
        key: "language",
        title: "Name in another language",
        text: r#"{"oauth_client_metadata": {
            "client_name": "Acme Corp MCP Gateway", "client_name#fr": "Passerelle MCP d’Acme Corp"}}"#,
    },
    Example {
        key: "offline",
        title: "Refresh tokens from Google",
        text: r#"{"oauth_client_metadata": {"authorization_params": {"access_type": "offline", "prompt": "consent"}}}"#,
    },
    Example {
        key: "ask",
        title: "Never replace a client without approval",
        text: r#"{"registration": {"replace": "ask"}}"#,
    },
    Example { key: "headers", title: "Header with a key", text: r#"{"headers": {"X-Api-Key": ""}}"# },
];

/// `text` with the members of the example `key`, and a message about it. Existing members stay as they are. `None`
/// if there is no such example, or if members cannot be added to `text`.
pub(super) fn insert(text: &str, key: &str) -> Option<(String, String)> {
    let example = read_members(EXAMPLES.iter().find(|example| example.key == key)?.text)?;
    let document = read_members(text)?;
    let (mut text, mut added, mut kept) = (text.to_owned(), 0, Vec::new());
    for (name, block) in &example {
        let name = if name == CANONICAL_WRAPPER { wrapper(&document) } else { name };
        let present = document.get(name).and_then(Value::as_object);
        for (member, value) in block.as_object()? {
            if present.and_then(|present| present.get(member)).is_some_and(|value| !value.is_null()) {
                kept.push(format!("`{member}`"));
                continue;
            }
            text = set_member(&text, &pointer_push(&pointer_push("", name), member), value)?;
            added += 1;
        }
    }
    let mut said = format!("Inserted {added} field{}, not saved.", if added == 1 { "" } else { "s" });
    if !kept.is_empty() {
        let verb =
            if kept.len() == 1 { "was there and stays as it is" } else { "were there and stay as they are" };
        said = format!("{said} {} {verb}.", kept.join(", "));
    }
    Some((text, said))
}

/// The member name of client metadata in a document.
pub(super) fn wrapper(document: &Map<String, Value>) -> &'static str {
    let is_set = |name: &str| document.get(name).is_some_and(|value| !value.is_null());
    if is_set(ALIAS_WRAPPER) && !is_set(CANONICAL_WRAPPER) { ALIAS_WRAPPER } else { CANONICAL_WRAPPER }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{EXAMPLES, insert};
    use registry_core::metadata::{KnownSecrets, verify};

    #[test]
    fn examples_are_valid_except_for_placeholders() {
        for example in EXAMPLES {
            let (text, said) = insert("", example.key).unwrap();
            assert!(said.ends_with("not saved."), "{said}");
            let findings = verify(&text, &KnownSecrets::default()).findings;
            assert!(findings.iter().all(|finding| finding.code == "empty_value"), "{text} {findings}");
            assert_eq!(findings.is_empty(), !text.contains("\"\""), "{text}");
        }
    }

    #[test]
    fn example_keeps_existing_members() {
        let (text, said) = insert(r#"{"oauth_metadata":{"scope":"mine"}}"#, "compliance").unwrap();
        assert!(text.starts_with(r#"{"oauth_metadata":{"scope":"mine","client_name":"Acme"#), "{text}");
        assert_eq!(said, "Inserted 8 fields, not saved. `scope` was there and stays as it is.");
        assert!(insert("{", "compliance").is_none() && insert("", "nothing").is_none());
    }
}
