//! Answers to registrations that bring a client: what of them is taken, and as what (RFC 7591 §3.2.1).

use super::{CALLBACK, Case, REGISTER, Seen, case, cases, check};
use serde_json::{Value, json};
use support::{Answer, UpstreamScript};

cases! {
    odd_answer_brings_a_client = usable();
    secret_expiry_is_read_in_every_unit = expiries();
    auth_method_is_one_that_gateways_can_use = auth_methods();
    refused_method_is_retried_once_with_the_one_named = named_methods();
}

/// One member of the answer replaced.
fn answered(name: &str, member: &'static str, value: Value) -> Case {
    case(format!("answer: {name}"), move |u| drop(u.answer.insert(member.to_owned(), value.clone())))
}

fn usable() -> Vec<Case> {
    let no_orphan = |case: Case| case.registers().sees(Seen::nothing_forgotten);
    let mut all = vec![
        no_orphan(answered("empty callbacks", "redirect_uris", json!([]))),
        no_orphan(answered("callbacks are null", "redirect_uris", Value::Null)),
        no_orphan(answered("callback as one string", "redirect_uris", json!(CALLBACK))),
        no_orphan(answered(
            "a callback more",
            "redirect_uris",
            json!([CALLBACK, "https://gw.example/other"]),
        )),
        no_orphan(answered("empty text as callbacks", "redirect_uris", json!(""))),
        answered("6 KB of client_id", "client_id", json!(format!("mcp_{}", "aZ09-_.".repeat(860))))
            .registers()
            .sees(|seen| {
                let length = seen.client()["client_id"].as_str().unwrap_or_default().len();
                check(length == 4 + 7 * 860, || format!("{length} bytes are served"))
            }),
        answered("client_id is a number", "client_id", json!(4711)).sees(|seen| {
            let digits = || {
                seen.registered().and_then(|()| {
                    check(seen.client()["client_id"] == "4711", || seen.client()["client_id"].to_string())
                })
            };
            digits().or_else(|_| seen.nothing_forgotten().and_then(|()| seen.stopped(&[], &["string"])))
        }),
        case("status 200", |u| u.status = 200).registers(),
        case("gzip answer", |u| u.route(REGISTER, |request, u| Some(u.register(request).gzip()))).registers(),
        case("brotli answer", |u| u.route(REGISTER, |request, u| Some(u.register(request).brotli())))
            .sees(|seen| seen.registered().or_else(|_| seen.nothing_forgotten())),
        case("labelled as text", |u| {
            u.route(REGISTER, |request, u| Some(u.register(request).labelled("text/plain")));
        })
        .registers(),
        case("all members demanded", |u| {
            u.route(REGISTER, |request, _| {
                let asked = &request.body;
                let whole = asked["response_types"] == json!(["code"])
                    && asked["grant_types"] == json!(["authorization_code", "refresh_token"])
                    && asked["client_name"].is_string();
                if whole { None } else { Some(Answer::json(400, &json!({ "error": "invalid_request" }))) }
            });
        })
        .registers(),
    ];
    all.push(
        case("a number as issue date in text", |u| {
            u.answer.insert("client_id_issued_at".to_owned(), json!("1795000000"));
        })
        .registers(),
    );
    all
}

/// The clock of the tests starts at the machine's time.
#[expect(clippy::disallowed_methods, reason = "what an upstream's clock says")]
fn in_30_days() -> i64 {
    chrono::Utc::now().timestamp() + 30 * 86_400
}

fn expiry(name: &str, value: fn() -> Value, expected: fn() -> i64) -> Case {
    case(format!("expiry: {name}"), move |u| {
        u.metadata.insert("token_endpoint_auth_methods_supported".to_owned(), json!(["client_secret_post"]));
        u.answer.insert("client_secret_expires_at".to_owned(), value());
    })
    .registers()
    .sees(move |seen| {
        let (found, wanted) = (seen.client()["client_secret_expires_at"].as_i64().unwrap_or(0), expected());
        check((found - wanted).abs() <= 600, || format!("expiry {found}, not {wanted}"))
    })
}

