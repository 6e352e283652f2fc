//! Sanitises upstream data before it reaches gateways and pages: links lead to http or https addresses, and
//! no text holds characters that are not seen.

use super::clean::{clean, is_hidden};
use serde_json::{Map, Value};
use std::borrow::Cow;
use url::Url;

/// How many names a warning lists.
const MAX_NAMED: usize = 5;
/// Schemes that render the link's own content, or open a file.
const DANGEROUS: [&str; 3] = ["data", "file", "filesystem"];

/// Removes from `members` what must not be passed on, at any depth, and adds a warning to `warnings`, about the document that
/// `what` names.
pub fn sanitize(members: &mut Map<String, Value>, what: &str, warnings: &mut Vec<String>) {
    let mut seen = Seen::default();
    fit_members(members, &mut seen);
    for (places, said) in [
        (seen.links, "contains links that are not http or https addresses, in {}. They were removed."),
        (seen.texts, "contains control, direction or invisible characters in {}. They were removed."),
        (
            seen.names,
            "has members whose names contain control, direction or invisible characters: {}. They were removed.",
        ),
    ] {
        if places.count > 0 {
            warnings.push(format!("{what} {}", said.replace("{}", &places.listed())));
        }
    }
}

/// Whether `text` can be used unchanged: it has no control, direction or invisible character.
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || is_hidden(c))
}

/// Where something was seen: the first names, and how often.
#[derive(Default)]
struct Places {
    names: Vec<String>,
    count: usize,
}

impl Places {
    fn add(&mut self, name: &str) {
        let name = clean(name, 60);
        if self.names.contains(&name) {
            return;
        }
        self.count += 1;
        if self.names.len() < MAX_NAMED {
            self.names.push(name);
        }
    }

    fn listed(&self) -> String {
        let names = self.names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match self.count - self.names.len() {
            0 => names,
            more => format!("{names} and {more} more"),
        }
    }
}

#[derive(Default)]
struct Seen {
    links: Places,
    texts: Places,
    names: Places,
}

fn fit_members(members: &mut Map<String, Value>, seen: &mut Seen) {
    members.retain(|name, value| {
        if !is_plain(name) {
            seen.names.add(name);
            return false;
        }
        fit(name, value, seen)
    });
}

/// Makes one value fit; false when it must go.
fn fit(name: &str, value: &mut Value, seen: &mut Seen) -> bool {
    match value {
        Value::Object(members) => fit_members(members, seen),
        Value::Array(items) => items.retain_mut(|item| fit(name, item, seen)),
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => {
            if names_link(name) {
                // A link that had to be cleaned would lead somewhere else than its server said.
                if !is_plain(text) || !is_web_link(text) {
                    seen.links.add(name);
                    return false;
                }
            } else if let Cow::Owned(fitting) = without_hidden(text) {
                seen.texts.add(name);
                *text = fitting;
            }
            if is_dangerous(text) {
                seen.links.add(name);
                return false;
            }
        }
        _ => {}
    }
    true
}

/// Whether a member of this name holds an address, in the usual spellings and with a language tag (RFC 7591 §2.2).
fn names_link(name: &str) -> bool {
    let base = name.split('#').next().unwrap_or_default().to_ascii_lowercase();
    ["uri", "url", "uris", "urls", "endpoint"].iter().any(|end| base.ends_with(end))
}

fn is_web_link(text: &str) -> bool {
    let has_space = text.contains(char::is_whitespace);
    !has_space && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
}

/// Whether `text` is a link of a scheme that runs code, or renders the link's own content.
fn is_dangerous(text: &str) -> bool {
    let text = text.trim_start();
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let runs = ["javascript", "vbscript"].iter().any(|one| scheme.eq_ignore_ascii_case(one));
    // "Data: what it is about" is a text, and `file:read` a scope.
    let leads = rest.starts_with('/') || rest.contains(',') && !rest.starts_with(char::is_whitespace);
    runs || leads && DANGEROUS.iter().any(|one| scheme.eq_ignore_ascii_case(one))
}

