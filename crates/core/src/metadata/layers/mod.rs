//! Resolution of the five layers of metadata into the effective metadata of one server.
//!
//! A [`Level`] names one of the five layers (default, organisation, integration, workspace, server); a [`Layer`] is a level
//! with the configuration that is set there. [`resolve`] combines the layers.

mod check_result;
mod defaults;
mod effective;
mod machine;
mod omission;
mod resolution;
mod resolve;

pub use defaults::{Branding, PLACEHOLDERS};
pub use effective::{
    AuthorizationServerOverride, Credentials, EffectiveMetadata, Level, Method, NameCharacters,
    RegistrationPolicy, ReplacePolicy, ScopePolicy,
};
pub use machine::fit_grants;
pub use resolution::{Ignored, Layer, Origin, Overridden, Resolution, ResolveContext};
pub use resolve::resolve;
