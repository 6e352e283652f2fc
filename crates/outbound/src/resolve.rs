//! Name resolution: once for each connection; every address is checked, and only those addresses are connected to.

use futures_util::future::BoxFuture;
use registry_core::egress::{AddressProblem, EgressPolicy, Scope};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A future with the addresses of a name, or the resolution error.
pub type Addresses = BoxFuture<'static, io::Result<Vec<IpAddr>>>;

/// Resolves names: the system's resolver, or a script of a test.
pub trait Lookup: Debug + Send + Sync + 'static {
    /// Resolves every address of `name`.
    fn addresses(&self, name: &str) -> Addresses;
}

/// The system's resolver: hosts file and name servers.
#[derive(Debug)]
pub(crate) struct System;

impl Lookup for System {
    fn addresses(&self, name: &str) -> Addresses {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Why a name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameProblem {
    /// At least one of its addresses may not be reached.
    #[error("{0}")]
    Blocked(AddressProblem),
    /// It has no address.
    #[error("it cannot be resolved")]
    NotFound,
}

/// The resolver of the upstream client. The connector connects to exactly the addresses it returns: between check and
/// connection the name is not resolved again, which prevents DNS rebinding. Literal addresses do
/// not reach the resolver; they are checked with the text of the URL.
#[derive(Clone, Debug)]
pub(crate) struct FilteringResolver {
    pub(crate) policy: EgressPolicy,
    pub(crate) scope: Scope,
    pub(crate) lookup: Arc<dyn Lookup>,
}

impl FilteringResolver {
    async fn judged(self, host: &str) -> Result<Vec<SocketAddr>, NameProblem> {
        let found = self.lookup.addresses(host).await.map_err(|_| NameProblem::NotFound)?;
        if found.is_empty() {
            return Err(NameProblem::NotFound);
        }
        // All of them: a response that mixes public and private addresses is treated as an attack.
        for address in &found {
            self.policy.check_address_within(host, *address, &self.scope).map_err(NameProblem::Blocked)?;
        }
        // Port 0: the connector puts the URL's in.
        Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }
}

impl Resolve for FilteringResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let judging = self.clone();
        Box::pin(async move { Ok(Box::new(judging.judged(name.as_str()).await?.into_iter()) as Addrs) })
    }
}
