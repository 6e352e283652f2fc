//! JWKS cache (RFC 7517 §5): keys that verify tokens, fixed by the settings or fetched from a URL.

use crate::ports::trusted_http::{HttpRequest, TrustedHttpClient};
use crate::settings::KeySource;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey};
use registry_core::clock::Timestamp;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

/// Age at which the keys are fetched again, in milliseconds.
pub(crate) const KEYS_TTL: i64 = 600_000;
/// Shortest time between two fetches, in milliseconds.
const MIN_REFRESH_INTERVAL: i64 = 30_000;

/// A key, and the algorithms that it may verify.
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) verifier: DecodingKey,
}

/// The keys of one issuer, cached.
pub(crate) struct JwksCache {
    algorithms: Vec<Algorithm>,
    /// `None`: the keys are fixed.
    url: Option<String>,
    held: Mutex<Held>,
    /// One task fetches, the others wait for its result.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    keys: Arc<Vec<Key>>,
    /// When they were fetched, in epoch milliseconds.
    fetched: i64,
    /// When a fetch last began, in epoch milliseconds; 0: never.
    asked: i64,
}

impl JwksCache {
    /// Parses a fixed set; the error says what is wrong with it.
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

    /// The keys to try for a token with key id `id`. Fetches the set again when it is old or does not contain the id,
    /// but not more often than allowed; if the fetch fails, the known keys stay in use.
    pub(crate) async fn keys(
        &self,
        parties: &dyn TrustedHttpClient,
        id: Option<&str>,
        now: Timestamp,
    ) -> Arc<Vec<Key>> {
        let now = now.timestamp_millis();
        if let Some(url) = &self.url
            && (!self.knows(id) || self.must_refresh(id, now))
        {
            // A request without a key waits for the fetch that runs already.
            let _turn = self.asking.lock().await;
            // Another task may have fetched in the meantime.
            if self.must_refresh(id, now) {
                self.refresh(parties, url, now).await;
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

    fn must_refresh(&self, id: Option<&str>, now: i64) -> bool {
        let knows = self.knows(id);
        let held = self.held();
        // The absolute difference: a clock that was set back must not stop fetches for long.
        let may_ask = held.asked == 0 || (now - held.asked).abs() >= MIN_REFRESH_INTERVAL;
        may_ask && (!knows || (now - held.fetched).abs() >= KEYS_TTL)
    }

    async fn refresh(&self, parties: &dyn TrustedHttpClient, url: &str, now: i64) {
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
            Err(error) => {
                tracing::warn!(url, error, "the JWKS could not be fetched; the known keys stay in use");
            }
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The algorithms of these names. Symmetric ones are refused: a verifier could also sign.
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
    // Real sets contain keys of unknown kinds; they are skipped.
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
            // The other keys are still used.
            Err(error) => tracing::warn!(%error, "a key of the key set is broken"),
        }
    }
    if keys.is_empty() {
        return Err("the key set has no key for any of the configured algorithms".to_owned());
    }
    Ok(keys)
}

/// The configured algorithms that a key can verify: the one that it names, or those of its type. Empty for an
/// encryption key.
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
