//! Claims due registrations, executes the planned step, records what came back.
//!
//! This crate must not know sea-orm, actix or askama: what is due and what is known it asks the registry, what the
//! world says it asks the outbound crate, what to do it asks [`registry_core::registration::plan`].
//!
//! A tour in five lines:
//! * [`run`] claims and keeps a bounded number of registrations in hand until it is told to stop.
//! * `reconcile` plans and executes step after step for one of them, until there is nothing to do now.
//! * `steps` holds one function per step; each records its attempt before anything is sent.
//! * A worker that loses its lease finds its claim refused and drops what it had.

mod logos;
mod reconcile;
mod run;
mod steps;

pub use run::{WorkerOptions, run};
