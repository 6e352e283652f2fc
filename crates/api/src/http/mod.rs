//! What all operations share between the request and the answer: authentication, body and query, limits, errors,
//! problem documents, headers.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod error_handler;
pub(crate) mod extract;
pub(crate) mod failure;
pub(crate) mod fallback;
pub(crate) mod guard;
pub(crate) mod nul;
pub(crate) mod open_gateway;
mod per_type;
pub(crate) mod problem;
pub(crate) mod problem_kinds;
pub(crate) mod query;
pub(crate) mod responses;
pub(crate) mod scheme;
pub(crate) mod security_headers;
mod shape;
