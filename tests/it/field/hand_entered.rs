//! What an admin entered stands, whatever useless document is published beside it.

use super::{ASM, Case, OIDC, PRM, PRM_MCP, by_hand, case, cases, check, members};
use serde_json::{Value, json};
use support::{Answer, UpstreamScript};

cases! {
    entered_endpoints_stand_against_useless_metadata = useless_metadata();
    entered_issuer_stands_against_useless_protected_resources = useless_resources();
    gateways_use_the_resource_that_an_admin_sets = resources_set();
}

fn useless_metadata() -> Vec<Case> {
    let published = |name: &str, answer: Answer| {
        case(format!("both forms answer {name}"), move |u| {
            u.fixed(ASM, answer.clone());
            u.fixed(OIDC, answer.clone());
        })
        .entered(by_hand)
        .registers()
    };
    let changed = |name: &str, change: fn(&mut UpstreamScript)| {
        case(format!("metadata with {name}"), change).entered(by_hand).registers()
    };
    vec![
        published("an empty object", Answer::json(200, &json!({}))),
        published("null", Answer::json(200, &Value::Null)),
        published("a list", Answer::json(200, &json!([1]))),
        published("an error with 200", Answer::json(200, &json!({ "error": "not_found" }))),
        published("a page", Answer::page(200, "App")),
        published("nothing", Answer::raw(b"")),
        published("500", Answer::text(500, "")),
        published("503 and Retry-After", Answer::text(503, "").header("retry-after", "600")),
        published("401", Answer::text(401, "")),
        published("429", Answer::text(429, "")),
        published("an unknown encoding", Answer::json(200, &json!({})).header("content-encoding", "zstd")),
        published("broken JSON", Answer::new(200, "application/json", "{")),
        published(
            "a duplicate member",
            Answer::new(200, "application/json", r#"{"issuer":"a","issuer":"b"}"#),
        ),
        published("a redirect to a page", Answer::text(302, "").header("location", "/login")),
        published("300 KiB", Answer::new(200, "application/json", " ".repeat(300 << 10))),
        changed("no issuer", |u| drop(u.metadata.shift_remove("issuer"))),
        changed("an empty issuer", |u| drop(u.metadata.insert("issuer".to_owned(), json!("")))),
        changed("an issuer over https", |u| {
            let https = u.origin.replace("http:", "https:");
            u.metadata.insert("issuer".to_owned(), json!(https));
        }),
        changed("relative endpoints", |u| {
            u.metadata.insert("token_endpoint".to_owned(), json!("/token"));
            u.metadata.insert("authorization_endpoint".to_owned(), json!("/authorize"));
        }),
        changed("endpoints of an inner host", |u| {
            u.metadata.insert("token_endpoint".to_owned(), json!("http://keycloak.svc.cluster.local/token"));
        }),
        changed("lists as texts", |u| {
            u.metadata.insert("response_types_supported".to_owned(), json!("code"));
            u.metadata.insert("token_endpoint_auth_methods_supported".to_owned(), json!("none"));
        }),
    ]
}

fn useless_resources() -> Vec<Case> {
    let published = |name: &str, answer: Answer| {
        case(format!("protected resource answers {name}"), move |u| {
            u.fixed(PRM, answer.clone());
            u.fixed(PRM_MCP, answer.clone());
        })
        .entered(by_hand)
        .registers()
    };
    let of = |name: &str, resource: &'static str| {
        case(format!("protected resource is {name}"), move |u| {
            u.resource.insert("resource".to_owned(), json!(resource));
        })
        .entered(by_hand)
        .registers()
    };
    vec![
        published("404", Answer::text(404, "")),
        published("500", Answer::text(500, "")),
        published("503", Answer::text(503, "")),
        published("401", Answer::text(401, "")),
        published("an empty object", Answer::json(200, &json!({}))),
        published("an error with 200", Answer::json(200, &json!({ "statusCode": 404 }))),
        published("a page", Answer::page(200, "App")),
        published("a list", Answer::json(200, &json!([]))),
        published("nothing", Answer::raw(b"")),
        of("an app id URI", "api://0f1e2d3c"),
        of("another host", "https://elsewhere.example/mcp"),
        of("empty", ""),
        case("protected resource is that of https", |u| {
            let https = u.url("/mcp").replace("http:", "https:");
            u.resource.insert("resource".to_owned(), json!(https));
        })
        .entered(by_hand)
        .registers(),
        case("protected resource without servers", |u| {
            drop(u.resource.shift_remove("authorization_servers"));
        })
        .entered(by_hand)
        .registers(),
        case("server that answers 500 to everybody", |u| u.fixed("POST /mcp", Answer::text(500, "")))
            .entered(by_hand)
            .registers(),
    ]
}

/// `registration.resource` is what gateways ask tokens for, in any form of an identifier.
fn resources_set() -> Vec<Case> {
    [
        "api://0f1e2d3c-0000-4000-8000-00000000abcd",
        "urn:acme:mcp",
        "https://mcp.elsewhere.example/mcp",
        "acme-mcp",
    ]
    .map(|resource| {
        case(format!("registration.resource {resource}"), move |u| {
            u.resource.insert("resource".to_owned(), json!(resource));
        })
        .entered(move |u| {
            let mut entered = members(by_hand(u));
            entered.insert("registration".to_owned(), json!({ "resource": resource }));
            entered.into()
        })
        .registers()
        .sees(move |seen| {
            let text = seen.document.to_string();
            check(text.contains(&format!("\"resource\":\"{resource}\"")), || format!("the document: {text}"))
        })
    })
    .into()
}
