//! Makes the application's settings of the configuration.

use super::ranges::MAX_DURATION;
use super::{jwt, portkey};
use crate::config::Config;
use registry::{IssuerRate, RequestLimits, RolloutSizes, Settings};
use registry_core::egress::{AllowRule, EgressPolicy};
use registry_core::finding::{Finding, Findings};
use registry_core::proxies::TrustedProxies;
use registry_core::registration::{LifecycleRules, RetryRules};
use registry_core::secret::Secret;
use std::time::Duration;

impl Config {
    /// The application's settings, as far as they can be read; what cannot is a finding.
    pub(super) fn settings(&self, findings: &mut Findings) -> Settings {
        let request_timeout = Duration::from_secs(self.worker.request_timeout);
        Settings {
            branding: self.branding.clone(),
            gateway_urls: self.gateway.urls.clone(),
            cimd_public_url: self.cimd.public_url.clone(),
            public_url: self.server.public_url.clone(),
            egress: self.egress_policy(findings),
            jwt: jwt::settings(&self.auth.jwt, findings),
            provider: self.provider(findings),
            passwords: self.auth.passwords,
            limits: self.request_limits(),
            trusted_proxies: self.trusted_proxies(findings),
            secrets: self.declared_secrets(findings),
            read_url: self.database.read_url.as_ref().map(|url| Secret::new(url.expose())),
            audit_keep: self.audit.keep_days.map(days),
            attempts_keep: days(self.retention.attempts_days),
            rollouts_keep: days(self.retention.rollouts_days),
            max_connections: self.database.max_connections,
            rollout_sizes: RolloutSizes::default(),
            portkey: portkey::settings(self, findings),
            // Three requests may follow one another under one lease (INV-12).
            lease: request_timeout.saturating_mul(3),
            retry: RetryRules { unconfirmed_pause: seconds(self.worker.unconfirmed_pause) },
            life: LifecycleRules {
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

    fn request_limits(&self) -> RequestLimits {
        let limits = &self.limits;
        RequestLimits {
            burst: limits.burst,
            per_second: limits.per_second,
            max_concurrent: limits.at_once,
            timeout: Duration::from_secs(limits.seconds),
            max_watchers: limits.followers,
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
                                "`{text}` is never reachable, even if allowed (docs/egress.md). Remove it."
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

fn days(number: u32) -> Duration {
    Duration::from_secs(u64::from(number) * 86_400)
}

fn seconds(number: u64) -> chrono::Duration {
    chrono::Duration::seconds(i64::try_from(number.min(MAX_DURATION)).unwrap_or_default())
}
