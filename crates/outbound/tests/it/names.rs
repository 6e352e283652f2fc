//! Names: asked for once, every address judged, and no other connected to.

use crate::authority::Authority;
use crate::upstream::{Reply, Upstream, asked};
use registry_core::egress::{EgressPolicy, METADATA, NO_SERVER, PRIVATE};
use registry_core::oauth::{Failure, FailureClass};
use registry_outbound::{Addresses, DiscoverTarget, Limits, Lookup, UpstreamClient, discover, register};
use serde_json::{Map, json};
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A name server that answers by a script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    next: VecDeque<Vec<IpAddr>>,
    then: Option<Vec<IpAddr>>,
    asked: Vec<String>,
}

impl Script {
    /// The same answer for every caller.
    pub(crate) fn always(addresses: &[&str]) -> Self {
        let script = Self::default();
        script.0.lock().unwrap().then = Some(parsed(addresses));
        script
    }

    /// These answers one after the other, then none.
    pub(crate) fn in_turn(answers: &[&[&str]]) -> Self {
        let script = Self::default();
        script.0.lock().unwrap().next = answers.iter().map(|answer| parsed(answer)).collect();
        script
    }

    fn say(&self, addresses: Vec<IpAddr>) {
        self.0.lock().unwrap().next.push_back(addresses);
    }

    fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }
}

