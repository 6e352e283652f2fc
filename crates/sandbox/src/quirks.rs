//! The failure modes. Each is a field with the standard behaviour as its default, and names servers that were seen with the deviation.

use crate::canned::{AnswerWrapping, CannedAnswer, ExpiryForm};
use registry_core::secret::Secret;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Where the protected-resource metadata document lives (RFC 9728 §3.1, §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceMetadata {
    /// At `/.well-known/oauth-protected-resource/mcp`.
    #[default]
    Path,
    /// At `/.well-known/oauth-protected-resource` only.
    Root,
    /// At an address that only `WWW-Authenticate` names.
    HeaderOnly,
    /// Nowhere (servers of the MCP revision 2025-03-26).
    None,
}

/// At which of the addresses of MCP's discovery order the authorization server's metadata lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetadataForm {
    /// `/.well-known/oauth-authorization-server{path}` (RFC 8414 §3.1).
    Oauth,
    /// `/.well-known/openid-configuration{path}` (RFC 8414 §5).
    OidcInserted,
    /// `{path}/.well-known/openid-configuration` (OpenID Connect Discovery §4.1; the only form of Okta and glewlwyd).
    OidcAppended,
}

/// What a registration request's `scope` leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeHandling {
    /// Registered as asked.
    #[default]
    Accept,
    /// 400 `invalid_client_metadata` when a scope is not in `scopes_supported` (oidc-provider).
    KnownOnly,
    /// 403 `insufficient_scope` whenever the member is present (Keycloak's "Allowed Client Scopes").
    Refuse,
    /// Not stored and not echoed (workers-oauth-provider).
    Ignore,
}

/// A refusal of every registration request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// HTTP status, 4xx or 5xx.
    pub status: u16,
    /// The `error` code (RFC 7591 §3.2.2), or any other text real servers put there.
    pub error: String,
    /// The `error_description`; left out when absent.
    #[serde(default)]
    pub description: Option<String>,
}

impl Refusal {
    /// A refusal with `status` and `error`, without a description.
    pub fn new(status: u16, error: &str) -> Self {
        Self { status, error: error.to_owned(), description: None }
    }

    /// 403 `access_denied`: this authorization server does not allow open registration.
    pub fn forbidden() -> Self {
        Self {
            description: Some("Dynamic client registration is not permitted.".to_owned()),
            ..Self::new(403, "access_denied")
        }
    }
}

