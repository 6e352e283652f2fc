//! What the operator configured and the application needs to know.

use registry_core::egress::EgressPolicy;
use registry_core::finding::{Finding, Findings};
use registry_core::metadata::Branding;
use registry_core::permission::Role;
use registry_core::proxies::TrustedProxies;
use registry_core::registration::{LifecycleRules, RetryRules};
use registry_core::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use url::{Host, Url};

/// The path behind each gateway URL where authorization servers send people back (seed, "Security Notes").
pub(crate) const CALLBACK_PATH: &str = "/oauth/upstream-callback";

/// The application's part of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The lowest layer of client metadata.
    pub branding: Branding,
    /// Where gateways are reached, without trailing slash; all https or all loopback.
    pub gateway_urls: Vec<String>,
    /// The public base URL of Client ID Metadata Documents; unset: not offered.
    pub cimd_public_url: Option<String>,
    /// Where this deployment's pages and API are reached, without trailing slash.
    pub public_url: Option<String>,
    /// Which upstream addresses are allowed although private.
    pub egress: EgressPolicy,
    /// Bearer tokens of an identity provider, if accepted.
    pub jwt: Option<JwtSettings>,
    /// The identity provider that people sign in with, if there is one.
    pub provider: Option<ProviderSettings>,
    /// Whether people may sign in by e-mail address and password.
    pub passwords: bool,
    /// How long a worker may hold a registration without a sign of life: three times its request limit.
    pub lease: Duration,
    /// How patient retries are.
    pub retry: RetryRules,
    /// How long clients last.
    pub life: LifecycleRules,
    /// How often one authorization server is asked for something, by all workers together.
    pub issuer_rate: IssuerRate,
    /// How much is asked, at once and in time.
    pub limits: RequestLimits,
    /// Proxies whose word on where a request came from is taken.
    pub trusted_proxies: TrustedProxies,
    /// Secrets that the operator declared, by name.
    pub secrets: BTreeMap<String, SecretReference>,
    /// How long audit events are kept at least; `None`: for ever.
    pub audit_keep: Option<Duration>,
    /// The most database connections of one process.
    pub max_connections: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            branding: Branding::default(),
            gateway_urls: vec!["http://localhost:8787".to_owned()],
            cimd_public_url: None,
            public_url: None,
            egress: EgressPolicy::default(),
            jwt: None,
            provider: None,
            passwords: true,
            lease: Duration::from_secs(30),
            retry: RetryRules::default(),
            life: LifecycleRules::default(),
            issuer_rate: IssuerRate::default(),
            limits: RequestLimits::default(),
            trusted_proxies: TrustedProxies::default(),
            secrets: BTreeMap::new(),
            audit_keep: None,
            max_connections: 10,
        }
    }
}

/// How much is asked of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// So many requests of one key, token or session at once after a pause; at least 1.
    pub burst: u32,
    /// So many a second after that; at least 1.
    pub per_second: u32,
    /// So many are worked on at once; the next is refused. Gateways are not counted.
    pub at_once: usize,
    /// How long one may take.
    pub patience: Duration,
    /// So many connections of one gateway key follow changes at once; at least 1.
    pub followers: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { burst: 500, per_second: 100, at_once: 256, patience: Duration::from_mins(1), followers: 1_000 }
    }
}

/// How often one authorization server is asked to register, change or delete a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuerRate {
    /// So many at once after a pause; at least 1.
    pub burst: u32,
    /// So many a minute after that; at least 1.
    pub per_minute: u32,
}

impl Default for IssuerRate {
    fn default() -> Self {
        Self { burst: 10, per_minute: 10 }
    }
}

/// Which JWTs are believed (RFC 7519), and what their claims mean here.
#[derive(Clone, Debug)]
pub struct JwtSettings {
    /// The exact `iss`.
    pub issuer: String,
    /// Accepted `aud` values; at least one.
    pub audience: Vec<String>,
    /// Accepted signature algorithms, asymmetric ones only: `RS256`, `ES256`, `EdDSA`, …
    pub algorithms: Vec<String>,
    /// The issuer's JWK Set (RFC 7517 §5).
    pub key_set: KeySource,
    /// The claim that holds the role: a string or a list of strings.
    pub role_claim: String,
    /// Claim value → role. Empty: the value is the role's own name.
    pub roles: BTreeMap<String, Role>,
    /// The claim that binds to a workspace (slug or id); absent in a token: the whole organisation.
    pub workspace_claim: String,
    /// The claim with scopes that narrow what its role may do: a string of words or a list (RFC 9068 §2.2.3); absent in a
    /// token: all that its role may.
    pub scope_claim: String,
    /// Tolerated clock difference for `exp` and `nbf`.
    pub leeway: Duration,
}

