//! A registration: a resource that is reconciled until a valid OAuth client exists for one server. Its states, the next step, and what a failure means.

mod authorization_servers;
mod block;
mod fit;
mod known;
mod method;
mod outcome;
mod plan;
mod reasons;
mod state;
mod terms;

pub use authorization_servers::{
    AuthorizationServers, ClientMethods, DeleteOutcome, DiscoverOutcome, DiscoverTarget, ManageOutcome,
    RegisterOutcome, SelfCheckOutcome,
};
pub use block::Block;
pub use fit::{Cost, ReplacementCost, cost, replacement_cost};
pub use known::{
    ActiveClient, Desired, DesiredPresence, EndingClient, LifecycleRules, Observed, Request, Verification,
};
pub use method::{Choice, choose_method};
pub use outcome::{
    Consequence, ManagementConsequence, ManagementStep, RetryRules, after_failure, after_management_failure,
};
pub use plan::{Step, plan};
pub use reasons::{REASONS, Reason, RetryClass};
pub use state::{AttemptOutcome, AttemptStep, AuthType, ClientStatus, RegistrationMethod, State, Transport};
pub use terms::adopted_auth_method;

#[cfg(test)]
mod tests;
