//! Advanced Configuration: the layers, saving with a dry run of the impact, revisions, secrets mapped into it.

pub(crate) mod access_rows;
pub(crate) mod check;
pub(crate) mod costs;
pub(crate) mod impact;
pub(crate) mod layers;
pub(crate) mod mapped_secrets;
pub(crate) mod owner;
pub(crate) mod revision_rows;
pub(crate) mod revisions;
pub(crate) mod save;

use crate::Registry;

/// Advanced Configurations of every layer. A view of the application, reached by [`Registry::configurations`].
#[derive(Clone, Copy)]
pub struct Configurations<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Advanced Configurations of every layer.
    pub fn configurations(&self) -> Configurations<'_> {
        Configurations { registry: self }
    }
}
