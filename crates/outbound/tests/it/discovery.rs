//! The order of discovery (INV-30), and what is believed.

use crate::upstream::{Reply, Seen, Upstream, guarded};
use registry_core::oauth::{Discovery, Failure, FailureClass, IssuerMatch, ResourceMatch};
use registry_outbound::{DiscoverOutcome, DiscoverTarget, discover};
use serde_json::{Value, json};

pub(crate) const PR: &str = "/.well-known/oauth-protected-resource";
pub(crate) const AS: &str = "/.well-known/oauth-authorization-server";
pub(crate) const OIDC: &str = "/.well-known/openid-configuration";

/// Metadata of an authorization server at `issuer`.
fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer, "authorization_endpoint": "https://as.example/authorize",
        "token_endpoint": "https://as.example/token", "registration_endpoint": "https://as.example/register",
        "code_challenge_methods_supported": ["S256"], "x_unknown": [1],
    })
}

/// Metadata of the protected resource at `origin``path`, whose authorization server is at `issuer`.
fn resource(origin: &str, path: &str, issuer: &str) -> Value {
    json!({ "resource": format!("{origin}{path}"), "authorization_servers": [format!("{origin}{issuer}")], "scopes_supported": ["a", "b"] })
}

async fn search(upstream: &Upstream, overrides: Value, trusted: Option<String>) -> DiscoverOutcome {
    let Value::Object(overrides) = overrides else { panic!("an object") };
    let target =
        DiscoverTarget { overrides, trusted_issuer: trusted, ..DiscoverTarget::at(upstream.url("/mcp")) };
    discover(&guarded(), target).await
}

async fn found(upstream: &Upstream) -> Discovery {
    search(upstream, json!({}), None).await.result.unwrap()
}

async fn failure(upstream: &Upstream) -> Failure {
    search(upstream, json!({}), None).await.result.unwrap_err()
}

