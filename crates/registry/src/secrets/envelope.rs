//! Secrets at rest, envelope encryption: each secret is encrypted with its own data key (AES-256-GCM); the data key is
//! encrypted with a sealing key of the ring, whose id is stored beside it. The id of the row is associated data of
//! both, so that no ciphertext opens in another row. Key rotation re-encrypts the data keys and leaves the ciphertexts
//! of the secrets as they are.

use crate::{Error, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use registry_core::id::SealedId;
use registry_core::secret::Secret;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
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

    /// A new random key; its id is derived from its check value.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_| Error::Internal("the system gave no random numbers".into()))?;
        let mut key = Self::new("", bytes);
        key.id = format!("k{}", &key.check_value()[..8]);
        Ok(key)
    }

    /// Parses one line `<id>:<base64 of 32 bytes>`; the error says what is wrong and never contains the line.
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

    /// The line that [`SealingKey::parse`] reads. A secret.
    pub fn to_line(&self) -> String {
        format!("{}:{}", self.id, STANDARD.encode(*self.bytes))
    }

    /// Check value: shows whether two processes have the same key under one id, without revealing the key. 16 hex
    /// digits.
    pub(crate) fn check_value(&self) -> String {
        let digest =
            Sha256::new().chain_update(b"mcp-registry key check\0").chain_update(*self.bytes).finalize();
        crate::storage::columns::hex(&digest[..8])
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealingKey({})", self.id)
    }
}

/// All sealing keys of a deployment: the first encrypts, all decrypt.
#[derive(Clone, Debug)]
pub struct SealingRing {
    keys: Vec<SealingKey>,
}

/// An encrypted secret, as its row stores it.
pub(crate) struct Sealed {
    /// The key of the ring that encrypts the data key (or, without a data key, the secret itself: rows of early
    /// releases).
    pub(crate) key_id: String,
    /// Nonce and encrypted data key.
    pub(crate) data_key: Option<Vec<u8>>,
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

    /// A ring without keys. For commands that must work while a key is lost.
    pub fn none() -> Self {
        Self { keys: Vec::new() }
    }

    /// `(id, check value)` of each key.
    pub(crate) fn check_values(&self) -> Vec<(String, String)> {
        self.keys.iter().map(|key| (key.id.clone(), key.check_value())).collect()
    }

    /// The id of the key that encrypts; empty: the ring has no key.
    pub(crate) fn primary(&self) -> &str {
        self.keys.first().map_or("", |key| &key.id)
    }

    /// Whether the ring has a key of this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id == id)
    }

    /// Permission to encrypt with this ring. `known`: the check values of all keys that the deployment recorded. A
    /// secret that is encrypted with an unknown key, or with another key of a known id, could be opened by no other
    /// process.
    pub(crate) fn permit(&self, known: &BTreeMap<String, String>) -> Result<SealPermit<'_>> {
        for (id, check) in self.check_values() {
            if known.get(&id).is_some_and(|known| *known != check) {
                return Err(Error::CannotSeal(format!(
                    "The sealing key `{id}` of this process is not the one that stored secrets are sealed with, so nothing was saved that needs it. Give this process the right key (`sealing`)."
                )));
            }
        }
        if !known.contains_key(self.primary()) {
            return Err(Error::CannotSeal(format!(
                "The deployment does not know the sealing key `{}`, the first one of this process, so nothing was saved that needs it. Run `mcp-registry migrate` with the sealing keys of this process, or give it those of the others (`sealing`).",
                self.primary()
            )));
        }
        Ok(SealPermit(self))
    }

    /// Encrypts before a write has begun. The result is stored only by [`crate::storage::write::Write::insert_sealed`],
    /// which checks the permission.
    pub(crate) fn seal_ahead(&self, id: SealedId, secret: &str) -> Result<Sealed> {
        SealPermit(self).seal(id, secret)
    }

    pub(crate) fn open(&self, id: SealedId, sealed: &Sealed) -> Result<Secret> {
        let key = self.key(&sealed.key_id)?;
        let plain = match &sealed.data_key {
            Some(data_key) => {
                let data_key = unwrap(key, id, data_key)?;
                decrypt(&data_key, &secret_of(id), &sealed.nonce, &sealed.ciphertext)
            }
            None => decrypt(&key.bytes, id.0.as_bytes(), &sealed.nonce, &sealed.ciphertext),
        };
        let plain = plain.ok_or_else(|| broken(id))?;
        let text = std::str::from_utf8(&plain).map_err(|_| broken(id))?;
        Ok(Secret::new(text.to_owned()))
    }

    fn key(&self, id: &str) -> Result<&SealingKey> {
        self.keys.iter().find(|key| key.id == id).ok_or_else(|| Error::KeyMissing(id.to_owned()))
    }

    fn wrap(&self, id: SealedId, data_key: &[u8; 32]) -> Result<Vec<u8>> {
        let key = self.keys.first().ok_or_else(|| {
            Error::Unavailable("Nothing can be sealed: this process has no sealing key.".to_owned())
        })?;
        let (nonce, ciphertext) = encrypt(&key.bytes, &data_key_of(id), data_key)?;
        Ok([nonce.as_slice(), &ciphertext].concat())
    }
}

