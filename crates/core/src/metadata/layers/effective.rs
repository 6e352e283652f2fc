//! What is wanted for one server, before its authorization server is known.

use crate::id::SealedId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write;
use utoipa::ToSchema;

/// Where a value can be set, low to high.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The deployment's configuration file.
    Default,
    /// The organisation.
    Organisation,
    /// The integration.
    Integration,
    /// The access row of a workspace.
    Workspace,
    /// The server.
    Server,
}

impl Level {
    /// The word used on the wire and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Organisation => "organisation",
            Self::Integration => "integration",
            Self::Workspace => "workspace",
            Self::Server => "server",
        }
    }
}

/// A client that was registered beforehand; both members come from one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Credentials {
    /// Its id.
    pub client_id: String,
    /// Its sealed secret, for a confidential client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SealedId>,
    /// Where they were set.
    pub level: Level,
}

/// What replaces the discovered metadata of the authorization server (RFC 8414 §2); all members come from one level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AuthorizationServerOverride {
    /// Its issuer identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Its authorization endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// Its token endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Its registration endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<String>,
    /// Its revocation endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// The response types it offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_types_supported: Option<Vec<String>>,
    /// The grant types it offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_types_supported: Option<Vec<String>>,
    /// The auth methods it offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// The PKCE methods it offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// The scopes it offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes_supported: Option<Vec<String>>,
    /// The issuer to believe although the metadata document spells it differently.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_issuer: Option<String>,
    /// Where they were set; absent when none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
}

impl AuthorizationServerOverride {
    /// What replaces members of the metadata document, by their names there (RFC 8414 §2).
    pub fn endpoints(&self) -> Map<String, Value> {
        let Ok(Value::Object(mut members)) = serde_json::to_value(self) else { return Map::new() };
        members.remove("level");
        members.remove("trusted_issuer");
        members
    }

    /// Whether nothing is replaced.
    pub fn is_empty(&self) -> bool {
        self.level.is_none()
    }
}

/// How to obtain the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Pre-registered, then a client ID metadata document, then dynamic registration.
    #[default]
    Auto,
    /// Only the client entered by a user.
    PreRegistered,
    /// Only a client ID metadata document.
    Cimd,
    /// Only dynamic client registration (RFC 7591).
    Dcr,
}

/// Whether the registration request carries `scope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopePolicy {
    /// As the plan sees fit.
    #[default]
    Auto,
    /// Always when there is one.
    Always,
    /// Never.
    Never,
}

/// What to do when only a new client would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplacePolicy {
    /// Replace it.
    Automatic,
    /// Wait for a user's approval.
    Ask,
}

/// Of which characters `client_name` may consist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameCharacters {
    /// All.
    #[default]
    Any,
    /// ASCII letters, digits, spaces and hyphens.
    Plain,
}

impl NameCharacters {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

/// How we register.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RegistrationPolicy {
    /// How to obtain the client.
    pub method: Method,
    /// Whether `scope` is part of the request.
    pub scope: ScopePolicy,
    /// The sealed bearer token for the registration endpoint (RFC 7591 §3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_access_token: Option<SealedId>,
    /// What to do when only a new client would do; absent means: automatic while no gateway has fetched the client,
    /// ask afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace: Option<ReplacePolicy>,
    /// Whether a server without protected resource metadata is treated as one of the MCP revision 2025-03-26, where the
    /// authorization server is at the root of the MCP address.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub legacy_discovery: bool,
    /// The resource identifier that gateways use in place of the MCP address (RFC 8707 §2), verbatim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Names of client metadata members that are not sent; those that a higher level than the list sets are not in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub omit: Vec<String>,
    /// Of which characters `client_name` may consist.
    #[serde(skip_serializing_if = "NameCharacters::is_any")]
    pub client_name_characters: NameCharacters,
}

impl RegistrationPolicy {
    /// Whether `member` (or a language variant of it) is not to be sent.
    pub fn omits(&self, member: &str) -> bool {
        let base = member.split('#').next().unwrap_or_default();
        self.omit.iter().any(|name| name == member || name == base)
    }

    /// The omitted members that a request would get although the metadata do not have them.
    fn omits_additions(&self) -> Vec<&str> {
        ["scope", "token_endpoint_auth_method"].into_iter().filter(|name| self.omits(name)).collect()
    }
}

/// Everything wanted for one server. Secrets are named by their sealed ids only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct EffectiveMetadata {
    /// Client metadata to send (RFC 7591 §2): the customisable fields in a fixed order, `application_type`, `redirect_uris`,
    /// then language variants.
    #[schema(value_type = Object)]
    pub client_metadata: Map<String, Value>,
    /// A client registered beforehand: then no registration request is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// What replaces discovery.
    #[serde(skip_serializing_if = "AuthorizationServerOverride::is_empty")]
    pub authorization_server: AuthorizationServerOverride,
    /// Parameters added to the authorization request; never a reserved one.
    #[schema(value_type = Object)]
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub authorization_params: Map<String, Value>,
    /// How we register.
    pub registration: RegistrationPolicy,
    /// What gateways get beside the client: `headers`, `passthrough_headers`, `forward_headers`,
    /// `user_identity_forwarding`, `jwt_validation`, `external_auth_config`, `tools`, `transport`. Markers for secrets, no nulls.
    #[schema(value_type = Object)]
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub gateway: Map<String, Value>,
    /// Names of the members of `client_metadata` (with language variants) that a level above the deployment's own
    /// defaults set: what an admin chose is not negotiable.
    pub admin_members: BTreeSet<String>,
}

impl EffectiveMetadata {
    /// Whether an admin set the client metadata member `name`.
    pub fn is_admins(&self, name: &str) -> bool {
        self.admin_members.contains(name)
    }

    /// Lower-case hexadecimal SHA-256 over the RFC 8785 canonical JSON of what a client is made of: client metadata and
    /// credentials. Nothing discovered enters it, no secret and no hash of one; and nothing that only gateways use, so
    /// that a changed header leaves every client as current as it was. Where the authorization server is does not enter
    /// either: which one it is decides a discovery ([`Self::discovery_inputs`]), and a client is bound to what that finds.
    ///
    /// # Panics
    /// Never: canonical JSON can be made of everything but maps whose keys are no strings and numbers that are not
    /// finite, and there are none here.
    pub fn digest(&self) -> String {
        let credentials = self.credentials.as_ref();
        let mut document = serde_json::json!({
            "client_metadata": self.client_metadata,
            "client_id": credentials.map(|credentials| &credentials.client_id),
            "client_secret": credentials.map(|credentials| credentials.client_secret),
        });
        let omitted = self.registration.omits_additions();
        if !omitted.is_empty() {
            document["omit"] = omitted.into();
        }
        let canonical =
            serde_json_canonicalizer::to_vec(&document).expect("string keys and finite numbers only");
        Sha256::digest(&canonical).iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// What a discovery is made with besides the MCP address: when it changes, the authorization server is looked for again.
    pub fn discovery_inputs(&self) -> String {
        let authorization_server =
            AuthorizationServerOverride { level: None, ..self.authorization_server.clone() };
        let mut inputs = serde_json::json!([authorization_server, self.registration.legacy_discovery]);
        // Absent where nothing is set, so that what was found before is still found with the same.
        if let (Some(resource), Some(list)) = (&self.registration.resource, inputs.as_array_mut()) {
            list.push(resource.as_str().into());
        }
        inputs.to_string()
    }
}
