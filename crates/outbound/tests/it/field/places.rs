//! Where metadata may be: hints, well-known addresses, several authorization servers.

use super::{failure, found, metadata, resource, search, upstream, warns};
use crate::discovery::{AS, OIDC, PR};
use crate::upstream::{Reply, hasty};
use registry_core::oauth::{FailureClass, IssuerMatch};
use registry_core::registration::Transport;
use registry_outbound::{DiscoverTarget, discover};
use serde_json::{Value, json};

#[tokio::test]
async fn unusable_hints_are_passed_over_and_named() {
    for hint in [
        "http://internal-alb.corp.invalid:8080/x",
        "https://no-such-host.invalid/prm",
        "https://10.0.0.1/prm",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "urn:acme:prm",
        "https://",
        "two words",
        "/nowhere",
        "/broken",
        "/page",
        "/busy",
        "/other",
    ] {
        let upstream = upstream(move |_, seen| match seen.path.as_str() {
            "/mcp" => Some(
                Reply::status(401)
                    .header("www-authenticate", format!("Bearer resource_metadata=\"{hint}\", scope=\"s\"")),
            ),
            "/broken" => Some(Reply::status(500)),
            "/busy" => Some(Reply::status(429)),
            "/page" => Some(Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>".to_vec())),
            "/other" => Some(Reply::json(200, &json!({ "resource": "https://evil.example" }))),
            _ => None,
        })
        .await;
        let discovery = found(&upstream).await;
        assert_eq!(discovery.issuer, upstream.origin, "{hint}");
        assert_eq!(discovery.scopes, ["s"], "{hint}");
        warns(&discovery, &[hint, "passed over"]);
    }
}

#[tokio::test]
async fn hints_are_completed() {
    type Hint = fn(&str) -> String;
    let table: [Hint; 10] = [
        |_| "Bearer resource_metadata=\"/custom\"".into(),
        |_| "Bearer resource_metadata=custom".into(),
        |_| "Bearer resource_metadata='/custom'".into(),
        |origin| format!("Bearer resource_metadata=\"{}\"", origin.replace("http://", "http:")),
        |origin| format!("Bearer resource_metadata=\"{}\"", origin.trim_start_matches("http://")),
        |origin| format!("Bearer resource_metadata=\"<{origin}/custom>\""),
        |origin| format!("Bearer resource_metadata=\\\"{origin}/custom\\\""),
        |origin| format!("resource_metadata=\"{origin}/custom\""),
        |origin| format!("Bearer realm=\"x\" resource_metadata_url=\"{origin}/custom\""),
        |origin| {
            format!(
                "Basic realm=\"a, b\", Bearer error=\"invalid_token\", resource_metadata=\"{origin}/custom\""
            )
        },
    ];
    for hint in table {
        let upstream = upstream(move |origin, seen| match seen.path.as_str() {
            "/mcp" => Some(Reply::status(401).header("www-authenticate", hint(origin))),
            "/custom" | "/" => Some(Reply::json(200, &resource(origin))),
            path if path.starts_with(PR) => Some(Reply::status(404)),
            _ => None,
        })
        .await;
        let name = hint(&upstream.origin);
        let discovery =
            search(&upstream, |_| {}).await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert_eq!(discovery.issuer, upstream.origin, "{name}");
        assert!(!upstream.asked().contains(&format!("GET {PR}/mcp")), "{name}: the hint was used");
        assert!(discovery.warnings.is_empty(), "{name}: {:?}", discovery.warnings);
    }
}

#[tokio::test]
async fn temporary_error_at_one_candidate_leaves_the_others() {
    for status in [408, 425, 429, 500, 501, 502, 503, 504, 520] {
        for (broken, working) in [(format!("{PR}/mcp"), PR), (AS.to_owned(), OIDC)] {
            let place = broken.clone();
            let upstream = upstream(move |origin, seen| match seen.path.as_str() {
                path if path == broken => Some(Reply::status(status).header("retry-after", "30")),
                PR => Some(Reply::json(200, &resource(origin))),
                OIDC => Some(Reply::json(200, &metadata(origin))),
                _ => None,
            })
            .await;
            assert_eq!(found(&upstream).await.issuer, upstream.origin, "{place} {status}");
            assert!(upstream.asked().contains(&format!("GET {working}")), "{place} {status}");
        }
        let down = upstream(move |_, seen| (seen.path != "/mcp").then(|| Reply::status(status))).await;
        let failure = failure(&down).await;
        assert_eq!(
            (failure.class, failure.code),
            (FailureClass::Transient, "upstream_unavailable"),
            "{status}"
        );
    }
    // A document that offers no method does not stand for one that is down only now.
    let upstream = upstream(|origin, seen| match seen.path.as_str() {
        AS => Some(Reply::status(503)),
        OIDC => {
            let mut other = metadata(origin);
            other["registration_endpoint"] = Value::Null;
            Some(Reply::json(200, &other))
        }
        _ => None,
    })
    .await;
    assert_eq!(failure(&upstream).await.class, FailureClass::Transient);
}

#[tokio::test]
async fn temporary_error_at_the_best_place_is_not_made_permanent() {
    for (busy, other, document) in [
        (format!("{PR}/mcp"), PR, json!({ "resource": "https://other.example/mcp" })),
        (
            AS.to_owned(),
            OIDC,
            json!({ "issuer": "https://other.example", "token_endpoint": "https://other.example/t" }),
        ),
    ] {
        let place = busy.clone();
        let upstream = upstream(move |_, seen| match seen.path.as_str() {
            path if path == busy => Some(Reply::status(503)),
            path if path == other => Some(Reply::json(200, &document)),
            _ => None,
        })
        .await;
        assert_eq!(failure(&upstream).await.class, FailureClass::Transient, "{place}");
    }
    // A hint that may not be followed counts less than the server's own address.
    let upstream = upstream(|_, seen| match seen.path.as_str() {
        "/mcp" => Some(
            Reply::status(401).header("www-authenticate", "Bearer resource_metadata=\"https://10.0.0.1/x\""),
        ),
        path if path.starts_with(PR) => Some(Reply::status(503)),
        _ => None,
    })
    .await;
    assert_eq!(failure(&upstream).await.class, FailureClass::Transient);
}

#[tokio::test]
async fn busy_mcp_server_is_searched_with_a_warning() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let upstream = upstream(move |_, seen| (seen.path == "/mcp").then(|| Reply::status(status))).await;
        let discovery = found(&upstream).await;
        warns(&discovery, &[&status.to_string(), "challenge"]);
    }
    for status in [429, 503] {
        let down = upstream(move |_, seen| {
            Some(if seen.path == "/mcp" {
                Reply::status(status).header("retry-after", "30")
            } else {
                Reply::status(404)
            })
        })
        .await;
        let failure = failure(&down).await;
        assert_eq!((failure.class, failure.retry_after), (FailureClass::Transient, Some(30)), "{status}");
    }
}

