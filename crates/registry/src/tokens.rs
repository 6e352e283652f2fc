//! Bearer tokens of an identity provider: JWTs (RFC 7519) checked against a pinned key set.

use crate::settings::JwtSettings;
use crate::{Actor, Error, Origin, Registry, Result, workspaces};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use registry_core::id::WorkspaceId;
use registry_core::permission::Role;
use registry_core::slug::Reference;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Everything needed to judge a token.
pub(crate) struct TokenKeys {
    keys: Vec<(Option<String>, Vec<Algorithm>, DecodingKey)>,
    algorithms: Vec<Algorithm>,
    validation: Validation,
    role_claim: String,
    roles: BTreeMap<String, Role>,
    workspace_claim: String,
}

impl TokenKeys {
    /// Reads the settings; the error says what is wrong with them.
    pub(crate) fn new(settings: &JwtSettings) -> std::result::Result<Self, String> {
        let algorithms: Vec<Algorithm> = settings
            .algorithms
            .iter()
            .map(|name| {
                Algorithm::from_str(name)
                    .ok()
                    .filter(|algorithm| !matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512))
                    .ok_or_else(|| format!("`{name}` is not an asymmetric signature algorithm; use e.g. `RS256`, `ES256` or `EdDSA`"))
            })
            .collect::<std::result::Result<_, _>>()?;
        if algorithms.is_empty() || settings.audience.is_empty() || settings.issuer.is_empty() {
            return Err("`issuer`, `audience` and `algorithms` must each have a value".to_owned());
        }
        let set: JwkSet = serde_json::from_str(&settings.key_set)
            .map_err(|error| format!("the key set is no JWK Set: {error}"))?;
        let mut keys = Vec::new();
        for jwk in &set.keys {
            let usable = usable_algorithms(jwk, &algorithms);
            if usable.is_empty() {
                continue;
            }
            let key = DecodingKey::from_jwk(jwk)
                .map_err(|error| format!("a key of the key set is broken: {error}"))?;
            keys.push((jwk.common.key_id.clone(), usable, key));
        }
        if keys.is_empty() {
            return Err("the key set has no key for any of the configured algorithms".to_owned());
        }
        let mut validation = Validation::new(algorithms[0]);
        validation.algorithms.clone_from(&algorithms);
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&settings.audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = settings.leeway.as_secs();
        Ok(Self {
            keys,
            algorithms,
            validation,
            role_claim: settings.role_claim.clone(),
            roles: settings.roles.clone(),
            workspace_claim: settings.workspace_claim.clone(),
        })
    }

    /// The actor a token speaks for, and until when (milliseconds since 1970).
    pub(crate) async fn actor(
        &self,
        registry: &Registry,
        token: &str,
        origin: Origin,
    ) -> Result<(Actor, Option<i64>)> {
        let claims = self.claims(token)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let subject = text("sub").unwrap_or_default();
        let role = self.role(&claims).ok_or(Error::Unauthenticated(
            "This token names no role of this registry. Ask the operator how `auth.jwt` maps roles.",
        ))?;
        let workspace = match claims.get(&self.workspace_claim) {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => {
                // A token for a workspace that does not exist speaks for nothing, never for everything.
                let found = workspaces::by_reference(registry.db(), &Reference::parse(name)).await?;
                Some(found.map(|row| WorkspaceId(row.id)).ok_or(Error::Unauthenticated(
                    "This token is bound to a workspace that does not exist here.",
                ))?)
            }
            Some(_) => {
                return Err(Error::Unauthenticated("The workspace claim of this token is not a string."));
            }
        };
        let scopes = match claims.get("mcp_registry_scope") {
            None => Vec::new(),
            Some(Value::String(scope)) if !scope.trim().is_empty() => {
                scope.split_ascii_whitespace().map(str::to_owned).collect()
            }
            // A claim that narrows must never be read as one that does not.
            Some(_) => {
                return Err(Error::Unauthenticated(
                    "The claim `mcp_registry_scope` of this token is empty or not a string.",
                ));
            }
        };
        let until = claims.get("exp").and_then(Value::as_i64).map(|seconds| seconds.saturating_mul(1_000));
        let actor = Actor {
            kind: "token",
            name: text("email").or_else(|| text("preferred_username")).unwrap_or_else(|| subject.clone()),
            id: Some(subject),
            role,
            scopes,
            workspace,
            session: None,
            origin,
        };
        Ok((actor, until))
    }

    fn claims(&self, token: &str) -> Result<Map<String, Value>> {
        use jsonwebtoken::errors::ErrorKind;
        const REFUSED: &str =
            "This token is not valid: it is no API key, and no signature of it could be verified.";
        let header = decode_header(token).map_err(|_| Error::Unauthenticated(REFUSED))?;
        if !self.algorithms.contains(&header.alg) {
            return Err(Error::Unauthenticated(
                "This token is signed with an algorithm that is not accepted here.",
            ));
        }
        let candidates = self.keys.iter().filter(|(id, algorithms, _)| {
            algorithms.contains(&header.alg) && (header.kid.is_none() || id.is_none() || *id == header.kid)
        });
        let mut refusal = REFUSED;
        for (_, _, key) in candidates {
            let mut validation = self.validation.clone();
            validation.algorithms = vec![header.alg];
            match decode::<Map<String, Value>>(token, key, &validation) {
                Ok(data) => return Ok(data.claims),
                Err(error) => match error.kind() {
                    ErrorKind::ExpiredSignature => refusal = "This token has expired.",
                    ErrorKind::ImmatureSignature => refusal = "This token is not valid yet.",
                    ErrorKind::InvalidIssuer => refusal = "This token is of another issuer.",
                    ErrorKind::InvalidAudience => refusal = "This token is for another audience.",
                    ErrorKind::MissingRequiredClaim(_) => {
                        refusal = "This token lacks one of the claims `exp`, `iss`, `aud`, `sub`.";
                    }
                    _ => {}
                },
            }
        }
        Err(Error::Unauthenticated(refusal))
    }

    /// The strongest role the claim names.
    fn role(&self, claims: &Map<String, Value>) -> Option<Role> {
        let named = match claims.get(&self.role_claim)? {
            Value::String(name) => vec![name.as_str()],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => return None,
        };
        named
            .into_iter()
            .filter_map(
                |name| if self.roles.is_empty() { Role::parse(name) } else { self.roles.get(name).copied() },
            )
            .max()
    }
}

/// The configured algorithms a key can verify: the one it names, or those of its kind.
fn usable_algorithms(jwk: &Jwk, algorithms: &[Algorithm]) -> Vec<Algorithm> {
    use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve};
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
