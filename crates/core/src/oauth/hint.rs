//! The `resource_metadata` of a challenge (RFC 9728 §5.1), as servers really write it.

use url::Url;

/// What may stand around a value that was quoted twice, or copied from a text.
const WRAPPING: [char; 9] = ['"', '\'', '`', '\\', '<', '>', ',', ';', ' '];

/// The address that `hint` means, which came with the answer of `asked`: an absolute URL as it is; one without its slashes
/// (`https:host/path`), without its scheme (`//host/path`, `host/path` where `host` is that of `asked`), percent-encoded, or
/// relative to `asked` is completed. `None`: it is no address of http or https.
pub fn complete_hint(asked: &str, hint: &str) -> Option<String> {
    let base = Url::parse(asked).ok()?;
    let hint = hint.trim().trim_matches(WRAPPING);
    let decoded = if is_encoded(hint) { percent_decoded(hint) } else { None };
    let hint = decoded.as_deref().unwrap_or(hint);
    if hint.is_empty() || hint.contains(char::is_whitespace) {
        return None;
    }
    let of_own_host = base.host_str().is_some_and(|host| {
        let rest = hint.get(..host.len()).filter(|start| start.eq_ignore_ascii_case(host));
        rest.is_some() && hint[host.len()..].starts_with([':', '/'])
    });
    let address = if of_own_host {
        Url::parse(&format!("{}://{hint}", base.scheme())).ok()?
    } else {
        match Url::parse(hint) {
            // Verbatim where nothing had to be completed: some servers compare the text of the request.
            Ok(_) if ["https://", "http://"].iter().any(|start| hint.starts_with(start)) => {
                return Some(hint.to_owned());
            }
            Ok(url) => url,
            Err(_) => base.join(hint).ok()?,
        }
    };
    (matches!(address.scheme(), "https" | "http") && address.has_host()).then(|| address.into())
}

fn is_encoded(hint: &str) -> bool {
    let start = hint.get(..8).unwrap_or(hint).to_ascii_lowercase();
    start.starts_with("http%3a") || start.starts_with("https%3a") || start.starts_with("%2f")
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_completed_where_their_meaning_is_certain() {
        const WELL_KNOWN: &str = "https://h.example/.well-known/oauth-protected-resource/mcp";
        for (hint, expected) in [
            (WELL_KNOWN, Some(WELL_KNOWN)),
            ("/.well-known/oauth-protected-resource/mcp", Some(WELL_KNOWN)),
            (".well-known/oauth-protected-resource/mcp", Some(WELL_KNOWN)),
            ("//h.example/.well-known/oauth-protected-resource/mcp", Some(WELL_KNOWN)),
            ("h.example/.well-known/oauth-protected-resource/mcp", Some(WELL_KNOWN)),
            ("H.Example/.well-known/oauth-protected-resource/mcp", Some(WELL_KNOWN)),
            ("https:h.example/.well-known/oauth-protected-resource/mcp", Some(WELL_KNOWN)),
            ("https:/h.example/.well-known/oauth-protected-resource/mcp", Some(WELL_KNOWN)),
            ("https:\\\\h.example\\.well-known\\oauth-protected-resource\\mcp", Some(WELL_KNOWN)),
            ("'https://h.example/.well-known/oauth-protected-resource/mcp'", Some(WELL_KNOWN)),
            ("<https://h.example/.well-known/oauth-protected-resource/mcp>", Some(WELL_KNOWN)),
            ("\\\"https://h.example/.well-known/oauth-protected-resource/mcp\\\"", Some(WELL_KNOWN)),
            (" https://h.example/.well-known/oauth-protected-resource/mcp; ", Some(WELL_KNOWN)),
            ("https%3A%2F%2Fh.example%2F.well-known%2Foauth-protected-resource%2Fmcp", Some(WELL_KNOWN)),
            ("%2F.well-known%2Foauth-protected-resource%2Fmcp", Some(WELL_KNOWN)),
            ("https://H.example/A?b", Some("https://H.example/A?b")),
            ("http://inner:8080/x", Some("http://inner:8080/x")),
            ("?x=1", Some("https://h.example/mcp?x=1")),
            ("", None),
            ("\"\"", None),
            ("urn:x", None),
            ("file:///etc/passwd", None),
            ("data:text/plain,x", None),
            ("javascript:alert(1)", None),
            ("https://", None),
            ("two words", None),
        ] {
            assert_eq!(complete_hint("https://h.example/mcp", hint).as_deref(), expected, "{hint}");
        }
        assert_eq!(
            complete_hint("http://127.0.0.1:4711/mcp", "127.0.0.1:4711/prm").as_deref(),
            Some("http://127.0.0.1:4711/prm")
        );
    }

    proptest::proptest! {
        #[test]
        fn hostile_hints_never_panic(hint in ".{0,80}", asked in "(https://h/)?.{0,20}") {
            if let Some(address) = complete_hint(&asked, &hint) {
                proptest::prop_assert!(address.starts_with("http"));
            }
        }
    }
}
