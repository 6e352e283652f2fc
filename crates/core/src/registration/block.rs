//! What prevents further steps.

/// Why the registration cannot continue without a user. The code is stable (`docs/registration-failures.md`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Reason code.
    pub code: String,
    /// A sentence for users; `None` keeps the one recorded with the failure.
    pub detail: Option<String>,
}
