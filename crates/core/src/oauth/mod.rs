//! OAuth documents, and what may be believed in them: discovery (RFC 9728, RFC 8414, OpenID Connect Discovery),
//! registration (RFC 7591) and its management (RFC 7592), Client ID Metadata Documents, challenges (RFC 9110 §11.6.1), failures.

mod answer;
mod auth_method;
mod callbacks;
mod challenge;
mod clean;
mod client_id_document;
mod discovery;
mod exchange;
mod failure;
mod hide;
mod hint;
mod http_answer;
mod json;
mod management;
mod management_address;
mod markup;
mod named_members;
mod odd_time;
mod published;
mod reading;
mod refusal_codes;
mod refusal_members;
mod refusal_words;
mod request;
mod retry;
mod sanitize;
mod shown_members;
mod unusable;
mod verbatim;

pub use crate::origin::is_same_origin;
pub use answer::{Asked, Issued, read_answer};
pub(crate) use auth_method::unusable_setting;
pub use auth_method::usable_auth_method;
pub use challenge::{Challenge, parse_challenges};
pub(crate) use clean::clean;
pub use client_id_document::{MAX_DOCUMENT_BYTES, client_id_document, document_path, document_url};
pub use discovery::{
    AuthorizationServerMetadata, Discovery, IssuerMatch, ProtectedResource, ResourceMatch,
    authorization_server_urls, endpoint_is_sane, issuer_matches, issuer_of_document, protected_resource_urls,
    resource_matches, scopes_named,
};
pub use exchange::Exchange;
pub use failure::{Failure, FailureClass, MANAGEMENT_ANSWER_LOST, classify_refusal, retry_after_seconds};
pub use hint::complete_hint;
pub use http_answer::HttpAnswer;
pub use json::read_object;
pub use management::ManagedClient;
pub use published::{ResourceVerdict, ServerVerdict, judge_resource, judge_server};
pub use request::{Adjustment, Negotiated, Prepared, RequestPolicy, build_request, negotiate_auth_method};
pub use retry::{MAX_ADJUSTED_RETRIES, adjust_after_refusal};
pub use sanitize::{is_plain, sanitize};
pub use shown_members::shown_members;
pub use unusable::UnusableClient;
pub use verbatim::verbatim;

#[cfg(test)]
mod tests;