/// A server where `documents` are at their paths, and nothing else is.
async fn serving(
    documents: impl Fn(&str) -> Vec<(String, Value)> + Send + Sync + 'static,
    challenge: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> Upstream {
    Upstream::start(move |origin, seen| {
        if seen.path == "/mcp" {
            let reply = Reply::status(401);
            return match challenge(origin) {
                Some(challenge) => reply.header("www-authenticate", challenge),
                None => reply,
            };
        }
        let document = documents(origin).into_iter().find(|(path, _)| *path == seen.path);
        document.map_or(Reply::status(404), |(_, document)| Reply::json(200, &document))
    })
    .await
}

#[tokio::test]
async fn challenge_names_the_only_metadata_url_requested() {
    let upstream = serving(
        |origin| {
            vec![
                ("/custom".into(), resource(origin, "/mcp", "/tenant1")),
                (format!("{AS}/tenant1"), metadata(&format!("{origin}/tenant1"))),
            ]
        },
        |origin| {
            Some(format!("Basic realm=\"x\", Bearer scope=\"b c\", resource_metadata=\"{origin}/custom\""))
        },
    )
    .await;
    let outcome = search(&upstream, json!({}), None).await;
    let discovery = outcome.result.unwrap();
    assert_eq!(upstream.asked(), ["POST /mcp", "GET /custom", &format!("GET {AS}/tenant1")]);
    assert_eq!(discovery.resource_match, Some(ResourceMatch::Exact));
    assert_eq!(discovery.issuer_match, IssuerMatch::Exact);
    assert_eq!(discovery.issuer, upstream.url("/tenant1"));
    assert_eq!(discovery.scopes, ["b", "c", "a"], "the challenge's first, then the resource's");
    assert_eq!(discovery.metadata["x_unknown"], json!([1]), "kept verbatim");
    assert!(discovery.warnings.is_empty());
    let steps: Vec<_> = outcome.trace.iter().map(|one| (one.step.as_str(), one.status)).collect();
    assert_eq!(
        steps,
        [("probe", Some(401)), ("protected_resource", Some(200)), ("authorization_server", Some(200))]
    );
    let probe = &upstream.seen()[0];
    assert_eq!(probe.header("accept"), Some("application/json, text/event-stream"));
    assert_eq!(probe.header("authorization"), None);
    let body: Value = serde_json::from_slice(&probe.body).unwrap();
    assert_eq!(body["method"], "initialize");
}

#[tokio::test]
async fn well_known_urls_are_requested_in_order_without_a_challenge() {
    let upstream = serving(
        |origin| {
            vec![
                (PR.into(), resource(origin, "", "/t")),
                (format!("/t{OIDC}"), metadata(&format!("{origin}/t"))),
                (AS.into(), metadata(origin)),
            ]
        },
        |_| None,
    )
    .await;
    let discovery = found(&upstream).await;
    assert_eq!(
        upstream.asked(),
        [
            "POST /mcp".to_owned(),
            format!("GET {PR}/mcp"),
            format!("GET {PR}"),
            format!("GET {AS}/t"),
            format!("GET {OIDC}/t"),
            format!("GET /t{OIDC}"),
        ]
    );
    assert_eq!(discovery.resource_match, Some(ResourceMatch::Prefix));
    assert_eq!(discovery.resource, upstream.origin, "the resource's own text is the audience");
    assert_eq!(discovery.metadata_url, upstream.url(&format!("/t{OIDC}")));
}

#[tokio::test]
async fn issuer_is_accepted_only_when_it_matches() {
    for (listed, found_at, named, trusted, expected) in [
        ("/", AS.to_owned(), "", None, Ok(IssuerMatch::RootSlash)),
        ("", AS.to_owned(), "/", None, Ok(IssuerMatch::RootSlash)),
        ("/t", format!("{AS}/t"), "/t/", None, Err("issuer_mismatch")),
        ("/t", format!("{AS}/t"), "/other", None, Err("issuer_mismatch")),
        ("/t", format!("{AS}/t"), "/other", Some("/other"), Ok(IssuerMatch::Trusted)),
        ("/t", format!("{AS}/t"), "/other", Some("/third"), Err("issuer_mismatch")),
        ("/t", format!("{AS}/none"), "/t", None, Err("metadata_not_found")),
    ] {
        let upstream = serving(
            move |origin| {
                vec![
                    (format!("{PR}/mcp"), resource(origin, "/mcp", listed)),
                    (found_at.clone(), metadata(&format!("{origin}{named}"))),
                ]
            },
            |_| None,
        )
        .await;
        let trusted = trusted.map(|path| upstream.url(path));
        let result = search(&upstream, json!({}), trusted).await.result;
        let got = result.as_ref().map(|one| one.issuer_match).map_err(|failure| failure.code);
        assert_eq!(got, expected, "{listed} {named}");
        if let Ok(discovery) = result {
            assert_eq!(discovery.issuer, upstream.url(named), "the document's own text is the key");
            assert_eq!(discovery.authorization_server_listed, upstream.url(listed));
        }
    }
}

#[tokio::test]
async fn metadata_of_another_resource_stop_everything() {
    let upstream = serving(
        |_| vec![(format!("{PR}/mcp"), json!({ "resource": "https://evil.example/mcp", "authorization_servers": ["https://evil.example"] }))],
        |_| None,
    )
    .await;
    let failure = failure(&upstream).await;
    assert_eq!((failure.class, failure.code), (FailureClass::Security, "resource_mismatch"));
    assert_eq!(
        upstream.asked(),
        ["POST /mcp".to_owned(), format!("GET {PR}/mcp"), format!("GET {PR}")],
        "the next place is asked, another host is not"
    );
}

#[tokio::test]
async fn first_valid_authorization_server_is_used() {
    let upstream = serving(
        |origin| {
            let mut document = resource(origin, "/mcp", "/good");
            document["authorization_servers"] =
                json!([format!("{origin}/bad"), format!("{origin}/good"), format!("{origin}/never")]);
            vec![
                (format!("{PR}/mcp"), document),
                (format!("{AS}/bad"), metadata("https://evil.example")),
                (format!("{AS}/good"), metadata(&format!("{origin}/good"))),
            ]
        },
        |_| None,
    )
    .await;
    assert_eq!(found(&upstream).await.issuer, upstream.url("/good"));
    assert!(!upstream.asked().iter().any(|path| path.contains("never")));
}

#[tokio::test]
async fn endpoints_are_present_and_https() {
    for (name, value, expected) in [
        ("token_endpoint", json!("http://as.example/token"), "endpoint_not_allowed"),
        ("authorization_endpoint", json!("javascript:alert(1)"), "endpoint_not_allowed"),
        ("registration_endpoint", json!("/register"), "endpoint_not_allowed"),
        ("token_endpoint", Value::Null, "metadata_incomplete"),
        ("authorization_endpoint", json!(""), "metadata_incomplete"),
    ] {
        let upstream = serving(
            move |origin| {
                let mut metadata = metadata(origin);
                metadata[name] = value.clone();
                vec![(PR.into(), resource(origin, "", "")), (AS.into(), metadata)]
            },
            |_| None,
        )
        .await;
        assert_eq!(failure(&upstream).await.code, expected, "{name}");
        let mended =
            search(&upstream, json!({ name: "https://as.example/mended" }), None).await.result.unwrap();
        assert_eq!(mended.metadata[name], "https://as.example/mended", "an admin's word counts");
    }
}

#[tokio::test]
async fn servers_without_metadata_can_be_entered_by_hand() {
    let upstream = serving(|_| Vec::new(), |_| None).await;
    assert_eq!(failure(&upstream).await.code, "authorization_server_not_found");
    let overrides = json!({
        "issuer": upstream.url("/by-hand"), "authorization_endpoint": "https://as.example/authorize",
        "token_endpoint": "https://as.example/token",
    });
    let discovery = search(&upstream, overrides, None).await.result.unwrap();
    assert_eq!(discovery.issuer, upstream.url("/by-hand"));
    assert_eq!(discovery.resource, upstream.url("/mcp"));
    assert_eq!(discovery.resource_match, None);
}

#[tokio::test]
async fn missing_pkce_is_a_warning_in_discovery() {
    let upstream = serving(
        |origin| {
            let mut metadata = metadata(origin);
            metadata["code_challenge_methods_supported"] = json!([]);
            vec![(PR.into(), resource(origin, "", "")), (AS.into(), metadata)]
        },
        |_| None,
    )
    .await;
    assert_eq!(found(&upstream).await.warnings.len(), 1);
}

fn whole(origin: &str, seen: &Seen) -> Reply {
    match seen.path.as_str() {
        PR => Reply::json(200, &resource(origin, "", "")),
        AS => Reply::json(200, &metadata(origin)),
        _ => Reply::status(404),
    }
}

#[tokio::test]
async fn probe_answers_never_mean_that_no_authorization_is_needed() {
    for status in [200, 400, 404, 405, 500] {
        let upstream = Upstream::start(move |origin, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(status),
            _ => whole(origin, seen),
        })
        .await;
        assert_eq!(found(&upstream).await.issuer, upstream.origin, "{status}");
    }
    // An event stream that never ends: its headers are enough.
    let upstream = Upstream::start(|origin, seen| match seen.path.as_str() {
        "/mcp" => Reply::Stall("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: x\n".into()),
        _ => whole(origin, seen),
    })
    .await;
    assert_eq!(found(&upstream).await.issuer, upstream.origin);
}