impl Settings {
    /// What is wrong with these values, each for itself; pointers name the configuration key (`/gateway/urls/0`).
    pub(crate) fn check_values(&self) -> Findings {
        let mut findings = Findings::default();
        findings.extend_below("/branding", self.branding.check());
        self.check_gateway_urls(&mut findings);
        if let Some(url) = &self.cimd_public_url
            && !Url::parse(url).is_ok_and(|url| url.scheme() == "https" && url.query().is_none())
        {
            findings.push(Finding::error(
                "/cimd/public_url",
                "invalid_url",
                "`cimd.public_url` must be an https URL without query, e.g. \"https://mcp.example.com\".",
            ));
        }
        findings
    }

    fn check_gateway_urls(&self, findings: &mut Findings) {
        if self.gateway_urls.is_empty() {
            findings.push(Finding::error(
                "/gateway/urls",
                "empty_value",
                "`gateway.urls` needs at least one URL: it is where authorization servers send people back.",
            ));
        }
        let mut kinds = Vec::new();
        for (index, text) in self.gateway_urls.iter().enumerate() {
            let url = Url::parse(text).ok();
            let loopback = url.as_ref().is_some_and(is_loopback);
            let secure = url.as_ref().is_some_and(|url| url.scheme() == "https");
            let plain = url.as_ref().is_some_and(|url| {
                url.query().is_none()
                    && url.fragment().is_none()
                    && url.username().is_empty()
                    && url.password().is_none()
                    && !text.ends_with('/')
            });
            if !plain || !(secure || loopback) {
                findings.push(Finding::error(
                    format!("/gateway/urls/{index}"),
                    "invalid_url",
                    "A gateway URL is https (http only on loopback), without user, query, fragment or trailing slash.",
                ));
            }
            kinds.push(loopback);
        }
        if kinds.contains(&true) && kinds.contains(&false) {
            findings.push(Finding::error(
                "/gateway/urls",
                "mixed_gateway_urls",
                "Gateway URLs must be all https or all loopback: one client cannot be both `web` and `native`.",
            ));
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Where a key set comes from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// The JWK Set itself, as JSON text.
    Text(String),
    /// The address of one, which the operator trusts.
    Url(String),
}

/// The organisation's identity provider, and what its people may do here.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// The exact issuer; its metadata are at `/.well-known/openid-configuration` below it.
    pub issuer: String,
    /// What we are there.
    pub client_id: String,
    /// Our secret there; none: a public client.
    pub client_secret: Option<Secret>,
    /// Scopes to ask for; `openid` among them.
    pub scopes: Vec<String>,
    /// Where it sends people back: `<server.public_url>/ui/sign-in/provider/callback`.
    pub redirect_uri: String,
    /// Accepted signature algorithms of ID tokens, asymmetric ones only.
    pub algorithms: Vec<String>,
    /// The claim with the groups: a string or a list of strings, in the ID token or from the userinfo endpoint.
    pub groups_claim: String,
    /// Group → role, in the whole organisation or in the workspace of this slug; in force anew with each sign-in. Empty:
    /// administrators here say what people may do.
    pub groups: BTreeMap<String, (Role, Option<String>)>,
    /// What whoever is in none of the groups may do in the whole organisation; none: they are not let in.
    pub default_role: Option<Role>,
    /// Whether e-mail addresses that the provider does not call verified are believed.
    pub trust_email: bool,
    /// What the button says: "Sign in with …".
    pub label: String,
    /// Tolerated clock difference.
    pub leeway: Duration,
}

/// A secret that the operator declared: who may use it, and where it may be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretReference {
    /// Slugs of the workspaces that may use it; `None`: all, and integrations of the organisation.
    pub workspaces: Option<Vec<String>>,
    /// Hosts of MCP servers it may be sent to; empty: any.
    pub hosts: Vec<String>,
}
