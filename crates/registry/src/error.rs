//! The one error of the application, free of any transport.

use registry_core::clock::Timestamp;
use registry_core::finding::{Finding, Findings, shorten};
use registry_core::permission::Permission;
use std::fmt;

/// At most this many bytes of a name are repeated in a sentence.
const MAX_SHOWN: usize = 200;

/// What every use case answers with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a use case did not do what was asked. `Display` is safe to show to the caller: no variant shows the text of an
/// inner error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The credential is missing or not valid; the sentence says what to do.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The caller is known and lacks a permission.
    #[error("{message}")]
    Forbidden {
        /// What the caller lacks.
        needed: Permission,
        /// A sentence for users.
        message: String,
    },
    /// There is no such thing, or the caller may not know of it.
    #[error("There is no {what} `{}`.", shortened(reference))]
    NotFound {
        /// The kind of thing, e.g. `integration`.
        what: &'static str,
        /// How the caller named it.
        reference: String,
    },
    /// The state of something does not allow it: a taken slug, a registration that was withdrawn.
    #[error("{message}")]
    Conflict {
        /// Which conflict.
        code: ConflictCode,
        /// A sentence for users.
        message: String,
        /// JSON Pointer of the member in conflict, if it is one.
        pointer: Option<&'static str>,
    },
    /// Another caller saved since this one read.
    #[error(
        "Someone saved another version in the meantime; the present version is {current}. Read it again and repeat your change."
    )]
    Stale {
        /// The present version.
        current: i64,
    },
    /// What was sent cannot be saved. At least one finding is an error.
    #[error("{0}")]
    Invalid(Findings),
    /// An authorization server would be asked too often. Nothing was sent to it.
    #[error("The rate limit of this authorization server is reached. Try again in {} seconds.", seconds_between(*now, *until))]
    TooSoon {
        /// When it may be asked again.
        until: Timestamp,
        /// The time of this request.
        now: Timestamp,
    },
    /// Too many login attempts. The credentials were not checked.
    #[error("There were too many login attempts. Try again in {seconds} seconds, or use a one-time link.")]
    TooManyTries {
        /// Seconds until the next attempt is checked; at least 1.
        seconds: u64,
    },
    /// One caller exceeded its rate limit.
    #[error("This key or token exceeded its rate limit. Try again in {seconds} seconds.")]
    TooManyRequests {
        /// Seconds until the next request is accepted; at least 1.
        seconds: u64,
    },
    /// The limit of concurrent requests is reached. The request was not looked at.
    #[error("The limit of concurrent requests is reached. Nothing was done; try again shortly.")]
    Overloaded,
    /// The request exceeded its timeout.
    #[error(
        "The request took too long and was stopped. It may have been done all the same: check before you repeat it."
    )]
    TimedOut,
    /// What was sent is too large.
    #[error("This is larger than the {limit} bytes allowed.")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Part of a compatible API that this version does not have.
    #[error("{0}")]
    NotImplemented(&'static str),
    /// The database, or something else the deployment needs, is not available now.
    #[error("{0}")]
    Unavailable(String),
    /// A stored secret is sealed with the key of this id, which this process does not have.
    #[error(
        "A stored secret is sealed with the key `{0}`, which is not configured here. `mcp-registry seal status` lists what depends on it."
    )]
    KeyMissing(String),
    /// This process has a sealing key that is not the deployment's, so it seals nothing: no other process could open what
    /// it sealed. The sentence names the key, and says what to do.
    #[error("{0}")]
    CannotSeal(String),
    /// The settings of this process are not those of the deployment, so it changes nothing. The sentence names them.
    #[error("{0}")]
    SettingsDiffer(String),
    /// An unexpected error. Shown as "internal error"; logged with the request id.
    #[error("An internal error occurred.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a request conflicts with the present state. The words are part of the API and listed in `docs/problems.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictCode {
    /// Several workspaces have a server of this slug.
    AmbiguousSlug,
    /// The counts that were confirmed are no longer right.
    ConfirmationOutdated,
    /// More happens than the chosen scope says; the counts must be confirmed.
    ConfirmationRequired,
    /// The database has such a row already.
    Conflict,
    /// The draft became an integration.
    DraftFinished,
    /// Another user has this e-mail address.
    EmailTaken,
    /// The integration is switched off.
    IntegrationDisabled,
    /// The integration belongs to one workspace.
    IntegrationOfWorkspace,
    /// The API key is revoked or expired.
    KeyEnded,
    /// The API key was rotated before.
    KeyReplaced,
    /// The last admin cannot be removed.
    LastAdmin,
    /// No earlier generation of the settings exists.
    NothingToPutBack,
    /// The orphan is resolved already.
    OrphanResolved,
    /// Other settings are in force than those of this process.
    OtherSettings,
    /// The user is deactivated.
    PersonDeactivated,
    /// The user exists already.
    PersonKnown,
    /// The client is not outdated, so nothing waits for approval.
    RegistrationNotOutdated,
    /// The server of this registration was deleted.
    RegistrationWithdrawn,
    /// The rollout is in a state that does not allow this.
    RolloutState,
    /// The sealing key is configured, so no secret is lost.
    SealingKeyPresent,
    /// The user signs in with the identity provider, not with a password.
    SignsInWithProvider,
    /// The slug is taken.
    SlugTaken,
}

