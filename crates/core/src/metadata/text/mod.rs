//! The text of one Advanced Configuration: parsed with positions, checked, edited, laid out, its secrets replaced by markers.

pub(crate) mod advanced;
mod edit;
mod layout;
pub(crate) mod parse;
mod secret;

pub use advanced::{AdvancedConfiguration, Verified, verify};
pub use edit::{read_members, remove_member, rename_member, set_member};
pub use layout::{formatted, unwrap_member, wrap_client_metadata};
pub use secret::{KnownSecrets, NewSecret, SecretPlace, map_markers, secret_places};