fn expiries() -> Vec<Case> {
    vec![
        expiry("seconds", || json!(in_30_days()), in_30_days),
        expiry("milliseconds", || json!(in_30_days() * 1000), in_30_days),
        expiry("microseconds", || json!(in_30_days() * 1_000_000), in_30_days),
        expiry("seconds as text", || json!(in_30_days().to_string()), in_30_days),
        expiry("milliseconds as text", || json!((in_30_days() * 1000).to_string()), in_30_days),
        expiry(
            "seconds as a fraction",
            || serde_json::from_str(&format!("{}.5", in_30_days())).unwrap(),
            in_30_days,
        ),
        expiry(
            "ISO date",
            || json!(chrono::DateTime::from_timestamp(in_30_days(), 0).unwrap().to_rfc3339()),
            in_30_days,
        ),
        expiry(
            "ISO date with Z and milliseconds",
            || {
                let date = chrono::DateTime::from_timestamp(in_30_days(), 0).unwrap();
                json!(date.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
            },
            in_30_days,
        ),
        expiry("zero", || json!(0), || 0),
        expiry("zero as text", || json!("0"), || 0),
        expiry("null", || Value::Null, || 0),
        case("expiry: absent", |u| {
            u.metadata
                .insert("token_endpoint_auth_methods_supported".to_owned(), json!(["client_secret_basic"]));
            u.omit.push("client_secret_expires_at");
        })
        .registers()
        .sees(|seen| {
            let found = seen.client()["client_secret_expires_at"].as_i64().unwrap_or(0);
            check(found == 0, || format!("expiry {found}"))
        }),
    ]
}

/// The answer names `method`: gateways never get one that they cannot use.
fn method(method: &'static str, secret: bool) -> Case {
    case(format!("method {method}, secret {secret}"), move |u| {
        u.answer.insert("token_endpoint_auth_method".to_owned(), json!(method));
        if secret {
            u.answer.insert("client_secret".to_owned(), json!("issued-secret-1"));
        }
    })
    .sees(|seen| {
        let usable = ["none", "client_secret_basic", "client_secret_post"];
        let served = seen.client()["token_endpoint_auth_method"].as_str().unwrap_or("none").to_owned();
        check(usable.contains(&served.as_str()), || format!("{served} is handed on"))
    })
    .sees(Seen::nothing_forgotten)
}

fn auth_methods() -> Vec<Case> {
    let odd = [
        "private_key_jwt",
        "client_secret_jwt",
        "tls_client_auth",
        "self_signed_tls_client_auth",
        "attest_jwt_client_auth",
        "",
        "NONE",
        "basic",
    ];
    let mut all: Vec<Case> = odd.iter().flat_map(|name| [method(name, false), method(name, true)]).collect();
    let minimal = |name: &str, listed: &'static [&'static str], wanted: &'static [&'static str]| {
        case(format!("secret without a method: {name}"), move |u: &mut UpstreamScript| {
            u.metadata.insert("token_endpoint_auth_methods_supported".to_owned(), json!(listed));
            u.answer.insert("client_secret".to_owned(), json!("min-1"));
            u.omit = vec!["token_endpoint_auth_method", "grant_types", "response_types", "client_name"];
        })
        .registers()
        .sees(move |seen| {
            let served = seen.client()["token_endpoint_auth_method"].as_str().unwrap_or_default().to_owned();
            check(wanted.contains(&served.as_str()), || format!("{served}, not {wanted:?}"))
        })
    };
    all.extend([
        minimal("post only", &["none", "client_secret_post"], &["client_secret_post", "none"]),
        minimal("basic only", &["none", "client_secret_basic"], &["client_secret_basic", "none"]),
        minimal("post before keys", &["private_key_jwt", "client_secret_post"], &["client_secret_post"]),
        case("answered none, the metadata list keys only", |u| {
            u.metadata.insert("token_endpoint_auth_methods_supported".to_owned(), json!(["private_key_jwt"]));
        })
        .sees(|seen| {
            seen.registered()
                .or_else(|_| seen.stopped(&[], &["private_key_jwt", "token_endpoint_auth_method"]))
        }),
    ]);
    all
}

/// The metadata list a secret only, the refusal names `none`.
fn named_methods() -> Vec<Case> {
    let refusal = |body: Value| {
        case(format!("refusal {body}"), move |u: &mut UpstreamScript| {
            u.metadata
                .insert("token_endpoint_auth_methods_supported".to_owned(), json!(["client_secret_post"]));
            let body = body.clone();
            u.route(REGISTER, move |request, _| {
                let public = request.body["token_endpoint_auth_method"] == "none";
                if public { None } else { Some(Answer::json(400, &body)) }
            });
        })
        .registers()
        .sees(|seen| check(seen.asked().len() == 2, || format!("{} requests", seen.asked().len())))
        .then(|_, _| json!({ "oauth_client_metadata": { "token_endpoint_auth_method": "none" } }))
        .registers()
    };
    let described =
        |text: &str| refusal(json!({ "error": "invalid_client_metadata", "error_description": text }));
    vec![
        described("Only token_endpoint_auth_method='none' is supported, got 'client_secret_post'"),
        described("token_endpoint_auth_method must be \"none\""),
        described("Invalid token_endpoint_auth_method: expected none"),
        described("token_endpoint_auth_method: Invalid literal value, expected \"none\""),
        described("public clients only (token_endpoint_auth_method must be none)"),
    ]
}
