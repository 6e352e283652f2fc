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
