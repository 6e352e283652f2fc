//! The guarded client against small hostile servers on this machine.
#![expect(clippy::unwrap_used, reason = "tests")]

mod discovery;
mod guard;
mod management;
mod probe;
mod registration;
mod upstream;
