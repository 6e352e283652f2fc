//! The guarded client against small hostile servers on this machine.
#![expect(clippy::unwrap_used, reason = "tests")]

mod authority;
mod connections;
mod discovery;
mod field;
mod guard;
mod hostile;
mod logo;
mod look;
mod management;
mod names;
mod probe;
mod redirects;
mod registration;
mod scope;
mod tls;
mod upstream;
