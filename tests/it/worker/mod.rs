//! The worker against the sandbox, on both databases.

use registration_worker::WorkerOptions;
use registry::{PageRequest, RegistrationDetail, RegistrationFilter, Registry};
use registry_core::registration::State;
use registry_outbound::{Limits, UpstreamClient};
use registry_sandbox::{Options, Quirks, Sandbox};
use std::sync::Arc;
use std::time::Duration;
use support::TestRegistry;
use tokio_util::sync::CancellationToken;

mod crash;
mod deletions;
mod held;
mod isolation;
mod life;
mod recovery;
mod refusals;
mod requests;
pub(crate) mod reregistration;
mod statements;
mod success;
mod unusable;

/// A worker that stops when the guard is dropped.
pub(crate) struct Working {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Working {
    pub(crate) fn start(registry: &Registry, limits: Limits) -> Self {
        let stop = CancellationToken::new();
        let policy = registry.settings().egress.clone();
        let options = WorkerOptions {
            name: format!("test {:p}", &raw const stop),
            concurrency: 4,
            poll: Duration::from_millis(50),
            drain: Duration::from_secs(5),
        };
        let guarded = Arc::new(UpstreamClient::new(policy, limits));
        let task = tokio::spawn(registration_worker::run(registry.clone(), guarded, options, stop.clone()));
        Self { stop, task }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// The only registration, once `done` says so of it; panics with what it saw last after 15 seconds.
pub(crate) async fn registration_when(
    t: &TestRegistry,
    done: impl Fn(&RegistrationDetail) -> bool,
) -> RegistrationDetail {
    let registry = &t.registry;
    let every = RegistrationFilter { states: State::ALL.to_vec(), ..RegistrationFilter::default() };
    let mut seen = None;
    let found = tokio::time::timeout(Duration::from_secs(15), async {
        loop {
            let all = registry
                .registrations()
                .list(&t.admin(), every.clone(), PageRequest::default())
                .await
                .unwrap();
            if let Some(one) = all.items.first() {
                let detail = registry.registrations().get(&t.admin(), one.id).await.unwrap();
                if done(&detail) {
                    return detail;
                }
                seen = Some(detail);
            }
            registry.wait_for_commit(Duration::from_millis(50)).await;
        }
    })
    .await;
    found.unwrap_or_else(|_| panic!("it never came to that; last seen: {seen:#?}"))
}

/// As above, for a state.
pub(crate) async fn registration_in(t: &TestRegistry, state: State) -> RegistrationDetail {
    registration_when(t, |detail| detail.registration.state == state).await
}

/// A sandbox with `quirks`, and a server of it in the workspace `acme` with `configuration` on its integration.
pub(crate) async fn upstream(t: &TestRegistry, quirks: Quirks, configuration: Option<&str>) -> Sandbox {
    let sandbox = Sandbox::start(Options { quirks, ..Options::default() }).await.unwrap();
    t.workspace("acme").await;
    t.integration("linear", &sandbox.mcp_url(), configuration).await;
    t.server("linear", "acme").await;
    sandbox
}

/// Moves the clock when no worker has anything in hand: on SQLite leases are judged by this very clock, and a step whose
/// lease ends under it counts as lost.
async fn advance(t: &TestRegistry, by: chrono::Duration) {
    use sea_orm::{ConnectionTrait, Statement};
    let db = t.database.connect().await;
    let held = Statement::from_string(
        db.get_database_backend(),
        "SELECT id FROM registration WHERE lease_until > 0 LIMIT 1",
    );
    let idle = async {
        while db.query_one_raw(held.clone()).await.unwrap().is_some() {
            t.registry.wait_for_commit(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), idle).await.expect("the workers come to rest");
    t.clock.advance(by);
}
