//! Judges the configuration as a whole and makes of it what the application needs.

use super::sections::{Config, Jwt, Worker};
use registry::{IssuerRate, JwtSettings, KeySource, RequestLimits, Settings};
use registry_core::egress::{AllowRule, EgressPolicy};
use registry_core::finding::{Finding, Findings};
use registry_core::permission::Role;
use registry_core::proxies::TrustedProxies;
use registry_core::registration::{LifeRules, RetryRules};
use registry_outbound::judge_operator_url;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use url::Url;

/// What came of the check. `settings` may only be used when no finding is an error.
#[derive(Debug)]
pub struct Checked {
    /// What is wrong; pointers name the setting: `/gateway/urls/0` is the first of `gateway.urls`.
    pub findings: Findings,
    /// The application's part, as far as it could be read.
    pub settings: Settings,
}

/// The setting a finding's pointer names, as people write it: `gateway.urls[0]`.
pub fn key_of(pointer: &str) -> String {
    let mut key = String::new();
    for part in pointer.split('/').skip(1) {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            key.push('[');
            key.push_str(part);
            key.push(']');
        } else {
            if !key.is_empty() {
                key.push('.');
            }
            key.push_str(part);
        }
    }
    key
}

impl Config {
    /// Judges everything that can be judged without opening the database. Reads the key set file; makes nothing.
    pub fn check(&self) -> Checked {
        let mut findings = Findings::default();
        self.check_server(&mut findings);
        self.check_database(&mut findings);
        self.check_gateway(&mut findings);
        self.check_worker(&mut findings);
        self.check_log(&mut findings);
        if let Err(message) = crate::keys::inspect(self) {
            findings.push(Finding::error("/sealing", "sealing", message));
        }
        if let Some(file) = crate::keys::exposed_file(self) {
            findings.push(Finding::warning(
                "/sealing/key_file",
                "exposed_file",
                format!("Everybody on this machine may read {}; make it `chmod 600`.", file.display()),
            ));
        }
        let settings = self.settings(&mut findings);
        if let Err(message) = crate::outgoing::guarded(self, settings.egress.clone()) {
            findings.push(Finding::error("/egress/ca_file", "unreadable_file", message));
        }
        findings.extend_below("", settings.check());
        Checked { findings, settings }
    }

    /// The settings if nothing is wrong with them; else every error as a line of its own.
    pub fn checked_settings(&self) -> Result<Settings, String> {
        let Checked { findings, settings } = self.check();
        if !findings.has_errors() {
            return Ok(settings);
        }
        let lines: Vec<String> = findings
            .iter()
            .map(|finding| format!("{}: {}", key_of(&finding.pointer), finding.message))
            .collect();
        Err(format!("The configuration is not valid.\n  {}", lines.join("\n  ")))
    }

    /// Where people and programs reach this deployment, without trailing slash, when it listens on `address`.
    pub fn public_url(&self, address: SocketAddr) -> String {
        self.server.public_url.clone().unwrap_or_else(|| format!("http://{address}"))
    }

