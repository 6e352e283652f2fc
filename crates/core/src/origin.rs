//! Origins of URLs.

use url::Url;

/// The origin of `url`: scheme, host and port (RFC 6454 §4). A text that is no URL is its own origin.
pub fn origin_of(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().ascii_serialization())
}
