//! How a client that exists fits what is wanted now, and what a change of what is wanted will cost.

use super::known::{ActiveClient, Desired, DesiredPresence};
use super::method::configured_method;
use super::state::RegistrationMethod;
use crate::metadata::{Method, ReplacePolicy};

/// How a client fits, its authorization server apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is as wanted.
    Current,
    /// Adopting the client that an admin entered makes it current; no approval is needed.
    Adopt,
    /// Publishing the document again makes it so.
    Publish,
    /// An update makes it so (RFC 7592 §2.2); its id stays.
    Update,
    /// Only a new client would do.
    Replace,
}

/// How `client` fits `desired`.
pub(super) fn fit(desired: &Desired, client: &ActiveClient) -> Fit {
    use RegistrationMethod as R;
    let method = configured_method(desired);
    let entered =
        desired.effective.credentials.is_some() && matches!(method, Method::Auto | Method::PreRegistered);
    let allowed = match (method, client.method) {
        // What an admin entered goes before everything else; what is not entered any more is not used any more.
        (Method::Auto, R::PreRegistered) => entered,
        // A working client is never replaced because a better method appeared (INV-10).
        (Method::Auto, R::Cimd | R::Dcr) => !entered,
        (Method::PreRegistered, used) => used == R::PreRegistered,
        (Method::Cimd, used) => used == R::Cimd,
        (Method::Dcr, used) => used == R::Dcr,
    };
    let current = client.digest == desired.digest;
    if !allowed {
        return if entered { Fit::Adopt } else { Fit::Replace };
    }
    match client.method {
        _ if current => Fit::Current,
        R::PreRegistered => Fit::Adopt,
        R::Cimd => Fit::Publish,
        R::Dcr if updatable(desired, client) => Fit::Update,
        R::Dcr => Fit::Replace,
    }
}

/// Whether an update is worth trying.
pub(super) fn updatable(desired: &Desired, client: &ActiveClient) -> bool {
    client.method == RegistrationMethod::Dcr
        && client.manageable
        && client.update_refused.as_ref() != Some(&desired.digest)
}

/// Whether a client without the desired metadata may be replaced without approval (INV-6): a new one
/// costs users their consent, unless it was entered manually or cannot have been used yet.
pub(super) fn may_replace(desired: &Desired, client: &ActiveClient) -> bool {
    if client.method == RegistrationMethod::PreRegistered {
        return true;
    }
    match desired.effective.registration.replace {
        Some(ReplacePolicy::Automatic) => true,
        Some(ReplacePolicy::Ask) => false,
        None => !client.fetched,
    }
}

/// What a change will do to one server's client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Nothing is sent anywhere.
    Nothing,
    /// A first client is obtained.
    Registered,
    /// The client is updated or adopted; its id stays, and users notice nothing.
    Updated,
    /// Its address changed: what follows depends on the authorization server found there.
    Rediscovered,
    /// It is replaced without approval: users who signed in through it must sign in again.
    Replaced,
    /// It stays in use until a user approves a replacement.
    Asked,
    /// It is withdrawn.
    Withdrawn,
}

/// What wanting `desired` will cost the server whose client is `client`.
pub fn cost(desired: &Desired, client: Option<&ActiveClient>, now: crate::clock::Timestamp) -> Cost {
    if desired.is_gone(now) {
        return if client.is_some() { Cost::Withdrawn } else { Cost::Nothing };
    }
    if matches!(desired.presence, DesiredPresence::Suspended(_)) {
        return Cost::Nothing;
    }
    let Some(client) = client else { return Cost::Registered };
    match fit(desired, client) {
        _ if client.mcp_url != desired.mcp_url => Cost::Rediscovered,
        Fit::Current => Cost::Nothing,
        Fit::Adopt | Fit::Publish | Fit::Update => Cost::Updated,
        Fit::Replace if may_replace(desired, client) => Cost::Replaced,
        Fit::Replace => Cost::Asked,
    }
}

/// What a new client for a server costs when a user requests one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplacementCost {
    /// A gateway fetched the client there is, and it is replaced: users who signed in through it must sign in again.
    pub signs_out: bool,
    /// An unused client may stay at the authorization server: the existing client cannot be deleted from here,
    /// or an earlier request lost its answer.
    pub leaves_client: bool,
}

/// What making a new client for `desired` costs although there is `client`. `answer_lost`: an earlier registration was
/// sent and no answer came, so that it may have made a client.
pub fn replacement_cost(
    desired: &Desired,
    client: Option<&ActiveClient>,
    answer_lost: bool,
) -> ReplacementCost {
    use RegistrationMethod as R;
    let method = configured_method(desired);
    let entered = desired.effective.credentials.as_ref();
    let replaced = client.filter(|client| match client.method {
        // The same client is taken again: its id stays.
        R::PreRegistered => {
            !matches!(method, Method::Auto | Method::PreRegistered)
                || entered.is_none_or(|entered| entered.client_id != client.client_id)
        }
        // The document is published again at the same address.
        R::Cimd => match method {
            Method::Cimd => !desired.publishes_documents,
            Method::Auto => entered.is_some() || !desired.publishes_documents,
            Method::Dcr | Method::PreRegistered => true,
        },
        R::Dcr => true,
    });
    ReplacementCost {
        signs_out: replaced.is_some_and(|client| client.fetched),
        leaves_client: answer_lost
            || replaced.is_some_and(|client| client.method == R::Dcr && !client.manageable),
    }
}
