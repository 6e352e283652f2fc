//! REST over a real listener, on both databases.

pub(crate) mod authorization;
mod bad_input;
mod document;
mod largest;
mod limits;
mod main_job;
mod names;
mod nul;
mod preflight;
mod rollouts;
mod tokens;
mod workspace_names;
