//! Limits of one process: concurrent requests, requests per client, sign-in attempts, gateway reads.

pub(crate) mod per_client;
pub(crate) mod rate_limiter;
pub(crate) mod requests;
pub(crate) mod sign_in;

use crate::Registry;

/// Rate and concurrency limits of this process. A view of the application, reached by [`Registry::limits`].
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Rate and concurrency limits of this process.
    pub fn limits(&self) -> Limits<'_> {
        Limits { registry: self }
    }
}
