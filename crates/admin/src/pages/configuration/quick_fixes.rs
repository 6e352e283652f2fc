//! Buttons that change the text on the page and save nothing: each works without JavaScript.

use super::examples;
use registry_core::finding::{Finding, Severity};
use registry_core::known_servers;
use registry_core::metadata::{
    KnownSecrets, formatted, read_members, remove_member, rename_member, set_member, unwrap_member, verify,
    wrap_client_metadata,
};

/// A button that applies the fix of a finding.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct QuickFix {
    /// The label; text between backticks is code.
    pub(super) label: String,
    /// Its value in the form.
    pub(super) intent: String,
}

impl QuickFix {
    /// The button for `finding`, if `text` allows one.
    pub(super) fn of(finding: &Finding, text: &str) -> Option<Self> {
        let pointer = &finding.pointer;
        let (label, intent) = match (finding.code.as_ref(), &finding.suggestion) {
            ("doubled_wrapper", _) => ("Remove one".to_owned(), format!("unwrap:{pointer}")),
            ("missing_wrapper", _) => ("Put the wrapper around".to_owned(), "wrap:".to_owned()),
            ("unknown_member" | "unknown_top_level_member", Some(name)) => {
                (format!("Rename to `{name}`"), format!("rename:{name}:{pointer}"))
            }
            ("ignored_member", _) => ("Remove".to_owned(), format!("remove:{pointer}")),
            (
                code @ ("pasted_value" | "invalid_scope" | "invalid_url" | "invalid_email"
                | "illegal_character"),
                Some(value),
            ) => (format!("Change to `{value}`"), format!("suggested:{code}:{pointer}")),
            ("insecure_url", _) if finding.severity == Severity::Warning => {
                ("Use `https`".to_owned(), format!("https:{pointer}"))
            }
            _ => return None,
        };
        apply_quick_fix(&intent, text).map(|_| Self { label, intent })
    }
}

/// Whether `intent` is such a button, regardless of the text.
pub(super) fn is_quick_fix(intent: &str) -> bool {
    let what = intent.split_once(':').map_or(intent, |(what, _)| what);
    matches!(
        what,
        "format" | "insert" | "known" | "unwrap" | "wrap" | "rename" | "remove" | "https" | "suggested"
    )
}

/// `text` after the button `intent`, and a message about it; `None` if it is no such button, or if the text does
/// not allow it.
pub(super) fn apply_quick_fix(intent: &str, text: &str) -> Option<(String, String)> {
    let (what, rest) = intent.split_once(':').unwrap_or((intent, ""));
    let (changed, said) = match what {
        "format" => (formatted(text), "Formatted"),
        "insert" => return examples::insert(text, rest),
        "known" => {
            let applied = known_servers::find(rest)?.preset?.apply(text, None)?;
            return Some((applied.text.clone(), applied.sentence()));
        }
        "unwrap" => (unwrap_member(text, rest), "Removed"),
        "wrap" => (wrap_client_metadata(text), "Put inside `oauth_client_metadata`"),
        "rename" => {
            let (name, pointer) = rest.split_once(':')?;
            (rename_member(text, pointer, name), "Renamed")
        }
        "remove" => (remove_member(text, rest), "Removed"),
        "https" => (secured(text, rest), "Changed to `https`"),
        "suggested" => (with_suggestion(text, rest), "Changed"),
        _ => return None,
    };
    Some((changed?, format!("{said}, not saved.")))
}

/// The `http` URL at `pointer` as an `https` one.
fn secured(text: &str, pointer: &str) -> Option<String> {
    let document = serde_json::Value::from(read_members(text)?);
    let address = document.pointer(pointer)?.as_str()?.strip_prefix("http://")?;
    set_member(text, pointer, &format!("https://{address}").into())
}

/// The text with the value that the finding `code:pointer` suggests.
fn with_suggestion(text: &str, place: &str) -> Option<String> {
    let (code, pointer) = place.split_once(':')?;
    let findings = verify(text, &KnownSecrets::of(text)).findings;
    let found = findings.iter().find(|finding| finding.code == code && finding.pointer == pointer)?;
    set_member(text, pointer, &found.suggestion.as_deref()?.into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{QuickFix, apply_quick_fix};
    use registry_core::metadata::{KnownSecrets, verify};

    #[test]
    fn quick_fix_resolves_its_finding() {
        for (text, code, label) in [
            (
                r#"{"oauth_client_metadata":{"oauth_client_metadata":{"scope":"a"}}}"#,
                "doubled_wrapper",
                "Remove one",
            ),
            (
                r#"{"configurations":{"oauth_client_metadata":{"scope":"a"}}}"#,
                "doubled_wrapper",
                "Remove one",
            ),
            (r#"{"scope":"a"}"#, "missing_wrapper", "Put the wrapper around"),
            (r#"{"oauth_client_metadata":{"clientname":"a"}}"#, "unknown_member", "Rename to `client_name`"),
            (r#"{"tool":{}}"#, "unknown_top_level_member", "Rename to `tools`"),
            (r#"{"oauth_client_metadata":{"redirect_uris":[]}}"#, "ignored_member", "Remove"),
            (
                r#"{"oauth_client_metadata":{"logo_uri":"http://a.example/l.png"}}"#,
                "insecure_url",
                "Use `https`",
            ),
            (r#"{"oauth_client_metadata":{"scope":"a,b"}}"#, "pasted_value", "Change to `a b`"),
            (
                r#"{"oauth_client_metadata":{"issuer":"https://l.example/.well-known/openid-configuration"}}"#,
                "pasted_value",
                "Change to `https://l.example`",
            ),
            (
                r#"{"oauth_client_metadata":{"client_uri":"acme.com"}}"#,
                "invalid_url",
                "Change to `https://acme.com`",
            ),
        ] {
            let findings = verify(text, &KnownSecrets::default()).findings.0;
            let finding = findings.iter().find(|finding| finding.code == code).unwrap();
            let fix = QuickFix::of(finding, text).unwrap();
            assert_eq!(fix.label, label);
            let (mended, said) = apply_quick_fix(&fix.intent, text).unwrap();
            assert!(said.ends_with(", not saved."), "{said}");
            assert!(verify(&mended, &KnownSecrets::default()).findings.is_empty(), "{mended}");
        }
    }

    #[test]
    fn ambiguous_finding_has_no_quick_fix() {
        for text in [
            r#"{"oauth_client_metadata":{"scope":"b","oauth_client_metadata":{"scope":"a"}}}"#,
            r#"{"oauth_client_metadata":{"scope":"a"},"scope":"b"}"#,
            r#"{"oauth_client_metadata":{"client_name":"a","clientname":"b"}}"#,
            r#"{"oauth_client_metadata":{"x_unheard_of":1}}"#,
        ] {
            let findings = verify(text, &KnownSecrets::default()).findings.0;
            assert!(!findings.is_empty());
            assert!(findings.iter().all(|finding| QuickFix::of(finding, text).is_none()), "{text}");
        }
        assert_eq!(apply_quick_fix("save", "{}"), None);
    }
}
