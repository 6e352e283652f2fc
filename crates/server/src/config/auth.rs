//! The sections `auth`, `auth.oidc` and `auth.jwt`.

use registry_core::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Section `auth`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Bearer tokens of an identity provider.
    pub jwt: Jwt,
    /// Sign-in with an identity provider.
    pub oidc: Oidc,
    /// Whether users may also sign in with e-mail address and password.
    pub passwords: bool,
}

impl Default for Auth {
    fn default() -> Self {
        Self { jwt: Jwt::default(), oidc: Oidc::default(), passwords: true }
    }
}

/// Section `auth.oidc`. In effect as soon as `issuer` is set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Oidc {
    /// The exact issuer; unset: users sign in with passwords only.
    pub issuer: Option<String>,
    /// The `client_id` of this deployment at the identity provider.
    pub client_id: String,
    /// The client secret; unset: a public client.
    pub client_secret: Option<Secret>,
    /// A file with that secret instead.
    pub client_secret_file: Option<PathBuf>,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Accepted signature algorithms of ID tokens, asymmetric ones only.
    pub algorithms: Vec<String>,
    /// The claim with the user's groups.
    pub groups_claim: String,
    /// Group → `admin`, `manager`, `viewer`, or one of them in a workspace: `manager@acme`.
    pub groups: BTreeMap<String, String>,
    /// Role of users in none of the mapped groups; unset: they cannot sign in.
    pub default_role: Option<String>,
    /// Whether e-mail addresses that the provider does not mark as verified are accepted.
    pub trust_email: bool,
    /// The label of the button: "Sign in with …".
    pub label: String,
    /// Seconds of clock difference that are tolerated.
    pub leeway: u64,
}

impl Default for Oidc {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: String::new(),
            client_secret: None,
            client_secret_file: None,
            scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
            algorithms: vec!["RS256".to_owned(), "ES256".to_owned()],
            groups_claim: "groups".to_owned(),
            groups: BTreeMap::new(),
            default_role: None,
            trust_email: false,
            label: "single sign-on".to_owned(),
            leeway: 30,
        }
    }
}

/// Section `auth.jwt`. In effect as soon as `issuer` is set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jwt {
    /// The exact `iss`; unset: no tokens are accepted.
    pub issuer: Option<String>,
    /// Accepted `aud` values.
    pub audience: Vec<String>,
    /// A file with the issuer's JWK Set (RFC 7517 §5).
    pub key_set_file: Option<PathBuf>,
    /// The address of the issuer's JWK Set instead, which is fetched again when keys change.
    pub key_set_url: Option<String>,
    /// Accepted signature algorithms, asymmetric ones only.
    pub algorithms: Vec<String>,
    /// The claim that holds the role.
    pub role_claim: String,
    /// Claim value → role; empty: the value is the role's own name.
    pub roles: BTreeMap<String, String>,
    /// The claim that binds a token to one workspace.
    pub workspace_claim: String,
    /// The claim whose scopes narrow what a token may do here.
    pub scope_claim: String,
    /// Seconds of clock difference that are tolerated.
    pub leeway: u64,
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: Vec::new(),
            key_set_file: None,
            key_set_url: None,
            algorithms: vec!["RS256".to_owned(), "ES256".to_owned()],
            role_claim: "role".to_owned(),
            roles: BTreeMap::new(),
            workspace_claim: "workspace".to_owned(),
            scope_claim: "mcp_registry_scope".to_owned(),
            leeway: 30,
        }
    }
}
