//! How a change that may cost clients is saved.

use crate::http::extract::Caller;
use crate::http::failure::Failure;
use registry::ReplacementMode;
use serde::Deserialize;
use utoipa::IntoParams;

/// When clients are replaced.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HowToSave {
    /// Whether clients that only a new one can take the place of serve on as `outdated` until somebody approves, instead
    /// of being replaced at once where `registration.replace` and the rules allow that. The next change that reaches them
    /// is decided anew. False when absent.
    #[param(example = false)]
    hold_replacements: Option<bool>,
}

impl HowToSave {
    /// As the caller's query says.
    pub(crate) fn of(caller: &Caller) -> Result<ReplacementMode, Failure> {
        let asked: Self = caller.query()?;
        Ok(if asked.hold_replacements.unwrap_or_default() {
            ReplacementMode::Defer
        } else {
            ReplacementMode::Policy
        })
    }
}
