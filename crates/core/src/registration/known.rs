//! What is wanted and what is known of one registration: all that [`super::plan`] looks at.

use super::state::{AuthType, RegistrationMethod, Transport};
use crate::clock::Timestamp;
use crate::id::OauthClientId;
use crate::metadata::EffectiveMetadata;
use crate::oauth::Discovery;
use chrono::Duration;

/// How long things last. From the configuration's `worker` section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifecycleRules {
    /// How often the authorization server of a registered client is looked for again.
    pub rediscover_every: Duration,
    /// How old a client that no gateway ever fetched may become before it is checked or replaced: servers delete
    /// unused clients without notice (INV-8).
    pub refresh_unused_after: Duration,
    /// How long a replaced client is kept for those who still use it, before it is withdrawn.
    pub drain_for: Duration,
    /// How long a client is kept after access to it was switched off.
    pub withdraw_after: Duration,
    /// The least time between two replacements that gateways' reports lead to.
    pub replace_cooldown: Duration,
    /// The least life of a secret before it is renewed: a server that issues them for seconds is not asked for ever
    /// faster ones.
    pub least_secret_life: Duration,
}

impl Default for LifecycleRules {
    fn default() -> Self {
        Self {
            rediscover_every: Duration::days(1),
            refresh_unused_after: Duration::days(30),
            drain_for: Duration::days(7),
            withdraw_after: Duration::days(30),
            replace_cooldown: Duration::hours(1),
            least_secret_life: Duration::minutes(10),
        }
    }
}

/// Whether a client is wanted at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DesiredPresence {
    /// It is wanted.
    Present,
    /// Access is switched off: what there is is kept until this moment, nothing new is made.
    Suspended(Timestamp),
    /// The server is deleted, needs no client, or a user deregistered it.
    Absent,
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
    /// The MCP transport there.
    pub transport: Transport,
    /// How gateways authenticate there.
    pub auth_type: AuthType,
    /// Whether a client is wanted.
    pub presence: DesiredPresence,
    /// Whether this deployment publishes Client ID Metadata Documents.
    pub publishes_documents: bool,
    /// How long things last.
    pub rules: LifecycleRules,
}

impl Desired {
    /// The inputs of an attempt: a failure that needs a user stays a failure until they change.
    pub fn inputs(&self) -> String {
        let policy = &self.effective.registration;
        let mut inputs = format!(
            "{} {} {} {:?} {:?} {:?} {}",
            self.digest,
            self.auth_type,
            self.mcp_url,
            policy.method,
            policy.scope,
            policy.initial_access_token,
            policy.legacy_discovery
        );
        // Absent where nothing is set, so that an earlier release's failures stay what they were.
        if let Some(resource) = &policy.resource {
            inputs = inputs + " resource=" + resource;
        }
        if !policy.omit.is_empty() {
            inputs = inputs + " omit=" + &policy.omit.join(",");
        }
        inputs
    }

    /// Whether `discovery` is one for what is wanted now.
    pub fn is_found_by(&self, discovery: &Discovery) -> bool {
        let with = &discovery.found_with;
        discovery.mcp_url == self.mcp_url && (with.is_empty() || *with == self.effective.discovery_inputs())
    }

    /// Whether nothing of it is wanted any more at `now`.
    pub fn is_gone(&self, now: Timestamp) -> bool {
        !self.auth_type.needs_client()
            || match self.presence {
                DesiredPresence::Present => false,
                DesiredPresence::Suspended(until) => until <= now,
                DesiredPresence::Absent => true,
            }
    }
}

/// Why it is not certain that the authorization server still knows the active client as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The answer to an update was lost: secret and management token may have been rotated.
    UpdateLost,
    /// A gateway says that the authorization server does not know the client; it can be asked (RFC 7592 §2.1).
    Reported,
    /// It is certain: the authorization server does not know it any more.
    Forgotten,
}

impl Verification {
    const ALL: [Self; 3] = [Self::UpdateLost, Self::Reported, Self::Forgotten];

