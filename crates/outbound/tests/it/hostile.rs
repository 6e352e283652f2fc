//! Answers made to harm: each ends within its limits, and what is said of it afterwards is right.

use crate::upstream::{
    Reply, Seen, Upstream, asked, guarded, gzipped_spaces, gzipped_spaces_without_end, hasty,
};
use registry_core::oauth::FailureClass;
use registry_core::secret::Secret;
use registry_outbound::{DiscoverTarget, UpstreamClient, delete, discover, register};
use serde_json::{Map, json};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Without limits any of these would take longer.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(20);
/// More than the caps, and what two sockets keep between them.
const MAX_BYTES_SENT: u64 = 16 * 1024 * 1024;
/// How much more memory all of one test may take than the process had before, in KiB. The floods are hundreds of MiB.
const MAX_MEMORY_KIB: u64 = 64 * 1024;

/// What is said of a document that is answered so.
type Response = (&'static str, &'static str);
const TOO_LARGE: Response = ("authorization_server_not_found", "answered with more than 262144 bytes.");
const NO_HTTP: Response = ("authorization_server_not_found", "not HTTP, or with too many headers.");
const NONE_HERE: Response = ("authorization_server_not_found", "No document here");
const FOUND: Response = ("authorization_server_not_found", "A JSON object, but no metadata");
const NO_ANSWER: Response = ("timeout", "did not answer within 0.8 seconds.");
/// Before or in the body: that depends on how busy the machine is.
const OUT_OF_TIME: Response = ("timeout", "");
const NO_END: Response = ("timeout", "did not finish its response in time.");
const BROKEN_OFF: Response = ("connection_lost", "closed the connection in the middle of its response.");
const CLOSED: Response = ("connection_lost", "closed the connection without a response.");

/// What is said of a registration that is answered so.
const LOST: (FailureClass, &str) = (FailureClass::Ambiguous, "answer_lost");
const CLIENT_ID_MISSING: (FailureClass, &str) = (FailureClass::Unusable, "client_id_missing");
const TOO_LARGE_TO_USE: (FailureClass, &str) = (FailureClass::Unusable, "answer_too_large");

fn raw(text: &str) -> Reply {
    Reply::Raw(text.as_bytes().to_vec())
}

fn flood(first: &str, again: &str) -> Reply {
    let times = (64 * 1024 / again.len()).max(1);
    Reply::Flood(first.as_bytes().to_vec(), again.repeat(times).into_bytes())
}

fn endless(headers: &str) -> Reply {
    flood(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n"), "{\"a\":1}")
}

/// Answers so to the first place where metadata may be, and to registrations.
pub(crate) async fn answering(reply: Reply) -> Upstream {
    Upstream::start(move |_, seen: &Seen| match seen.path.as_str() {
        "/mcp" => Reply::status(401),
        "/.well-known/oauth-protected-resource/mcp" | "/register" => reply.clone(),
        _ => Reply::status(404),
    })
    .await
}

/// Sends a GET and a POST to servers that answer so. Both end in time, take little, and leave no connection open.
async fn check(what: &str, reply: Reply, document: Response, registration: (FailureClass, &str)) {
    // Little time where that is the limit; else enough for the slowest machine.
    let client = if document.0 == "timeout" { hasty() } else { guarded() };
    let taken = both(&client, what, reply, document, registration).await;
    assert!(taken < MAX_BYTES_SENT, "{what}: {taken} bytes were taken");
}

/// The same, but for how much is taken: that is returned.
async fn both(
    client: &UpstreamClient,
    what: &str,
    reply: Reply,
    document: Response,
    registration: (FailureClass, &str),
) -> u64 {
    let (got, posted) = (answering(reply.clone()).await, answering(reply).await);
    let get = async {
        let target = DiscoverTarget::at(got.url("/mcp"));
        let outcome = timeout(TEST_TIMEOUT, discover(client, target)).await.expect(what);
        let note = outcome.trace[1].note.as_str();
        assert!(note.contains(document.1), "{what}: GET: {note}");
        assert_eq!(outcome.result.unwrap_err().code, document.0, "{what}: GET");
    };
    let post = async {
        let (url, request) = (posted.url("/register"), Map::new());
        let outcome = timeout(TEST_TIMEOUT, register(client, &url, asked(&request), None)).await.expect(what);
        let failure = outcome.result.unwrap_err();
        assert_eq!((failure.class, failure.code), registration, "{what}: POST");
    };
    tokio::join!(get, post);
    tokio::join!(got.left_alone(), posted.left_alone());
    assert_eq!((posted.seen().len(), posted.connections()), (1, 1), "{what}: never sent twice");
    got.written().max(posted.written())
}

/// The most memory this process ever had, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn endless_bodies_are_cut() {
    let before = peak_memory();
    let (gzip, again) = gzipped_spaces_without_end();
    let bomb = |encoding: &str| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\n\r\n");
        Reply::Flood([head.as_bytes(), &gzip].concat(), again.clone())
    };
    for (what, reply) in [
        ("until the connection closes", endless("")),
        ("a length of exabytes", endless("content-length: 9223372036854775807\r\n")),
        ("chunks", flood("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "7\r\n{\"a\":1}\r\n")),
        (
            "one chunk of exabytes",
            flood("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7fffffffffffffff\r\n", "{\"a\":1}"),
        ),
        ("a gzip bomb", bomb("gzip")),
        ("a gzip bomb under its old name", bomb("x-gzip")),
        // What the client did not ask for is not unpacked.
        ("gzip twice", bomb("gzip, gzip")),
        ("gzip in brotli", bomb("br, gzip")),
        ("brotli", endless("content-encoding: br\r\n")),
        ("deflate", endless("content-encoding: deflate\r\n")),
        ("zstandard", endless("content-encoding: zstd\r\n")),
    ] {
        check(what, reply, TOO_LARGE, TOO_LARGE_TO_USE).await;
    }
    let grown = peak_memory() - before;
    assert!(grown < MAX_MEMORY_KIB, "{grown} KiB");
}

