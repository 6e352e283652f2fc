//! What a worker does beside registrations: readiness, expired drafts, the audit log, mapped secrets, the clock.

use chrono::TimeDelta;
use registry::Registry;
use registry_core::clock::Timestamp;
use std::time::Instant;
use tokio::task::JoinHandle;

/// How often the secrets that the operator keeps elsewhere are read again.
const REFRESH_INTERVAL: TimeDelta = TimeDelta::minutes(1);
/// How often the clock is compared with the last time seen, as real time passes.
const CLOCK_CHECK_INTERVAL: TimeDelta = TimeDelta::seconds(1);
/// The clock was set when it differs from the real time that passed by more than this.
const MAX_CLOCK_DRIFT: TimeDelta = TimeDelta::seconds(30);
/// How often expired drafts, and old events, attempts and rollouts are removed.
const CLEANUP_INTERVAL: TimeDelta = TimeDelta::hours(1);

/// The state of the maintenance of one worker.
pub(crate) struct Maintenance {
    registry: Registry,
    ready: bool,
    cleanup_at: Timestamp,
    refresh_at: Timestamp,
    /// A secret store may hang, so it is read beside the registrations.
    refreshing: JoinHandle<()>,
    /// There may be millions of old attempts, so they are removed beside the registrations.
    pruning: JoinHandle<()>,
    /// The clock and the real time of the last check.
    checked: (Timestamp, Instant),
}

impl Maintenance {
    pub(crate) async fn start(registry: Registry) -> Self {
        let now = registry.now();
        let mut this = Self {
            ready: true,
            cleanup_at: now,
            refresh_at: now,
            refreshing: tokio::spawn(async {}),
            pruning: tokio::spawn(async {}),
            checked: (now, Instant::now()),
            registry,
        };
        this.check_readiness().await;
        this
    }

    /// Does what is due, and says whether this process may claim: one that lacks a sealing key would take stored secrets
    /// for lost.
    pub(crate) async fn run_due(&mut self) -> bool {
        if !self.ready {
            self.check_readiness().await;
            return false;
        }
        if self.registry.now() >= self.cleanup_at {
            self.cleanup_at = self.registry.now() + CLEANUP_INTERVAL;
            self.clean_up().await;
            if self.pruning.is_finished() {
                let registry = self.registry.clone();
                self.pruning = tokio::spawn(async move { prune_history(&registry).await });
            }
        }
        let passed = TimeDelta::from_std(self.checked.1.elapsed()).unwrap_or_default();
        let clock_set = (self.registry.now() - self.checked.0 - passed).abs() > MAX_CLOCK_DRIFT;
        if clock_set || passed >= CLOCK_CHECK_INTERVAL {
            self.checked = (self.registry.now(), Instant::now());
            self.check_readiness().await;
            if self.watch_clock().await || clock_set {
                (self.cleanup_at, self.refresh_at) = (self.registry.now(), self.registry.now());
            }
        }
        if self.registry.now() >= self.refresh_at && self.refreshing.is_finished() {
            self.refresh_at = self.registry.now() + REFRESH_INTERVAL;
            let registry = self.registry.clone();
            self.refreshing = tokio::spawn(async move { refresh_mapped_secrets(&registry).await });
        }
        self.ready
    }

    /// Whether this process has the deployment's settings and sealing keys.
    async fn check_readiness(&mut self) {
        let was_ready = std::mem::replace(&mut self.ready, true);
        if let Err(error) = self.registry.deployment().ready().await {
            self.ready = false;
            if was_ready {
                tracing::warn!(%error, "not ready: no registration is reconciled until this is fixed");
            }
        }
    }

    async fn clean_up(&self) {
        match self.registry.drafts().remove_expired().await {
            Ok(0) => {}
            Ok(drafts) => tracing::info!(drafts, "expired drafts removed"),
            Err(error) => tracing::warn!(%error, "removing expired drafts failed"),
        }
        match self.registry.audit().maintain().await {
            Ok(0) => {}
            Ok(events) => tracing::info!(events, "audit events past their retention removed"),
            Err(error) => tracing::warn!(%error, "maintenance of the audit log failed"),
        }
    }

    /// Whether the clock was set back.
    async fn watch_clock(&self) -> bool {
        match self.registry.deployment().watch_clock().await {
            Ok(None) => false,
            Ok(Some(by)) => {
                tracing::warn!(?by, "the clock was set back; the times that rows wait for were moved along");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "comparing the clock with the last time seen failed");
                false
            }
        }
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.refreshing.abort();
        self.pruning.abort();
    }
}

/// Removes old attempts and rollouts.
async fn prune_history(registry: &Registry) {
    match registry.registrations().prune_attempts().await {
        Ok(0) => {}
        Ok(attempts) => tracing::info!(attempts, "attempts past their retention removed"),
        Err(error) => tracing::warn!(%error, "removing old attempts failed"),
    }
    match registry.rollouts().prune().await {
        Ok(0) => {}
        Ok(rollouts) => tracing::info!(rollouts, "rollouts past their retention removed"),
        Err(error) => tracing::warn!(%error, "removing old rollouts failed"),
    }
}

/// Takes over secrets that changed where the operator keeps them.
async fn refresh_mapped_secrets(registry: &Registry) {
    match registry.configurations().refresh_mapped_secrets().await {
        Ok(0) => {}
        Ok(changed) => tracing::info!(changed, "secrets changed where the operator keeps them"),
        Err(error) => tracing::warn!(%error, "reading the operator's secrets again failed"),
    }
}
