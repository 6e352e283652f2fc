//! What spans all nouns: the overview page and the search.

pub(crate) mod overview;
pub(crate) mod search;
