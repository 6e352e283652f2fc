//! The Advanced Configuration: the one table of fields, its check, its secrets, its resolution over five layers.
//!
//! * [`FIELDS`] says everything about every member; the check, the JSON Schema and the resolution only read it.
//! * [`verify`] checks a text as a user wrote it and finds the secrets in it; [`Verified::sealed_text`] is the text to store.
//! * [`AdvancedConfiguration`] is that stored text, parsed; [`resolve`] applies up to four of them over the deployment's [`Branding`].
//! * [`EffectiveMetadata`] is what is wanted before the authorization server is known; its digest says whether it changed.
//! * [`set_member`] and similar functions change one member of a text and keep the rest unchanged.
//! * [`CODES`] lists every code a finding of this module can have.
//!
//! Four folders; each uses only those before it: `fields` → `rules` → `text` → `layers`.

mod fields;
mod layers;
mod rules;
mod text;

#[cfg(test)]
mod tests;

pub use fields::{
    ALIAS_WRAPPER, CANONICAL_WRAPPER, FIELDS, Field, Kind, MAX_CONFIGURATION_BYTES, RESERVED_PARAMETERS,
    Rule, Section, Usage, find, in_section, marker, parse_marker,
};
pub use layers::{
    AuthorizationServerOverride, Branding, Credentials, EffectiveMetadata, Ignored, Layer, Level, Method,
    NameCharacters, Origin, Overridden, PLACEHOLDERS, RegistrationPolicy, ReplacePolicy, Resolution,
    ResolveContext, ScopePolicy, fit_grants, resolve,
};
pub use rules::{
    CODES, CONFIGURATION_SCHEMA, Code, FILL_INS, FillIn, configuration_schemas, contains_fill_in,
    gateway_members, json_schema, pasted_address,
};
pub use text::{
    AdvancedConfiguration, KnownSecrets, NewSecret, SecretPlace, Verified, formatted, map_markers,
    read_members, remove_member, rename_member, secret_places, set_member, unwrap_member, verify,
    wrap_client_metadata,
};
