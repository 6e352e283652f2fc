//! Answers of real and hostile authorization servers.
#![expect(clippy::unwrap_used, reason = "tests")]

mod answer;
mod left_behind;
mod management;
mod refusals;
mod retry;
mod unusable;
