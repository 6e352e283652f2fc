//! OAuth documents, and what may be believed in them: discovery (RFC 9728, RFC 8414, OpenID Connect Discovery),
//! registration (RFC 7591), challenges (RFC 9110 §11.6.1), failures.

mod answer;
mod challenge;
mod discovery;
mod exchange;
mod failure;
mod json;
mod request;

pub use answer::{Issued, read_answer};
pub use challenge::{Challenge, parse_challenges};
pub use discovery::{
    AuthorizationServerMetadata, Discovery, IssuerMatch, ProtectedResource, ResourceMatch,
    authorization_server_urls, endpoint_is_sane, issuer_matches, protected_resource_urls, resource_matches,
    scopes_named,
};
pub use exchange::Exchange;
pub use failure::{Failure, FailureClass, classify_refusal, retry_after_seconds};
pub use json::read_object;
pub use request::{
    Adjustment, Negotiated, Prepared, RequestPolicy, ScopePolicy, adjust_after_refusal, build_request,
    negotiate_auth_method,
};
