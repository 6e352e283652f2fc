//! What was sent to an upstream once and is repeated by it later is hidden before it is kept.

use crate::registration::Queue;
use crate::registration::context::{Claim, Situation};
use crate::registration::recording::StepRecord;
use crate::{Error, Result};
use registry_core::oauth::{Exchange, Failure};
use registry_core::secret::Secret;

/// Shorter secrets are looked for in the answers to what they were sent with alone.
const MIN_LENGTH: usize = 8;

impl Queue<'_> {
    /// The secrets that upstreams of a claimed registration know, or may: its initial access token, and secret and
    /// registration access token of its client.
    pub async fn known_secrets(self, claim: &Claim, situation: &Situation) -> Result<Vec<Secret>> {
        let mut known = Vec::new();
        let effective = &situation.desired.effective;
        let entered = effective.credentials.as_ref().and_then(|one| one.client_secret);
        for sealed in effective.registration.initial_access_token.into_iter().chain(entered) {
            known.extend(readable(self.registry.open_sealed_if_present(self.registry.db(), sealed).await)?);
        }
        if let Some(client) = &situation.observed.client
            && let Some(recorded) = readable(self.managed_client(claim, client.id).await)?
        {
            known.push(recorded.registration_access_token);
            known.extend(recorded.client_secret);
        }
        // Shorter ones may be words of any document.
        known.retain(|secret| secret.expose().len() >= MIN_LENGTH);
        Ok(known)
    }
}

/// What cannot be read was not sent lately, and must not keep an outcome from being recorded.
fn readable<T>(read: Result<Option<T>>) -> Result<Option<T>> {
    match read {
        Err(Error::KeyMissing(_)) => Ok(None),
        Err(error) if error.is_damage() => Ok(None),
        read => read,
    }
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
                if let crate::NewClient::Issued(issued) = &mut *client {
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
            Self::Failed(why) => Self::Failed(failure(why)),
            Self::Withdrawn(id, how) => Self::Withdrawn(id, how),
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
