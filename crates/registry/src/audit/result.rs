//! The result of an audited action, which its name says.

use crate::storage::audit_action::AuditAction;

/// The result of an audited action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditResult {
    /// It was done.
    Done,
    /// A caller was refused.
    Refused,
    /// It was tried and failed.
    Failed,
}

/// Actions with the result `refused`, and those with the result `failed`; every other one is `done`.
pub(super) const REFUSED: [&str; 2] =
    [AuditAction::UserSignInRefused.as_str(), AuditAction::UserLocked.as_str()];
pub(super) const FAILED: [&str; 1] = [AuditAction::RegistrationFailed.as_str()];

impl AuditResult {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    /// The word in addresses and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The result of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == word)
    }

    /// What came of an action of this name.
    pub(super) fn of(action: &str) -> Self {
        if REFUSED.contains(&action) {
            Self::Refused
        } else if FAILED.contains(&action) {
            Self::Failed
        } else {
            Self::Done
        }
    }
}