#[tokio::test]
async fn transient_failures_are_retried() {
    for (path, status) in [(PR, 429), (AS, 503)] {
        let upstream = Upstream::start(move |origin, seen| {
            if seen.path == path {
                Reply::status(status).header("retry-after", "30")
            } else {
                whole(origin, seen)
            }
        })
        .await;
        let failure = failure(&upstream).await;
        assert_eq!(
            (failure.class, failure.code),
            (FailureClass::Transient, "upstream_unavailable"),
            "{path}"
        );
        assert_eq!(failure.retry_after, Some(30));
    }
    for bad in [401, 500] {
        let upstream = Upstream::start(move |_, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(bad),
            PR if bad == 401 => Reply::status(502),
            _ => Reply::status(404),
        })
        .await;
        assert_eq!(failure(&upstream).await.class, FailureClass::Transient, "{bad}");
    }
}

#[tokio::test]
async fn every_answer_is_recorded_without_queries() {
    let upstream = serving(
        |_| Vec::new(),
        |origin| Some(format!("Bearer resource_metadata=\"{origin}/x?token=canary\"")),
    )
    .await;
    let target = DiscoverTarget::at(upstream.url("/mcp?key=canary"));
    let outcome = discover(&guarded(), target).await;
    assert!(outcome.trace.len() > 2);
    assert!(!serde_json::to_string(&outcome.trace).unwrap().contains("canary"));
    assert!(!outcome.result.unwrap_err().message.contains("canary"));
}
