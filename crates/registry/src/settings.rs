//! Settings of the application, from the configuration of the operator.

use registry_core::egress::EgressPolicy;
use registry_core::finding::{Finding, Findings};
use registry_core::metadata::Branding;
use registry_core::permission::Role;
use registry_core::proxies::TrustedProxies;
use registry_core::registration::{LifecycleRules, RetryRules};
use registry_core::rollout::MAX_BATCH;
use registry_core::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use url::{Host, Url};

/// Path below each gateway URL that authorization servers redirect users to.
const CALLBACK_PATH: &str = "/oauth/upstream-callback";
/// An entry of `gateway.urls` that ends so is a callback itself: of a gateway whose callback has a path of its own.
const WHOLE_CALLBACK: &str = "/callback";

/// Whether this entry of `gateway.urls` is the callback of a gateway instead of its address.
pub fn is_callback(entry: &str) -> bool {
    entry.ends_with(WHOLE_CALLBACK)
}

/// The callback of this entry of `gateway.urls`.
pub(crate) fn callback_of(entry: &str) -> String {
    if is_callback(entry) { entry.to_owned() } else { format!("{entry}{CALLBACK_PATH}") }
}

/// The part of the configuration that the application needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The lowest layer of client metadata.
    pub branding: Branding,
    /// URLs of the gateways, without trailing slash, or their whole callbacks ([`is_callback`]); all https or all loopback.
    pub gateway_urls: Vec<String>,
    /// Public base URL of Client ID Metadata Documents; `None`: not offered.
    pub cimd_public_url: Option<String>,
    /// Public URL of pages and API, without trailing slash.
    pub public_url: Option<String>,
    /// Private upstream addresses that are allowed.
    pub egress: EgressPolicy,
    /// Bearer tokens of an identity provider; `None`: not accepted.
    pub jwt: Option<JwtSettings>,
    /// The identity provider for sign-in; `None`: none.
    pub provider: Option<ProviderSettings>,
    /// Whether users may sign in with e-mail address and password.
    pub passwords: bool,
    /// Lease of a registration: how long a worker may hold it without renewal; three times its request timeout.
    pub lease: Duration,
    /// Retry rules of registrations.
    pub retry: RetryRules,
    /// Lifetime rules of clients.
    pub life: LifecycleRules,
    /// Rate limit of one authorization server, for all workers together.
    pub issuer_rate: IssuerRate,
    /// Rate and concurrency limits of requests.
    pub limits: RequestLimits,
    /// Proxies whose forwarded client address is trusted.
    pub trusted_proxies: TrustedProxies,
    /// Declared secrets, by name.
    pub secrets: BTreeMap<String, SecretReference>,
    /// Retention of audit events; `None`: for ever.
    pub audit_keep: Option<Duration>,
    /// URL of a PostgreSQL replica that answers lists; `None`: none.
    pub read_url: Option<Secret>,
    /// Retention of attempts; the newest of each registration are kept longer.
    pub attempts_keep: Duration,
    /// Retention of rollouts that ended.
    pub rollouts_keep: Duration,
    /// Maximum of database connections of one process.
    pub max_connections: u32,
    /// How many servers a save, and each batch of a rollout, visits.
    pub rollout_sizes: RolloutSizes,
    /// The control plane of the open gateway; `None`: not offered.
    pub portkey: Option<PortkeySettings>,
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
            read_url: None,
            attempts_keep: Duration::from_hours(90 * 24),
            rollouts_keep: Duration::from_hours(365 * 24),
            max_connections: 10,
            rollout_sizes: RolloutSizes::default(),
            portkey: None,
        }
    }
}

/// The control plane of the open gateway (`/v2`).
#[derive(Clone, Debug, Default)]
pub struct PortkeySettings {
    /// Gateways that are told of changes.
    pub push: Vec<PushTarget>,
}

/// A gateway that is told of changes.
#[derive(Clone, Debug)]
pub struct PushTarget {
    /// Its address, without trailing slash.
    pub url: String,
    /// Its `MCP_SYNC_AUTH_TOKEN`.
    pub token: Secret,
}

