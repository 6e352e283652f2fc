//! Origins of URLs: scheme, host and port (RFC 6454).

use url::Url;

/// The origin of `url` as text, such as `https://h.example:8443`; a text that is not a URL is returned unchanged.
pub fn origin_of(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().ascii_serialization())
}

/// Whether two addresses have the same scheme, host and port.
pub fn is_same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin().is_tuple() && one.origin() == other.origin(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_scheme_host_and_port() {
        for (other, same) in [
            ("https://h/x", true),
            ("https://h:443/y", true),
            ("https://H/y", true),
            ("http://h/x", false),
            ("https://h:444/x", false),
            ("https://h.evil/x", false),
            ("https://h@evil/x", false),
            ("x", false),
            ("data:x", false),
        ] {
            assert_eq!(is_same_origin("https://h/register", other), same, "{other}");
        }
        assert!(!is_same_origin("data:x", "data:x"));
    }
}
