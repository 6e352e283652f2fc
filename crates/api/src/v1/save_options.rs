//! Query parameters of a save that may replace clients.

use crate::http::extract::Caller;
use crate::http::failure::Failure;
use registry::ReplacementMode;
use serde::Deserialize;
use utoipa::IntoParams;

/// When clients are replaced.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SaveOptions {
    /// Whether clients that can only be replaced by a new client stay in use as `outdated` until a user
    /// approves, instead of being replaced immediately where `registration.replace` and the rules allow that.
    /// The next change that affects them is decided again. False when absent.
    #[param(example = false)]
    hold_replacements: Option<bool>,
}

impl SaveOptions {
    /// Parses the caller's query.
    pub(crate) fn of(caller: &Caller) -> Result<ReplacementMode, Failure> {
        let asked: Self = caller.query()?;
        Ok(if asked.hold_replacements.unwrap_or_default() {
            ReplacementMode::Defer
        } else {
            ReplacementMode::Policy
        })
    }
}