#[tokio::test]
async fn excessive_headers_are_refused() {
    let before = peak_memory();
    let ok = "HTTP/1.1 200 OK\r\n";
    for (what, reply) in [
        ("ten thousand headers", raw(&format!("{ok}{}\r\n{{}}", "a: b\r\n".repeat(10_000)))),
        ("one header of a mebibyte", raw(&format!("{ok}a: {}\r\n\r\n{{}}", "x".repeat(1024 * 1024)))),
        ("a name of a mebibyte", raw(&format!("{ok}{}: a\r\n\r\n{{}}", "x".repeat(1024 * 1024)))),
        (
            "a status line of a mebibyte",
            raw(&format!("HTTP/1.1 200 {}\r\n\r\n{{}}", "x".repeat(1024 * 1024))),
        ),
        ("headers without end", flood(ok, "a: b\r\n")),
        ("one header without end", flood("HTTP/1.1 200 OK\r\na: ", "x")),
        ("a status line without end", flood("HTTP/1.1 200 ", "x")),
    ] {
        check(what, reply, NO_HTTP, LOST).await;
    }
    let grown = peak_memory() - before;
    assert!(grown < MAX_MEMORY_KIB, "{grown} KiB");
}

#[tokio::test]
async fn excessive_trailers_and_extensions_are_refused() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (what, reply) in [
        ("an extension without end", flood(&format!("{chunked}2;a="), "x")),
        ("trailers without end", flood(&format!("{chunked}2\r\n{{}}\r\n0\r\n"), "a: b\r\n")),
    ] {
        check(what, reply, NO_HTTP, LOST).await;
    }
}

