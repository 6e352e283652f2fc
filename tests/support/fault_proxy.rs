//! A proxy on loopback in front of an authorization server, that loses requests and answers on purpose.
//!
//! One connection carries one request (both sides are told `Connection: close`). Requests are read whole, and answers
//! too, before anything is passed on: a fault never leaves half of a message behind.

use crate::Random;
use crate::http_message::Message;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// The longest pause of a delayed request.
const MAX_DELAY_MILLIS: u64 = 300;

/// What is done to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Forwarded, answered.
    Forwarded,
    /// The same, with a pause before or after the upstream handles it.
    Delayed,
    /// Handled by the upstream, but the answer is not passed on.
    AnswerCut,
    /// Read, and not forwarded; the connection is closed.
    Dropped,
    /// The connection is closed before anything was read of it: the request was never seen.
    Unread,
}

/// A registration request (`POST /register`) that was read whole.
#[derive(Clone, Debug)]
pub struct SeenRegistration {
    /// When its connection was accepted, in milliseconds since 1970.
    pub at: i64,
    /// Its `client_name`.
    pub client_name: String,
    /// What was done to it.
    pub fate: Fate,
    /// The client that the upstream made of it, if it was forwarded and not refused.
    pub client_id: Option<String>,
}

/// What is shared with the connections.
struct Shared {
    upstream: SocketAddr,
    random: Mutex<Random>,
    faulty: Mutex<bool>,
    seen: Mutex<Vec<SeenRegistration>>,
    fates: Mutex<BTreeMap<Fate, usize>>,
}

/// A running proxy; ends when dropped.
pub struct FaultProxy {
    /// `http://127.0.0.1:PORT`
    pub origin: String,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl FaultProxy {
    /// In front of `upstream` (`http://127.0.0.1:PORT`), with faults switched on.
    pub async fn start(upstream: &str, random: Random) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let upstream = upstream.trim_start_matches("http://").parse().expect("an address and a port");
        let shared = Arc::new(Shared {
            upstream,
            random: Mutex::new(random),
            faulty: Mutex::new(true),
            seen: Mutex::default(),
            fates: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone())).abort_handle();
        Self { origin, shared, accepting }
    }

    /// From now on everything is forwarded.
    pub fn stop_faults(&self) {
        *self.shared.faulty.lock().expect("unpoisoned") = false;
    }

    /// All registration requests that were read whole, oldest first.
    pub fn seen(&self) -> Vec<SeenRegistration> {
        let mut seen = self.shared.seen.lock().expect("unpoisoned").clone();
        seen.sort_by_key(|one| one.at);
        seen
    }

    /// How many requests of any kind had each fate.
    pub fn fates(&self) -> BTreeMap<Fate, usize> {
        self.shared.fates.lock().expect("unpoisoned").clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // What a killed client had sent is still handled: that is how an answer gets lost.
        tokio::spawn(handle(stream, milliseconds(), shared.clone()));
    }
}

/// The wall clock that the programs under test read too.
fn milliseconds() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "compared with what other processes wrote by this clock")]
    let now = SystemTime::now();
    i64::try_from(now.duration_since(UNIX_EPOCH).expect("after 1970").as_millis()).expect("a moment")
}

/// What to do to the next request, and the pauses around the upstream's work.
fn fate(shared: &Shared) -> (Fate, Duration, Duration) {
    let mut random = shared.random.lock().expect("unpoisoned");
    if !*shared.faulty.lock().expect("unpoisoned") {
        return (Fate::Forwarded, Duration::ZERO, Duration::ZERO);
    }
    match random.between(0, 100) {
        0..12 => (Fate::AnswerCut, Duration::ZERO, Duration::ZERO),
        12..16 => (Fate::Dropped, Duration::ZERO, Duration::ZERO),
        16..19 => (Fate::Unread, Duration::ZERO, Duration::ZERO),
        19..60 => {
            let pause = Duration::from_millis(random.between(10, MAX_DELAY_MILLIS));
            let (before, after) =
                if random.chance(30) { (pause, Duration::ZERO) } else { (Duration::ZERO, pause) };
            (Fate::Delayed, before, after)
        }
        _ => (Fate::Forwarded, Duration::ZERO, Duration::ZERO),
    }
}

async fn handle(mut client: TcpStream, at: i64, shared: Arc<Shared>) {
    let (fate, before, after) = fate(&shared);
    *shared.fates.lock().expect("unpoisoned").entry(fate).or_default() += 1;
    if fate == Fate::Unread {
        return;
    }
    let Some(request) = Message::read(&mut client).await else { return };
    let seen = request.is_registration().then(|| SeenRegistration {
        at,
        client_name: request.member("client_name").unwrap_or_default(),
        fate,
        client_id: None,
    });
    if fate == Fate::Dropped {
        note(&shared, seen, None);
        return;
    }
    tokio::time::sleep(before).await;
    let answer = forward(&shared, &request).await;
    note(&shared, seen, answer.as_ref());
    tokio::time::sleep(after).await;
    if fate == Fate::AnswerCut {
        return;
    }
    if let Some(answer) = answer {
        // The client may have been killed meanwhile; then there is no receiver.
        drop(client.write_all(&answer.bytes()).await);
        drop(client.shutdown().await);
    }
}

fn note(shared: &Shared, seen: Option<SeenRegistration>, answer: Option<&Message>) {
    if let Some(mut seen) = seen {
        seen.client_id = answer.and_then(|answer| answer.member("client_id"));
        shared.seen.lock().expect("unpoisoned").push(seen);
    }
}

async fn forward(shared: &Shared, request: &Message) -> Option<Message> {
    let mut upstream = TcpStream::connect(shared.upstream).await.ok()?;
    upstream.write_all(&request.bytes()).await.ok()?;
    Message::read(&mut upstream).await
}
