//! From a credential to an [`Actor`].

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

impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Token(_) => "Token",
            Self::Session(_) => "Session",
        })
    }
}

impl Callers<'_> {
    /// The actor behind a credential; [`Error::Unauthenticated`] if it is not valid.
    pub async fn authenticate(self, credential: Credential<'_>, origin: RequestContext) -> Result<Actor> {
        match credential {
            Credential::Session(token) => self.registry.sessions().actor_of(token, origin).await,
            Credential::Token(token) => {
                let live = &self.registry.inner.live;
                let mark = fingerprint(token);
                if live.is_watching()
                    && let Some(held) = live.identities.get(&mark, millis(self.registry.now()))
                {
                    return Ok(Actor { origin, ..held.actor.clone() });
                }
                let before = live.applied();
                let address = origin.address.clone();
                let looked = async {
                    let found = self.actor_of_token(token, origin).await;
                    found.inspect_err(|error| {
                        if matches!(error, Error::Unauthenticated(_)) {
                            self.registry.limits().count_failed_auth(address.as_deref());
                        }
                    })
                };
                let (actor, key, until) =
                    self.registry.limits().throttle_failed_auth(address.as_deref(), looked).await?;
                // Only callers that fetch gateway documents are cached: callers that write are looked up each time.
                if live.is_watching() && actor.can(Permission::FetchGatewayDocument) {
                    live.identities.put(mark, Arc::new(Identity::new(actor.clone(), key, until)));
                    if live.applied() > before {
                        live.identities.remove(&mark);
                    }
                }
                Ok(actor)
            }
        }
    }

    /// The actor, the id of its API key if it has one, and when the credential expires (epoch milliseconds).
    async fn actor_of_token(
        self,
        token: &str,
        origin: RequestContext,
    ) -> Result<(Actor, Option<Uuid>, Option<i64>)> {
        if format::looks_like_key(token) {
            let (actor, key, until) = self.registry.api_keys().actor_of(token, origin).await?;
            return Ok((actor, Some(key), until));
        }
        let keys = self.registry.inner.keys.as_ref().ok_or(Error::Unauthenticated(
            "This is not an API key (they begin with `mcpr_`), and no token issuer is configured.",
        ))?;
        let (actor, until) = keys.actor(self.registry, token, origin).await?;
        // Cached no longer than the JWKS: a token of a signing key that the issuer removed must stop working.
        let recheck_at = millis(self.registry.now()) + jwks::KEYS_TTL;
        Ok((actor, None, Some(until.map_or(recheck_at, |until| until.min(recheck_at)))))
    }
}