    /// The word kept in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpdateLost => "update_lost",
            Self::Reported => "reported",
            Self::Forgotten => "forgotten",
        }
    }

    /// The verification with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// The client that gateways use now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveClient {
    /// Our id of it.
    pub id: OauthClientId,
    /// The id the authorization server knows it by.
    pub client_id: String,
    /// How it came to be.
    pub method: RegistrationMethod,
    /// The issuer it belongs to (RFC 8414 §2), verbatim.
    pub issuer: String,
    /// Whether that issuer was made up for a server of the MCP revision 2025-03-26.
    pub legacy_issuer: bool,
    /// Digest of the effective metadata it was made with, or last updated to.
    pub digest: String,
    /// The MCP address it was made for.
    pub mcp_url: String,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it was last updated (RFC 7592 §2.2).
    pub updated_at: Option<Timestamp>,
    /// When it was last read and found well (RFC 7592 §2.1).
    pub verified_at: Option<Timestamp>,
    /// When its secret was issued.
    pub secret_issued_at: Timestamp,
    /// When its secret expires, if it has one that does.
    pub secret_expires_at: Option<Timestamp>,
    /// Whether it can be read, updated and deleted upstream (RFC 7592 URI and token are known).
    pub manageable: bool,
    /// The digest that the authorization server refused to update it to.
    pub update_refused: Option<String>,
    /// Whether a gateway ever fetched it: then users may have consented to it.
    pub fetched: bool,
    /// Why it may not be known upstream any more.
    pub verification: Option<Verification>,
    /// Before when its deletion is not tried (again).
    pub withdraw_not_before: Option<Timestamp>,
}

impl ActiveClient {
    /// Whether a gateway can use it at `now`.
    pub fn usable(&self, now: Timestamp) -> bool {
        self.verification != Some(Verification::Forgotten)
            && self.secret_expires_at.is_none_or(|expiry| expiry > now)
    }

    /// When its secret is renewed: after two thirds of its life, but not before the least life has passed.
    pub fn renew_at(&self, rules: LifecycleRules) -> Option<Timestamp> {
        let life = self.secret_expires_at? - self.secret_issued_at;
        Some(self.secret_issued_at + (life * 2 / 3).max(rules.least_secret_life))
    }

    /// Whether it belongs to the authorization server that `discovery` found.
    pub fn belongs_to(&self, discovery: &Discovery) -> bool {
        self.issuer == discovery.issuer && self.legacy_issuer == discovery.is_legacy()
    }
}

/// A client that is not active any more and still to be withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndingClient {
    /// Our id of it.
    pub id: OauthClientId,
    /// When it stopped being active.
    pub ended_at: Timestamp,
    /// Before when its deletion is not tried (again).
    pub not_before: Option<Timestamp>,
    /// Whether gateways may still use it for a while. False for a client that was never usable.
    pub drains: bool,
}

impl EndingClient {
    /// When the client is deregistered: immediately for a deleted server and for an unusable client, otherwise after draining.
    pub fn due(&self, desired: &Desired, now: Timestamp) -> Timestamp {
        let waits = self.drains && !desired.is_gone(now);
        let drained = if waits { self.ended_at + desired.rules.drain_for } else { self.ended_at };
        self.not_before.map_or(drained, |moment| moment.max(drained))
    }
}

/// A user's request that has not been carried out yet. It outlives failures that are retried automatically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Retry now, whatever failed before.
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
    /// Clients that are still to be withdrawn.
    pub ending: Vec<EndingClient>,
    /// The last discovery that succeeded, and when.
    pub discovery: Option<(Discovery, Timestamp)>,
    /// When the authorization server of a registered client is to be looked for again.
    pub rediscover_at: Option<Timestamp>,
    /// Reason code and inputs (see [`Desired::inputs`]) of a failure that needs a user.
    pub failed: Option<(String, String)>,
    /// How many registrations in a row lost their answers, and the inputs of the last one.
    pub lost: Option<(u32, String)>,
    /// Failures in a row, since a user's request if there was one.
    pub failures: u32,
    /// Nothing is sent before this moment.
    pub not_before: Option<Timestamp>,
    /// The user's pending request.
    pub request: Option<Request>,
    /// The inputs for which a user chose to keep the existing client.
    pub skipped: Option<String>,
    /// The inputs for which the existing client may be replaced only with a user's approval, regardless of the policy.
    pub held: Option<String>,
    /// When a published document was found not to be readable through its public address.
    pub document_unreachable_at: Option<Timestamp>,
    /// When a report last led to a replacement.
    pub replaced_at: Option<Timestamp>,
}
