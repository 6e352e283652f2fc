//! What is known about a registration before it is sent: which method would be used, what exactly would
//! be sent, and what will probably go wrong.
//!
//! * [`forecast`] asks [`crate::registration::plan`], as the worker does, and prepares what the next step would send.
//! * [`ADVICE`] is the one table of what can be foreseen; [`advise`] goes through it; `docs/preflight.md` is made from it.
//! * [`examine`] presents a discovery as a list of probes, and tells which [`Approach`]es are possible.
//! * [`connection_problem`] says what an answer of an MCP server means for a test of the connection.

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
