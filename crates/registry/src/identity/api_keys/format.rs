//! Text format of API keys: `mcpr_`, 30 random base62 characters, a checksum of 6 characters.

use crate::{Error, Result};
use sha2::{Digest, Sha256};

const PREFIX: &str = "mcpr_";
const RANDOM: usize = 30;
const CHECKSUM: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether a credential looks like an API key.
pub(crate) fn looks_like_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The part of a key that may be shown.
pub(crate) fn beginning(key: &str) -> &str {
    &key[..PREFIX.len() + 4]
}

/// A token of `length` base62 characters with about 5.95 bits each.
pub(crate) fn random_base62(length: usize) -> Result<String> {
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_| Error::Internal("the system gave no random numbers".into()))?;
        // 248 is the largest multiple of 62 below 256: without the rest every character is equally likely.
        let usable =
            bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        text.extend(usable.take(length - text.len()));
    }
    Ok(text)
}

/// The text of a new key.
pub(crate) fn generate() -> Result<String> {
    let body = format!("{PREFIX}{}", random_base62(RANDOM)?);
    let sum = checksum(&body);
    Ok(body + &sum)
}

/// The checksum lets secret scanners and this program recognise a mistyped key without the database.
fn checksum(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    digest.iter().take(CHECKSUM).map(|byte| char::from(ALPHABET[usize::from(byte % 62)])).collect()
}

/// Whether the checksum of a key is right.
pub(crate) fn checksum_holds(key: &str) -> bool {
    key.is_ascii()
        && key.len() == PREFIX.len() + RANDOM + CHECKSUM
        && checksum(&key[..PREFIX.len() + RANDOM]) == key[PREFIX.len() + RANDOM..]
}

/// SHA-256 of a key, 32 bytes. A key has 178 random bits, so a plain hash cannot be reversed.
pub(crate) fn hash(key: &str) -> Vec<u8> {
    Sha256::digest(key.as_bytes()).to_vec()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn keys_carry_a_checksum() {
        let key = generate().unwrap();
        assert!(checksum_holds(&key));
        assert_eq!(key.len(), 41);
        let mut wrong = key.clone().into_bytes();
        wrong[10] = if wrong[10] == b'a' { b'b' } else { b'a' };
        assert!(!checksum_holds(&String::from_utf8(wrong).unwrap()));
        assert!(!checksum_holds("mcpr_é"));
        assert_ne!(key, generate().unwrap());
    }
}
