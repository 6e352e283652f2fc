//! The secrets that upstreams know: what they repeat of these is not kept.
use crate::ports::registration_queue::StepError;
use crate::registration::context::Context;
use crate::registration::management::stored_client;
use crate::{Error, Registry, Result};
use registry_core::secret::Secret;

/// Shorter secrets are looked for in the answers to what they were sent with alone.
const MIN_LENGTH: usize = 8;

/// The secrets that upstreams of a claimed registration know, or may: its initial access token, and secret and
/// registration access token of its client.
pub(crate) async fn known_secrets(registry: &Registry, context: &Context) -> Result<Vec<Secret>, StepError> {
    let mut known = Vec::new();
    let effective = &context.desired.effective;
    let entered = effective.credentials.as_ref().and_then(|one| one.client_secret);
    for sealed in effective.registration.initial_access_token.into_iter().chain(entered) {
        known.extend(readable(registry.open_sealed_if_present(registry.db(), sealed).await)?);
    }
    if let Some(client) = &context.observed.client
        && let Some(recorded) = readable(stored_client(registry, client.id).await)?
    {
        known.push(recorded.registration_access_token);
        known.extend(recorded.client_secret);
    }
    // Shorter ones may be words of any document.
    known.retain(|secret| secret.expose().len() >= MIN_LENGTH);
    Ok(known)
}

/// What cannot be read was not sent lately, and must not keep an outcome from being recorded.
fn readable<T>(read: Result<Option<T>>) -> Result<Option<T>> {
    match read {
        Err(Error::KeyMissing(_)) => Ok(None),
        Err(error) if error.is_damage() => Ok(None),
        read => read,
    }
}
