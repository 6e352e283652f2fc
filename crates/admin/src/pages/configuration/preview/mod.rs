//! Previews of a configuration: the metadata that will be sent, the consent screen that users will see, and the
//! differences between two texts.

pub(crate) mod consent;
pub(crate) mod diff;
pub(crate) mod sent;
