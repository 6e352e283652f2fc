//! Identifiers of others as they are, fit to be shown: an admin may have to copy them, so nothing is normalised.

use super::clean::is_hidden;
use std::fmt::Write;

/// The longest identifier that is shown whole, in characters.
const MAX_SHOWN: usize = 300;

/// `text` character for character. Control, direction and invisible characters are written as `\u{200b}`, so that they are
/// seen and cannot change what is around them; what is longer than 300 characters ends in `…`.
pub fn verbatim(text: &str) -> String {
    if text.is_empty() { "(empty)".to_owned() } else { verbatim_up_to(text, MAX_SHOWN) }
}

/// The same of an identifier that is kept: at most `most` characters.
pub(super) fn verbatim_up_to(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most * 4));
    for (index, character) in text.chars().enumerate() {
        if index == most {
            shown.push('…');
            break;
        }
        if character.is_control() || is_hidden(character) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_shown_as_they_are() {
        for (text, expected) in [
            ("https://h.example", "https://h.example"),
            ("https://h.example/", "https://h.example/"),
            ("HTTPS://H.example:443/a/../b?x=1#f", "HTTPS://H.example:443/a/../b?x=1#f"),
            ("api://0f1e/x", "api://0f1e/x"),
            ("urn:mcp:acme", "urn:mcp:acme"),
            ("not a URL", "not a URL"),
            ("https://münchen.example/é", "https://münchen.example/é"),
            ("https://h.example/%7Ea", "https://h.example/%7Ea"),
            ("https://h.example\n", "https://h.example\\u{a}"),
            ("https://h\u{200b}.example", "https://h\\u{200b}.example"),
            ("https://h.example/\u{202e}x", "https://h.example/\\u{202e}x"),
            ("", "(empty)"),
        ] {
            assert_eq!(verbatim(text), expected);
        }
        assert_eq!(verbatim(&"x".repeat(301)).chars().count(), 301);
        assert!(verbatim(&"x".repeat(301)).ends_with("x…"));
    }
}
