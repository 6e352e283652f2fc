//! Authentication: resolves a credential to an [`Actor`], from the identity cache if possible.

use crate::gateway::cache::{Identity, fingerprint};
use crate::identity::Callers;
use crate::identity::api_keys::format;
use crate::identity::bearer::jwks;
use crate::storage::columns::millis;
use crate::{Actor, Error, RequestContext, Result};
use registry_core::permission::Permission;
use std::sync::Arc;
use uuid::Uuid;

/// The credential of a caller.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// An API key or a JWT, from `x-portkey-api-key` or `Authorization: Bearer`.
    Token(&'a str),
    /// The value of the session cookie.
    Session(&'a str),
}

/// Writes only the kind of the credential, so that no credential appears in logs.
impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Token(_) => "Token",
            Self::Session(_) => "Session",
        })
    }
}

/// The result of checking a token against the database or the token issuer.
struct CheckedToken {
    actor: Actor,
    /// Id of the API key; `None` for a JWT.
    api_key_id: Option<Uuid>,
    /// When the token must be checked again, in epoch milliseconds; `None`: the token does not expire.
    valid_until: Option<i64>,
}

impl Callers<'_> {
    /// Returns the actor that the credential authenticates, acting with `origin`.
    ///
    /// Errors: [`Error::Unauthenticated`] if the credential is not valid; [`Error::TooManyRequests`] instead for a token from an
    /// address with too many failures.
    pub async fn authenticate(self, credential: Credential<'_>, origin: RequestContext) -> Result<Actor> {
        match credential {
            Credential::Session(token) => self.registry.sessions().actor_of(token, origin).await,
            Credential::Token(token) => self.authenticate_token(token, origin).await,
        }
    }

    /// Authenticates an API key or a JWT: reads the identity cache, on a miss checks the token and counts a failure.
    async fn authenticate_token(self, token: &str, origin: RequestContext) -> Result<Actor> {
        let cache = &self.registry.inner.live;
        let token_fingerprint = fingerprint(token);
        // The cache is valid only while the watcher applies commits to it.
        if cache.is_watching()
            && let Some(cached) = cache.identities.get(&token_fingerprint, millis(self.registry.now()))
        {
            return Ok(Actor { origin, ..cached.actor.clone() });
        }
        let revision_before = cache.applied();
        let address = origin.address.clone();
        let check = async {
            let checked = self.check_token(token, origin).await;
            checked.inspect_err(|error| {
                if matches!(error, Error::Unauthenticated(_)) {
                    self.registry.limits().count_failed_auth(address.as_deref());
                }
            })
        };
        let CheckedToken { actor, api_key_id, valid_until } =
            self.registry.limits().throttle_failed_auth(address.as_deref(), check).await?;
        // Only actors that may fetch gateway documents are cached: the tokens of all others are checked at each request.
        if cache.is_watching() && actor.can(Permission::FetchGatewayDocument) {
            let identity = Identity::new(actor.clone(), api_key_id, valid_until);
            cache.identities.put(token_fingerprint, Arc::new(identity));
            // A commit that was applied during the check may have revoked the token: the result is not kept.
            if cache.applied() > revision_before {
                cache.identities.remove(&token_fingerprint);
            }
        }
        Ok(actor)
    }

    /// Checks an API key or a JWT without the cache.
    ///
    /// Errors: [`Error::Unauthenticated`] if the token is not valid, or is no API key and no token issuer is configured.
    async fn check_token(self, token: &str, origin: RequestContext) -> Result<CheckedToken> {
        if format::looks_like_key(token) {
            let (actor, key_id, expires_at) = self.registry.api_keys().actor_of(token, origin).await?;
            return Ok(CheckedToken { actor, api_key_id: Some(key_id), valid_until: expires_at });
        }
        let bearer = self.registry.inner.bearer.as_ref().ok_or(Error::Unauthenticated(
            "This is not an API key (they begin with `mcpr_`), and no token issuer is configured.",
        ))?;
        let (actor, expires_at) = bearer.actor(self.registry, token, origin).await?;
        // A JWT is cached no longer than the JWKS: a token of a signing key that the issuer removed must stop working.
        let recheck_at = millis(self.registry.now()) + jwks::KEYS_TTL;
        let valid_until = expires_at.map_or(recheck_at, |expires_at| expires_at.min(recheck_at));
        Ok(CheckedToken { actor, api_key_id: None, valid_until: Some(valid_until) })
    }
}
