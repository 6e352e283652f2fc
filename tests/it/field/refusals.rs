//! Refusals of a registration: their words reach the admin in whatever shape they come (RFC 7591 §3.2.2, RFC 9457).

use super::{Case, REGISTER, case, cases, check};
use serde_json::{Value, json};
use support::{Answer, UpstreamScript};

cases! {
    refusal_is_told_in_the_words_of_the_server = shapes();
    refusal_with_success_is_a_refusal = successes();
    redirect_is_told_and_not_followed = redirects();
    refused_default_is_left_out_once = defaults();
    refused_member_of_an_admin_is_kept = own_members();
}

fn refused(name: &str, answer: Answer) -> Case {
    case(name, move |u: &mut UpstreamScript| u.fixed(REGISTER, answer.clone()))
}

fn says(status: u16, body: &Value) -> Case {
    refused(&format!("{status} {body}"), Answer::json(status, body))
        .stops(&[], &["logo_uri must be reachable"])
}

fn shapes() -> Vec<Case> {
    const WORDS: &str = "logo_uri must be reachable";
    vec![
        says(400, &json!({ "error": "invalid_client_metadata", "error_description": WORDS })),
        says(400, &json!({ "message": WORDS })),
        says(400, &json!({ "msg": WORDS })),
        says(400, &json!({ "detail": WORDS })),
        says(400, &json!({ "details": WORDS })),
        says(422, &json!({ "detail": [{ "type": "x", "loc": ["body", "logo_uri"], "msg": WORDS }] })),
        says(400, &json!({ "error": { "code": 400, "message": WORDS } })),
        says(400, &json!({ "error": { "message": WORDS, "type": "invalid_request_error" } })),
        says(400, &json!({ "error": WORDS })),
        says(400, &json!({ "errors": [WORDS] })),
        says(400, &json!({ "errors": [{ "message": WORDS, "path": "logo_uri" }] })),
        says(400, &json!({ "errors": { "logo_uri": [WORDS] } })),
        says(400, &json!({ "errorCode": "E0000001", "errorSummary": WORDS, "errorCauses": [] })),
        says(400, &json!({ "errorCode": "E0000001", "errorSummary": "Api validation failed", "errorCauses": [{ "errorSummary": WORDS }] })),
        says(400, &json!({ "errorMessage": WORDS })),
        says(400, &json!({ "error_message": WORDS })),
        says(400, &json!({ "reason": WORDS })),
        says(400, &json!({ "title": "Bad Request", "detail": WORDS, "status": 400 })),
        says(400, &json!({ "title": WORDS })),
        says(400, &json!([{ "message": WORDS }])),
        says(400, &json!([WORDS])),
        says(400, &json!(WORDS)),
        says(400, &json!({ "ok": false, "error": "bad", "response_metadata": { "messages": [WORDS] } })),
        says(400, &json!({ "statusCode": 400, "error": "Bad Request", "message": [WORDS] })),
        says(500, &json!({ "message": WORDS })).sees(|seen| {
            check(seen.registration["reason"] == "upstream_unavailable", || seen.state())
        }),
        refused("problem document", Answer::new(400, "application/problem+json", json!({ "type": "about:blank", "title": "Bad Request", "status": 400, "detail": WORDS }).to_string()))
            .stops(&[], &[WORDS]),
        refused("plain text", Answer::text(400, WORDS)).stops(&[], &[WORDS]),
        refused("plain text labelled as JSON", Answer::new(400, "application/json", WORDS)).stops(&[], &[WORDS]),
        refused("title of a page", Answer::page(403, "Attention Required! | Edge"))
            .stops(&["registration_not_allowed"], &["Attention Required"]),
        refused("gzip", Answer::json(400, &json!({ "message": WORDS })).gzip()).stops(&[], &[WORDS]),
        refused("session", Answer::json(403, &json!({ "errorCode": "E0000005", "errorSummary": "Invalid session", "errorId": "oae1", "errorCauses": [] })))
            .stops(&[], &["Invalid session"]),
        refused("length", Answer::json(422, &json!({ "detail": [{ "type": "string_too_long", "loc": ["body", "client_name"], "msg": "String should have at most 16 characters", "input": "x" }] })))
            .stops(&[], &["at most 16 characters", "client_name"]),
        refused("500 without a body", Answer::new(500, "application/json", "")).sees(|seen| {
            let waits = seen.registration["reason"] == "upstream_unavailable" && seen.text().contains("500");
            check(waits, || seen.state())
        }),
        refused("418 without a body", Answer::text(418, "")).stops(&[], &["418"]),
    ]
}

fn successes() -> Vec<Case> {
    let refusal = |status: u16, body: Value| {
        refused(&format!("{status} {body}"), Answer::json(status, &body))
            .stops(&[], &["disabled app registration"])
            .sees(|seen| check(seen.registration["reason"] != "client_id_missing", || seen.state()))
            .sees(|seen| check(seen.asked().len() == 1, || format!("{} requests", seen.asked().len())))
            .sees(|seen| check(seen.orphans.is_empty(), || format!("in the ledger: {:?}", seen.orphans)))
    };
    let words = "team has disabled app registration";
    vec![
        refusal(200, json!({ "ok": false, "error": "invalid_client_metadata", "error_description": words })),
        refusal(201, json!({ "error": "invalid_client_metadata", "error_description": words })),
        refusal(200, json!({ "error": "access_denied", "error_description": words, "client_id": null })),
        refusal(200, json!({ "error": { "message": words } })),
        refusal(200, json!({ "errors": [{ "message": words }] })),
        refusal(200, json!({ "error": words })),
        refusal(202, json!({ "error": "pending", "error_description": words })),
    ]
}

