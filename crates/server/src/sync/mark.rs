//! The mark on everything that this program writes into a gateway: who wrote it, for which server, and a fingerprint of what
//! was written. Gateways keep it as a tag or among their own metadata.

use aws_lc_rs::{digest, pbkdf2};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

const PREFIX: &str = "mcp-registry";
/// Bytes of the id of a server and of a fingerprint.
const ID_BYTES: usize = 8;
const FINGERPRINT_BYTES: usize = 16;
const MAX_OWNER_LENGTH: usize = 32;
/// Some milliseconds for each guess.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(20_000).unwrap();

/// A mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Who wrote it; other owners' entries are left alone.
    pub(crate) owner: String,
    /// The server, as [`server_id`] gives it.
    pub(crate) server: String,
    /// What was written.
    pub(crate) fingerprint: String,
}

impl Mark {
    /// As a tag: lower-case letters, digits, hyphens and colons only, because ContextForge keeps no other characters.
    pub(crate) fn text(&self) -> String {
        format!("{PREFIX}:{}:{}:{}", self.owner, self.server, self.fingerprint)
    }

    /// Reads a tag; `None`: not a mark.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(PREFIX)?.strip_prefix(':')?.split(':').map(str::to_owned);
        let mark = Self { owner: parts.next()?, server: parts.next()?, fingerprint: parts.next()? };
        (parts.next().is_none()
            && is_hex(&mark.server, ID_BYTES)
            && is_hex(&mark.fingerprint, FINGERPRINT_BYTES))
        .then_some(mark)
    }
}

fn is_hex(text: &str, bytes: usize) -> bool {
    text.len() == 2 * bytes && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Names one server in marks: slugs may have characters that tags cannot have.
pub(crate) fn server_id(name: &str) -> String {
    let digest = digest::digest(&digest::SHA256, name.to_lowercase().as_bytes());
    hex(digest.as_ref().get(..ID_BYTES).unwrap_or_default())
}

/// Judges `--owner`.
pub(crate) fn parse_owner(text: &str) -> Result<String, String> {
    let fits = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && (1..=MAX_OWNER_LENGTH).contains(&text.len());
    fits.then(|| text.to_owned())
        .ok_or_else(|| format!("write 1 to {MAX_OWNER_LENGTH} lower-case letters, digits and inner hyphens"))
}

/// Makes fingerprints. They are slow to make, so that nobody who reads a mark can guess a secret with it; one that was made is
/// kept. They depend on nothing else, so that programs with other API keys write the same marks.
#[derive(Default)]
pub(crate) struct Fingerprints {
    /// By the digest of salt and text.
    made: Mutex<HashMap<Vec<u8>, String>>,
}

impl Fingerprints {
    /// The fingerprint of what is written for the server with this id.
    pub(crate) fn of(&self, server: &str, text: &str) -> String {
        let key = digest::digest(&digest::SHA256, format!("{server}:{text}").as_bytes()).as_ref().to_vec();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(key)
            .or_insert_with(|| {
                let mut bytes = [0; FINGERPRINT_BYTES];
                pbkdf2::derive(
                    pbkdf2::PBKDF2_HMAC_SHA256,
                    ITERATIONS,
                    server.as_bytes(),
                    text.as_bytes(),
                    &mut bytes,
                );
                hex(&bytes)
            })
            .clone()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_back_and_nothing_else_is_one() {
        let mark = Mark {
            owner: "prod-1".to_owned(),
            server: server_id("Acme/notes"),
            fingerprint: Fingerprints::default().of("server", "text"),
        };
        assert_eq!(Mark::parse(&mark.text()), Some(mark.clone()));
        assert_eq!(server_id("acme/notes"), mark.server, "slugs are unique ignoring case");
        for other in
            ["", "mcp-registry", "mcp-registry:prod", "mcp-registry:prod:zz:00", "mcp-registryx:a:b:c"]
        {
            assert_eq!(Mark::parse(other), None, "{other}");
        }
        assert_eq!(Mark::parse(&format!("{}:more", mark.text())), None);
    }

    #[test]
    fn fingerprints_depend_on_server_and_text() {
        let one = Fingerprints::default().of("server", "text");
        assert_eq!(one, Fingerprints::default().of("server", "text"));
        assert_ne!(one, Fingerprints::default().of("other", "text"));
        assert_ne!(one, Fingerprints::default().of("server", "other"));
    }

    #[test]
    fn owners_fit_into_tags() {
        for (text, fits) in
            [("default", true), ("a", true), ("", false), ("A", false), ("-a", false), ("a:b", false)]
        {
            assert_eq!(parse_owner(text).is_ok(), fits, "{text}");
        }
        assert!(parse_owner(&"a".repeat(33)).is_err());
    }
}
