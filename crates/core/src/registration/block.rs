//! What prevents further steps.

/// Why nothing can be done without a person. The code is stable (`docs/registration-failures.md`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Reason code.
    pub code: String,
    /// A sentence for people; `None` keeps the one recorded with the failure.
    pub detail: Option<String>,
}
