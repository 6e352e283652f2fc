//! What a configuration results in: the values that are sent, the consent screen, and the difference to another text.

pub(crate) mod consent;
pub(crate) mod diff;
pub(crate) mod sent;