    fn check_server(&self, findings: &mut Findings) {
        let server = &self.server;
        let listen = server.listen.parse::<SocketAddr>();
        if listen.is_err() {
            findings.push(Finding::error(
                "/server/listen",
                "invalid_value",
                "`server.listen` is an IP address and a port, e.g. \"127.0.0.1:8080\" or \"0.0.0.0:8080\".",
            ));
        }
        if let Some(text) = &server.public_url {
            let plain = Url::parse(text).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.query().is_none()
                    && url.fragment().is_none()
                    && url.username().is_empty()
                    && url.password().is_none()
            });
            if !plain || text.ends_with('/') {
                findings.push(Finding::error(
                    "/server/public_url",
                    "invalid_url",
                    "`server.public_url` is an http or https URL without user, query, fragment or trailing slash.",
                ));
            }
        }
        if listen.is_ok_and(|address| !address.ip().is_loopback()) && !server.cookies_are_secure() {
            findings.push(Finding::warning(
                "/server/public_url",
                "insecure_url",
                "The listener is reachable from other machines, but `server.public_url` is not https: sessions and keys would travel in the clear. Put a TLS proxy in front and set it.",
            ));
        }
        if server.hsts.is_some() && !server.cookies_are_secure() {
            findings.push(Finding::warning(
                "/server/hsts",
                "insecure_url",
                "`server.hsts` has no effect over plain http: browsers believe it only over https.",
            ));
        }
        if server.workers == Some(0) {
            findings.push(at_least_one("server.workers"));
        }
    }

    fn check_database(&self, findings: &mut Findings) {
        let url = &self.database.url;
        if !url.is_sqlite() && !url.is_postgres() {
            findings.push(Finding::error(
                "/database/url",
                "invalid_url",
                "`database.url` begins with `sqlite://` or `postgres://`.",
            ));
        }
        if self.database.max_connections == 0 {
            findings.push(at_least_one("database.max_connections"));
        }
    }

    fn check_gateway(&self, findings: &mut Findings) {
        if self.gateway.memory == 0 {
            findings.push(at_least_one("gateway.memory"));
        }
    }

    fn check_worker(&self, findings: &mut Findings) {
        let worker = &self.worker;
        if worker.concurrency == 0 {
            findings.push(at_least_one("worker.concurrency"));
        }
        if !(50..=60_000).contains(&worker.poll_ms) {
            findings.push(Finding::error(
                "/worker/poll_ms",
                "out_of_range",
                "`worker.poll_ms` is between 50 and 60000 milliseconds.",
            ));
        }
        if !(1..=120).contains(&worker.request_timeout) {
            findings.push(Finding::error(
                "/worker/request_timeout",
                "out_of_range",
                "`worker.request_timeout` is between 1 and 120 seconds.",
            ));
        }
        if worker.unconfirmed_pause > 86_400 {
            findings.push(Finding::error(
                "/worker/unconfirmed_pause",
                "out_of_range",
                "`worker.unconfirmed_pause` is at most 86400 seconds.",
            ));
        }
        let rate = &worker.issuer_rate;
        for (key, number) in [("burst", rate.burst), ("per_minute", rate.per_minute)] {
            if !(1..=60_000).contains(&number) {
                findings.push(Finding::error(
                    format!("/worker/issuer_rate/{key}"),
                    "out_of_range",
                    format!("`worker.issuer_rate.{key}` is between 1 and 60000."),
                ));
            }
        }
        for (key, seconds) in worker.lives() {
            if !(1..=MOST_LIFE).contains(&seconds) {
                findings.push(Finding::error(
                    format!("/worker/{key}"),
                    "out_of_range",
                    format!("`worker.{key}` is between 1 and {MOST_LIFE} seconds (ten years)."),
                ));
            }
        }
    }

    fn check_log(&self, findings: &mut Findings) {
        if EnvFilter::try_new(&self.log.level).is_err() {
            findings.push(Finding::error(
                "/log/level",
                "invalid_value",
                "`log.level` is error, warn, info, debug or trace, or directives such as \"info,registration_worker=debug\".",
            ));
        }
    }

    fn settings(&self, findings: &mut Findings) -> Settings {
        let request_timeout = Duration::from_secs(self.worker.request_timeout);
        Settings {
            branding: self.branding.clone(),
            gateway_urls: self.gateway.urls.clone(),
            cimd_public_url: self.cimd.public_url.clone(),
            public_url: self.server.public_url.clone(),
            egress: self.egress_policy(findings),
            jwt: jwt_settings(&self.auth.jwt, findings),
            provider: self.provider(findings),
            passwords: self.auth.passwords,
            limits: self.request_limits(findings),
            trusted_proxies: self.trusted_proxies(findings),
            secrets: self.declared_secrets(findings),
            audit_keep: self.audit.keep_days.map(|days| Duration::from_secs(u64::from(days) * 86_400)),
            max_connections: self.database.max_connections,
            // Three requests may follow one another under one lease (`domain.md` §5).
            lease: request_timeout.saturating_mul(3),
            retry: RetryRules { unconfirmed_pause: seconds(self.worker.unconfirmed_pause) },
            life: LifeRules {
                rediscover_every: seconds(self.worker.rediscover_every),
                refresh_unused_after: seconds(self.worker.refresh_unused_after),
                drain_for: seconds(self.worker.drain_for),
                withdraw_after: seconds(self.worker.withdraw_after),
                replace_cooldown: seconds(self.worker.replace_cooldown),
                least_secret_life: seconds(self.worker.least_secret_life),
            },
            issuer_rate: IssuerRate {
                burst: self.worker.issuer_rate.burst,
                per_minute: self.worker.issuer_rate.per_minute,
            },
        }
    }

    fn request_limits(&self, findings: &mut Findings) -> RequestLimits {
        let limits = &self.limits;
        for (key, value) in [
            ("limits.burst", u64::from(limits.burst)),
            ("limits.per_second", u64::from(limits.per_second)),
            ("limits.at_once", limits.at_once as u64),
            ("limits.seconds", limits.seconds),
            ("limits.connections", limits.connections as u64),
            ("limits.followers", limits.followers as u64),
        ] {
            if value == 0 {
                findings.push(at_least_one(key));
            }
        }
        RequestLimits {
            burst: limits.burst,
            per_second: limits.per_second,
            at_once: limits.at_once,
            patience: Duration::from_secs(limits.seconds),
            followers: limits.followers,
        }
    }

    fn trusted_proxies(&self, findings: &mut Findings) -> TrustedProxies {
        TrustedProxies::parse(&self.server.trusted_proxies).unwrap_or_else(|index| {
            findings.push(Finding::error(
                format!("/server/trusted_proxies/{index}"),
                "invalid_value",
                "This is neither an address nor a network such as 10.0.0.0/8.",
            ));
            TrustedProxies::default()
        })
    }

    fn egress_policy(&self, findings: &mut Findings) -> EgressPolicy {
        let mut allow = Vec::new();
        for (index, text) in self.egress.allow.iter().enumerate() {
            match text.parse() {
                Ok(rule) => {
                    let rule: AllowRule = rule;
                    if rule.opens_nothing() {
                        findings.push(Finding::warning(
                            format!("/egress/allow/{index}"),
                            "opens_nothing",
                            format!(
                                "`{text}` is never reached, whatever is allowed (docs/egress.md). Remove it."
                            ),
                        ));
                    }
                    allow.push(rule);
                }
                Err(_) => findings.push(Finding::error(
                    format!("/egress/allow/{index}"),
                    "invalid_value",
                    format!("`{text}` is neither a host name nor a network such as 10.0.0.0/8."),
                )),
            }
        }
        EgressPolicy { allow, allow_http_loopback: self.egress.allow_http_loopback }
    }
}