/// Permission to encrypt: the keys of the ring are those of the deployment. Nothing is encrypted without it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealPermit<'a>(&'a SealingRing);

impl SealPermit<'_> {
    pub(crate) fn seal(self, id: SealedId, secret: &str) -> Result<Sealed> {
        let mut data_key = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(&mut *data_key).map_err(|_| failed("no random numbers"))?;
        let (nonce, ciphertext) = encrypt(&data_key, &secret_of(id), secret.as_bytes())?;
        Ok(Sealed {
            key_id: self.0.primary().to_owned(),
            data_key: Some(self.0.wrap(id, &data_key)?),
            nonce: nonce.to_vec(),
            ciphertext,
        })
    }

    /// Re-encrypts a secret with the primary key. Where the secret has a data key, only that is re-encrypted.
    pub(crate) fn reseal(self, id: SealedId, sealed: Sealed) -> Result<Sealed> {
        let Some(data_key) = &sealed.data_key else {
            return self.seal(id, self.0.open(id, &sealed)?.expose());
        };
        let data_key = unwrap(self.0.key(&sealed.key_id)?, id, data_key)?;
        let wrapped = self.0.wrap(id, &data_key)?;
        Ok(Sealed { key_id: self.0.primary().to_owned(), data_key: Some(wrapped), ..sealed })
    }
}

fn unwrap(key: &SealingKey, id: SealedId, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
    let (nonce, ciphertext) = wrapped.split_at_checked(NONCE_LEN).ok_or_else(|| broken(id))?;
    let plain = decrypt(&key.bytes, &data_key_of(id), nonce, ciphertext).ok_or_else(|| broken(id))?;
    let bytes = plain.as_slice().try_into().map_err(|_| broken(id))?;
    Ok(Zeroizing::new(bytes))
}

/// Associated data of the ciphertext of a secret.
fn secret_of(id: SealedId) -> [u8; 17] {
    labelled(b's', id)
}

/// Associated data of an encrypted data key: not even the secret of the same row can replace it.
fn data_key_of(id: SealedId) -> [u8; 17] {
    labelled(b'k', id)
}

fn labelled(label: u8, id: SealedId) -> [u8; 17] {
    let mut bytes = [label; 17];
    bytes[1..].copy_from_slice(id.0.as_bytes());
    bytes
}

fn encrypt(key: &[u8; 32], bound_to: &[u8], plain: &[u8]) -> Result<([u8; NONCE_LEN], Vec<u8>)> {
    let mut bytes = plain.to_vec();
    let nonce = RandomizedNonceKey::new(&AES_256_GCM, key)
        .and_then(|key| key.seal_in_place_append_tag(Aad::from(bound_to), &mut bytes))
        .map_err(|_| failed("sealing failed"))?;
    Ok((*nonce.as_ref(), bytes))
}

fn decrypt(key: &[u8; 32], bound_to: &[u8], nonce: &[u8], ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let nonce = Nonce::assume_unique_for_key(nonce.try_into().ok()?);
    let mut bytes = Zeroizing::new(ciphertext.to_vec());
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
    let length = key.open_in_place(nonce, Aad::from(bound_to), &mut bytes).ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}

fn failed(what: &'static str) -> Error {
    Error::Internal(what.into())
}

