//! The adapters to the outside: the HTTP clients of this configuration, plugged into the ports of the application.

mod clients;
mod external;

pub(crate) use clients::{guarded, operator};
pub use external::ExternalServices;
