//! One discovery for all registrations that ask for the same at the same time: when many servers of one integration become
//! due together, their upstream is asked once.

use registry_core::registration::{AuthorizationServers, DiscoverOutcome, DiscoverTarget};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OnceCell;

/// The outcome of a discovery, once it is there.
type Running = OnceCell<DiscoverOutcome>;

/// The discoveries of this worker that are going on. A discovery that has ended is never used again.
#[derive(Default)]
pub(crate) struct SharedDiscoveries(Mutex<Vec<(DiscoverTarget, Weak<Running>)>>);

impl SharedDiscoveries {
    /// Discovers `target`, or waits for a discovery of the same target that is going on. If the one that
    /// sends the requests is cancelled, another one sends them again.
    pub(crate) async fn discover(
        &self,
        servers: &impl AuthorizationServers,
        target: DiscoverTarget,
    ) -> DiscoverOutcome {
        let running = self.join(&target);
        let outcome = running.get_or_init(|| servers.discover(target)).await.clone();
        self.end(&running);
        outcome
    }

    fn join(&self, target: &DiscoverTarget) -> Arc<Running> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = all.iter().find(|(other, _)| other == target).and_then(|(_, running)| running.upgrade());
        same.unwrap_or_else(|| {
            let running = Arc::default();
            all.retain(|(_, other)| other.strong_count() > 0);
            all.push((target.clone(), Arc::downgrade(&running)));
            running
        })
    }

    fn end(&self, ended: &Arc<Running>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, running)| !std::ptr::eq(running.as_ptr(), Arc::as_ptr(ended)));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::SharedDiscoveries;
    use registry_core::oauth::{Discovery, Failure, FailureClass, ManagedClient};
    use registry_core::registration::{
        AuthorizationServers, DeleteOutcome, DiscoverOutcome, DiscoverTarget, ManageOutcome, RegisterOutcome,
        SelfCheckOutcome,
    };
    use registry_core::secret::Secret;
    use serde_json::{Map, Value};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;
    use tokio::task::JoinSet;

    const MCP: &str = "https://mcp.example/mcp";

    /// Authorization servers that answer a discovery for each permit.
    struct SlowDiscovery {
        asked: AtomicUsize,
        answer: Semaphore,
    }

    impl Default for SlowDiscovery {
        fn default() -> Self {
            Self { asked: AtomicUsize::new(0), answer: Semaphore::new(0) }
        }
    }

    impl SlowDiscovery {
        /// Returns when `times` discoveries were asked for.
        async fn until_asked(&self, times: usize) {
            while self.asked.load(Ordering::SeqCst) < times {
                tokio::task::yield_now().await;
            }
        }
    }

    impl AuthorizationServers for SlowDiscovery {
        async fn discover(&self, _: DiscoverTarget) -> DiscoverOutcome {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.answer.acquire().await.unwrap().forget();
            let failure = Failure::new(FailureClass::Transient, "timeout", "Too slow.");
            DiscoverOutcome { result: Err(failure), trace: Vec::new(), other_resource: None }
        }

        async fn register(
            &self,
            _: &Discovery,
            _: &str,
            _: &Map<String, Value>,
            _: Option<&Secret>,
        ) -> RegisterOutcome {
            unreachable!("nothing is registered")
        }

        async fn read(&self, _: &ManagedClient) -> ManageOutcome {
            unreachable!("nothing is verified")
        }

        async fn update(&self, _: &ManagedClient, _: &Map<String, Value>) -> ManageOutcome {
            unreachable!("nothing is updated")
        }

        async fn delete(&self, _: &ManagedClient) -> DeleteOutcome {
            unreachable!("nothing is deleted")
        }

        async fn self_check(&self, _: &str, _: &str) -> SelfCheckOutcome {
            unreachable!("no document is published")
        }
    }

    #[tokio::test]
    async fn those_who_ask_for_the_same_share_one_discovery() {
        let servers = Arc::new(SlowDiscovery::default());
        let shared = Arc::new(SharedDiscoveries::default());
        let mut asking = JoinSet::new();
        let legacy = DiscoverTarget { legacy: true, ..DiscoverTarget::at(MCP) };
        for target in [DiscoverTarget::at(MCP), DiscoverTarget::at(MCP), DiscoverTarget::at(MCP), legacy] {
            let (servers, shared) = (servers.clone(), shared.clone());
            asking.spawn(async move { shared.discover(&*servers, target).await });
        }
        servers.until_asked(2).await;
        servers.answer.add_permits(2);
        for outcome in asking.join_all().await {
            assert_eq!(outcome.result.unwrap_err().code, "timeout");
        }
        assert_eq!(servers.asked.load(Ordering::SeqCst), 2, "other inputs are another discovery");
        servers.answer.add_permits(1);
        shared.discover(&*servers, DiscoverTarget::at(MCP)).await.result.unwrap_err();
        assert_eq!(servers.asked.load(Ordering::SeqCst), 3, "what has ended is not used again");
        assert!(shared.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn those_who_wait_go_on_when_the_one_that_asks_is_cancelled() {
        let servers = Arc::new(SlowDiscovery::default());
        let shared = Arc::new(SharedDiscoveries::default());
        let ask = || {
            let (servers, shared) = (servers.clone(), shared.clone());
            tokio::spawn(async move { shared.discover(&*servers, DiscoverTarget::at(MCP)).await })
        };
        let first = ask();
        servers.until_asked(1).await;
        let second = ask();
        first.abort();
        servers.until_asked(2).await;
        servers.answer.add_permits(1);
        assert_eq!(second.await.unwrap().result.unwrap_err().code, "timeout");
    }
}
