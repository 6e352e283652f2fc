//! Validates the configuration as a whole and derives the application's settings.
//!
//! `ranges` holds the limits of numbers; `settings` makes the application's part; `jwt`, `portkey`, `provider` and `secrets` judge
//! the sections of the same names.

mod jwt;
mod portkey;
mod provider;
mod ranges;
mod secrets;
mod settings;

use crate::config::Config;
use registry::{DatabaseHosts, Settings};
use registry_core::finding::{Finding, Findings};
use std::net::SocketAddr;
use tracing_subscriber::EnvFilter;
use url::Url;

/// The result of the check. `settings` may only be used when no finding is an error.
#[derive(Debug)]
pub struct Checked {
    /// What is wrong; pointers name the setting: `/gateway/urls/0` is the first of `gateway.urls`.
    pub findings: Findings,
    /// The application's part, as far as it could be read.
    pub settings: Settings,
}

/// The setting of a finding's pointer, as written in the configuration: `gateway.urls[0]`.
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
    /// Checks everything that can be checked without opening the database. Reads the key set file; creates nothing.
    pub fn check(&self) -> Checked {
        let mut findings = Findings::default();
        self.check_server(&mut findings);
        self.check_database(&mut findings);
        ranges::check(self, &mut findings);
        self.check_log(&mut findings);
        if let Err(message) = crate::sealing_keys::inspect(self) {
            findings.push(Finding::error("/sealing", "sealing", message));
        }
        if let Some(file) = crate::sealing_keys::exposed_file(self) {
            findings.push(Finding::warning(
                "/sealing/key_file",
                "exposed_file",
                format!(
                    "The file {} is readable by every user of this machine; run `chmod 600` on it.",
                    file.display()
                ),
            ));
        }
        let settings = self.settings(&mut findings);
        if let Err(message) = crate::adapters::guarded(self, settings.egress.clone()) {
            findings.push(Finding::error("/egress/ca_file", "unreadable_file", message));
        }
        findings.extend_below("", settings.check());
        Checked { findings, settings }
    }

    /// The settings if they are valid; otherwise every error on its own line.
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

    /// The public URL of this deployment, without trailing slash, when it listens on `address`.
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
                "`server.hsts` has no effect over plain http: browsers accept it only over https.",
            ));
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
        } else if let Err(why) = DatabaseHosts::parse(url.expose()) {
            findings.push(Finding::error("/database/url", "invalid_url", format!("`database.url`: {why}.")));
        }
        let Some(replica) = &self.database.read_url else { return };
        let wrong = if url.is_sqlite() {
            "`database.read_url` is for PostgreSQL; SQLite has no replicas."
        } else if !replica.is_postgres() || !matches!(DatabaseHosts::parse(replica.expose()), Ok(None)) {
            "`database.read_url` begins with `postgres://` and names one host, without `target_session_attrs`."
        } else if Url::parse(replica.expose()).is_err() {
            "`database.read_url` is not a URL."
        } else {
            return;
        };
        findings.push(Finding::error("/database/read_url", "invalid_url", wrong));
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
    fn default_settings_are_valid() {
        assert_eq!(check(&[]), []);
    }

    #[test]
    fn replica_is_one_host_of_postgres() {
        for (replica, is_valid) in [
            ("postgres://me:s3cret@replica:5433/registry?sslmode=require", true),
            ("postgres:///registry?host=/run/postgresql", true),
            ("postgres://replica1,replica2/registry", false),
            ("postgres://replica/registry?target_session_attrs=primary", false),
            ("postgres://replica/registry?target_session_attrs=standby", false),
            ("postgres://replica:x/registry", false),
            ("sqlite://registry.sqlite", false),
            ("replica", false),
        ] {
            let found = check(&[
                ("DATABASE__URL", "postgres://h1,h2/registry"),
                ("DATABASE__READ_URL", replica),
                ("SEALING__KEYS", "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
            ]);
            let expected =
                if is_valid { vec![] } else { vec![("database.read_url".to_owned(), Severity::Error)] };
            assert_eq!(found, expected, "{replica}");
        }
    }

    #[test]
    fn invalid_setting_is_named() {
        for (name, value, key) in [
            ("SERVER__LISTEN", "localhost", "server.listen"),
            ("SERVER__PUBLIC_URL", "https://registry.example/", "server.public_url"),
            ("SERVER__PUBLIC_URL", "https://me:pw@registry.example", "server.public_url"),
            ("SERVER__WORKERS", "0", "server.workers"),
            ("DATABASE__URL", "mysql://db/registry", "database.url"),
            ("DATABASE__URL", "postgres://h1:5432,h2:/registry", "database.url"),
            ("DATABASE__URL", "postgres://h1,h2/registry?target_session_attrs=any", "database.url"),
            ("DATABASE__URL", "sqlite://r.sqlite?target_session_attrs=primary", "database.url"),
            ("DATABASE__READ_URL", "postgres://replica/registry", "database.read_url"),
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
    fn unreachable_configured_address_is_a_warning() {
        let listed = ("EGRESS__ALLOW", "idp.corp,169.254.169.254,metadata.google.internal,169.254.0.0/16");
        let warned = ["egress.allow[1]", "egress.allow[2]"].map(|key| (key.to_owned(), Severity::Warning));
        assert_eq!(check(&[listed]), warned);
    }

    #[test]
    fn public_listener_without_https_is_a_warning() {
        let open = ("SERVER__LISTEN", "0.0.0.0:8080");
        assert_eq!(check(&[open]), [("server.public_url".to_owned(), Severity::Warning)]);
        assert_eq!(check(&[open, ("SERVER__PUBLIC_URL", "https://registry.example")]), []);
    }
}
