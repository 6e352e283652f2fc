//! What the documents say: useless ones, identifiers, endpoints, encodings, and what an admin entered instead.

use super::{entered, failure, found, metadata, resource, search, upstream, warns};
use crate::discovery::{AS, OIDC, PR};
use crate::upstream::Reply;
use registry_core::oauth::{FailureClass, ResourceMatch};
use registry_outbound::ClientMethods;
use serde_json::{Map, Value, json};
use std::io::Write;

#[tokio::test]
async fn many_bad_endpoints_are_counted() {
    let upstream = upstream(|origin, seen| {
        (seen.path == AS).then(|| {
            let mut metadata = metadata(origin);
            for number in 0..1_000 {
                metadata[format!("a{number}\u{202e}_endpoint")] = json!(1);
            }
            Reply::json(200, &metadata)
        })
    })
    .await;
    let warnings = found(&upstream).await.warnings;
    assert!(warnings.len() < 10 && !warnings.join(" ").contains('\u{202e}'), "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning.starts_with("995 more")), "{warnings:?}");
}

#[tokio::test]
async fn documents_that_are_no_metadata_are_passed_over() {
    let page = || Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n<html><title>App</titl".to_vec());
    let useless: Vec<(&str, Reply)> = vec![
        ("an empty object", Reply::json(200, &json!({}))),
        ("an error object", Reply::json(200, &json!({ "statusCode": 404, "message": "Cannot GET" }))),
        ("an OAuth error", Reply::json(200, &json!({ "error": "not_found" }))),
        ("null members", Reply::json(200, &json!({ "resource": null, "issuer": null }))),
        ("a list", Reply::json(200, &json!([]))),
        ("a text", Reply::json(200, &json!("ok"))),
        ("a page", page()),
        ("nothing", Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec())),
        ("204", Reply::status(204)),
        ("401", Reply::status(401)),
        ("403", Reply::status(403)),
        ("301 without Location", Reply::status(301)),
    ];
    for (name, reply) in useless {
        let at_first = reply.clone();
        let upstream = upstream(move |origin, seen| match seen.path.as_str() {
            AS => Some(at_first.clone()),
            path if path == format!("{PR}/mcp") => Some(at_first.clone()),
            PR => Some(Reply::json(200, &resource(origin))),
            OIDC => Some(Reply::json(200, &metadata(origin))),
            _ => None,
        })
        .await;
        assert_eq!(found(&upstream).await.issuer, upstream.origin, "{name}");
        let everywhere = super::upstream(move |_, seen| (seen.path != "/mcp").then(|| reply.clone())).await;
        assert_eq!(failure(&everywhere).await.code, "authorization_server_not_found", "{name}");
    }
}

#[tokio::test]
async fn unusable_documents_do_not_beat_what_was_entered() {
    let replies: Vec<(&str, Reply)> = vec![
        ("an empty object", Reply::json(200, &json!({}))),
        ("an error with 200", Reply::json(200, &json!({ "error": "x" }))),
        ("without issuer", Reply::json(200, &json!({ "token_endpoint": "https://as.example/token" }))),
        ("another issuer", Reply::json(200, &metadata("https://evil.example"))),
        ("another resource", Reply::json(200, &json!({ "resource": "api://0f1e" }))),
        ("https for http", Reply::json(200, &json!({ "resource": "https://127.0.0.1/mcp" }))),
        (
            "resource is missing",
            Reply::json(200, &json!({ "authorization_servers": ["https://as.example"] })),
        ),
        ("500", Reply::status(500)),
        ("503", Reply::status(503)),
        ("429", Reply::status(429)),
        ("403", Reply::status(403)),
        ("a redirect inside", Reply::redirect(302, "http://10.0.0.1/x")),
        ("a closed connection", Reply::Raw(Vec::new())),
    ];
    for (name, reply) in replies {
        let upstream = upstream(move |_, seen| (seen.path != "/mcp").then(|| reply.clone())).await;
        let overrides = entered(&upstream);
        let discovery = search(&upstream, |target| target.overrides = overrides)
            .await
            .unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert_eq!(discovery.issuer, upstream.origin, "{name}");
        assert_eq!(discovery.metadata["token_endpoint"], "https://hand.example/token", "{name}");
        assert!(!discovery.warnings.is_empty(), "{name}: what was passed over is told");
    }
}

