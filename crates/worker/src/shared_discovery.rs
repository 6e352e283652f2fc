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
    use crate::tests::SlowDiscovery;
    use registry_core::registration::DiscoverTarget;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use tokio::task::JoinSet;

    const MCP: &str = "https://mcp.example/mcp";

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
            assert!(outcome.result.is_ok());
        }
        assert_eq!(servers.asked.load(Ordering::SeqCst), 2, "other inputs are another discovery");
        servers.answer.add_permits(1);
        shared.discover(&*servers, DiscoverTarget::at(MCP)).await.result.unwrap();
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
        assert!(second.await.unwrap().result.is_ok());
    }
}