/// Ten years, in seconds: longer means never, and would overflow a date.
const MOST_LIFE: u64 = 315_360_000;

fn seconds(number: u64) -> chrono::Duration {
    chrono::Duration::seconds(i64::try_from(number.min(MOST_LIFE)).unwrap_or_default())
}

impl Worker {
    /// How long things last, by their keys.
    fn lives(&self) -> [(&'static str, u64); 6] {
        [
            ("rediscover_every", self.rediscover_every),
            ("refresh_unused_after", self.refresh_unused_after),
            ("drain_for", self.drain_for),
            ("withdraw_after", self.withdraw_after),
            ("replace_cooldown", self.replace_cooldown),
            ("least_secret_life", self.least_secret_life),
        ]
    }
}

fn at_least_one(key: &str) -> Finding {
    Finding::error(format!("/{}", key.replace('.', "/")), "out_of_range", format!("`{key}` is at least 1."))
}

/// The token settings, if an issuer is configured.
fn jwt_settings(jwt: &Jwt, findings: &mut Findings) -> Option<JwtSettings> {
    let Some(issuer) = jwt.issuer.clone() else {
        if jwt.key_set_file.is_some()
            || jwt.key_set_url.is_some()
            || !jwt.audience.is_empty()
            || !jwt.roles.is_empty()
        {
            findings.push(Finding::error(
                "/auth/jwt/issuer",
                "missing_value",
                "`auth.jwt` is in force only with `auth.jwt.issuer`: set the exact `iss` of the tokens.",
            ));
        }
        return None;
    };
    if jwt.audience.is_empty() {
        findings.push(Finding::error(
            "/auth/jwt/audience",
            "missing_value",
            "`auth.jwt.audience` names at least one `aud`, so that tokens meant for others are not accepted.",
        ));
    }
    let mut roles = BTreeMap::new();
    for (value, name) in &jwt.roles {
        match Role::parse(name) {
            Some(role) => drop(roles.insert(value.clone(), role)),
            None => findings.push(Finding::error(
                "/auth/jwt/roles",
                "invalid_value",
                format!("`{name}` is not a role; there are admin, manager, viewer and gateway."),
            )),
        }
    }
    let key_set = match (&jwt.key_set_file, &jwt.key_set_url) {
        (None, Some(url)) => {
            if let Err(why) = judge_operator_url(url) {
                findings.push(Finding::error(
                    "/auth/jwt/key_set_url",
                    "invalid_url",
                    format!("`auth.jwt.key_set_url` may not be asked: {why}."),
                ));
            }
            KeySource::Url(url.clone())
        }
        (None, None) | (Some(_), Some(_)) => {
            findings.push(Finding::error(
                "/auth/jwt/key_set_url",
                "missing_value",
                "Set one of `auth.jwt.key_set_url` and `auth.jwt.key_set_file`: where the issuer's JWK Set is.",
            ));
            return None;
        }
        (Some(path), None) => match std::fs::read_to_string(path) {
            Ok(text) => KeySource::Text(text),
            Err(error) => {
                findings.push(Finding::error(
                    "/auth/jwt/key_set_file",
                    "unreadable_file",
                    format!("The key set file {} cannot be read: {error}.", path.display()),
                ));
                return None;
            }
        },
    };
    Some(JwtSettings {
        issuer,
        audience: jwt.audience.clone(),
        algorithms: jwt.algorithms.clone(),
        key_set,
        role_claim: jwt.role_claim.clone(),
        roles,
        workspace_claim: jwt.workspace_claim.clone(),
        scope_claim: jwt.scope_claim.clone(),
        leeway: Duration::from_secs(jwt.leeway),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use registry_core::finding::Severity;

    fn check(variables: &[(&str, &str)]) -> Vec<(String, Severity)> {
        let variables =
            variables.iter().map(|(name, value)| (format!("MCP_REGISTRY__{name}"), (*value).to_owned()));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("empty.toml");
        std::fs::write(&file, "").unwrap();
        let findings = Config::from_sources(Some(&file), variables).unwrap().check().findings;
        findings.iter().map(|finding| (key_of(&finding.pointer), finding.severity)).collect()
    }

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(check(&[]), []);
    }

    #[test]
    fn what_is_wrong_names_its_setting() {
        for (name, value, key) in [
            ("SERVER__LISTEN", "localhost", "server.listen"),
            ("SERVER__PUBLIC_URL", "https://registry.example/", "server.public_url"),
            ("SERVER__PUBLIC_URL", "https://me:pw@registry.example", "server.public_url"),
            ("SERVER__WORKERS", "0", "server.workers"),
            ("DATABASE__URL", "mysql://db/registry", "database.url"),
            ("DATABASE__MAX_CONNECTIONS", "0", "database.max_connections"),
            ("GATEWAY__URLS", "https://a.example,http://b.example", "gateway.urls[1]"),
            ("GATEWAY__URLS", "", "gateway.urls"),
            ("GATEWAY__MEMORY", "0", "gateway.memory"),
            ("CIMD__PUBLIC_URL", "http://registry.example", "cimd.public_url"),
            ("BRANDING__LOGO_URI", "javascript:alert(1)", "branding.logo_uri"),
            ("EGRESS__ALLOW", "10.0.0.0/8,10.0.0.0/99", "egress.allow[1]"),
            ("EGRESS__CA_FILE", "/nowhere/ca.pem", "egress.ca_file"),
            ("WORKER__CONCURRENCY", "0", "worker.concurrency"),
            ("WORKER__POLL_MS", "1", "worker.poll_ms"),
            ("WORKER__REQUEST_TIMEOUT", "0", "worker.request_timeout"),
            ("WORKER__UNCONFIRMED_PAUSE", "86401", "worker.unconfirmed_pause"),
            ("WORKER__ISSUER_RATE__BURST", "0", "worker.issuer_rate.burst"),
            ("WORKER__ISSUER_RATE__PER_MINUTE", "60001", "worker.issuer_rate.per_minute"),
            ("WORKER__DRAIN_FOR", "0", "worker.drain_for"),
            ("WORKER__WITHDRAW_AFTER", "315360001", "worker.withdraw_after"),
            ("AUTH__JWT__AUDIENCE", "registry", "auth.jwt.issuer"),
            ("AUTH__JWT__ISSUER", "https://idp.example", "auth.jwt.audience"),
            ("AUTH__JWT__ISSUER", "https://idp.example", "auth.jwt.key_set_url"),
            ("AUTH__PASSWORDS", "false", "auth.passwords"),
            ("AUTH__OIDC__CLIENT_ID", "mcp-registry", "auth.oidc.issuer"),
            ("AUTH__OIDC__ISSUER", "http://idp.example", "auth.oidc.issuer"),
            ("AUTH__OIDC__ISSUER", "https://idp.example", "auth.oidc.client_id"),
            ("SERVER__TRUSTED_PROXIES", "10.0.0.0/8,proxy", "server.trusted_proxies[1]"),
            ("LIMITS__PER_SECOND", "0", "limits.per_second"),
            ("SEALING__KEYS", "k1:tooshort", "sealing"),
            ("SEALING__KEY_FILE", "/nowhere/keys", "sealing"),
            ("LOG__LEVEL", "info,=", "log.level"),
        ] {
            let found = check(&[(name, value)]);
            assert!(found.contains(&(key.to_owned(), Severity::Error)), "{name}={value}: {found:?}");
        }
    }

    #[test]
    fn what_no_list_opens_is_pointed_out() {
        let listed = ("EGRESS__ALLOW", "idp.corp,169.254.169.254,metadata.google.internal,169.254.0.0/16");
        let warned = ["egress.allow[1]", "egress.allow[2]"].map(|key| (key.to_owned(), Severity::Warning));
        assert_eq!(check(&[listed]), warned);
    }

    #[test]
    fn a_listener_for_others_without_https_is_pointed_out() {
        let open = ("SERVER__LISTEN", "0.0.0.0:8080");
        assert_eq!(check(&[open]), [("server.public_url".to_owned(), Severity::Warning)]);
        assert_eq!(check(&[open, ("SERVER__PUBLIC_URL", "https://registry.example")]), []);
    }
}
