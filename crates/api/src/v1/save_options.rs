//! Query parameters of a save that may replace clients.

use crate::http::extract::Caller;
use crate::http::failure::Failure;
use registry::ReplacementMode;
use registry_core::rollout::RolloutOptions;
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

/// How a change of the organisation's layer reaches the servers, where they are more than 100.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RolloutParameters {
    /// The part of the servers that get the change first, in percent, 0 to 100. The rest follows when their
    /// registrations have settled. 0: all servers in one go. 1 when absent.
    #[param(minimum = 0, maximum = 100, example = 1)]
    canary_percent: Option<u8>,
    /// The rollout stops when more servers than this cannot take the change, or have their registration fail because
    /// of it. 20 when absent; `none`: it never stops by itself.
    #[param(example = "none")]
    max_failures: Option<String>,
}

impl RolloutParameters {
    /// Parses the caller's query.
    pub(crate) fn of(caller: &Caller) -> Result<RolloutOptions, Failure> {
        let asked: Self = caller.query()?;
        let mut options = RolloutOptions::default();
        if let Some(percent) = asked.canary_percent {
            if percent > 100 {
                return Err(Failure::parameter("canary_percent", "takes a number from 0 to 100."));
            }
            options.canary_percent = percent;
        }
        if let Some(most) = asked.max_failures {
            options.max_failures = if most == "none" {
                None
            } else {
                let most = most.parse::<u32>().map_err(|_| {
                    Failure::parameter("max_failures", "takes a whole number from 0 on, or `none`.")
                })?;
                Some(u64::from(most))
            };
        }
        Ok(options)
    }
}
