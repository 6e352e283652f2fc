//! Client of the MCP Registry for gateways and automation, on `reqwest` and `tokio`; it knows no crate of the registry.
//!
//! [`Registry`] sends single requests, typed, over several replicas. [`Follower`] keeps the documents of all servers up to
//! date and keeps the last good ones, whatever happens. [`token_request`] authenticates a client at its token endpoint.

mod client_authentication;
mod collections;
mod events;
mod follower;
mod pause;
mod registry;
mod reports;
mod types;

pub use client_authentication::{Assertion, AssertionSigner, BoxError, BoxFuture, token_request};
pub use collections::{Collection, Configurations};
pub use follower::{Follower, FollowerOptions, Mode, Saved};
pub use registry::{Registry, RegistryError};
pub use types::*;