#[tokio::test]
async fn entered_resource_is_what_gateways_get() {
    for resource in ["api://0f1e2d3c", "urn:acme:mcp", "https://other.example/mcp", "acme"] {
        let upstream = upstream(move |origin, seen| {
            (seen.path == format!("{PR}/mcp")).then(|| {
                Reply::json(200, &json!({ "resource": resource, "authorization_servers": [origin] }))
            })
        })
        .await;
        let mismatch = failure(&upstream).await;
        assert_eq!((mismatch.class, mismatch.code), (FailureClass::Security, "resource_mismatch"));
        assert!(mismatch.message.contains(&format!("({resource})")), "{}", mismatch.message);
        let discovery =
            search(&upstream, |target| target.resource = Some(resource.to_owned())).await.unwrap();
        assert_eq!(
            (discovery.resource.as_str(), discovery.resource_match),
            (resource, Some(ResourceMatch::Entered))
        );
        let other = search(&upstream, |target| target.resource = Some("api://another".to_owned())).await;
        assert_eq!(other.unwrap_err().code, "resource_mismatch", "{resource}");
    }
    let upstream = upstream(|_, _| None).await;
    let discovery = search(&upstream, |target| target.resource = Some("api://x".to_owned())).await.unwrap();
    assert_eq!(discovery.resource, "api://x");
}

#[tokio::test]
async fn identifiers_are_shown_as_they_are_and_can_be_copied() {
    for (listed, named) in [
        ("/VCeDsk8Z", ""),
        ("/t", "/t/"),
        ("/t", "/T"),
        ("/t", "/{tenantid}/v2.0"),
        ("/t", "/t%20x"),
        ("/t", "/t/../t"),
        ("", "/backend/oauthproxy"),
        ("/t", "/é"),
    ] {
        let upstream = upstream(move |origin, seen| match seen.path.as_str() {
            path if path == format!("{PR}/mcp") => Some(Reply::json(
                200,
                &json!({ "resource": format!("{origin}/mcp"), "authorization_servers": [format!("{origin}{listed}")] }),
            )),
            path if path == format!("{AS}{listed}") => Some(Reply::json(200, &metadata(&format!("{origin}{named}")))),
            _ => None,
        })
        .await;
        let mismatch = failure(&upstream).await;
        assert_eq!(mismatch.code, "issuer_mismatch", "{named}");
        let shown =
            mismatch.message.split("another issuer (").nth(1).unwrap().split(") than").next().unwrap();
        let discovery =
            search(&upstream, |target| target.trusted_issuer = Some(shown.to_owned())).await.unwrap();
        assert_eq!(discovery.issuer, upstream.url(named));
    }
}

#[tokio::test]
async fn endpoints_that_nobody_uses_are_left_out() {
    for name in [
        "introspection_endpoint",
        "revocation_endpoint",
        "pushed_authorization_request_endpoint",
        "device_authorization_endpoint",
        "userinfo_endpoint",
        "end_session_endpoint",
        "backchannel_authentication_endpoint",
        "jwks_uri",
    ] {
        for value in [
            json!("http://keycloak-http.keycloak.svc.cluster.local/x"),
            json!("/relative"),
            json!("https://10.0.0.1/x"),
            json!("javascript:alert(1)"),
            json!("not a URL"),
            json!(7),
            json!(["https://as.example/x"]),
        ] {
            let (odd, shown) = (value.clone(), value.as_str().unwrap_or("").to_owned());
            let upstream = upstream(move |origin, seen| {
                (seen.path == AS).then(|| {
                    let mut metadata = metadata(origin);
                    metadata[name] = odd.clone();
                    Reply::json(200, &metadata)
                })
            })
            .await;
            let discovery = found(&upstream).await;
            assert!(!discovery.metadata.contains_key(name), "{name} {value}");
            warns(&discovery, &[name, &shown]);
        }
    }
    // Registration is not needed where a client was entered.
    let upstream = upstream(|origin, seen| {
        (seen.path == AS).then(|| {
            let mut metadata = metadata(origin);
            metadata["registration_endpoint"] = json!("http://inner.example/register");
            Reply::json(200, &metadata)
        })
    })
    .await;
    assert_eq!(failure(&upstream).await.code, "endpoint_not_allowed");
    let paths = ClientMethods { entered: true, documents: false };
    let discovery = search(&upstream, |target| target.paths = paths).await.unwrap();
    warns(&discovery, &["registration_endpoint", "http://inner.example/register"]);
}

