//! From a credential to an [`Actor`].

use crate::{Actor, Error, Origin, Registry, Result, key_text};

/// What a caller shows.
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

impl Registry {
    /// Who the caller is, or why the credential is not good.
    pub async fn authenticate(&self, credential: Credential<'_>, origin: Origin) -> Result<Actor> {
        match credential {
            Credential::Session(token) => self.actor_of_session(token, origin).await,
            Credential::Token(token) if key_text::looks_like_key(token) => {
                self.actor_of_key(token, origin).await
            }
            Credential::Token(token) => match &self.inner.keys {
                Some(keys) => keys.actor(self, token, origin).await,
                None => Err(Error::Unauthenticated(
                    "This is not an API key (they begin with `mcpr_`), and no token issuer is configured.",
                )),
            },
        }
    }
}
