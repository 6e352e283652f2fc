//! Names that fit a narrow alphabet: some authorization servers accept only ASCII letters, digits, spaces and hyphens in
//! `client_name`, or only short names.

/// What a name may consist of, besides ASCII letters and digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alphabet {
    /// What stands between two words; `None`: nothing.
    pub(crate) separator: Option<char>,
    /// Whether capitals are not allowed.
    pub(crate) lower_case: bool,
    /// The most characters, if there is a limit.
    pub(crate) max: Option<usize>,
}

impl Default for Alphabet {
    fn default() -> Self {
        Self { separator: Some(' '), lower_case: false, max: None }
    }
}

/// `name` in `alphabet`. Hyphens inside words stay where the separator is a space or a hyphen; every other character ends
/// a word. Never empty.
pub(crate) fn plain_name(name: &str, alphabet: Alphabet) -> String {
    let hyphens = matches!(alphabet.separator, Some(' ' | '-'));
    let words = name
        .split(|character: char| !(character.is_ascii_alphanumeric() || hyphens && character == '-'))
        .map(|word| word.trim_matches('-'))
        .filter(|word| !word.is_empty());
    let mut plain = String::new();
    for word in words {
        if let Some(separator) = alphabet.separator.filter(|_| !plain.is_empty()) {
            plain.push(separator);
        }
        plain.push_str(word);
    }
    if plain.is_empty() {
        plain.push_str("MCP");
    }
    if alphabet.lower_case {
        plain.make_ascii_lowercase();
    }
    if let Some(max) = alphabet.max.filter(|max| *max > 0) {
        plain.truncate(max);
        plain.truncate(plain.trim_end_matches([' ', '-', '_']).len());
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_reduced_to_the_alphabet() {
        let shipped = "Portkey (acme/linear)";
        let plain = Alphabet::default();
        let joined = |separator| Alphabet { separator, ..plain };
        for (name, alphabet, expected) in [
            (shipped, plain, "Portkey acme linear"),
            (shipped, joined(Some('-')), "Portkey-acme-linear"),
            (shipped, joined(Some('_')), "Portkey_acme_linear"),
            (shipped, joined(None), "Portkeyacmelinear"),
            (shipped, Alphabet { lower_case: true, ..plain }, "portkey acme linear"),
            (shipped, Alphabet { max: Some(16), ..plain }, "Portkey acme lin"),
            (shipped, Alphabet { max: Some(8), ..plain }, "Portkey"),
            (shipped, Alphabet { max: Some(0), ..plain }, "Portkey acme linear"),
            ("Portkey (my-team/my-server)", plain, "Portkey my-team my-server"),
            ("Portkey (my-team/my-server)", joined(None), "Portkeymyteammyserver"),
            ("--", plain, "MCP"),
            ("", plain, "MCP"),
            ("日本", Alphabet { lower_case: true, ..plain }, "mcp"),
            ("Acme Corp MCP Gateway", plain, "Acme Corp MCP Gateway"),
            ("a😀b", plain, "a b"),
        ] {
            assert_eq!(plain_name(name, alphabet), expected, "{name} {alphabet:?}");
        }
    }
}
