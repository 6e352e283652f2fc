//! Chooses the registration method: pre-registered, a Client ID Metadata Document, dynamic registration, or none
//! (MCP 2026-07-28, "Client Registration"; INV-10).

use super::block::Block;
use super::known::Desired;
use super::state::AuthType;
use crate::metadata::Method;
use crate::oauth::Discovery;

/// The way to a new client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Take the client that an admin entered.
    Adopt,
    /// Publish a Client ID Metadata Document.
    Publish,
    /// Register dynamically (RFC 7591).
    Register,
    /// No method is possible: a user must act.
    Nobody(Block),
}

/// The configured method. Client credentials are always entered by a user, regardless of the layers.
pub(super) fn configured_method(desired: &Desired) -> Method {
    if desired.auth_type == AuthType::OauthClientCredentials {
        Method::PreRegistered
    } else {
        desired.effective.registration.method
    }
}

/// The way to a new client at the authorization server of `discovery`. `document_reachable` is false when a published
/// document was lately found not to be readable from outside.
pub fn choose_method(desired: &Desired, discovery: &Discovery, document_reachable: bool) -> Choice {
    let has_credentials = desired.effective.credentials.is_some();
    match configured_method(desired) {
        Method::PreRegistered | Method::Auto if has_credentials => Choice::Adopt,
        Method::PreRegistered => block(
            "pre_registered_client_missing",
            "This server accepts only a manually registered client. Enter `client_id` (and `client_secret`) in its Advanced Configuration.",
        ),
        Method::Cimd => match document_refused(desired, discovery) {
            Some(block) => Choice::Nobody(block),
            None => Choice::Publish,
        },
        Method::Dcr => registration(discovery),
        Method::Auto if document_refused(desired, discovery).is_none() && document_reachable => {
            Choice::Publish
        }
        Method::Auto => match registration(discovery) {
            // Nothing else is left: the document is tried again, however it was found before.
            Choice::Nobody(_) if document_refused(desired, discovery).is_none() => Choice::Publish,
            choice => choice,
        },
    }
}

fn registration(discovery: &Discovery) -> Choice {
    if discovery.authorization_server().registration_endpoint().is_some() {
        return Choice::Register;
    }
    block(
        "registration_not_supported",
        "The authorization server offers no dynamic registration. Register a client there manually with the callback URL shown, then enter its `client_id` (and `client_secret`) in the Advanced Configuration.",
    )
}

/// Why no Client ID Metadata Document can be used, if none can (INV-25): it must be offered, and our auth
/// method, which is `none` because a public document cannot hold a secret, must be accepted.
fn document_refused(desired: &Desired, discovery: &Discovery) -> Option<Block> {
    let server = discovery.authorization_server();
    let method = desired.effective.client_metadata.get("token_endpoint_auth_method");
    let secret_method = method.and_then(|method| method.as_str()).filter(|method| *method != "none");
    let accepts_none = server
        .token_endpoint_auth_methods_supported()
        .is_none_or(|methods| methods.iter().any(|method| method == "none"));
    let (code, detail) = if !desired.publishes_documents {
        (
            "cimd_not_available",
            "This deployment publishes no Client ID Metadata Documents: the operator has not set `cimd.public_url`. Set `registration.method` to `auto`, `dcr` or `pre_registered`.",
        )
    } else if !server.client_id_metadata_document_supported() {
        (
            "cimd_not_supported",
            "The authorization server does not say that it reads Client ID Metadata Documents. Set `registration.method` to `auto`, `dcr` or `pre_registered`.",
        )
    } else if desired.effective.is_admins("token_endpoint_auth_method") && secret_method.is_some()
        || !accepts_none
    {
        (
            "cimd_auth_method",
            "A Client ID Metadata Document is public and has no secret, so `token_endpoint_auth_method` must be `none` and the authorization server must accept that. Choose another `registration.method`.",
        )
    } else {
        return None;
    };
    Some(Block { code: code.to_owned(), detail: Some(detail.to_owned()) })
}

fn block(code: &str, detail: &str) -> Choice {
    Choice::Nobody(Block { code: code.to_owned(), detail: Some(detail.to_owned()) })
}