impl ConflictCode {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AmbiguousSlug => "ambiguous_slug",
            Self::ConfirmationOutdated => "confirmation_outdated",
            Self::ConfirmationRequired => "confirmation_required",
            Self::Conflict => "conflict",
            Self::DraftFinished => "draft_finished",
            Self::EmailTaken => "email_taken",
            Self::IntegrationDisabled => "integration_disabled",
            Self::IntegrationOfWorkspace => "integration_of_workspace",
            Self::KeyEnded => "key_ended",
            Self::KeyReplaced => "key_replaced",
            Self::LastAdmin => "last_admin",
            Self::NothingToPutBack => "nothing_to_put_back",
            Self::OrphanResolved => "orphan_resolved",
            Self::OtherSettings => "other_settings",
            Self::PersonDeactivated => "person_deactivated",
            Self::PersonKnown => "person_known",
            Self::RegistrationNotOutdated => "registration_not_outdated",
            Self::RegistrationWithdrawn => "registration_withdrawn",
            Self::RolloutState => "rollout_state",
            Self::SealingKeyPresent => "sealing_key_present",
            Self::SignsInWithProvider => "signs_in_with_provider",
            Self::SlugTaken => "slug_taken",
        }
    }
}

impl From<ConflictCode> for std::borrow::Cow<'static, str> {
    fn from(code: ConflictCode) -> Self {
        Self::Borrowed(code.as_str())
    }
}

impl Error {
    pub(crate) fn not_found(what: &'static str, reference: impl fmt::Display) -> Self {
        Self::NotFound { what, reference: reference.to_string() }
    }

    pub(crate) fn invalid(finding: Finding) -> Self {
        Self::Invalid(finding.into())
    }

    /// Seconds after which the same may be asked again, where that is known.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooSoon { until, now } => Some(seconds_between(*now, *until)),
            Self::TooManyTries { seconds } | Self::TooManyRequests { seconds } => Some(*seconds),
            Self::Overloaded => Some(1),
            _ => None,
        }
    }

    /// A row that cannot be read back names itself.
    pub(crate) fn corrupt(table: &'static str, column: &'static str, row: impl fmt::Display) -> Self {
        Self::damaged(format!("{table}.{column} of row {row} cannot be read"))
    }

    pub(crate) fn damaged(what: String) -> Self {
        Self::Internal(Box::new(Damaged(what)))
    }

    /// Whether it is something stored that is damaged: asking again gives the same.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Internal(cause) if cause.is::<Damaged>())
    }
}

/// A stored value that cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Damaged(String);

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}

/// Seconds from `now` to `until`, rounded up; at least 1.
fn seconds_between(now: Timestamp, until: Timestamp) -> u64 {
    let left = u64::try_from((until - now).num_milliseconds()).unwrap_or_default();
    left.div_ceil(1000).max(1)
}

/// A name that a caller sent, fit for a sentence.
fn shortened(name: &str) -> String {
    let mut shown = name.to_owned();
    shorten(&mut shown, MAX_SHOWN);
    shown
}
