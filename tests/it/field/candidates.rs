//! Addresses at which a document may be (RFC 9728 §3.1, RFC 8414 §3.1): what one of them answers says nothing about the next.

use super::{ASM, Case, OIDC, PRM, PRM_MCP, by_hand, case, cases, check};
use serde_json::{Value, json};
use support::{Answer, UpstreamScript};

cases! {
    protected_resource_is_found_at_the_next_address = resource_candidates();
    metadata_are_found_at_the_next_address = metadata_candidates();
    first_cause_is_told_where_no_address_answers = nothing_usable();
}

/// What an address without a document answers.
fn useless() -> Vec<(&'static str, Answer)> {
    let mut all: Vec<(&'static str, Answer)> = vec![
        ("page with 200", Answer::page(200, "App")),
        ("page labelled as JSON", Answer::page(200, "App").labelled("application/json")),
        ("error with 200", Answer::json(200, &json!({ "statusCode": 404, "message": "Cannot GET" }))),
        ("OAuth error with 200", Answer::json(200, &json!({ "error": "not_found" }))),
        ("empty object", Answer::json(200, &json!({}))),
        ("null", Answer::json(200, &Value::Null)),
        ("list", Answer::json(200, &json!([]))),
        ("text in JSON", Answer::json(200, &json!("not found"))),
        ("empty body", Answer::new(200, "application/json", "")),
        ("broken JSON", Answer::new(200, "application/json", "{\"issuer\":")),
        ("no content", Answer::text(204, "")),
        ("redirect to a page", Answer::text(302, "").header("location", "/login")),
        ("redirect without Location", Answer::text(301, "")),
        ("unknown encoding", Answer::json(200, &json!({})).header("content-encoding", "zstd")),
        ("closed connection", Answer::raw(b"")),
        ("no HTTP", Answer::raw(b"+OK POP3 ready\r\n")),
    ];
    let statuses = [
        ("400", 400),
        ("401", 401),
        ("403", 403),
        ("405", 405),
        ("406", 406),
        ("408", 408),
        ("410", 410),
        ("425", 425),
        ("429", 429),
        ("500", 500),
        ("501", 501),
        ("502", 502),
        ("503", 503),
        ("504", 504),
        ("520", 520),
    ];
    all.extend(statuses.map(|(name, status)| (name, Answer::json(status, &json!({ "error": name })))));
    all.push(("429 with Retry-After", Answer::text(429, "").header("retry-after", "3600")));
    all.push(("503 with Retry-After", Answer::text(503, "").header("retry-after", "3600")));
    all
}

fn resource_candidates() -> Vec<Case> {
    let one = |(name, answer): (&'static str, Answer)| {
        case(format!("path form: {name}, root form: the document"), move |u| {
            u.hint = None;
            u.fixed(PRM_MCP, answer.clone());
            u.route(PRM, |_, u| Some(Answer::json(200, &u.resource.clone().into())));
            u.fixed("GET /login", Answer::page(200, "Sign in"));
        })
        .registers()
    };
    let mut all: Vec<Case> = useless().into_iter().map(one).collect();
    all.push(
        case("500 at the path form, then by hand", |u| {
            u.hint = None;
            u.fixed(PRM_MCP, Answer::json(500, &json!({ "error": "Only HTML requests are supported here" })));
            u.route(PRM, |_, u| Some(Answer::json(200, &u.resource.clone().into())));
        })
        .registers()
        .then(|u, _| by_hand(u))
        .registers(),
    );
    all
}

fn metadata_candidates() -> Vec<Case> {
    let one = |(name, answer): (&'static str, Answer)| {
        case(format!("OAuth form: {name}, OpenID form: the document"), move |u| {
            u.fixed(ASM, answer.clone());
            u.route(OIDC, |_, u| Some(Answer::json(200, &u.metadata.clone().into())));
            u.fixed("GET /login", Answer::page(200, "Sign in"));
        })
        .registers()
    };
    useless().into_iter().map(one).collect()
}

/// Both forms answer so; an admin is told status or kind of what was seen.
fn dead_end(name: &'static str, answer: Answer, says: &'static [&'static str]) -> Case {
    case(format!("both forms: {name}"), move |u: &mut UpstreamScript| {
        u.fixed(ASM, answer.clone());
        u.fixed(OIDC, answer.clone());
    })
    .stops(&[], says)
    .then(|u, _| by_hand(u))
    .registers()
}

fn nothing_usable() -> Vec<Case> {
    vec![
        dead_end("401", Answer::text(401, "").header("www-authenticate", "Basic realm=\"proxy\""), &["401"]),
        dead_end("403 page", Answer::page(403, "Attention Required! | Edge"), &["403"]),
        dead_end("500", Answer::text(500, "boom"), &["500"]),
        dead_end("503", Answer::text(503, ""), &["503"]),
        dead_end("429", Answer::text(429, ""), &["429"]),
        dead_end(
            "unknown encoding",
            Answer::json(200, &json!({})).header("content-encoding", "zstd"),
            &["zstd"],
        ),
        dead_end("page with 200", Answer::page(200, "Sign in to Acme"), &["JSON"]),
        dead_end("redirect without Location", Answer::text(301, ""), &["301"]),
        case("all addresses of the protected resource answer 403", |u| {
            u.hint = None;
            u.fixed(PRM, Answer::page(403, "Just a moment..."));
            u.fixed(PRM_MCP, Answer::page(403, "Just a moment..."));
        })
        .stops(&[], &["403", "issuer"])
        .then(|u, _| json!({ "oauth_client_metadata": { "issuer": u.origin } }))
        .registers(),
        case("500 everywhere", |u| u.fixed("*", Answer::text(500, ""))).stops(&[], &["500"]).sees(|seen| {
            let waits = seen.registration["not_before"].is_string();
            check(waits, || format!("it is not tried again: {}", seen.state()))
        }),
    ]
}
