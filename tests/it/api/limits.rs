//! How much one may ask, how much is worked on at once, how large and deep a request may be.

use registry::{RequestLimits, Settings};
use registry_core::permission::Role;
use registry_core::proxies::TrustedProxies;
use reqwest::Method;
use serde_json::json;
use std::net::IpAddr;
use std::time::Duration;
use support::{Client, Engine, Reply, TestRegistry, TestServer, follow};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn server(limits: RequestLimits) -> TestServer {
    let trusted_proxies = TrustedProxies::parse(&["127.0.0.1".to_owned()]).unwrap();
    let settings = Settings { limits, trusted_proxies, ..Settings::default() };
    TestServer::over(TestRegistry::with(Engine::Sqlite, settings).await)
}

fn left(reply: &Reply) -> u32 {
    let text = reply.header("ratelimit");
    assert!(text.starts_with("\"identity\";r="), "{text}");
    text.split("r=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn each_caller_has_its_own_rate_limit_and_sees_the_rest() {
    let t = server(RequestLimits { burst: 5, per_second: 1, ..RequestLimits::default() }).await;
    let (one, other) = (t.client(Role::Viewer, None).await, t.client(Role::Viewer, None).await);
    for expected in (0..5).rev() {
        let reply = one.get("/v1/workspaces").await.expect(200);
        assert_eq!(left(&reply), expected);
        assert_eq!(reply.header("ratelimit-policy"), "\"identity\";q=5;w=5");
    }
    let refused = one.get("/v1/workspaces").await.expect(429);
    assert_eq!(refused.json()["code"], "too_many_requests");
    let seconds: i64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=2).contains(&seconds), "{seconds}");
    assert_eq!(refused.header("ratelimit"), format!("\"identity\";r=0;t={seconds}"));
    other.get("/v1/workspaces").await.expect(200);
    t.inner.clock.advance(chrono::Duration::seconds(seconds));
    one.get("/v1/workspaces").await.expect(200);
    // Gateways are not held up by it.
    let gateway = t.client(Role::Gateway, None).await;
    for _ in 0..20 {
        gateway.get("/v1/gateway/servers/acme/linear").await.expect(404);
    }
}

