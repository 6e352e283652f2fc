//! A server that answers what a test says, and remembers what it was asked.

use registry_core::egress::EgressPolicy;
use registry_outbound::{Limits, UpstreamClient};
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// What a server does with a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Answers it.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    /// Sends these bytes and then nothing, the connection stays open.
    Stall(Vec<u8>),
    /// Sends these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Sends the first bytes, then the others again and again as fast as they are taken.
    Flood(Vec<u8>, Vec<u8>),
    /// Sends the first bytes, then the others again and again, a little at a time.
    Drip(Vec<u8>, Vec<u8>),
    /// Closes the connection without a word.
    Close,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self::Answer { status, headers, body: body.to_string().into_bytes() }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn redirect(status: u16, to: impl Into<String>) -> Self {
        Self::status(status).header("location", to)
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Upstream {
    /// `http://127.0.0.1:<port>`
    pub(crate) origin: String,
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: watch::Receiver<Connections>,
    written: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Connections {
    begun: usize,
    ended: usize,
}

impl Upstream {
    /// A server that answers with `reply`, which is given its own origin and the request.
    pub(crate) async fn start(reply: impl Fn(&str, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", None, reply).await
    }

    /// The same at `address`, over TLS if a way to accept it is given.
    pub(crate) async fn start_at(
        address: &str,
        tls: Option<TlsAcceptor>,
        reply: impl Fn(&str, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let local = listener.local_addr().unwrap();
        let origin = format!("{}://{local}", if tls.is_some() { "https" } else { "http" });
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let written: Arc<AtomicU64> = Arc::default();
        let (count, connections) = watch::channel(Connections::default());
        let (its_origin, its_seen, its_written) = (origin.clone(), Arc::clone(&seen), Arc::clone(&written));
        let reply = Arc::new(reply);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (reply, origin, seen) = (Arc::clone(&reply), its_origin.clone(), Arc::clone(&its_seen));
                let (count, written, tls) = (count.clone(), Arc::clone(&its_written), tls.clone());
                count.send_modify(|count| count.begun += 1);
                tokio::spawn(async move {
                    let answer = |request: &Seen| {
                        seen.lock().unwrap().push(request.clone());
                        reply(&origin, request)
                    };
                    let _ = match tls {
                        None => serve(stream, answer, &written).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, answer, &written).await,
                            Err(refused) => Err(refused),
                        },
                    };
                    count.send_modify(|count| count.ended += 1);
                });
            }
        });
        Self { origin, port: local.port(), seen, connections, written }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// `METHOD /path` of every request, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.seen().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }

    /// How many connections there were, be it only to shake hands.
    pub(crate) fn connections(&self) -> usize {
        self.connections.borrow().begun
    }

    /// How many bytes of floods and drips were taken from it.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::SeqCst)
    }

    /// Returns when the other side has closed every connection.
    pub(crate) async fn left_alone(&self) {
        let mut connections = self.connections.clone();
        let left = connections.wait_for(|count| count.begun == count.ended);
        let _ = tokio::time::timeout(Duration::from_secs(5), left).await.expect("connections stay open");
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    reply: impl FnOnce(&Seen) -> Reply,
    written: &AtomicU64,
) -> std::io::Result<()> {
    let request = receive(&mut stream).await?;
    let mut write_again = async |first: Vec<u8>, again: Vec<u8>, pause: Option<Duration>| {
        stream.write_all(&first).await?;
        loop {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            stream.write_all(&again).await?;
            stream.flush().await?;
            written.fetch_add(again.len() as u64, Ordering::SeqCst);
        }
    };
    match reply(&request) {
        Reply::Close => Ok(()),
        Reply::Flood(first, again) => write_again(first, again, None).await,
        Reply::Drip(first, again) => write_again(first, again, Some(Duration::from_millis(20))).await,
        Reply::Stall(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            // Until the other side goes.
            stream.read_to_end(&mut Vec::new()).await.map(drop)
        }
        Reply::Raw(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Reply::Answer { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                let _ = write!(head, "{name}: {value}\r\n");
            }
            head.push_str("\r\n");
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
            stream.shutdown().await
        }
    }
}

async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request =
        Seen { method: method.to_owned(), path: path.to_owned(), headers, body: bytes.split_off(end + 4) };
    let length: usize = request.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    while request.body.len() < length {
        if stream.read_buf(&mut request.body).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(request)
}

/// A client that may reach this machine.
pub(crate) fn guarded() -> UpstreamClient {
    UpstreamClient::new(loopback(), Limits::default())
}

/// A client that may reach this machine and has no patience.
pub(crate) fn hasty() -> UpstreamClient {
    let limits = Limits { total: Duration::from_millis(800), connect: Duration::from_millis(500) };
    UpstreamClient::new(loopback(), limits)
}

fn loopback() -> EgressPolicy {
    EgressPolicy { allow_http_loopback: true, ..EgressPolicy::default() }
}

/// A gzip stream of `kibibytes` KiB of spaces in a few hundred bytes: one literal, then runs of 258 (RFC 1951 §3.2.6).
pub(crate) fn gzipped_spaces(kibibytes: usize) -> Vec<u8> {
    let mut bits = vec![true, true, false];
    let mut push = |code: u16, length: u32| bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
    push(0x30 + u16::from(b' '), 8);
    for _ in 0..kibibytes * 1024 / 258 {
        push(0b1100_0101, 8);
        push(0, 5);
    }
    push(0, 7);
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    gzip.extend(bits.chunks(8).map(|eight| {
        eight.iter().enumerate().fold(0_u8, |byte, (place, bit)| byte | u8::from(*bit) << place)
    }));
    gzip.extend([0; 8]);
    gzip
}

/// The beginning of a gzip stream of spaces without end, and what to repeat: eight runs are thirteen bytes.
pub(crate) fn gzipped_spaces_without_end() -> (Vec<u8>, Vec<u8>) {
    let some = gzipped_spaces(64);
    (some[..12].to_vec(), some[12..25].repeat(4096))
}

/// A registration with `request` at an authorization server that lists no auth methods.
pub(crate) fn asked(request: &serde_json::Map<String, serde_json::Value>) -> registry_core::oauth::Asked<'_> {
    registry_core::oauth::Asked { request, listed_methods: None }
}
