//! A gate in front of a TCP server: when shut, it refuses new connections and closes the open ones.

use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A running door; ends when dropped.
#[derive(Debug)]
pub struct TcpGate {
    /// Where to connect instead.
    pub address: SocketAddr,
    open: watch::Sender<bool>,
    accepting: AbortHandle,
}

impl Drop for TcpGate {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl TcpGate {
    /// In front of `target` (`host:port`), open.
    pub async fn start(target: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (open, _) = watch::channel(true);
        let accepting = tokio::spawn(accept(listener, target.to_owned(), open.clone())).abort_handle();
        Self { address, open, accepting }
    }

    /// Shuts it.
    pub fn shut(&self) {
        self.open.send_replace(false);
    }

    /// Opens it again.
    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

async fn accept(listener: TcpListener, target: String, open: watch::Sender<bool>) {
    loop {
        let Ok((mut inside, _)) = listener.accept().await else { continue };
        let (target, mut open) = (target.clone(), open.subscribe());
        if !*open.borrow_and_update() {
            continue;
        }
        tokio::spawn(async move {
            let Ok(mut outside) = TcpStream::connect(target).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut inside, &mut outside) => {}
                _ = open.wait_for(|open| !open) => {}
            }
        });
    }
}