#[tokio::test]
async fn each_transport_is_probed_as_it_begins() {
    let challenged = |origin: &str| {
        Reply::status(401).header("www-authenticate", format!("Bearer resource_metadata=\"{origin}/meta\""))
    };
    for (transport, answers, other, expected) in [
        (Transport::Sse, "GET", Reply::status(405), vec!["GET /mcp", "GET /meta"]),
        (Transport::Sse, "POST", Reply::status(405), vec!["GET /mcp", "POST /mcp", "GET /meta"]),
        (Transport::Sse, "POST", Reply::status(404), vec!["GET /mcp", "POST /mcp", "GET /meta"]),
        (Transport::Http, "POST", Reply::status(405), vec!["POST /mcp", "GET /meta"]),
        (Transport::Http, "GET", Reply::status(405), vec!["POST /mcp", "GET /mcp", "GET /meta"]),
    ] {
        let upstream = upstream(move |origin, seen| match (seen.method.as_str(), seen.path.as_str()) {
            (method, "/mcp") if method == answers => Some(challenged(origin)),
            (_, "/mcp") => Some(other.clone()),
            (_, "/meta") => Some(Reply::json(200, &resource(origin))),
            (_, path) if path.starts_with(PR) => Some(Reply::status(404)),
            _ => None,
        })
        .await;
        search(&upstream, |target| target.transport = transport).await.unwrap();
        assert_eq!(upstream.asked()[..expected.len()], expected, "{transport} {answers}");
    }
}

