//! The listener's connections: how many there may be, how many of one address, and how long one is kept whose peer takes
//! nothing of its answer.

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use registry::PerClientLimit;
use registry_core::proxies::TrustedProxies;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;
use std::any::Any;
use std::net::Shutdown;
use std::time::Duration;

/// An answer of which so long nothing was taken is given up.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);
/// Files that everything else needs: the database, upstreams, the log.
const RESERVED_FILES: u64 = 256;

/// Counts the connections of each address. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connections {
    most: usize,
    proxies: TrustedProxies,
    shares: PerClientLimit,
}

impl Connections {
    /// As many as the configuration allows and this process may open.
    pub(crate) fn new(wanted: usize, proxies: TrustedProxies) -> Self {
        let files = open_files().saturating_sub(RESERVED_FILES);
        let most = wanted.min(usize::try_from(files).unwrap_or(usize::MAX)).max(1);
        if most < wanted {
            tracing::warn!(
                most,
                wanted,
                "this process may open fewer files than `limits.connections` asks for (`ulimit -n`)"
            );
        }
        Self { most, proxies, shares: PerClientLimit::of(most) }
    }

    /// The maximum number of connections.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Lets a new connection in, or closes it. Our own proxies have as many as they need.
    pub(crate) fn admit(&self, stream: &dyn Any, extensions: &mut Extensions) {
        let Some(stream) = stream.downcast_ref::<TcpStream>() else { return };
        let socket = SockRef::from(stream);
        drop(socket.set_tcp_user_timeout(Some(WRITE_TIMEOUT)));
        let Ok(peer) = stream.peer_addr() else { return };
        if self.proxies.include(peer.ip()) {
            return;
        }
        match self.shares.take(Some(peer.ip())) {
            // It goes with the connection, as long as that lives.
            Some(share) => drop(extensions.insert(share)),
            None => drop(socket.shutdown(Shutdown::Both)),
        }
    }
}

/// How many files this process may open: as many as it may allow itself.
fn open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let allowed = setrlimit(Resource::Nofile, wanted).is_ok();
    (if allowed { limit.maximum } else { limit.current }).unwrap_or(u64::MAX)
}
