//! Answers of real and hostile authorization servers.
#![expect(clippy::unwrap_used, reason = "tests")]

mod answer;
mod refusals;
mod retry;
mod unusable;
