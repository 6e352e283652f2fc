//! Preflight: what is known about a registration before its request is sent (method, request body, probable problems).
//!
//! * [`forecast`] calls [`crate::registration::plan`], as the worker does, and prepares the request of the next step.
//! * [`ADVICE`] is the only table of problems that can be predicted. [`advise`] evaluates each row of the table;
//!   `docs/preflight.md` is generated from the table.
//! * [`examine`] presents the result of a discovery as a list of probes, and tells which [`Approach`]es are possible.
//! * [`connection_problem`] says what a response of an MCP server means for a connection test.

mod advice;
mod approach;
mod connection;
mod examination;
mod forecast;
mod notes;
mod rules;
mod table;

pub use advice::{Advice, AdviceInputs, AdviceSeverity};
pub use approach::{Approach, Entered};
pub use connection::connection_problem;
pub use examination::{ApproachOption, Availability, Examination, Probe, Quality, examine};
pub use forecast::{Forecast, forecast};
pub use table::{ADVICE, Rule, advise};

#[cfg(test)]
mod tests;
