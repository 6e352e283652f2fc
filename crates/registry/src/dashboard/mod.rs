//! What spans all nouns: the overview page and the search.

pub(crate) mod overview;
pub(crate) mod search;
pub(crate) mod setters;
pub(crate) mod user_search;

use crate::Registry;

/// The overview and the search. A view of the application, reached by [`Registry::dashboard`].
#[derive(Clone, Copy)]
pub struct Dashboard<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// The overview and the search.
    pub fn dashboard(&self) -> Dashboard<'_> {
        Dashboard { registry: self }
    }
}
