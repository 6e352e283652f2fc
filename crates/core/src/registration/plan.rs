//! What to do next for one registration. Pure: no I/O, no time of its own.

use super::state::{AuthType, RegistrationMethod, State};
use crate::clock::Timestamp;
use crate::metadata::{EffectiveMetadata, Method, ReplacePolicy};
use crate::oauth::Discovery;
use chrono::Duration;

/// How old a discovery may be when a registration is sent after it.
fn discovery_freshness() -> Duration {
    Duration::hours(1)
}

/// What is wanted for one server, resolved from the five layers.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Metadata, credentials, overrides and policy.
    pub effective: EffectiveMetadata,
    /// SHA-256 of `effective`.
    pub digest: String,
    /// The upstream MCP server's address.
    pub mcp_url: String,
    /// How gateways authenticate there.
    pub auth_type: AuthType,
    /// False when the server was deleted.
    pub wanted: bool,
}

impl Desired {
    /// What an attempt was made with: a failure that a person must mend stays a failure until this changes.
    pub fn inputs(&self) -> String {
        let policy = &self.effective.registration;
        format!(
            "{} {} {} {:?} {:?} {:?}",
            self.digest,
            self.auth_type,
            self.mcp_url,
            policy.method,
            policy.scope,
            policy.initial_access_token
        )
    }
}

/// The client that gateways use now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveClient {
    /// How it came to be.
    pub method: RegistrationMethod,
    /// Digest of the effective metadata it was made with.
    pub digest: String,
    /// The MCP address it was made for.
    pub mcp_url: String,
    /// When its secret expires, if it has one that does.
    pub secret_expires_at: Option<Timestamp>,
    /// Whether it can be deleted upstream (RFC 7592 URI and token are known).
    pub manageable: bool,
    /// Whether a gateway ever fetched it: then people may have consented to it.
    pub fetched: bool,
}

impl ActiveClient {
    /// Whether a gateway can use it at `now`.
    pub fn usable(&self, now: Timestamp) -> bool {
        self.secret_expires_at.is_none_or(|expiry| expiry > now)
    }
}

/// What a person asked for by a button and has not been done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Try again now, whatever was planned.
    Retry,
    /// Make a new client although there is one.
    Reregister,
}

impl Request {
    /// The word kept in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Reregister => "reregister",
        }
    }

    /// The request with this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Retry, Self::Reregister].into_iter().find(|one| one.as_str() == word)
    }
}

/// What is known of one registration.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The active client.
    pub client: Option<ActiveClient>,
    /// The last discovery that succeeded, and when.
    pub discovery: Option<(Discovery, Timestamp)>,
    /// Reason code and inputs (see [`Desired::inputs`]) of a failure that needs a person.
    pub failed: Option<(String, String)>,
    /// Nothing is sent before this moment.
    pub not_before: Option<Timestamp>,
    /// What a person asked for.
    pub request: Option<Request>,
}

/// Why nothing can be done without a person. The code is stable (`docs/problems.md`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Reason code.
    pub code: String,
    /// A sentence for people; `None` keeps the one recorded with the failure.
    pub detail: Option<String>,
}

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Find the authorization server.
    Discover,
    /// Register a client there (RFC 7591).
    Register,
    /// Take the client that an admin entered.
    Adopt,
    /// Delete the active client upstream (RFC 7592 §2.3), or record that this is not possible.
    Withdraw,
    /// Not yet: look again at the moment given.
    Wait(Timestamp),
    /// A person must act.
    Block(Block),
    /// All is as wanted, or as far as it may go without a person; look again at the moment given, if any.
    Rest(State, Option<Timestamp>),
}

/// The next step for a registration. Called again after each step until it says wait, block or rest.
pub fn plan(desired: &Desired, observed: &Observed, now: Timestamp) -> Step {
    let asked = observed.request.is_some();
    if !desired.wanted || !desired.auth_type.needs_client() {
        return match &observed.client {
            Some(_) => wait_or(observed, asked, now, Step::Withdraw),
            None => Step::Rest(State::Withdrawn, None),
        };
    }
    if let Some(client) = observed.client.as_ref().filter(|client| client.usable(now)) {
        let current = client.digest == desired.digest && client.mcp_url == desired.mcp_url;
        if observed.request != Some(Request::Reregister) {
            if current {
                return Step::Rest(State::Registered, client.secret_expires_at);
            }
            if !may_replace(desired, client) {
                return Step::Rest(State::Outdated, client.secret_expires_at);
            }
        }
    }
    if let (Some((code, inputs)), false) = (&observed.failed, asked)
        && *inputs == desired.inputs()
    {
        return Step::Block(Block { code: code.clone(), detail: None });
    }
    wait_or(observed, asked, now, attempt(desired, observed, now))
}

/// Whether a client that is not as wanted may be replaced without asking anybody (`domain.md` §5 rule 6): a new one
/// costs people their consent, unless it was entered by hand or nobody can have used it yet.
fn may_replace(desired: &Desired, client: &ActiveClient) -> bool {
    if client.method == RegistrationMethod::PreRegistered {
        return true;
    }
    match desired.effective.registration.replace {
        Some(ReplacePolicy::Automatic) => true,
        Some(ReplacePolicy::Ask) => false,
        None => !client.fetched,
    }
}

/// `step`, unless politeness says to wait and no person insists.
fn wait_or(observed: &Observed, asked: bool, now: Timestamp, step: Step) -> Step {
    match observed.not_before {
        Some(moment) if moment > now && !asked && !matches!(step, Step::Block(_)) => Step::Wait(moment),
        _ => step,
    }
}

/// What to try for a server that needs a new client.
fn attempt(desired: &Desired, observed: &Observed, now: Timestamp) -> Step {
    let has_credentials = desired.effective.credentials.is_some();
    let method = if desired.auth_type == AuthType::OauthClientCredentials {
        Method::PreRegistered
    } else {
        desired.effective.registration.method
    };
    match method {
        Method::PreRegistered if !has_credentials => {
            return block(
                "pre_registered_client_missing",
                "This server takes only a client registered by hand. Enter `client_id` (and `client_secret`) in its Advanced Configuration.",
            );
        }
        Method::Cimd => {
            return block(
                "cimd_not_available",
                "Client ID Metadata Documents are not published by this version. Set `registration.method` to `auto`, `dcr` or `pre_registered`.",
            );
        }
        Method::Auto | Method::Dcr | Method::PreRegistered => {}
    }
    let Some((discovery, _)) = observed
        .discovery
        .as_ref()
        .filter(|(discovery, at)| discovery.mcp_url == desired.mcp_url && *at + discovery_freshness() > now)
    else {
        return Step::Discover;
    };
    if has_credentials && method != Method::Dcr {
        return Step::Adopt;
    }
    if discovery.authorization_server().registration_endpoint().is_none() {
        return block(
            "registration_not_supported",
            "The authorization server offers no dynamic registration. Register a client there by hand with the callback URL shown, then enter its `client_id` (and `client_secret`) in the Advanced Configuration.",
        );
    }
    Step::Register
}

fn block(code: &str, detail: &str) -> Step {
    Step::Block(Block { code: code.to_owned(), detail: Some(detail.to_owned()) })
}
