//! Bearer tokens of an identity provider: JWTs (RFC 7519) verified with the JWKS of the issuer.

use crate::identity::bearer::jwks;
use crate::identity::bearer::jwks::JwksCache;
use crate::lookup::workspaces;
use crate::settings::{JwtSettings, KeySource};
use crate::{Actor, Error, Registry, RequestContext, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use registry_core::id::WorkspaceId;
use registry_core::names::invisible_in;
use registry_core::nul;
use registry_core::permission::Role;
use registry_core::slug::Reference;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Authenticates bearer tokens: verifies them and maps their claims to an actor.
pub(crate) struct BearerAuthenticator {
    verifier: TokenVerifier,
    role_claim: String,
    roles: BTreeMap<String, Role>,
    workspace_claim: String,
    scope_claim: String,
}

/// Verifies signature, issuer, audience and times of a token.
pub(crate) struct TokenVerifier {
    keys: JwksCache,
    algorithms: Vec<Algorithm>,
    validation: Validation,
}

impl TokenVerifier {
    pub(crate) fn new(
        issuer: &str,
        audience: &[String],
        algorithms: &[String],
        source: &KeySource,
        leeway: Duration,
    ) -> std::result::Result<Self, String> {
        let algorithms = jwks::algorithms(algorithms)?;
        if algorithms.is_empty() || audience.is_empty() || issuer.is_empty() {
            return Err("`issuer`, `audience` and `algorithms` must each have a value".to_owned());
        }
        let mut validation = Validation::new(algorithms[0]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = leeway.as_secs();
        Ok(Self { keys: JwksCache::new(source, &algorithms)?, algorithms, validation })
    }
}

impl TokenVerifier {
    /// The claims of a valid token; [`Error::Unauthenticated`] otherwise.
    pub(crate) async fn claims(&self, registry: &Registry, token: &str) -> Result<Map<String, Value>> {
        use jsonwebtoken::errors::ErrorKind;
        const REFUSED: &str =
            "This token is not valid: it is no API key, and no signature of it could be verified.";
        let header = decode_header(token).map_err(|_| Error::Unauthenticated(REFUSED))?;
        // No extension is supported, and a critical one must be understood (RFC 7515 §4.1.11).
        if names_critical(token) {
            return Err(Error::Unauthenticated(
                "This token has a critical header parameter (`crit`) that is not understood here.",
            ));
        }
        if !self.algorithms.contains(&header.alg) {
            return Err(Error::Unauthenticated(
                "This token is signed with an algorithm that is not accepted here.",
            ));
        }
        let keys = self.keys.keys(registry.trusted_http(), header.kid.as_deref(), registry.now()).await;
        let candidates = keys.iter().filter(|key| {
            key.algorithms.contains(&header.alg)
                && (header.kid.is_none() || key.id.is_none() || key.id == header.kid)
        });
        let mut refusal = REFUSED;
        for candidate in candidates {
            let mut validation = self.validation.clone();
            validation.algorithms = vec![header.alg];
            match decode::<Map<String, Value>>(token, &candidate.verifier, &validation) {
                Ok(data) if data.claims.values().any(nul::is_within) => {
                    return Err(Error::Unauthenticated(
                        "A claim of this token contains the character NUL, which cannot be stored.",
                    ));
                }
                Ok(data) if is_somebody(data.claims.get("sub")) => return Ok(data.claims),
                Ok(_) => {
                    refusal = "The claim `sub` of this token is not usable: it must be a visible text of 1 to 255 characters.";
                }
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
}

impl BearerAuthenticator {
    /// From the settings; the error says what is wrong with them.
    pub(crate) fn new(settings: &JwtSettings) -> std::result::Result<Self, String> {
        Ok(Self {
            verifier: TokenVerifier::new(
                &settings.issuer,
                &settings.audience,
                &settings.algorithms,
                &settings.key_set,
                settings.leeway,
            )?,
            role_claim: settings.role_claim.clone(),
            roles: settings.roles.clone(),
            workspace_claim: settings.workspace_claim.clone(),
            scope_claim: settings.scope_claim.clone(),
        })
    }

    /// The actor of a token, and when the token expires (epoch milliseconds).
    pub(crate) async fn actor(
        &self,
        registry: &Registry,
        token: &str,
        origin: RequestContext,
    ) -> Result<(Actor, Option<i64>)> {
        let claims = self.verifier.claims(registry, token).await?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let readable =
            |name: &str| text(name).filter(|name| !name.trim().is_empty() && invisible_in(name).is_none());
        let subject = text("sub").unwrap_or_default();
        let role = self.role(&claims).ok_or(Error::Unauthenticated(
            "This token names no role of this registry. Ask the operator how `auth.jwt` maps roles.",
        ))?;
        let workspace = match claims.get(&self.workspace_claim) {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => {
                // A token for an unknown workspace is refused; it must never count for the whole organisation.
                let found = workspaces::by_reference(registry.db(), &Reference::parse(name)).await?;
                Some(found.map(|row| WorkspaceId(row.id)).ok_or(Error::Unauthenticated(
                    "This token is bound to a workspace that does not exist here.",
                ))?)
            }
            Some(_) => {
                return Err(Error::Unauthenticated("The workspace claim of this token is not a string."));
            }
        };
        let scopes = match claims.get(&self.scope_claim).map(words) {
            None => Vec::new(),
            Some(Some(scopes)) if !scopes.is_empty() => scopes,
            // A scope claim that cannot be read must never mean "no limit".
            Some(_) => {
                return Err(Error::Unauthenticated("The scope claim of this token is empty, or no text."));
            }
        };
        let until = claims.get("exp").and_then(seconds).map(|seconds| seconds.saturating_mul(1_000));
        let actor = Actor {
            kind: "token",
            name: readable("email")
                .or_else(|| readable("preferred_username"))
                .unwrap_or_else(|| subject.clone()),
            id: Some(subject),
            role,
            scopes,
            workspace,
            session: None,
            until: until.and_then(DateTime::from_timestamp_millis),
            origin,
        };
        Ok((actor, until))
    }

    /// The strongest role that the claim names.
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

/// A NumericDate: epoch seconds, perhaps with a fraction (RFC 7519 §2).
fn seconds(moment: &Value) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and a fraction of a second is of no interest"
    )]
    moment.as_i64().or_else(|| moment.as_f64().map(|seconds| seconds as i64))
}

/// Whether the header of a token has the parameter `crit`.
fn names_critical(token: &str) -> bool {
    let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header: Option<Map<String, Value>> = header.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    // A header that cannot be read may have it.
    header.is_none_or(|header| header.contains_key("crit"))
}

/// Whether `sub` identifies a caller: rate limits and the audit log use it (OpenID Connect Core §2: at most 255
/// characters).
fn is_somebody(subject: Option<&Value>) -> bool {
    let Some(Value::String(subject)) = subject else { return false };
    !subject.trim().is_empty() && subject.chars().count() <= 255 && invisible_in(subject).is_none()
}

/// The words of a claim that is a text or a list of texts.
fn words(claim: &Value) -> Option<Vec<String>> {
    let split = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
    match claim {
        Value::String(text) => Some(split(text)),
        Value::Array(texts) => {
            let words: Option<Vec<_>> = texts.iter().map(|text| text.as_str().map(split)).collect();
            words.map(|words| words.concat())
        }
        _ => None,
    }
}
