//! The one error of the application, free of any transport.

use registry_core::clock::Timestamp;
use registry_core::finding::{Finding, Findings, shorten};
use registry_core::permission::Permission;
use std::fmt;

/// At most this many bytes of a name are repeated in a sentence.
const MAX_SHOWN: usize = 200;

/// What every use case answers with.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a use case did not do what was asked. `Display` is safe to show to the caller.
#[derive(Debug)]
pub enum Error {
    /// The credential is missing or not good; the sentence says what to do.
    Unauthenticated(&'static str),
    /// The caller is known and may not do this.
    Forbidden {
        /// What the caller lacks.
        needed: Permission,
        /// A sentence for people.
        message: String,
    },
    /// There is no such thing, or the caller may not know that there is.
    NotFound {
        /// The kind of thing, e.g. `integration`.
        what: &'static str,
        /// How the caller named it.
        reference: String,
    },
    /// Something else stands in the way (a taken slug, a state that does not allow it).
    Conflict {
        /// Which conflict.
        code: ConflictCode,
        /// A sentence for people.
        message: String,
        /// JSON Pointer of the member in the way, if it is one.
        pointer: Option<&'static str>,
    },
    /// Somebody else saved since the caller read.
    Stale {
        /// The present version.
        current: i64,
    },
    /// What was sent cannot be saved. At least one finding is an error.
    Invalid(Findings),
    /// An authorization server would be asked too often. Nothing was sent to it.
    TooSoon {
        /// When it may be asked again.
        until: Timestamp,
        /// When this was found.
        now: Timestamp,
    },
    /// Too many tries to sign in. Nothing was looked at.
    TooManyTries {
        /// Seconds until the next try is looked at; at least 1.
        seconds: u64,
    },
    /// One caller asked too often.
    TooManyRequests {
        /// Seconds until the next request is looked at; at least 1.
        seconds: u64,
    },
    /// Too much is being worked on already. Nothing was looked at.
    Overloaded,
    /// It took too long and was given up.
    TimedOut,
    /// What was sent is too large.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Part of a compatible API that this version does not have.
    NotImplemented(&'static str),
    /// The database, or something the deployment needs, is not there now.
    Unavailable(String),
    /// A stored secret is sealed with a key of this id, which is not here.
    KeyMissing(String),
    /// This process has a sealing key that is not the deployment's, so it seals nothing: what it would seal nobody could
    /// open. The sentence says which key, and what to do.
    CannotSeal(String),
    /// The settings of this process are not those of the deployment, so it changes nothing. The sentence names them.
    SettingsDiffer(String),
    /// A fault of ours. Shown as "internal error"; logged with the request id.
    Internal(Box<dyn std::error::Error + Send + Sync>),
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
            Self::TooSoon { until, now } => {
                let left = u64::try_from((*until - *now).num_milliseconds()).unwrap_or_default();
                Some(left.div_ceil(1000).max(1))
            }
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

/// What is stored and cannot be read back.
#[derive(Debug)]
struct Damaged(String);

impl fmt::Display for Damaged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Damaged {}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthenticated(message) | Self::NotImplemented(message) => formatter.write_str(message),
            Self::Forbidden { message, .. }
            | Self::Conflict { message, .. }
            | Self::Unavailable(message)
            | Self::CannotSeal(message)
            | Self::SettingsDiffer(message) => formatter.write_str(message),
            Self::Overloaded => formatter
                .write_str("Too much is being worked on at this moment. Nothing was looked at; try again shortly."),
            Self::TimedOut => formatter.write_str(
                "This took too long and was given up. It may have been done all the same: look before you repeat it.",
            ),
            Self::KeyMissing(id) => write!(
                formatter,
                "A stored secret is sealed with the key `{id}`, which is not configured here. `mcp-registry seal status` says what that costs."
            ),
            Self::NotFound { what, reference } => {
                let mut shown = reference.clone();
                shorten(&mut shown, MAX_SHOWN);
                write!(formatter, "There is no {what} `{shown}`.")
            }
            Self::Stale { current } => write!(
                formatter,
                "Somebody else saved in the meantime; the present version is {current}. Read it again and repeat your change."
            ),
            Self::Invalid(findings) => findings.fmt(formatter),
            Self::TooSoon { .. } => write!(
                formatter,
                "This authorization server was asked often enough for now. Try again in {} seconds.",
                self.retry_after().unwrap_or_default()
            ),
            Self::TooManyTries { seconds } => write!(
                formatter,
                "There were too many tries to sign in. Try again in {seconds} seconds, or use a one-time link."
            ),
            Self::TooManyRequests { seconds } => {
                write!(formatter, "This key or token asked too often. Try again in {seconds} seconds.")
            }
            Self::TooLarge { limit } => write!(formatter, "This is larger than the {limit} bytes allowed."),
            Self::Internal(_) => formatter.write_str("An internal error occurred."),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Internal(source) => Some(&**source),
            _ => None,
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}
