//! `WWW-Authenticate` (RFC 9110 §11.6.1): a list of challenges, on one line or several.

/// One challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, lower case: `bearer`, `dpop`, …
    pub scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The first parameter of this name, compared without case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Where the protected resource's metadata are (RFC 9728 §5.1).
    ///
    /// Also under the names that some servers give it.
    pub fn resource_metadata(&self) -> Option<&str> {
        ["resource_metadata", "resource_metadata_url", "resource_metadata_uri", "resource-metadata"]
            .into_iter()
            .find_map(|name| self.parameter(name))
    }

    /// The scopes needed now (RFC 6750 §3).
    pub fn scope(&self) -> Option<&str> {
        self.parameter("scope").filter(|scope| !scope.trim().is_empty())
    }

    /// Why the request was refused (RFC 6750 §3.1), such as `invalid_token`.
    pub fn error(&self) -> Option<&str> {
        self.parameter("error")
    }
}

/// Every challenge of every header line. Never fails: what cannot be read is skipped.
pub fn parse_challenges<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    for line in lines {
        parse_line(line, &mut challenges);
    }
    challenges
}

fn parse_line(line: &str, challenges: &mut Vec<Challenge>) {
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let length = rest.find(|c: char| !is_token(c)).unwrap_or(rest.len());
        if length == 0 {
            // Not a token: skip one character and look on.
            let Some(character) = rest.chars().next() else { return };
            rest = &rest[character.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(length);
        let trimmed = after.trim_start_matches([' ', '\t']);
        let is_parameter = trimmed.starts_with('=') && !trimmed.starts_with("==");
        if is_parameter {
            if challenges.is_empty() {
                // The scheme is missing.
                challenges.push(Challenge { scheme: String::new(), parameters: Vec::new() });
            }
            let Some(challenge) = challenges.last_mut() else { return };
            let (value, after) = parse_value(trimmed[1..].trim_start_matches([' ', '\t']));
            challenge.parameters.push((word.to_owned(), value));
            rest = after;
        } else {
            challenges.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: Vec::new() });
            rest = after;
            // token68 (RFC 9110 §11.2) replaces parameters; it is ignored.
            // Looked for only behind a space, so that no character is looked at over and over.
            let trimmed = after.trim_start_matches([' ', '\t']);
            let spaced = after.len() != trimmed.len();
            let length = if spaced { trimmed.find([' ', '\t', ',']).unwrap_or(trimmed.len()) } else { 0 };
            if trimmed[..length].ends_with('=') && !trimmed[..length].contains('"') {
                rest = &trimmed[length..];
            }
        }
    }
}

fn parse_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let length = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..length].to_owned(), &text[length..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[index + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_with_lists_quotes_and_lines_are_parsed() {
        let lines = [
            r#"Basic realm="a, \"b\"", charset=UTF-8, BEARER Resource_Metadata="https://h/.well-known/x" , scope="a b""#,
            "DPoP algs=\"ES256\"",
            "Negotiate dG9rZW4=, Bearer error=invalid_token",
        ];
        let challenges = parse_challenges(lines);
        let schemes: Vec<_> = challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["basic", "bearer", "dpop", "negotiate", "bearer"]);
        assert_eq!(challenges[0].parameter("realm"), Some("a, \"b\""));
        assert_eq!(challenges[1].resource_metadata(), Some("https://h/.well-known/x"));
        assert_eq!(challenges[1].scope(), Some("a b"));
        assert_eq!(challenges[4].error(), Some("invalid_token"));
        assert!(
            parse_challenges(["", "=,=", "\"", "é é=é"]).iter().all(|one| one.resource_metadata().is_none())
        );
    }

    proptest::proptest! {
        #[test]
        fn hostile_headers_never_panic(line in ".{0,200}") {
            let _ = parse_challenges([line.as_str()]);
        }
    }
}
