//! Tests of the plan: cases by example, and random histories of a model.
#![expect(clippy::unwrap_used, reason = "tests")]

mod histories;
mod model;
mod model_upstream;
mod plan;