#[tokio::test]
async fn non_http_answers_are_refused() {
    let ok = "HTTP/1.1 200 OK\r\n";
    for (what, reply) in [
        ("another protocol", raw("SSH-2.0-OpenSSH_9.6\r\n")),
        ("a mail server", raw("220 mail.example ESMTP\r\n")),
        ("HTTP/2", raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
        ("HTTP/0.9", raw("<html></html>")),
        ("zeros", Reply::Raw(vec![0; 1000])),
        ("TLS", Reply::Raw(vec![0x15, 3, 3, 0, 2, 2, 40])),
        ("no status", raw("HTTP/1.1 \r\n\r\n{}")),
        ("words for a status", raw("HTTP/1.1 abc OK\r\n\r\n{}")),
        ("a status of four digits", raw("HTTP/1.1 2000 OK\r\n\r\n{}")),
        ("a version of its own", raw("HTTP/9.9 200 OK\r\n\r\n{}")),
        ("a header without a colon", raw(&format!("{ok}nonsense\r\n\r\n{{}}"))),
        ("a zero in a header", raw(&format!("{ok}a: \0\r\n\r\n{{}}"))),
        ("a negative length", raw(&format!("{ok}content-length: -1\r\n\r\n{{}}"))),
        ("a length beyond numbers", raw(&format!("{ok}content-length: 99999999999999999999\r\n\r\n{{}}"))),
        ("two lengths", raw(&format!("{ok}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"))),
        (
            "a chunk beyond numbers",
            raw(&format!("{ok}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{{}}")),
        ),
        ("a negative chunk", raw(&format!("{ok}transfer-encoding: chunked\r\n\r\n-2\r\n{{}}"))),
        ("words for a chunk's size", raw(&format!("{ok}transfer-encoding: chunked\r\n\r\nzz\r\n{{}}"))),
        (
            "a chunk longer than it says",
            raw(&format!("{ok}transfer-encoding: chunked\r\n\r\n1\r\n{{}}\r\n0\r\n\r\n")),
        ),
        (
            "gzip that is none",
            raw(&format!("{ok}content-encoding: gzip\r\n\r\n{{\"a\":\"nothing packed\"}}")),
        ),
    ] {
        check(what, reply, NO_HTTP, LOST).await;
    }
}

#[tokio::test]
async fn too_little() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let gzip = gzipped_spaces(64);
    let half = [b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", &gzip[..100]].concat();
    for (what, reply, said) in [
        ("nothing", Reply::Close, CLOSED),
        ("half a status", raw("HTTP/1.1 2"), CLOSED),
        ("half of the headers", raw(&format!("{ok}a: b\r\n")), CLOSED),
        ("only what comes before an answer", raw("HTTP/1.1 100 Continue\r\n\r\n"), CLOSED),
        ("less than its length", raw(&format!("{ok}content-length: 99\r\n\r\n{{}}")), BROKEN_OFF),
        ("half a chunk", raw(&format!("{ok}transfer-encoding: chunked\r\n\r\n9\r\n{{}}")), BROKEN_OFF),
        ("no last chunk", raw(&format!("{ok}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n")), BROKEN_OFF),
        ("half a gzip stream", Reply::Raw(half), BROKEN_OFF),
        ("an answer that never comes", Reply::Stall(Vec::new()), NO_ANSWER),
        ("a head that never ends", Reply::Stall(ok.into()), NO_ANSWER),
        ("a body that never comes", Reply::Stall(format!("{ok}content-length: 2\r\n\r\n").into()), NO_END),
        ("a head in drops", Reply::Drip(ok.into(), b"a: b\r\n".to_vec()), NO_ANSWER),
        ("a body in drops", Reply::Drip(format!("{ok}\r\n{{").into(), b" ".to_vec()), NO_END),
        (
            "chunks in drops",
            Reply::Drip(format!("{ok}transfer-encoding: chunked\r\n\r\n").into(), b"1\r\n \r\n".to_vec()),
            NO_END,
        ),
    ] {
        check(what, reply, said, LOST).await;
    }
}

/// What is read and forgotten as fast as it comes: only time ends it, but memory does not grow.
#[tokio::test]
async fn stalled_answers_time_out() {
    let before = peak_memory();
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n";
    for (what, reply, said) in [
        ("a flood of continuations", flood("", "HTTP/1.1 100 Continue\r\n\r\n"), NO_ANSWER),
        ("a flood of hints", flood("", hints), NO_ANSWER),
        ("hints in drops", Reply::Drip(Vec::new(), hints.into()), NO_ANSWER),
        ("zeros before a chunk's size", flood(chunked, "0"), OUT_OF_TIME),
    ] {
        both(&hasty(), what, reply, said, LOST).await;
    }
    let grown = peak_memory() - before;
    assert!(grown < MAX_MEMORY_KIB, "{grown} KiB");
}

#[tokio::test]
async fn irregular_complete_answers_are_accepted() {
    let ok = "HTTP/1.1 200 OK\r\n";
    for (what, reply, said, registration) in [
        (
            "more than its length",
            raw(&format!("{ok}content-length: 2\r\n\r\n{{}}garbage")),
            FOUND,
            CLIENT_ID_MISSING,
        ),
        (
            "another answer behind it",
            raw(&format!("{ok}content-length: 2\r\n\r\n{{}}{ok}\r\n")),
            FOUND,
            CLIENT_ID_MISSING,
        ),
        (
            "hints before it",
            raw(&format!("HTTP/1.1 103 x\r\na: b\r\n\r\n{ok}content-length: 2\r\n\r\n{{}}")),
            FOUND,
            CLIENT_ID_MISSING,
        ),
        (
            "no body",
            raw(&format!("{ok}content-length: 0\r\n\r\n")),
            NONE_HERE,
            (FailureClass::Unusable, "answer_not_json"),
        ),
        (
            "another protocol from here on",
            raw("HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
            NONE_HERE,
            (FailureClass::Protocol, "unexpected_status"),
        ),
        (
            "a status nobody knows",
            raw("HTTP/1.1 799 x\r\ncontent-length: 0\r\n\r\n"),
            NONE_HERE,
            (FailureClass::Transient, "upstream_unavailable"),
        ),
    ] {
        check(what, reply, said, registration).await;
    }
}

#[tokio::test]
async fn truncated_refusal_is_still_a_refusal() {
    let (gzip, again) = gzipped_spaces_without_end();
    let head = "HTTP/1.1 403 x\r\ncontent-encoding: gzip\r\n\r\n";
    let refused = (FailureClass::NeedsAdmin, "registration_not_allowed");
    for (what, reply) in [
        ("without end", flood("HTTP/1.1 403 x\r\n\r\n", "no ")),
        ("a bomb", Reply::Flood([head.as_bytes(), &gzip].concat(), again)),
        ("that is no gzip", raw("HTTP/1.1 403 x\r\ncontent-encoding: gzip\r\n\r\nno no no no no no")),
    ] {
        check(what, reply, NONE_HERE, refused).await;
    }
    for (what, reply) in [
        ("in drops", Reply::Drip("HTTP/1.1 403 x\r\n\r\n".into(), b"no ".to_vec())),
        ("that never comes", Reply::Stall("HTTP/1.1 403 x\r\ncontent-length: 9\r\n\r\n".into())),
    ] {
        both(&hasty(), what, reply, NONE_HERE, refused).await;
    }
}

#[tokio::test]
async fn deletions_time_out_too() {
    for (reply, client, expected) in [
        (raw("nonsense\r\n\r\n"), guarded(), (FailureClass::Protocol, "answer_not_http")),
        (Reply::Close, guarded(), (FailureClass::Ambiguous, "connection_lost")),
        (Reply::Stall(Vec::new()), hasty(), (FailureClass::Ambiguous, "timeout")),
        (endless(""), guarded(), (FailureClass::Protocol, "answer_too_large")),
    ] {
        let upstream = answering(reply).await;
        let token = Secret::new("canary");
        let deleting = async { delete(&client, &upstream.url("/register"), &token).await };
        let failure = timeout(TEST_TIMEOUT, deleting).await.unwrap().result.unwrap_err();
        assert_eq!((failure.class, failure.code), expected);
        upstream.left_alone().await;
    }
}

/// Of an answer to the first request only the head is of use; its body may be an event stream without end.
#[tokio::test]
async fn challenge_body_is_not_read() {
    let (gzip, again) = gzipped_spaces_without_end();
    let head = "HTTP/1.1 401 x\r\ncontent-encoding: gzip\r\n\r\n";
    for reply in [
        flood("HTTP/1.1 401 x\r\n\r\n", "no "),
        flood("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", ": x\n"),
        Reply::Flood([head.as_bytes(), &gzip].concat(), again),
    ] {
        let upstream = Upstream::start(move |_, seen| match seen.path.as_str() {
            "/mcp" => reply.clone(),
            _ => Reply::status(404),
        })
        .await;
        let target = DiscoverTarget::at(upstream.url("/mcp"));
        let outcome = timeout(TEST_TIMEOUT, discover(&guarded(), target)).await.unwrap();
        assert_eq!(outcome.result.unwrap_err().code, "authorization_server_not_found");
        upstream.left_alone().await;
        assert!(upstream.written() < MAX_BYTES_SENT);
    }
}

/// Within the caps there is room for long lists: to read one twice as long takes twice as long, not four times.
#[tokio::test]
async fn long_lists_are_read_at_once() {
    let issuers: Vec<String> = (0..30_000).map(|number| format!("{number:x}")).collect();
    for part in ["a;", "a ", "a=\"", "a=,", "a a=", "\"\\", ", ", "a\t=b "] {
        let (challenge, issuers) = (part.repeat(300_000 / part.len()), issuers.clone());
        let upstream = Upstream::start(move |origin, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(401).header("www-authenticate", challenge.clone()),
            "/.well-known/oauth-protected-resource" => {
                Reply::json(200, &json!({ "resource": origin, "authorization_servers": issuers }))
            }
            _ => Reply::status(404),
        })
        .await;
        let target = DiscoverTarget::at(upstream.url("/mcp"));
        let started = Instant::now();
        let outcome = discover(&guarded(), target).await;
        assert_eq!(outcome.result.unwrap_err().code, "metadata_not_found", "{part}");
        assert!(started.elapsed() < Duration::from_secs(2), "{part}: {:?}", started.elapsed());
    }
}
