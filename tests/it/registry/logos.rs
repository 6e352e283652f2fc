//! Logos: wanted by a save, fetched once an hour, kept, and shown to those who may check configurations.

use registry::{Actor, Error, LogoState, Registry};
use registry_core::permission::Role;
use registry_core::slug::Reference;
use rstest::rstest;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{Engine, TestRegistry, actor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A host of pictures that counts what it was asked.
pub(crate) struct Host {
    pub(crate) url: String,
    asked: Arc<AtomicUsize>,
}

/// The beginning of a PNG, 512×256, and nothing more.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\0\0\0\x01\0\x08\x06\0\0\0";

impl Host {
    /// `/logo.png` is a picture, `/moved.png` a redirect, all else a page.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<AtomicUsize> = Arc::default();
        let count = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 2048];
                let length = stream.read(&mut request).await.unwrap_or_default();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                count.fetch_add(1, Ordering::SeqCst);
                let (head, body): (&str, &[u8]) = match request.split(' ').nth(1) {
                    Some("/logo.png") => ("200 OK\r\ncontent-type: image/png", PNG),
                    Some("/moved.png") => ("301 Moved\r\nlocation: https://elsewhere.example/l.png", b""),
                    _ => ("200 OK\r\ncontent-type: text/html", b"<!doctype html>"),
                };
                let head =
                    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(body).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn configuration(logo: &str) -> String {
    format!(r#"{{"oauth_client_metadata": {{"logo_uri": "{logo}"}}}}"#)
}

async fn save(t: &TestRegistry, logo: &str) {
    let subject = registry::ConfigurationScope::Integration(Reference::parse("linear"));
    let text = Some(configuration(logo));
    t.registry.configurations().set(&t.admin(), &subject, text, None, None).await.unwrap();
}

async fn fetch_all(registry: &Registry) {
    while registry.logos().fetch_due("test").await.unwrap() {}
}

async fn state(registry: &Registry, actor: &Actor, url: &str) -> LogoState {
    registry.logos().get(actor, url).await.unwrap().state
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logo_is_fetched_at_most_once_an_hour_per_save(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let host = Host::start().await;
    let url = format!("{}/logo.png", host.url);
    t.integration("linear", "https://mcp.linear.app/mcp", Some(&configuration(&url))).await;
    let admin = t.admin();
    assert_eq!((state(&t.registry, &admin, &url).await, host.asked()), (LogoState::Waiting, 0));
    fetch_all(&t.registry).await;
    let LogoState::Picture { digest, media_type, pixels, size, labelled } =
        state(&t.registry, &admin, &url).await
    else {
        panic!("a picture")
    };
    assert_eq!((media_type.as_str(), pixels, size as usize), ("image/png", Some((512, 256)), PNG.len()));
    assert_eq!(labelled, None);
    let file = t.registry.logos().file(&admin, &digest).await.unwrap();
    assert_eq!((file.media_type.as_str(), file.bytes.as_slice()), ("image/png", PNG));

    save(&t, &url).await;
    fetch_all(&t.registry).await;
    assert_eq!(host.asked(), 1, "it is fresh");
    t.clock.advance(chrono::TimeDelta::minutes(61));
    save(&t, &url).await;
    fetch_all(&t.registry).await;
    assert_eq!(host.asked(), 2);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logo_can_be_refetched_by_a_user_within_limits(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let host = Host::start().await;
    let (registry, admin) = (&t.registry, t.admin());
    let url = format!("{}/moved.png", host.url);
    assert_eq!(state(registry, &admin, &url).await, LogoState::Unknown);
    for _ in 0..2 {
        let LogoState::Problem { code, message } = registry.logos().fetch(&admin, &url).await.unwrap().state
        else {
            panic!("no picture")
        };
        assert_eq!((code.as_str(), host.asked()), ("redirected", 1));
        assert!(message.contains("https://elsewhere.example/l.png"), "{message}");
    }
    t.clock.advance(chrono::TimeDelta::seconds(11));
    registry.logos().fetch(&admin, &url).await.unwrap();
    assert_eq!(host.asked(), 2);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logo_of_a_forbidden_address_is_not_fetched_and_reveals_nothing(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let (registry, admin) = (&t.registry, t.admin());
    for (url, words) in [
        ("http://acme.com/logo.png", "http is not allowed"),
        ("https://10.0.0.1/logo.png", "private or reserved"),
        ("https://u:p@acme.com/logo.png", "user name"),
    ] {
        t.integration(&format!("i{}", url.len()), "https://mcp.linear.app/mcp", None).await;
        let LogoState::Problem { code, message } = registry.logos().fetch(&admin, url).await.unwrap().state
        else {
            panic!("{url}")
        };
        assert_eq!(code, "address_not_allowed");
        assert!(message.contains(words), "{message}");
    }
    // A port without a listener and a name that does not exist read alike.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut said = Vec::new();
    for url in [format!("http://{closed}/l.png"), "https://nothing.invalid/l.png".to_owned()] {
        said.push(registry.logos().fetch(&admin, &url).await.unwrap().state);
    }
    assert!(matches!(&said[0], LogoState::Problem { code, .. } if code == "unreachable"), "{said:?}");
    assert_eq!(said[0], said[1]);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logos_require_the_scope_to_check_configurations(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let host = Host::start().await;
    let url = format!("{}/logo.png", host.url);
    let viewer = actor(&t.registry, Role::Viewer, None).await;
    let gateway = actor(&t.registry, Role::Gateway, None).await;
    for result in
        [t.registry.logos().fetch(&gateway, &url).await, t.registry.logos().get(&gateway, &url).await]
    {
        assert!(matches!(result, Err(Error::Forbidden { .. })), "{result:?}");
    }
    assert_eq!(host.asked(), 0);
    let LogoState::Picture { digest, .. } = t.registry.logos().fetch(&viewer, &url).await.unwrap().state
    else {
        panic!("a picture")
    };
    t.registry.logos().file(&viewer, &digest).await.unwrap();
    assert!(matches!(t.registry.logos().file(&gateway, &digest).await, Err(Error::Forbidden { .. })));
    assert!(matches!(t.registry.logos().file(&viewer, "0000").await, Err(Error::NotFound { .. })));
}