/// Every deviation that the sandbox can be configured to show; the default is a server that follows the specifications.
///
/// Fields that count requests (`…_requests`, `lost_…`) count down: `Sandbox::quirks` tells what is left of them.
#[expect(clippy::struct_excessive_bools, reason = "each switch is independent of the others")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    // All addresses
    /// Answers sent word for word, by method and path: `{"answers": {"GET /.well-known/oauth-protected-resource/mcp": {"status": 500}}}`.
    /// The request is otherwise ignored: a refused registration registers nothing, with 200 as well.
    pub answers: BTreeMap<String, CannedAnswer>,

    // The MCP server
    /// Where the protected-resource metadata lives.
    pub resource_metadata: ResourceMetadata,
    /// `resource_metadata` is left out of `WWW-Authenticate`, so that only the well-known addresses lead to it.
    pub no_resource_metadata_hint: bool,
    /// This text as `resource_metadata` of the challenge: relative, quoted oddly, the inner name of a proxy (openHAB,
    /// elastic/docs-builder).
    pub resource_metadata_hint: Option<String>,
    /// Status of the answer without a valid token (API gateways: 403 instead of 401).
    pub challenge_status: u16,
    /// Only `GET /mcp` is challenged; `POST` is answered with 405 (servers of the SSE transport).
    pub challenge_on_get: bool,
    /// Members put into the protected-resource metadata; null leaves one out.
    pub resource_members: Map<String, Value>,
    /// Another `resource` in the protected-resource metadata than the MCP URL (RFC 9728 §3.3 forbids its use).
    pub resource: Option<String>,
    /// Other `authorization_servers` in the protected-resource metadata than our own issuer.
    pub authorization_servers: Option<Vec<String>>,
    /// The `scope` of the challenge; absent: the first of `scopes_supported`; empty: no `scope` parameter.
    pub challenge_scope: Option<String>,
    /// `initialize` is answered without a token, so that a probe sees no challenge.
    pub open_initialize: bool,
    /// No token is needed, and the server offers prompts and resources too: an upstream that can be looked at without a user.
    pub no_auth: bool,
    /// With `no_auth`: requests without this header, as `Name: value`, are answered with 401.
    pub required_header: Option<String>,
    /// With `no_auth`: items on a page of the lists of tools, prompts and resources; 0: all on one page.
    pub list_page_size: usize,
    /// Responses of `/mcp` are event streams instead of JSON documents.
    pub event_streams: bool,

    // The authorization server's metadata
    /// Path of the issuer, such as `/tenant`; empty: the issuer is the origin.
    pub issuer_path: String,
    /// Addresses at which the metadata lives.
    pub metadata_forms: Vec<MetadataForm>,
    /// A foreign `issuer` in the metadata (RFC 8414 §3.3: must not be used).
    pub metadata_issuer: Option<String>,
    /// The metadata's `issuer` ends in a slash, the protected-resource metadata's entry does not (MCP Python SDK).
    pub slash_in_metadata_issuer: bool,
    /// The protected-resource metadata's entry ends in a slash, the metadata's `issuer` does not (Google).
    pub slash_in_resource_issuer: bool,
    /// Members put into the metadata; null leaves one out (Keycloak: an inner `introspection_endpoint` over http).
    pub metadata_members: Map<String, Value>,
    /// The first N metadata requests are answered with 503.
    pub unavailable_metadata_requests: u32,
    /// The metadata names no `registration_endpoint`, and there is none.
    pub no_registration_endpoint: bool,
    /// Another `registration_endpoint` than ours, for instance on another host.
    pub registration_endpoint: Option<String>,
    /// `token_endpoint_auth_methods_supported`; absent: the member is left out.
    pub auth_methods_supported: Option<Vec<String>>,
    /// `scopes_supported` of both documents; empty: left out (RFC 8414 §3.2).
    pub scopes_supported: Vec<String>,
    /// `code_challenge_methods_supported` is left out; MCP clients must then refuse to proceed.
    pub no_code_challenge_methods: bool,
    /// The metadata says `client_id_metadata_document_supported` (a flag only: the sandbox fetches no document).
    pub cimd_supported: bool,

    // Registration: what gets in the way
    /// Seconds to wait after the body has been read, before anything is decided.
    pub hang_seconds: u64,
    /// 307 to this address instead of an answer.
    pub registration_redirect: Option<String>,
    /// The first N registration requests are answered with 429.
    pub rate_limited_requests: u32,
    /// `Retry-After` of the 429 and 503 answers: seconds or an HTTP date; absent: no such header.
    pub retry_after: Option<String>,
    /// The first N registration requests are answered with 503.
    pub unavailable_requests: u32,
    /// Every registration request is refused so.
    pub registration_refusal: Option<Refusal>,
    /// 200 with an HTML page instead of registering (a proxy's or a login page).
    pub registration_html: bool,
    /// An initial access token is required as `Authorization: Bearer` (RFC 7591 §3; Okta, Keycloak).
    #[serde(serialize_with = "serialize_exposed")]
    pub initial_access_token: Option<Secret>,
    /// 403 with the plain text `Forbidden`, labelled as JSON, unless `client_name` is exactly this (Figma).
    pub required_client_name: Option<String>,
    /// 400 on a member that is not known, language variants included (Keycloak).
    pub refuse_unknown_members: bool,
    /// 400 on any member but these, in the words of a strict schema: `Unrecognized key(s) in object: 'software_id'`.
    pub strict_members: Option<Vec<String>>,
    /// 400 unless `client_name` has only letters, digits, hyphens and spaces (Calendly).
    pub plain_client_name: bool,
    /// 400 `invalid_redirect_uri` unless every redirect URI's host is listed (Intercom, Vercel).
    pub redirect_hosts: Option<Vec<String>>,
    /// 400 unless the auth method is listed; absent: `none`, `client_secret_post`, `client_secret_basic`.
    pub accepted_auth_methods: Option<Vec<String>>,
    /// What a `scope` in the request leads to.
    pub scope_policy: ScopeHandling,

    // Registration: what is registered and answered
    /// Status of a successful registration (Figma, glewlwyd: 200).
    pub success_status: u16,
    /// This body is answered instead of the registered client, which is stored all the same.
    pub registration_body: Option<Value>,
    /// The first N registrations are stored, and their connections are closed without a response.
    pub lost_answers: u32,
    /// Members registered with other values than asked for (MCP Python SDK: `{"application_type": "native"}`).
    pub replace_members: Map<String, Value>,
    /// Members answered with other values than those registered, of any type: odd echoes, a `client_id` that is a number, an
    /// auth method that needs keys; null leaves one out.
    pub answer_members: Map<String, Value>,
    /// In which form `client_secret_expires_at` is answered.
    pub secret_expiry_form: ExpiryForm,
    /// What is around the client in the answer.
    pub answer_wrapping: AnswerWrapping,
    /// The redirect URIs asked for are replaced by a foreign one (Higgsfield).
    pub ignore_redirect_uris: bool,
    /// A secret is issued, and demanded later, although `none` was asked for and is echoed (Figma).
    pub unasked_secret: bool,
    /// Seconds until an issued secret expires, negative: already expired; absent: never (MCP TypeScript SDK: 30 days).
    pub secret_expires_in: Option<i64>,
    /// Members left out of the registration answer.
    pub omit_members: Vec<String>,
    /// Members that were not set are echoed as `null` and `""` (Ory Hydra).
    pub echo_empties: bool,
    /// N bytes of padding in the registration answer.
    pub padding_bytes: usize,

    // Management (RFC 7592)
    /// No management: neither token nor address in the answer, 404 at the address.
    pub no_management: bool,
    /// Another origin in `registration_client_uri` than ours: that of a proxy in front of the server.
    pub management_origin: Option<String>,
    /// `registration_client_uri` is relative (Linear, Sentry).
    pub relative_management_uri: bool,
    /// Each read and update brings a new registration access token and ends the old one (oidc-provider, Hydra).
    pub rotate_registration_access_token: bool,
    /// Each update brings a new secret (glewlwyd).
    pub rotate_secret: bool,
    /// Members left out of the answers to reads and updates.
    pub omit_management_members: Vec<String>,
    /// Updates are carried out and answered with 200 and an empty body.
    pub empty_update_answer: bool,
    /// The first N reads and updates are carried out, and the connection is closed without a response.
    pub lost_management_answers: u32,
    /// The first N reads, updates and deletions are answered with 503.
    pub unavailable_management_requests: u32,
    /// `DELETE` is answered with 405 (RFC 7592 §2.3).
    pub no_delete: bool,

    // Authorization and tokens
    /// `iss` is left out of authorization responses (RFC 9207), and the metadata does not promise it.
    pub no_iss: bool,
    /// Status of `invalid_client` at the token endpoint for a client that does not exist (MCP Python SDK: 400).
    pub unknown_client_status: u16,
    /// Seconds an access token lives.
    pub access_token_seconds: i64,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            answers: BTreeMap::new(),
            resource_metadata: ResourceMetadata::Path,
            no_resource_metadata_hint: false,
            resource_metadata_hint: None,
            challenge_status: 401,
            challenge_on_get: false,
            resource_members: Map::new(),
            resource: None,
            authorization_servers: None,
            challenge_scope: None,
            open_initialize: false,
            no_auth: false,
            required_header: None,
            list_page_size: 0,
            event_streams: false,
            issuer_path: String::new(),
            metadata_forms: vec![MetadataForm::Oauth],
            metadata_issuer: None,
            slash_in_metadata_issuer: false,
            slash_in_resource_issuer: false,
            metadata_members: Map::new(),
            unavailable_metadata_requests: 0,
            no_registration_endpoint: false,
            registration_endpoint: None,
            auth_methods_supported: Some(strings(&["none", "client_secret_post", "client_secret_basic"])),
            scopes_supported: strings(&["mcp:read", "mcp:write"]),
            no_code_challenge_methods: false,
            cimd_supported: false,
            hang_seconds: 0,
            registration_redirect: None,
            rate_limited_requests: 0,
            retry_after: None,
            unavailable_requests: 0,
            registration_refusal: None,
            registration_html: false,
            initial_access_token: None,
            required_client_name: None,
            refuse_unknown_members: false,
            strict_members: None,
            plain_client_name: false,
            redirect_hosts: None,
            accepted_auth_methods: None,
            scope_policy: ScopeHandling::Accept,
            success_status: 201,
            registration_body: None,
            lost_answers: 0,
            replace_members: Map::new(),
            answer_members: Map::new(),
            secret_expiry_form: ExpiryForm::Seconds,
            answer_wrapping: AnswerWrapping::None,
            ignore_redirect_uris: false,
            unasked_secret: false,
            secret_expires_in: None,
            omit_members: Vec::new(),
            echo_empties: false,
            padding_bytes: 0,
            no_management: false,
            management_origin: None,
            relative_management_uri: false,
            rotate_registration_access_token: false,
            rotate_secret: false,
            omit_management_members: Vec::new(),
            empty_update_answer: false,
            lost_management_answers: 0,
            unavailable_management_requests: 0,
            no_delete: false,
            no_iss: false,
            unknown_client_status: 401,
            access_token_seconds: 3600,
        }
    }
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

/// Takes one from a counting quirk; `false` when none was left.
pub(crate) fn take(count: &mut u32) -> bool {
    let left = *count > 0;
    *count = count.saturating_sub(1);
    left
}

/// Serialises a token verbatim: quirks are sent to the sandbox as JSON.
#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn serialize_exposed<S: Serializer>(token: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    token.as_ref().map(Secret::expose).serialize(serializer)
}