/// How many servers are visited in one transaction. Not configurable: tests choose less, so that few servers are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutSizes {
    /// Maximum of servers that a save visits in its own transaction; of more a rollout is made.
    pub immediate: u64,
    /// Maximum of servers of one batch of a rollout.
    pub batch: u64,
}

impl Default for RolloutSizes {
    fn default() -> Self {
        Self { immediate: 100, batch: MAX_BATCH }
    }
}

/// Request limits of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Burst of one key, token or session, in requests; at least 1.
    pub burst: u32,
    /// Requests a second after the burst; at least 1.
    pub per_second: u32,
    /// Maximum of concurrent requests; further ones get 503 immediately. Gateways are not counted.
    pub max_concurrent: usize,
    /// Request timeout.
    pub timeout: Duration,
    /// Concurrent connections of one gateway key that watch changes; at least 1.
    pub max_watchers: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            burst: 500,
            per_second: 100,
            max_concurrent: 256,
            timeout: Duration::from_mins(1),
            max_watchers: 1_000,
        }
    }
}

/// Rate limit of registrations, updates and deletions at one authorization server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuerRate {
    /// Burst, in requests; at least 1.
    pub burst: u32,
    /// Requests a minute after the burst; at least 1.
    pub per_minute: u32,
}

impl Default for IssuerRate {
    fn default() -> Self {
        Self { burst: 10, per_minute: 10 }
    }
}

/// Which JWTs are accepted (RFC 7519), and how their claims are mapped.
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
    /// The claim with the role: a string or a list of strings.
    pub role_claim: String,
    /// Claim value → role. Empty: the value is the role's own name.
    pub roles: BTreeMap<String, Role>,
    /// The claim that binds to a workspace (slug or id); absent in a token: the whole organisation.
    pub workspace_claim: String,
    /// The claim with scopes that narrow the role: a string of words or a list (RFC 9068 §2.2.3); absent in a token:
    /// all that the role allows.
    pub scope_claim: String,
    /// Tolerated clock difference for `exp` and `nbf`.
    pub leeway: Duration,
}

impl Settings {
    /// The findings about single values; pointers name the configuration key (`/gateway/urls/0`).
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
                "`gateway.urls` needs at least one URL: authorization servers redirect users to it.",
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

/// Source of a JWKS.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// The JWK Set itself, as JSON text.
    Text(String),
    /// The URL of a JWKS, which the operator trusts.
    Url(String),
}

/// The identity provider for sign-in, and how its groups are mapped to roles.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// The exact issuer; its metadata are at `/.well-known/openid-configuration` below it.
    pub issuer: String,
    /// Our `client_id` there.
    pub client_id: String,
    /// Our client secret there; `None`: a public client.
    pub client_secret: Option<Secret>,
    /// Scopes to request, including `openid`.
    pub scopes: Vec<String>,
    /// Our redirect URI: `<server.public_url>/ui/sign-in/provider/callback`.
    pub redirect_uri: String,
    /// Accepted signature algorithms of ID tokens, asymmetric ones only.
    pub algorithms: Vec<String>,
    /// The claim with the groups: a string or a list of strings, in the ID token or from the userinfo endpoint.
    pub groups_claim: String,
    /// Group → role, in the whole organisation or in the workspace of this slug; applied with each sign-in. Empty:
    /// administrators assign the roles here.
    pub groups: BTreeMap<String, (Role, Option<String>)>,
    /// Role in the whole organisation of users in none of the mapped groups; `None`: refused.
    pub default_role: Option<Role>,
    /// Whether e-mail addresses are trusted that the provider does not mark as verified.
    pub trust_email: bool,
    /// Name on the sign-in button: "Sign in with …".
    pub label: String,
    /// Tolerated clock difference for `exp` and `nbf`.
    pub leeway: Duration,
}

/// A declared secret: who may use it, and where it may be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretReference {
    /// Slugs of the workspaces that may use it; `None`: all workspaces, and integrations of the organisation.
    pub workspaces: Option<Vec<String>>,
    /// Hosts of MCP servers it may be sent to; empty: any.
    pub hosts: Vec<String>,
}