#[tokio::test]
async fn client_credentials_need_no_authorization_endpoint() {
    for value in [Value::Null, json!("http://inner.example/authorize"), json!("")] {
        let odd = value.clone();
        let upstream = upstream(move |origin, seen| {
            (seen.path == AS).then(|| {
                let mut metadata = metadata(origin);
                metadata["authorization_endpoint"] = odd.clone();
                metadata["code_challenge_methods_supported"] = Value::Null;
                Reply::json(200, &metadata)
            })
        })
        .await;
        assert!(search(&upstream, |_| {}).await.is_err(), "{value}: people must sign in somewhere");
        let discovery = search(&upstream, |target| target.without_sign_in = true).await.unwrap();
        assert_eq!(discovery.issuer, upstream.origin, "{value}");
        assert!(!discovery.warnings.join(" ").contains("PKCE"), "{value}");
    }
    let nothing = upstream(|_, seen| (seen.path != "/mcp").then(|| Reply::status(404))).await;
    let mut overrides = entered(&nothing);
    overrides.remove("authorization_endpoint");
    assert!(search(&nothing, |target| target.overrides = overrides.clone()).await.is_err());
    let discovery = search(&nothing, |target| {
        target.overrides = overrides;
        target.without_sign_in = true;
    })
    .await
    .unwrap();
    assert_eq!(discovery.issuer, nothing.origin);
}

#[tokio::test]
async fn unasked_encodings_are_decoded_or_named() {
    let coded = |origin: &str| {
        let mut coder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
        coder.write_all(metadata(origin).to_string().as_bytes()).unwrap();
        coder.into_inner()
    };
    let upstream = upstream(move |origin, seen| {
        (seen.path == AS).then(|| {
            let body = coded(origin);
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: {}\r\n\r\n", body.len());
            Reply::Raw([head.into_bytes(), body].concat())
        })
    })
    .await;
    assert_eq!(found(&upstream).await.issuer, upstream.origin);
    for encoding in ["zstd", "deflate", "br", "snappy"] {
        let upstream = super::upstream(move |_, seen| {
            (seen.path == AS).then(|| {
                Reply::Raw(
                    format!(
                        "HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: 4\r\n\r\nxxxx"
                    )
                    .into_bytes(),
                )
            })
        })
        .await;
        let failure = failure(&upstream).await;
        assert_eq!(failure.code, "metadata_not_found");
        assert!(failure.message.contains(&format!("content encoding `{encoding}`")), "{}", failure.message);
    }
}

#[tokio::test]
async fn reasons_name_what_was_answered() {
    let page = |status: u16, title: &str| {
        let body = format!("<!doctype html><title>{title}</title>");
        Reply::Raw(
            format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes(),
        )
    };
    for (reply, words) in [
        (page(403, "Attention Required!"), vec!["answered 403", "Attention Required!"]),
        (page(401, "Sign in"), vec!["answered 401", "Sign in"]),
        (page(200, "Just a moment..."), vec!["Just a moment..."]),
        (Reply::status(301), vec!["301", "without a `Location`"]),
        (Reply::redirect(302, "http://10.0.0.1/login"), vec!["10.0.0.1"]),
        (
            Reply::json(400, &json!({ "message": "missing header x-tenant" })),
            vec!["400", "missing header x-tenant"],
        ),
        (Reply::json(200, &json!([1])), vec!["JSON object"]),
        (Reply::json(200, &json!({ "hello": 1 })), vec!["neither `issuer` nor endpoints"]),
        (Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()), vec!["is empty"]),
    ] {
        let upstream = upstream(move |_, seen| (seen.path == AS).then(|| reply.clone())).await;
        let failure = failure(&upstream).await;
        for word in words {
            assert!(failure.message.contains(word), "{word} in: {}", failure.message);
        }
    }
    let upstream = upstream(|_, seen| (seen.path == AS).then(|| Reply::status(404))).await;
    assert!(failure(&upstream).await.message.contains("publishes no metadata. Enter"));
}

#[tokio::test]
async fn address_of_a_document_is_no_issuer() {
    for (path, issuer) in [(AS.to_owned(), ""), (format!("{AS}/t"), "/t"), (format!("/t{OIDC}"), "/t")] {
        let upstream = upstream(|_, seen| (seen.path != "/mcp").then(|| Reply::status(404))).await;
        let overrides = Map::from_iter([("issuer".to_owned(), json!(upstream.url(&path)))]);
        let failure = search(&upstream, |target| target.overrides = overrides).await.unwrap_err();
        assert_eq!(failure.code, "metadata_not_found");
        assert!(failure.message.contains("address of a metadata document"), "{}", failure.message);
        assert!(failure.message.ends_with(&format!("to {}.", upstream.url(issuer))), "{}", failure.message);
    }
}
