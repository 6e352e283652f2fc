//! The levels that set metadata, laid over each other, and the result: the effective metadata of one server.

mod check_result;
mod defaults;
mod effective;
mod resolution;
mod resolve;

pub use defaults::{Branding, PLACEHOLDERS};
pub use effective::{
    AuthorizationServerOverride, Credentials, EffectiveMetadata, Level, Method, RegistrationPolicy,
    ReplacePolicy, ScopePolicy,
};
pub use resolution::{Ignored, Layer, Origin, Overridden, Resolution, ResolveContext};
pub use resolve::resolve;
