//! Names: resolved once for each connection, every address judged, and connected to those and no others.

use registry_core::egress::EgressPolicy;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::error::Error;
use std::net::SocketAddr;

/// Why a name leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameProblem {
    /// At least one of its addresses may not be reached.
    #[error("it leads to a private or reserved address")]
    Blocked,
    /// It has no address.
    #[error("it cannot be resolved")]
    NotFound,
}

impl NameProblem {
    /// This problem, if it is what `error` came of.
    pub(crate) fn behind(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(problem) = error.downcast_ref::<Self>() {
                return Some(*problem);
            }
            next = error.source();
        }
        None
    }
}

/// The resolver of the guarded client. The connector connects to the very addresses it gives: between judging and
/// connecting nobody asks again, so a name that changes its mind (DNS rebinding) gains nothing. Literal addresses do
/// not come here; they are judged with the text of the URL.
#[derive(Clone, Debug)]
pub(crate) struct Judging(pub(crate) EgressPolicy);

impl Resolve for Judging {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((host, 0)).await.map_err(|_| NameProblem::NotFound)?;
            let addresses: Vec<SocketAddr> = found.collect();
            if addresses.is_empty() {
                return Err(NameProblem::NotFound.into());
            }
            // All of them: an answer that mixes public and private addresses is an attack, not a choice.
            if addresses.iter().any(|address| policy.judge_address(host, address.ip()).is_err()) {
                return Err(NameProblem::Blocked.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_that_lead_to_this_machine_are_refused_unless_allowed() {
        let resolve =
            async |policy: EgressPolicy| match Judging(policy).resolve("localhost".parse().unwrap()).await {
                Ok(addresses) => Ok(addresses.count()),
                Err(error) => Err(NameProblem::behind(error.as_ref())),
            };
        assert_eq!(resolve(EgressPolicy::default()).await, Err(Some(NameProblem::Blocked)));
        let open = EgressPolicy { allow_http_loopback: true, ..EgressPolicy::default() };
        assert!(resolve(open).await.unwrap() > 0);
    }
}