impl Lookup for Script {
    fn addresses(&self, name: &str) -> Addresses {
        let mut lines = self.0.lock().unwrap();
        lines.asked.push(name.to_owned());
        let answer = lines.next.pop_front().or_else(|| lines.then.clone());
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

/// A name server that takes its time.
#[derive(Debug)]
struct Silent;

impl Lookup for Silent {
    fn addresses(&self, _: &str) -> Addresses {
        Box::pin(std::future::pending())
    }
}

fn parsed(addresses: &[&str]) -> Vec<IpAddr> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

fn allowing(rules: &[&str]) -> EgressPolicy {
    let allow = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    EgressPolicy { allow, ..EgressPolicy::default() }
}

/// Whether a registration at `url` came about, or why not.
async fn registered(client: &UpstreamClient, url: &str) -> Result<(), Failure> {
    register(client, url, asked(&Map::new()), None).await.result.map(drop)
}

async fn class_and_code(client: &UpstreamClient, url: &str) -> (FailureClass, &'static str) {
    let failure = registered(client, url).await.unwrap_err();
    (failure.class, failure.code)
}

const BLOCKED: (FailureClass, &str) = (FailureClass::Security, "address_blocked");

#[tokio::test]
async fn dns_rebinding_is_refused() {
    let authority = Authority::new("ours");
    let issue = |_: &str, _: &_| Reply::json(201, &json!({ "client_id": "c" }));
    // The first address may be reached, the second may not; the same server listens on both.
    let tls = || Some(authority.server(&["as.example"]));
    let good = Upstream::start_at("127.0.0.2:0", tls(), issue).await;
    let private = Upstream::start_at(&format!("127.0.0.3:{}", good.port), tls(), issue).await;
    let script = Script::in_turn(&[&["127.0.0.2"], &["127.0.0.3"], &["127.0.0.2"]]);
    let client = UpstreamClient::new(allowing(&["127.0.0.2"]), Limits::default())
        .with_lookup(script.clone())
        .with_certificates(authority.pem.as_bytes())
        .unwrap();
    let url = format!("https://as.example:{}/register", good.port);
    registered(&client, &url).await.unwrap();
    assert_eq!(script.asked().len(), 1, "between judging and connecting nobody asks again");
    assert_eq!(class_and_code(&client, &url).await, BLOCKED);
    registered(&client, &url).await.unwrap();
    // Every request resolves the name again: no connection and no answer is cached.
    assert_eq!(script.asked(), ["as.example"; 3]);
    assert_eq!((good.seen().len(), good.connections(), private.connections()), (2, 2, 0));
}

#[tokio::test]
async fn every_request_and_redirect_resolves_once() {
    let authority = Authority::new("ours");
    let upstream =
        Upstream::start_at("127.0.0.1:0", Some(authority.server(&["a.example", "b.example"])), |_, seen| {
            let port = seen.header("host").unwrap().rsplit(':').next().unwrap().to_owned();
            match seen.path.as_str() {
                "/hop" => Reply::redirect(302, format!("https://a.example:{port}/end")),
                path if path.ends_with("/mcp") && path != "/mcp" => {
                    Reply::redirect(302, format!("https://b.example:{port}/hop"))
                }
                _ => Reply::status(404),
            }
        })
        .await;
    let script = Script::always(&["127.0.0.1"]);
    let client = UpstreamClient::new(allowing(&["127.0.0.1"]), Limits::default())
        .with_lookup(script.clone())
        .with_certificates(authority.pem.as_bytes())
        .unwrap();
    let mcp_url = format!("https://a.example:{}/mcp", upstream.port);
    let target = DiscoverTarget::at(mcp_url);
    assert_eq!(discover(&client, target).await.result.unwrap_err().code, "authorization_server_not_found");
    assert_eq!(upstream.asked()[2..4], ["GET /hop", "GET /end"]);
    assert_eq!(script.asked(), ["a.example", "a.example", "b.example", "a.example", "a.example"]);
    assert_eq!(upstream.seen().len(), 5);
}

#[tokio::test]
async fn one_blocked_address_of_a_name_is_enough() {
    let upstream = Upstream::start(|_, _| Reply::status(500)).await;
    let url = format!("https://as.example:{}/register", upstream.port);
    for answer in [
        &["1.1.1.1", "10.0.0.1"][..],
        &["10.0.0.1", "1.1.1.1"],
        &["1.1.1.1", "2606:4700::1111", "127.0.0.1"],
        &["2606:4700::1111", "fd00::1"],
        &["1.1.1.1", "::ffff:127.0.0.1"],
        &["1.1.1.1", "64:ff9b::7f00:1"],
        &["1.1.1.1", "169.254.169.254"],
        &["127.0.0.1"],
        &["0.0.0.0"],
        &["::"],
    ] {
        let script = Script::always(answer);
        let client =
            UpstreamClient::new(EgressPolicy::default(), Limits::default()).with_lookup(script.clone());
        assert_eq!(class_and_code(&client, &url).await, BLOCKED, "{answer:?}");
        assert_eq!(script.asked().len(), 1);
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn names_do_not_reach_private_ranges_or_cloud_metadata() {
    let script = Script::default();
    let strict = UpstreamClient::new(EgressPolicy::default(), Limits::default()).with_lookup(script.clone());
    let open = UpstreamClient::new(allowing(&["0.0.0.0/0", "::/0", "as.example"]), Limits::default())
        .with_lookup(script.clone());
    for (range, never) in PRIVATE
        .iter()
        .map(|range| (range, false))
        .chain(METADATA.iter().chain(NO_SERVER).map(|range| (range, true)))
    {
        // Its first and its last address; `::` begins a range that may be allowed, and is no server's.
        for address in [range.network.network(), range.network.broadcast()] {
            script.say(vec![address]);
            let failure = registered(&strict, "https://as.example/register").await.unwrap_err();
            assert_eq!((failure.class, failure.code), BLOCKED, "{address}");
            if never {
                script.say(vec![address]);
                let failure = registered(&open, "https://as.example/register").await.unwrap_err();
                assert_eq!((failure.class, failure.code), BLOCKED, "{address}");
                assert!(!failure.message.contains("can allow"), "{}", failure.message);
            }
        }
    }
    let asked = script.asked().len();
    for name in ["metadata.google.internal", "METADATA.google.internal.", "metadata.goog"] {
        let failure = registered(&open, &format!("https://{name}/computeMetadata/v1/")).await.unwrap_err();
        assert_eq!((failure.class, failure.code), BLOCKED, "{name}");
    }
    for literal in ["https://10.0.0.1/", "https://0x7f.1/", "https://[::ffff:7f00:1]/", "https://localhost/"]
    {
        assert_eq!(class_and_code(&strict, literal).await, BLOCKED, "{literal}");
    }
    assert_eq!(script.asked().len(), asked, "what is known by its text is not asked for");
}

#[tokio::test]
async fn unresolvable_names_are_reported() {
    let url = "https://as.example/register";
    let client = |total: u64, connect: u64| {
        let limits = Limits { total: Duration::from_millis(total), connect: Duration::from_millis(connect) };
        UpstreamClient::new(EgressPolicy::default(), limits)
    };
    // Whichever of the two limits is the shorter one; nothing was sent, so nothing is ambiguous.
    for patient in [client(600_000, 100), client(100, 600_000)] {
        let silent = patient.with_lookup(Silent);
        let failed =
            tokio::time::timeout(Duration::from_secs(20), class_and_code(&silent, url)).await.unwrap();
        assert_eq!(failed, (FailureClass::Transient, "timeout"));
    }
    let client = client(10_000, 3000);
    for script in [Script::always(&[]), Script::default()] {
        let client = client.clone().with_lookup(script);
        assert_eq!(class_and_code(&client, url).await, (FailureClass::Transient, "name_not_found"));
    }
    // The system is asked where no script is given.
    let system = UpstreamClient::new(allowing(&["localhost"]), Limits::default());
    assert_eq!(
        class_and_code(&system, "https://localhost:1/register").await,
        (FailureClass::Transient, "connection_failed")
    );
}

/// A proxy would connect to an address that was not checked. The test above runs again, in a process with one in its environment.
#[test]
fn proxy_of_the_environment_is_ignored() {
    let proxy = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    proxy.set_nonblocking(true).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "names::dns_rebinding_is_refused"]);
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        again.env(name, &url);
    }
    let output = again.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    assert_eq!(proxy.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}