#[tokio::test]
async fn transport_that_sends_nothing_is_probed_the_other_way() {
    for (transport, silent) in [(Transport::Sse, "GET"), (Transport::Http, "GET")] {
        let upstream = upstream(move |_, seen| match (seen.method.as_str(), seen.path.as_str()) {
            (method, "/mcp") if method == silent => Some(Reply::Stall(Vec::new())),
            ("POST", "/mcp") if transport == Transport::Http => Some(Reply::status(405)),
            _ => None,
        })
        .await;
        let mut target = DiscoverTarget::at(upstream.url("/mcp"));
        target.transport = transport;
        let found = discover(&hasty(), target).await.result.unwrap();
        assert_eq!(found.issuer, upstream.origin, "{transport}");
    }
}

#[tokio::test]
async fn legacy_servers_are_guessed_only_where_nothing_is_published() {
    let legacy = |target: &mut DiscoverTarget| target.legacy = true;
    for (place, reply, expected) in [
        (AS, None, "https://as.example/register"),
        (OIDC, None, "https://as.example/register"),
        (AS, Some(Reply::json(200, &json!({ "statusCode": 404 }))), "/register"),
        (AS, Some(Reply::status(403)), "/register"),
        (AS, Some(Reply::status(404)), "/register"),
    ] {
        let upstream = upstream(move |origin, seen| match seen.path.as_str() {
            "/mcp" => None,
            path if path == place => {
                Some(reply.clone().unwrap_or_else(|| Reply::json(200, &metadata(origin))))
            }
            _ => Some(Reply::status(404)),
        })
        .await;
        let discovery = search(&upstream, legacy).await.unwrap();
        assert_eq!(discovery.issuer_match, IssuerMatch::Legacy);
        let expected = if expected.starts_with('/') { upstream.url(expected) } else { expected.to_owned() };
        assert_eq!(discovery.metadata["registration_endpoint"], expected);
    }
    let down = upstream(|_, seen| match seen.path.as_str() {
        AS => Some(Reply::status(503)),
        "/mcp" => None,
        _ => Some(Reply::status(404)),
    })
    .await;
    assert_eq!(search(&down, legacy).await.unwrap_err().class, FailureClass::Transient);
    let without = upstream(|origin, seen| match seen.path.as_str() {
        OIDC => {
            let mut metadata = metadata(origin);
            metadata["registration_endpoint"] = Value::Null;
            Some(Reply::json(200, &metadata))
        }
        "/mcp" => None,
        _ => Some(Reply::status(404)),
    })
    .await;
    let discovery = search(&without, legacy).await.unwrap();
    assert!(
        discovery.authorization_server().registration_endpoint().is_none(),
        "the document says otherwise"
    );
}

#[tokio::test]
async fn next_authorization_server_is_used_when_the_first_cannot_be() {
    for first in
        ["https://login.corp.invalid", "https://10.0.0.1", "/busy", "/missing", "/other", "not a URL"]
    {
        let upstream = upstream(move |origin, seen| match seen.path.as_str() {
            path if path == format!("{PR}/mcp") => {
                let first =
                    if first.starts_with('/') { format!("{origin}{first}") } else { first.to_owned() };
                Some(Reply::json(
                    200,
                    &json!({ "resource": format!("{origin}/mcp"), "authorization_servers": [first, origin] }),
                ))
            }
            path if path.ends_with("/busy") => Some(Reply::status(503)),
            path if path == format!("{AS}/other") => {
                Some(Reply::json(200, &metadata("https://evil.example")))
            }
            _ => None,
        })
        .await;
        let discovery = found(&upstream).await;
        assert_eq!(discovery.issuer, upstream.origin, "{first}");
        warns(&discovery, &[first, "passed over", "`issuer`"]);
        if first == "/busy" {
            let known = Some(upstream.url("/busy"));
            let kept = search(&upstream, |target| target.known_issuer = known).await;
            assert_eq!(
                kept.unwrap_err().class,
                FailureClass::Transient,
                "an existing client keeps its server"
            );
        }
    }
}

#[tokio::test]
async fn slash_at_the_end_of_the_address_is_tolerated() {
    let upstream = upstream(|origin, seen| match seen.path.as_str() {
        "/mcp/" => Some(Reply::status(401)),
        path if path == format!("{PR}/mcp") => Some(Reply::json(200, &resource(origin))),
        _ => None,
    })
    .await;
    let address = upstream.url("/mcp/");
    let discovery = search(&upstream, |target| target.mcp_url = address).await.unwrap();
    assert_eq!(discovery.resource, upstream.url("/mcp"));
}
