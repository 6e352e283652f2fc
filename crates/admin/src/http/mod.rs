//! What all pages share between the request and the page: the session, limits, refusals, headers.

pub(crate) mod choice;
pub(crate) mod failure;
pub(crate) mod guard;
pub(crate) mod headers;
pub(crate) mod nul;
pub(crate) mod origin;
pub(crate) mod session;