fn broken(id: SealedId) -> Error {
    Error::damaged(format!("sealed value {id} cannot be opened"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn permit(ring: &SealingRing) -> SealPermit<'_> {
        ring.permit(&ring.check_values().into_iter().collect()).unwrap()
    }

    #[test]
    fn a_ring_seals_only_with_a_key_that_the_deployment_knows() {
        let key = SealingKey::generate().unwrap();
        let ring = SealingRing::new(vec![key.clone()]).unwrap();
        let known = |id: &str, check: String| BTreeMap::from([(id.to_owned(), check)]);
        assert!(ring.permit(&known(&key.id, key.check_value())).is_ok());
        for (why, known) in [
            ("nothing is known", BTreeMap::new()),
            ("another key", known("other", key.check_value())),
            ("another key of the same id", known(&key.id, "0011223344556677".to_owned())),
        ] {
            assert!(matches!(ring.permit(&known), Err(Error::CannotSeal(_))), "{why}");
        }
        let second = SealingKey::new("second", [7; 32]);
        let both = SealingRing::new(vec![key.clone(), second.clone()]).unwrap();
        let mut checks = known(&key.id, key.check_value());
        assert!(both.permit(&checks).is_ok(), "a key that only opens need not be known yet");
        checks.insert("second".to_owned(), "0011223344556677".to_owned());
        assert!(both.permit(&checks).is_err(), "and may not be another one");
    }

    #[test]
    fn a_secret_comes_back_only_for_its_own_row_and_key() {
        let key = SealingKey::generate().unwrap();
        let ring = SealingRing::new(vec![key.clone()]).unwrap();
        let (row, other) = (SealedId(Uuid::from_u128(1)), SealedId(Uuid::from_u128(2)));
        let sealed = permit(&ring).seal(row, "s3cret").unwrap();
        assert!(!sealed.ciphertext.windows(6).any(|window| window == b"s3cret"));
        assert_eq!(ring.open(row, &sealed).unwrap().expose(), "s3cret");
        assert!(ring.open(other, &sealed).is_err(), "a row's ciphertext must not open in another row");

        let new = SealingKey::generate().unwrap();
        let rotated = SealingRing::new(vec![new.clone(), key.clone()]).unwrap();
        assert_eq!(rotated.open(row, &sealed).unwrap().expose(), "s3cret");
        let foreign = SealingRing::new(vec![new]).unwrap();
        assert!(matches!(foreign.open(row, &sealed), Err(Error::KeyMissing(_))));

        let again = permit(&rotated).reseal(row, sealed).unwrap();
        assert_eq!(foreign.open(row, &again).unwrap().expose(), "s3cret");
        assert!(matches!(ring.open(row, &again), Err(Error::KeyMissing(_))), "the old key opens it no more");
        assert_eq!(SealingKey::parse(&key.to_line()).unwrap().check_value(), key.check_value());
        assert!(!format!("{key:?}").contains(&key.to_line()));
    }

    #[test]
    fn a_secret_of_before_envelopes_opens_and_gets_one() {
        let key = SealingKey::generate().unwrap();
        let ring = SealingRing::new(vec![key.clone()]).unwrap();
        let row = SealedId(Uuid::from_u128(1));
        let (nonce, ciphertext) = encrypt(&key.bytes, row.0.as_bytes(), b"old").unwrap();
        let old = Sealed { key_id: key.id.clone(), data_key: None, nonce: nonce.to_vec(), ciphertext };
        assert_eq!(ring.open(row, &old).unwrap().expose(), "old");
        let new = permit(&ring).reseal(row, old).unwrap();
        assert!(new.data_key.is_some());
        assert_eq!(ring.open(row, &new).unwrap().expose(), "old");
    }

    #[test]
    fn the_parts_of_a_row_cannot_be_exchanged() {
        let ring = SealingRing::new(vec![SealingKey::generate().unwrap()]).unwrap();
        let (row, other) = (SealedId(Uuid::from_u128(1)), SealedId(Uuid::from_u128(2)));
        let (mut first, second) =
            (permit(&ring).seal(row, "first").unwrap(), permit(&ring).seal(other, "second").unwrap());
        first.data_key = second.data_key;
        assert!(ring.open(row, &first).is_err(), "another row's data key");
        let first = permit(&ring).seal(row, &"x".repeat(32)).unwrap();
        let swapped = Sealed {
            data_key: Some([first.nonce.as_slice(), &first.ciphertext].concat()),
            ..permit(&ring).seal(row, "y").unwrap()
        };
        assert!(ring.open(row, &swapped).is_err(), "a secret in the place of a data key");
    }

    #[test]
    fn bad_key_lines_say_what_is_wrong_and_not_what_they_are() {
        for line in ["", "nocolon", "a b:AAAA", "k1:!!!", "k1:c2hvcnQ="] {
            let message = SealingKey::parse(line).unwrap_err();
            assert!(line.is_empty() || !message.contains(line), "{message}");
        }
    }
}
