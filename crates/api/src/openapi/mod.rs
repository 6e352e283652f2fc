//! The OpenAPI document, and the pages that show it.

pub(crate) mod docs;
pub(crate) mod document;
mod refine;