fn without_hidden(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let visible = text.chars().filter(|c| !is_hidden(*c)).map(|c| if c.is_control() { ' ' } else { c });
    Cow::Owned(visible.collect::<String>().trim().to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn fitted(document: Value) -> (Value, Vec<String>) {
        let mut warnings = Vec::new();
        let mut members: Map<String, Value> = serde_json::from_value(document).unwrap();
        sanitize(&mut members, "The answer", &mut warnings);
        (Value::Object(members), warnings)
    }

    #[test]
    fn non_web_links_are_dropped_everywhere() {
        for name in [
            "policy_uri",
            "policy_uri#ja",
            "logoUri",
            "client_uri",
            "tos_uri",
            "jwks_uri",
            "userinfo_endpoint",
            "x_url",
        ] {
            for link in [
                "javascript:alert(1)",
                " JavaScript:alert(1)",
                "java\tscript:alert(1)",
                "data:text/html,x",
                "vbscript:x",
                "file:///etc/passwd",
                "ftp://h/x",
                "/relative",
                "//h/x",
                "urn:x",
                "https://h/\u{202e}x",
                "https://",
                "https://h/a b",
                "mailto:a@h",
            ] {
                for place in [json!(link), json!([link]), json!([[link]])] {
                    let (kept, warnings) = fitted(json!({ name: place, "a": { name: place }, "kept": 1 }));
                    assert!(!kept.to_string().contains(link.trim()), "{name} {link}: {kept}");
                    assert_eq!(kept["kept"], 1);
                    assert!(warnings[0].contains("links") && warnings.len() == 1, "{warnings:?}");
                }
            }
        }
        let (kept, _) = fitted(
            json!({ "home": "javascript:alert(1)", "about": "data:text/html,x", "b": "Data: is kept", "c": "JS: see" }),
        );
        assert_eq!(kept, json!({ "b": "Data: is kept", "c": "JS: see" }));
    }

    #[test]
    fn invisible_characters_are_removed_with_a_warning() {
        for hidden in [
            "\u{0}",
            "\u{1b}",
            "\u{7f}",
            "\u{85}",
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
            "\u{feff}",
            "\u{ad}",
            "\u{e0041}",
            "\u{180e}",
        ] {
            for name in ["client_name", "client_name#ja", "scope", "x"] {
                let (kept, warnings) =
                    fitted(json!({ name: format!("good{hidden} name") , "list": [format!("a{hidden}b")] }));
                assert!(is_plain(&kept.to_string()), "{kept}");
                assert!(warnings[0].contains(&format!("`{name}`")), "{warnings:?}");
            }
            let (kept, warnings) = fitted(json!({ format!("x{hidden}y"): 1 }));
            assert_eq!(kept, json!({}));
            assert_eq!(warnings.len(), 1);
        }
    }

    #[test]
    fn ordinary_documents_are_unchanged() {
        let document = json!({
            "client_name": "Café ☕ 日本", "policy_uri": "https://h/p?x=1#y", "jwks": { "keys": [{ "kty": "EC", "x": "_-" }] },
            "redirect_uris": ["http://localhost:1/cb"], "mtls_endpoint_aliases": { "token_endpoint": "https://m.h/t" },
            "contacts": ["a@h"], "require_auth_time": false, "logo_uri": "", "scopes_supported": ["a:b", "file:read"],
        });
        let (kept, warnings) = fitted(document.clone());
        assert_eq!((kept, warnings.len()), (document, 0));
    }

    #[test]
    fn warnings_are_short_for_every_input() {
        let many: Map<String, Value> = (0..5000).map(|n| (format!("m{n}_uri"), json!("data:x"))).collect();
        let (kept, warnings) = fitted(Value::Object(many));
        assert_eq!(kept, json!({}));
        assert!(
            warnings.len() == 1 && warnings[0].len() < 500 && warnings[0].contains("4995 more"),
            "{warnings:?}"
        );
    }
}
