//! The Advanced Configuration: the one table of fields, its check, its secrets, its resolution over five layers.
//!
//! * [`FIELDS`] says everything about every member; the check, the JSON Schema and the resolution only read it.
//! * [`verify`] judges a text as a person wrote it and finds the secrets in it; [`Verified::sealed_text`] gives the text to keep.
//! * [`AdvancedConfiguration`] is that kept text, parsed; [`resolve`] lays up to four of them over the deployment's [`Branding`].
//! * [`EffectiveMetadata`] is what is wanted before the authorization server is known; its digest says whether it changed.
//! * [`set_member`] and its like change one member of a text and leave the rest as it was written.
//! * [`CODES`] lists every code a finding of this module can have.

mod advanced;
mod codes;
mod cross;
mod defaults;
mod display;
mod edit;
mod effective;
mod field;
mod fields;
mod judge;
mod layout;
mod report;
mod resolution;
mod resolve;
mod rules;
mod schema;
mod secret;
mod shape;
mod string_rules;
mod suggest;
mod text;
mod unknown;
mod url_rules;

#[cfg(test)]
mod tests;

pub use advanced::{AdvancedConfiguration, Verified, verify};
pub use codes::{CODES, Code};
pub use defaults::{Branding, PLACEHOLDERS};
pub use edit::{read_members, remove_member, rename_member, set_member};
pub use effective::{
    AuthorizationServerOverride, Credentials, EffectiveMetadata, Level, Method, RegistrationPolicy,
    ReplacePolicy, ScopePolicy,
};
pub use field::{Field, Kind, Rule, Section, Usage};
pub use fields::{FIELDS, RESERVED_PARAMETERS, find, in_section};
pub use layout::{formatted, unwrap_member, wrap_client_metadata};
pub use resolution::{Ignored, Layer, Origin, Overridden, Resolution, ResolveContext};
pub use resolve::resolve;
pub use schema::json_schema;
pub use secret::{KnownSecrets, NewSecret, SecretPlace, map_markers, marker, parse_marker, secret_places};

/// The name of the client metadata object in the seed, and ours.
pub const CANONICAL_WRAPPER: &str = "oauth_client_metadata";
/// The name of the same object on the hosted product's wire today.
pub const ALIAS_WRAPPER: &str = "oauth_metadata";
/// The longest text of an Advanced Configuration, in bytes (256 KiB).
pub const MAX_CONFIGURATION_BYTES: usize = 262_144;
