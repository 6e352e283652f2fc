//! Secrets at rest: AES-256-GCM, the key's id beside the row, the row's id as associated data.

use crate::{Error, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use registry_core::id::SealedId;
use registry_core::secret::Secret;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// One key of the ring. Its `Debug` shows the id only.
#[derive(Clone)]
pub struct SealingKey {
    id: String,
    bytes: Zeroizing<[u8; 32]>,
}

impl SealingKey {
    /// A key of 32 random bytes with the id it is stored under.
    pub fn new(id: impl Into<String>, bytes: [u8; 32]) -> Self {
        Self { id: id.into(), bytes: Zeroizing::new(bytes) }
    }

    /// A fresh random key; its id is made from its check value.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_| Error::Internal("the system gave no random numbers".into()))?;
        let mut key = Self::new("", bytes);
        key.id = format!("k{}", &key.check_value()[..8]);
        Ok(key)
    }

    /// Reads one line `<id>:<base64 of 32 bytes>`; the error says what is wrong and never shows the line.
    pub fn parse(line: &str) -> std::result::Result<Self, String> {
        let (id, text) =
            line.trim().split_once(':').ok_or("a sealing key is written `<id>:<base64 of 32 bytes>`")?;
        if id.is_empty() || id.len() > 32 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err("a sealing key's id has 1 to 32 letters and digits".to_owned());
        }
        let decoded =
            Zeroizing::new(STANDARD.decode(text).map_err(|_| "a sealing key is base64 after its id")?);
        let bytes = <[u8; 32]>::try_from(decoded.as_slice())
            .map_err(|_| "a sealing key has exactly 32 bytes".to_owned())?;
        Ok(Self::new(id, bytes))
    }

    /// The line [`SealingKey::parse`] reads. A secret.
    pub fn to_line(&self) -> String {
        format!("{}:{}", self.id, STANDARD.encode(*self.bytes))
    }

    /// Tells whether two processes mean the same key by one id, without telling the key.
    pub(crate) fn check_value(&self) -> String {
        let digest =
            Sha256::new().chain_update(b"mcp-registry key check\0").chain_update(*self.bytes).finalize();
        crate::stored::hex(&digest[..8])
    }

    fn cipher(&self) -> Result<RandomizedNonceKey> {
        RandomizedNonceKey::new(&AES_256_GCM, &*self.bytes)
            .map_err(|_| Error::Internal("bad sealing key".into()))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealingKey({})", self.id)
    }
}

/// All keys of a deployment: the first seals, every one opens.
#[derive(Clone, Debug)]
pub struct SealingRing {
    keys: Vec<SealingKey>,
}

/// A sealed secret, ready for its row.
pub(crate) struct Sealed {
    pub(crate) key_id: String,
    pub(crate) nonce: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
}

impl SealingRing {
    /// A ring of at least one key with distinct ids.
    pub fn new(keys: Vec<SealingKey>) -> std::result::Result<Self, String> {
        if keys.is_empty() {
            return Err("a sealing ring needs at least one key".to_owned());
        }
        for (index, key) in keys.iter().enumerate() {
            if keys[..index].iter().any(|other| other.id == key.id) {
                return Err(format!("the sealing key id `{}` is there twice", key.id));
            }
        }
        Ok(Self { keys })
    }

    /// `(id, check value)` of each key.
    pub(crate) fn check_values(&self) -> Vec<(String, String)> {
        self.keys.iter().map(|key| (key.id.clone(), key.check_value())).collect()
    }

    pub(crate) fn seal(&self, id: SealedId, secret: &str) -> Result<Sealed> {
        let key = &self.keys[0];
        let mut ciphertext = secret.as_bytes().to_vec();
        let nonce = key
            .cipher()?
            .seal_in_place_append_tag(Aad::from(id.0.as_bytes()), &mut ciphertext)
            .map_err(|_| Error::Internal("sealing failed".into()))?;
        Ok(Sealed { key_id: key.id.clone(), nonce: nonce.as_ref().to_vec(), ciphertext })
    }

    pub(crate) fn open(&self, id: SealedId, sealed: &Sealed) -> Result<Secret> {
        let broken = || Error::Internal(format!("sealed value {id} cannot be opened").into());
        let key = self.keys.iter().find(|key| key.id == sealed.key_id).ok_or_else(|| {
            Error::Unavailable(format!(
                "A stored secret is sealed with the key `{}`, which is not configured here.",
                sealed.key_id
            ))
        })?;
        let nonce = <[u8; NONCE_LEN]>::try_from(sealed.nonce.as_slice()).map_err(|_| broken())?;
        let mut bytes = Zeroizing::new(sealed.ciphertext.clone());
        let plain = key
            .cipher()?
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(id.0.as_bytes()), &mut bytes)
            .map_err(|_| broken())?;
        let text = std::str::from_utf8(plain).map_err(|_| broken())?;
        Ok(Secret::new(text.to_owned()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_secret_comes_back_only_for_its_own_row_and_key() {
        let key = SealingKey::generate().unwrap();
        let ring = SealingRing::new(vec![key.clone()]).unwrap();
        let (row, other) = (SealedId(Uuid::from_u128(1)), SealedId(Uuid::from_u128(2)));
        let sealed = ring.seal(row, "s3cret").unwrap();
        assert!(!sealed.ciphertext.windows(6).any(|window| window == b"s3cret"));
        assert_eq!(ring.open(row, &sealed).unwrap().expose(), "s3cret");
        assert!(ring.open(other, &sealed).is_err(), "a row's ciphertext must not open in another row");

        let rotated = SealingRing::new(vec![SealingKey::generate().unwrap(), key.clone()]).unwrap();
        assert_eq!(rotated.open(row, &sealed).unwrap().expose(), "s3cret");
        let foreign = SealingRing::new(vec![SealingKey::generate().unwrap()]).unwrap();
        assert!(matches!(foreign.open(row, &sealed), Err(Error::Unavailable(_))));
        assert_eq!(SealingKey::parse(&key.to_line()).unwrap().check_value(), key.check_value());
        assert!(!format!("{key:?}").contains(&key.to_line()));
    }

    #[test]
    fn bad_key_lines_say_what_is_wrong_and_not_what_they_are() {
        for line in ["", "nocolon", "a b:AAAA", "k1:!!!", "k1:c2hvcnQ="] {
            let message = SealingKey::parse(line).unwrap_err();
            assert!(line.is_empty() || !message.contains(line), "{message}");
        }
    }
}
