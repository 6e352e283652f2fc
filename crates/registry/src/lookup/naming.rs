//! Validates names, descriptions and expected versions.

use crate::{Error, Result};
use registry_core::finding::Finding;
use registry_core::names::invisible_in;
use url::{Host, Url};

/// A name as it is kept: trimmed, 1 to 255 characters, none of them invisible (see `registry_core::names`).
pub(crate) fn name(text: &str, pointer: &str) -> Result<String> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 {
        return Err(Error::invalid(Finding::error(pointer, "empty_value", "A name is needed. Write one.")));
    }
    if let Some(character) = invisible_in(text) {
        return Err(Error::invalid(Finding::error(
            pointer,
            "invalid_value",
            format!(
                "A name holds no control characters, direction marks or other invisible characters. Remove {character}."
            ),
        )));
    }
    if length > 255 {
        return Err(Error::invalid(Finding::error(
            pointer,
            "invalid_value",
            "A name has at most 255 characters.",
        )));
    }
    Ok(text.to_owned())
}

/// A display name made from the registrable label of the host of `url`; `None` if it has no host.
pub(crate) fn from_address(url: &str) -> Option<String> {
    let url = Url::parse(url.trim()).ok()?;
    let host = match url.host()? {
        Host::Domain(name) => name.trim_end_matches('.').to_owned(),
        address => return Some(format!("Server at {address}")),
    };
    let labels: Vec<&str> = host.split('.').collect();
    // `mcp.acme.co.uk`: the two last are nobody's choice.
    let public = match labels.as_slice() {
        [.., second, last] if labels.len() > 2 && last.len() == 2 && second.len() <= 3 => 2,
        _ => 1,
    };
    let chosen = labels.len().checked_sub(public + 1).map_or(labels[0], |index| labels[index]);
    let mut characters = chosen.chars();
    let first = characters.next()?;
    Some(first.to_uppercase().chain(characters).collect())
}

/// A description as it is kept: empty means none; at most 500 characters.
pub(crate) fn description(text: Option<String>) -> Result<Option<String>> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.chars().count() > 500) {
        return Err(Error::invalid(Finding::error(
            "/description",
            "too_long",
            "A description has at most 500 characters.",
        )));
    }
    Ok(text)
}

/// Compares the version a caller has read with the present one.
pub(crate) fn expect_version(expected: Option<i64>, current: i64) -> Result<()> {
    match expected {
        Some(expected) if expected != current => Err(Error::Stale { current }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::from_address;

    #[test]
    fn names_come_from_the_chosen_part_of_a_host() {
        for (url, name) in [
            ("https://mcp.linear.app/mcp", Some("Linear")),
            ("https://linear.app", Some("Linear")),
            ("https://mcp.acme.co.uk/sse", Some("Acme")),
            ("https://t.co/mcp", Some("T")),
            ("http://localhost:3000/mcp", Some("Localhost")),
            ("http://127.0.0.1:1/mcp", Some("Server at 127.0.0.1")),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(from_address(url).as_deref(), name, "{url}");
        }
    }
}
