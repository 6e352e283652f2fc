//! The standing effort to have a valid OAuth client for one server: its states, what to do next, what a failure means.

mod outcome;
mod plan;
mod state;

pub use outcome::{Consequence, RetryRules, after_failure};
pub use plan::{ActiveClient, Block, Desired, Observed, Request, Step, plan};
pub use state::{AuthType, ClientStatus, RegistrationMethod, State, Transport};

#[cfg(test)]
mod tests;
