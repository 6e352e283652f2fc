//! Limits of one process: concurrent requests, requests per client, sign-in attempts, gateway reads.

pub(crate) mod gateway;
pub(crate) mod per_client;
pub(crate) mod rate_limiter;
pub(crate) mod requests;
pub(crate) mod sign_in;
