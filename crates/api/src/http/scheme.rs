//! The authentication scheme of a credential.

/// The credential after the scheme `Bearer`, which is case-insensitive (RFC 9110 §11.1).
pub(crate) fn bearer(text: &str) -> Option<&str> {
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
