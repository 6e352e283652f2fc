//! What came of a step of a registration, as the worker hands it to the queue.

use registry_core::id::OauthClientId;
use registry_core::metadata::Credentials;
use registry_core::oauth::{Discovery, Exchange, Failure, Issued};
use registry_core::secret::Secret;
use serde_json::{Map, Value};

/// What came of a step.
#[derive(Debug)]
pub enum StepRecord {
    /// The authorization server was found.
    Discovered(Box<Discovery>),
    /// There is a new client; it becomes the active one, the former drains. With the body that was sent for it.
    Client(Box<NewClient>, Option<Map<String, Value>>),
    /// The client was updated to this body (RFC 7592 §2.2).
    Updated(OauthClientId, Box<Issued>, Map<String, Value>),
    /// The client was read and is known (RFC 7592 §2.1).
    Verified(OauthClientId, Box<Issued>),
    /// The published document cannot be read from outside; another method is used if there is one.
    DocumentUnreachable(Failure),
    /// The client is gone upstream, or needs no deletion; the word says how.
    Withdrawn(OauthClientId, &'static str),
    /// The client could not be deleted: it becomes an orphaned client, or is tried again if that may help.
    NotWithdrawn(OauthClientId, Failure),
    /// The request was refused, and an adjusted one follows in the same step: nothing has failed yet.
    Adjusted(Failure),
    /// The step failed.
    Failed(Failure),
}

/// A client that a step brought.
#[derive(Debug)]
pub enum NewClient {
    /// Issued by dynamic registration (RFC 7591 §3.2.1).
    Issued(Box<Issued>),
    /// A Client ID Metadata Document that is published.
    Published(Published),
    /// Pre-registered: an admin set its credentials. With its authentication method and the metadata shown for it.
    PreRegistered {
        /// `client_id` and the sealed secret.
        credentials: Credentials,
        /// How it authenticates at the token endpoint.
        token_endpoint_auth_method: String,
        /// What gateways get beside the id.
        metadata: Map<String, Value>,
    },
}

/// A published Client ID Metadata Document.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its URL, which is the client's id.
    pub url: String,
    /// Its text, JSON.
    pub text: String,
}

impl StepRecord {
    /// The same without what repeats one of `secrets`.
    #[must_use]
    pub fn without(self, secrets: &[Secret]) -> Self {
        let failure = |failure: Failure| secrets.iter().fold(failure, Failure::without);
        match self {
            Self::Discovered(mut discovery) => match discovery.hide(secrets) {
                Ok(()) => Self::Discovered(discovery),
                Err(why) => Self::Failed(why),
            },
            Self::Client(mut client, request) => {
                if let NewClient::Issued(issued) = &mut *client {
                    issued.hide(secrets);
                }
                Self::Client(client, request)
            }
            Self::Updated(id, mut issued, request) => {
                issued.hide(secrets);
                Self::Updated(id, issued, request)
            }
            Self::Verified(id, mut issued) => {
                issued.hide(secrets);
                Self::Verified(id, issued)
            }
            Self::DocumentUnreachable(why) => Self::DocumentUnreachable(failure(why)),
            Self::NotWithdrawn(id, why) => Self::NotWithdrawn(id, failure(why)),
            Self::Adjusted(why) => Self::Adjusted(failure(why)),
            Self::Failed(why) => Self::Failed(failure(why)),
            Self::Withdrawn(id, how) => Self::Withdrawn(id, how),
        }
    }

    /// Why the step did not do what it was for.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure)
            | Self::Adjusted(failure)
            | Self::NotWithdrawn(_, failure)
            | Self::DocumentUnreachable(failure) => Some(failure),
            _ => None,
        }
    }
}

/// Exchanges as they may be kept: without what repeats one of `secrets`.
#[must_use]
pub fn exchanges_without(mut exchanges: Vec<Exchange>, secrets: &[Secret]) -> Vec<Exchange> {
    for exchange in &mut exchanges {
        for secret in secrets {
            exchange.url = secret.scrub(&exchange.url);
            exchange.note = secret.scrub(&exchange.note);
            exchange.excerpt = exchange.excerpt.take().map(|words| secret.scrub(&words));
        }
    }
    exchanges
}