fn redirects() -> Vec<Case> {
    let moved = |status: u16, location: &'static str| {
        refused(
            &format!("{status} to {location}"),
            Answer::new(status, "text/html", "").header("location", location),
        )
        .sees(move |seen| seen.stopped(&[], &[location]))
        .sees(move |seen| {
            let followed = seen.upstream.received().iter().any(|one| one.path == "/register/");
            check(!followed, || "it was followed".to_owned())
        })
    };
    let mut all: Vec<Case> = [301, 302, 303, 307, 308].map(|status| moved(status, "/register/")).into();
    all.push(moved(307, "https://elsewhere.example/register"));
    all.push(refused("301 without Location", Answer::text(301, "")).stops(&[], &["301", "Location"]));
    all.push(
        refused(
            "400 that mentions a redirect",
            Answer::json(
                400,
                &json!({ "error": "invalid_request", "error_description": "could not redirect you" }),
            ),
        )
        .stops(&["invalid_client_metadata", "registration_not_allowed"], &["could not redirect you"]),
    );
    all
}

/// The endpoint refuses a request in which a member that no admin set is present.
fn strict(name: &'static str, refusal: fn(&[String]) -> Value) -> Case {
    const KNOWN: [&str; 8] = [
        "client_name",
        "redirect_uris",
        "grant_types",
        "response_types",
        "token_endpoint_auth_method",
        "scope",
        "client_uri",
        "application_type",
    ];
    case(format!("strict: {name}"), move |u: &mut UpstreamScript| {
        u.route(REGISTER, move |request, _| {
            let asked = request.body.as_object().cloned().unwrap_or_default();
            let odd: Vec<String> =
                asked.keys().filter(|name| !KNOWN.contains(&name.as_str())).cloned().collect();
            if odd.is_empty() { None } else { Some(Answer::json(400, &refusal(&odd))) }
        });
    })
    .registers()
    .sees(|seen| check(seen.asked().len() <= 2, || format!("{} requests", seen.asked().len())))
}

/// Refuses a `client_name` with other characters than `allowed`.
fn alphabet(u: &mut UpstreamScript) {
    u.route(REGISTER, |request, _| {
        let name = request.body["client_name"].as_str().unwrap_or_default();
        let plain = name.chars().all(|one| one.is_ascii_alphanumeric() || " -".contains(one));
        let words = "client_name may only contain alphanumeric characters, hyphens, and spaces";
        let refused = json!({ "error": "invalid_client_metadata", "error_description": words });
        if plain { None } else { Some(Answer::json(400, &refused)) }
    });
}

fn defaults() -> Vec<Case> {
    vec![
        strict("zod", |odd| {
            let quoted: Vec<String> = odd.iter().map(|one| format!("'{one}'")).collect();
            json!({ "error": "invalid_client_metadata", "error_description": format!("Unrecognized key(s) in object: {}", quoted.join(", ")) })
        }),
        strict("plain list", |odd| json!({ "error": "invalid_client_metadata", "error_description": format!("unknown fields: {}", odd.join(", ")) })),
        strict("pydantic", |odd| {
            let all: Vec<Value> = odd.iter().map(|one| json!({ "type": "extra_forbidden", "loc": ["body", one], "msg": "Extra inputs are not permitted" })).collect();
            json!({ "detail": all })
        }),
        strict("ajv", |odd| json!({ "message": format!("must NOT have additional properties: {}", odd.join(", ")) })),
        strict("keycloak", |odd| json!({ "error": "invalid_client_metadata", "error_description": format!("Unrecognized field \"{}\"", odd.join("\", \"")) })),
        case("alphabet of names", alphabet).registers(),
        case("scopes that nobody set", |u: &mut UpstreamScript| {
            u.resource.insert("scopes_supported".to_owned(), json!(["groups", "profile"]));
            u.route(REGISTER, |request, _| {
                let words = "Requested scopes are not valid: groups, profile";
                let refused = json!({ "error": "invalid_client_metadata", "error_description": words });
                request.body.get("scope").map(|_| Answer::json(400, &refused))
            });
        })
        .registers()
        .sees(|seen| check(seen.asked().len() == 2, || format!("{} requests", seen.asked().len()))),
        strict("members that an admin leaves out", |odd| json!({ "error": "invalid_request", "hint": odd.len() }))
            .entered(|_| json!({ "registration": { "omit": ["software_id", "logo_uri", "software_version", "policy_uri", "tos_uri", "contacts"] } })),
    ]
}

fn own_members() -> Vec<Case> {
    vec![
        case("own name", alphabet)
            .entered(|_| json!({ "oauth_client_metadata": { "client_name": "Acme (EU) Gateway" } }))
            .stops(&["invalid_client_metadata"], &["alphanumeric"])
            .then(|_, _| json!({ "oauth_client_metadata": { "client_name": "Acme EU Gateway" } }))
            .registers(),
        case("own software_id", |u: &mut UpstreamScript| {
            u.route(REGISTER, |request, _| {
                let refused = json!({ "error": "invalid_client_metadata", "error_description": "software_id is not allowed" });
                request.body.get("software_id").map(|_| Answer::json(400, &refused))
            });
        })
        .entered(|_| json!({ "oauth_client_metadata": { "software_id": "com.acme.gateway" } }))
        .stops(&["invalid_client_metadata"], &["software_id is not allowed"])
        .then(|_, _| json!({ "registration": { "omit": ["software_id"] } }))
        .registers(),
    ]
}
