//! Key sets (RFC 7517 §5) that tokens are judged by: given once, or kept fresh from an address.

use crate::ports::trusted_http::{HttpRequest, TrustedHttpClient};
use crate::settings::KeySource;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey};
use registry_core::clock::Timestamp;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

/// Keys are asked for again when they are as old as this, in milliseconds.
pub(crate) const FRESH: i64 = 600_000;
/// They are asked for at most this often, whatever tokens come along.
const PAUSE: i64 = 30_000;

/// A key, and the algorithms it may verify.
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) verifier: DecodingKey,
}

/// The keys of one issuer.
pub(crate) struct KeySet {
    algorithms: Vec<Algorithm>,
    /// `None`: the keys are as given, for ever.
    url: Option<String>,
    held: Mutex<Held>,
    /// One asks, the others wait for what it gets.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    keys: Arc<Vec<Key>>,
    /// When they were fetched (milliseconds since 1970).
    fetched: i64,
    /// When they were last asked for, with whatever success.
    asked: i64,
}

impl KeySet {
    /// Reads the set, if it is given; the error says what is wrong with it.
    pub(crate) fn new(source: &KeySource, algorithms: &[Algorithm]) -> Result<Self, String> {
        let (url, keys) = match source {
            KeySource::Text(text) => (None, read(text, algorithms)?),
            KeySource::Url(url) => (Some(url.clone()), Vec::new()),
        };
        let held = Held { keys: Arc::new(keys), ..Held::default() };
        Ok(Self {
            algorithms: algorithms.to_vec(),
            url,
            held: Mutex::new(held),
            asking: tokio::sync::Mutex::new(()),
        })
    }

    /// The keys to try for a token that names the key `id`. Asks for new ones when the held ones are old or do not know
    /// it, but seldom; keys that cannot be renewed are used on.
    pub(crate) async fn keys(
        &self,
        parties: &dyn TrustedHttpClient,
        id: Option<&str>,
        now: Timestamp,
    ) -> Arc<Vec<Key>> {
        let now = now.timestamp_millis();
        if let Some(url) = &self.url
            && (!self.knows(id) || self.is_wanting(id, now))
        {
            // Whoever lacks a key waits for what is being asked already.
            let _turn = self.asking.lock().await;
            // Somebody else may just have asked.
            if self.is_wanting(id, now) {
                self.renew(parties, url, now).await;
            }
        }
        self.held().keys.clone()
    }

    fn knows(&self, id: Option<&str>) -> bool {
        let held = self.held();
        match id {
            Some(id) => held.keys.iter().any(|key| key.id.as_deref() == Some(id)),
            None => !held.keys.is_empty(),
        }
    }

    fn is_wanting(&self, id: Option<&str>, now: i64) -> bool {
        let knows = self.knows(id);
        let held = self.held();
        // A clock that was set back must not stop it for long.
        let may_ask = held.asked == 0 || (now - held.asked).abs() >= PAUSE;
        may_ask && (!knows || (now - held.fetched).abs() >= FRESH)
    }

    async fn renew(&self, parties: &dyn TrustedHttpClient, url: &str, now: i64) {
        self.held().asked = now;
        let answer = parties.ask(HttpRequest::get(url)).await;
        let keys = answer.and_then(|answer| match answer.status {
            200 => read(answer.body.expose(), &self.algorithms),
            status => Err(format!("it answered {status}")),
        });
        match keys {
            Ok(keys) => {
                let mut held = self.held();
                held.keys = Arc::new(keys);
                held.fetched = now;
            }
            Err(error) => tracing::warn!(url, error, "the key set could not be renewed; the known keys stay"),
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The algorithms of these names; symmetric ones are refused: whoever verifies could sign.
pub(crate) fn algorithms(names: &[String]) -> Result<Vec<Algorithm>, String> {
    names
        .iter()
        .map(|name| {
            Algorithm::from_str(name)
                .ok()
                .filter(|algorithm| !matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512))
                .ok_or_else(|| format!("`{name}` is not an asymmetric signature algorithm; use e.g. `RS256`, `ES256` or `EdDSA`"))
        })
        .collect()
}

fn read(text: &str, algorithms: &[Algorithm]) -> Result<Vec<Key>, String> {
    // Keys of kinds we do not know stand beside good ones in real sets.
    let set: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("the key set is no JSON: {error}"))?;
    let set = set.get("keys").and_then(serde_json::Value::as_array).ok_or("the key set is no JWK Set")?;
    let known = set.iter().filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
    let set = JwkSet { keys: known.collect() };
    let mut keys = Vec::new();
    for jwk in &set.keys {
        let usable = usable_algorithms(jwk, algorithms);
        if usable.is_empty() {
            continue;
        }
        match DecodingKey::from_jwk(jwk) {
            Ok(verifier) => {
                keys.push(Key { id: jwk.common.key_id.clone(), algorithms: usable, verifier });
            }
            // The others are good all the same.
            Err(error) => tracing::warn!(%error, "a key of the key set is broken"),
        }
    }
    if keys.is_empty() {
        return Err("the key set has no key for any of the configured algorithms".to_owned());
    }
    Ok(keys)
}

/// The configured algorithms a key can verify: the one it names, or those of its kind. None for a key that is meant for
/// encryption.
fn usable_algorithms(jwk: &Jwk, algorithms: &[Algorithm]) -> Vec<Algorithm> {
    use jsonwebtoken::jwk::PublicKeyUse;
    if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
        return Vec::new();
    }
    let named = jwk.common.key_algorithm.and_then(|named| Algorithm::from_str(&named.to_string()).ok());
    let fits = |algorithm: &Algorithm| match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => matches!(
            algorithm,
            Algorithm::RS256
                | Algorithm::RS384
                | Algorithm::RS512
                | Algorithm::PS256
                | Algorithm::PS384
                | Algorithm::PS512
        ),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => *algorithm == Algorithm::ES256,
            EllipticCurve::P384 => *algorithm == Algorithm::ES384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(_) => *algorithm == Algorithm::EdDSA,
        _ => false,
    };
    algorithms
        .iter()
        .copied()
        .filter(|algorithm| fits(algorithm) && named.is_none_or(|named| named == *algorithm))
        .collect()
}