#[tokio::test]
async fn failed_authentication_throttles_only_that_address() {
    let t = server(RequestLimits::default()).await;
    let good = t.key(Role::Viewer, None).await;
    let from = |token: &str, address: &str| {
        let client = t.with_token(token);
        let request =
            client.request(Method::GET, "/v1/workspaces").header("x-forwarded-for", address.to_owned());
        Client::send(request)
    };
    let mut refused = 0;
    for _ in 0..120 {
        match from("mcpr_guess", "203.0.113.9, 198.51.100.1").await.status.as_u16() {
            401 => {}
            429 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!((15..=20).contains(&refused), "{refused}");
    // Other callers of the address are not refused, and callers of other addresses are not delayed.
    let held_up = from("mcpr_guess", "198.51.100.1").await.expect(429);
    assert!(held_up.header("retry-after").parse::<u64>().unwrap() >= 1);
    from(&good, "198.51.100.1").await.expect(200);
    from(&good, "198.51.100.2").await.expect(200);
    from("mcpr_guess", "198.51.100.2").await.expect(401);
    t.inner.clock.advance(chrono::Duration::seconds(5));
    from(&good, "198.51.100.1").await.expect(200);
}

#[tokio::test]
async fn full_server_refuses_further_requests_but_no_gateway() {
    let t = server(RequestLimits { max_concurrent: 2, ..RequestLimits::default() }).await;
    let (admin, gateway) = (t.client(Role::Admin, None).await, t.client(Role::Gateway, None).await);
    let address = |last: u8| Some(IpAddr::from([203, 0, 113, last]));
    let held: Vec<_> = (0..2).map(|one| t.inner.registry.limits().acquire(address(one)).unwrap()).collect();
    let refused = admin.get("/v1/workspaces").await.expect(503);
    assert_eq!((refused.json()["code"].as_str(), refused.header("retry-after")), (Some("overloaded"), "1"));
    let page = t.anonymous().get("/ui/sign-in").await.expect(503);
    assert!(page.text.contains("Nothing was done") && page.header("retry-after") == "1", "{}", page.text);
    gateway.get("/v1/gateway/servers/acme/linear").await.expect(404);
    for open in ["/healthz", "/readyz"] {
        t.anonymous().get(open).await.expect(200);
    }
    drop(held);
    admin.get("/v1/workspaces").await.expect(200);
}

#[tokio::test]
async fn one_address_is_limited_to_its_share_of_concurrent_requests() {
    let t = server(RequestLimits { max_concurrent: 8, ..RequestLimits::default() }).await;
    let take = |address: &str| t.inner.registry.limits().acquire(Some(address.parse().unwrap()));
    let held = [take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap()];
    assert!(take("2001:db8::3").is_err(), "the same network has its share");
    let others: Vec<_> = (1..=6).map(|one| take(&format!("192.0.2.{one}")).unwrap()).collect();
    assert!(take("192.0.2.7").is_err(), "all are taken");
    drop(held);
    drop(take("2001:db8::3").unwrap());
    drop(others);
}

#[tokio::test]
async fn anonymous_requests_are_limited_by_address() {
    let t = server(RequestLimits { burst: 4, per_second: 1, ..RequestLimits::default() }).await;
    let from = |path: &str, address: &str| {
        let request = t.anonymous().request(Method::GET, path).header("x-forwarded-for", address.to_owned());
        Client::send(request)
    };
    for (path, allowed) in [
        ("/v1/workspaces", 401),
        ("/ui/sign-in", 200),
        ("/metrics", 200),
        ("/oauth/clients/unknown.json", 404),
    ] {
        from(path, "198.51.100.1").await.expect(allowed);
    }
    for path in ["/v1/workspaces", "/ui/sign-in", "/metrics", "/readyz", "/oauth/clients/unknown.json"] {
        let refused = from(path, "198.51.100.1").await.expect(429);
        assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1, "{path}");
    }
    // An unknown cookie is no credential.
    let made_up =
        t.anonymous().request(Method::GET, "/ui/integrations").header("x-forwarded-for", "198.51.100.1");
    Client::send(made_up.header("cookie", "mcp_registry_session=made-up")).await.expect(429);
    from("/healthz", "198.51.100.1").await.expect(200);
    from("/v1/workspaces", "198.51.100.2").await.expect(401);
    t.inner.clock.advance(chrono::Duration::seconds(1));
    from("/readyz", "198.51.100.1").await.expect(200);
}

/// Sends a form that never ends; how it is answered, and after how long.
async fn endless_form(t: &TestServer, path: &str, cookie: &str) -> (String, Duration) {
    let began = std::time::Instant::now();
    let mut stream = TcpStream::connect(t.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nsec-fetch-site: same-origin\r\n{cookie}content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\ne"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read =
        tokio::time::timeout(Duration::from_secs(30), stream.read(&mut answer)).await.unwrap().unwrap();
    (String::from_utf8_lossy(&answer[..read]).into_owned(), began.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anonymous_form_uploads_time_out() {
    let t = TestServer::new(Engine::Sqlite).await;
    let unknown = "cookie: mcp_registry_session=unknown\r\n";
    let (signing_in, guessing, ended) = tokio::join!(
        endless_form(&t, "/ui/sign-in", ""),
        endless_form(&t, "/ui/sign-in", unknown),
        endless_form(&t, "/ui/workspaces/new", unknown),
    );
    for (answer, after) in [signing_in, guessing, ended] {
        assert!(answer.starts_with("HTTP/1.1 503") || answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert!(after < Duration::from_secs(20), "{after:?}");
    }
}

#[tokio::test]
async fn slow_request_times_out() {
    let t = server(RequestLimits { timeout: Duration::from_millis(200), ..RequestLimits::default() }).await;
    let key = t.key(Role::Admin, None).await;
    // A body that never comes.
    let mut stream = TcpStream::connect(t.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST /v1/workspaces HTTP/1.1\r\nhost: x\r\nx-portkey-api-key: {key}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read =
        tokio::time::timeout(Duration::from_secs(10), stream.read(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("timed_out"), "{answer}");
    t.with_token(&key).get("/v1/workspaces").await.expect(200);
}

#[tokio::test]
async fn oversized_and_deeply_nested_bodies_are_refused() {
    let t = TestServer::new(Engine::Sqlite).await;
    let admin = t.client(Role::Admin, None).await;
    let post = |body: String| {
        let request =
            admin.request(Method::POST, "/v1/workspaces").header("content-type", "application/json");
        Client::send(request.body(body))
    };
    post(format!(r#"{{"name":"{}"}}"#, "x".repeat(600_000))).await.expect(413);
    let deep = format!(r#"{{"name":"A","x":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    let refused = post(deep).await;
    assert!([400, 422].contains(&refused.status.as_u16()), "{}", refused.text);
    let deep = format!("{}1{}", r#"{"a":"#.repeat(20_000), "}".repeat(20_000));
    let body = json!({ "configurations": serde_json::Value::Null }).to_string().replace("null", &deep);
    let request = admin
        .request(Method::POST, "/v1/advanced-configuration/check")
        .header("content-type", "application/json");
    let refused = Client::send(request.body(body)).await;
    assert!(refused.status.is_client_error() || refused.json()["valid"] == false, "{}", refused.text);
    for query in [
        "page_size=0",
        "page_size=1001",
        "current_page=1000001",
        "page_size=99999999999999999999",
        "current_page=-1",
    ] {
        admin.get(&format!("/v1/workspaces?{query}")).await.expect(400);
    }
    // Headers: many, and long.
    for head in ["x-odd: 1\r\n".repeat(200), format!("x-long: {}\r\n", "x".repeat(200_000))] {
        let mut stream = TcpStream::connect(t.url.strip_prefix("http://").unwrap()).await.unwrap();
        let request = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{head}\r\n");
        // It may be refused before all of it was sent.
        drop(stream.write_all(request.as_bytes()).await);
        let mut answer = [0; 64];
        let read = stream.read(&mut answer).await.unwrap_or(0);
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    t.anonymous().get("/healthz").await.expect(200);
}

/// A path that is sent more than it takes.
const TOO_MUCH: &str = "/v1/advanced-configuration/check";

#[tokio::test]
async fn every_response_has_the_security_headers() {
    let t = TestServer::secure(Engine::Sqlite).await;
    let admin = t.client(Role::Admin, None).await;
    let gateway = t.client(Role::Gateway, None).await;
    t.inner.workspace("acme").await;
    t.inner.integration("linear", "https://mcp.linear.app/mcp", None).await;
    t.inner.server("linear", "acme").await;
    follow(&t.inner.registry, &t.inner.database.url).await;
    // From the second time on it is served from memory.
    gateway.get("/v1/gateway/servers/acme/linear").await.expect(200);
    let nobody = t.anonymous();
    for (who, path) in [
        (&nobody, "/"),
        (&nobody, "/nowhere"),
        (&nobody, "/healthz"),
        (&nobody, "/readyz"),
        (&nobody, "/metrics"),
        (&nobody, "/openapi.json"),
        (&nobody, "/docs/"),
        (&nobody, "/docs/problems"),
        (&nobody, "/docs/gateway-document.schema.json"),
        (&nobody, "/oauth/clients/unknown.json"),
        (&nobody, "/ui"),
        (&nobody, "/ui/sign-in"),
        (&nobody, "/ui/integrations"),
        (&nobody, "/ui/nowhere"),
        (&nobody, "/ui/assets/nothing.css"),
        (&nobody, "/v1/workspaces"),
        (&nobody, "/v1/nowhere"),
        (&admin, "/v1/workspaces"),
        (&admin, "/v1/workspaces/%ff"),
        (&admin, "/v1/mcp-servers/linear/capabilities"),
        (&gateway, "/v1/gateway/servers/acme/linear"),
        (&gateway, "/v1/gateway/servers/acme/nothing"),
        (&gateway, "/v1/gateway/changes?since=0&wait=0"),
        (&admin, TOO_MUCH),
    ] {
        let reply = match path {
            TOO_MUCH => {
                let request = who.request(Method::POST, path).header("content-type", "application/json");
                Client::send(request.body("x".repeat(600_000))).await.expect(413)
            }
            _ => who.get(path).await,
        };
        let headers: Vec<_> = reply.headers.keys().map(ToString::to_string).collect();
        for name in [
            "x-content-type-options",
            "referrer-policy",
            "content-security-policy",
            "strict-transport-security",
        ] {
            assert!(reply.headers.contains_key(name), "{path} ({}) lacks {name}: {headers:?}", reply.status);
        }
        let policy = reply.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'none'") || reply.headers.contains_key("x-frame-options"),
            "{path}: {policy}"
        );
    }
}
