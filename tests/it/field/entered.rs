//! Clients that an admin registered by hand, and machine clients (RFC 6749 §4.4).

use super::{ASM, Case, PRM, PRM_MCP, by_hand, case, cases, check};
use serde_json::{Value, json};
use support::{Answer, UpstreamScript};

cases! {
    entered_client_is_served_as_it_is = own_clients();
    machine_client_needs_a_token_endpoint_only = machines();
    address_of_a_document_as_issuer_is_told_or_used = document_addresses();
}

/// A client entered by hand; nothing is posted.
fn own(name: &str, client: Value) -> Case {
    let expected = client.clone();
    case(name, |_| {})
        .entered(move |_| json!({ "oauth_client_metadata": client }))
        .registers()
        .sees(|seen| check(seen.asked().is_empty(), || "something was posted".to_owned()))
        .sees(move |seen| {
            let differs = ["client_id", "client_secret"]
                .into_iter()
                .find(|name| expected.get(name).is_some_and(|value| seen.client()[name] != *value));
            differs.map_or(Ok(()), |name| Err(format!("{name} is {}", seen.client()[name])))
        })
}

fn own_clients() -> Vec<Case> {
    let secret = |secret: &str| json!({ "client_id": "c1", "client_secret": secret });
    vec![
        own("short secret", secret("banana")),
        own("secret of one character", secret("x")),
        own("1803 characters of secret", secret(&format!("eyJ{}", "A1b2".repeat(450)))),
        own("secret with every odd character", secret("p%2B+/:=~'\\`{}<&>#$|\"")),
        own("secret with a blank inside", secret("two words")),
        own("URL as client_id", json!({ "client_id": "https://gw.example/client.json" })),
        own("GUID as client_id", json!({ "client_id": "0f1e2d3c-0000-4000-8000-00000000abcd" })),
        own("client_id with @ and colon", json!({ "client_id": "acme:prod@tenant-7" })),
        case("public client, endpoints of the document", |u| {
            u.metadata.insert("authorization_endpoint".to_owned(), json!(u.url("/mcp-oauth/authorize")));
        })
        .entered(|_| json!({ "oauth_client_metadata": { "client_id": "public-mcp-client" } }))
        .registers()
        .sees(|seen| {
            let endpoint =
                seen.document["authorization_server"]["authorization_endpoint"].as_str().unwrap_or("");
            check(endpoint.ends_with("/mcp-oauth/authorize"), || format!("endpoint {endpoint}"))?;
            let method = &seen.client()["token_endpoint_auth_method"];
            check(method == "none", || format!("method {method}"))
        }),
        case("server without registration", |u| drop(u.metadata.shift_remove("registration_endpoint")))
            .stops(&["registration_not_supported"], &["client_id"])
            .then(|_, _| json!({ "oauth_client_metadata": { "client_id": "by-hand", "client_secret": "s" } }))
            .registers(),
    ]
}

fn machine(_: &UpstreamScript) -> Value {
    json!({ "oauth_client_metadata": {
        "grant_types": ["client_credentials"], "response_types": [], "client_id": "svc-batch",
        "client_secret": "svc+secret/==", "token_endpoint_auth_method": "client_secret_basic",
    }})
}

/// A machine client at an upstream; its document never speaks of codes.
fn machine_at(name: &str, script: fn(&mut UpstreamScript)) -> Case {
    case(name, script).auth_type("oauth_client_credentials").entered(machine).registers().sees(|seen| {
        let grants = &seen.client()["grant_types"];
        check(*grants == json!(["client_credentials"]), || format!("grant_types {grants}"))
    })
}

fn machines() -> Vec<Case> {
    vec![
        machine_at("no authorization endpoint", |u| {
            u.metadata.shift_remove("authorization_endpoint");
            u.metadata.insert("grant_types_supported".to_owned(), json!(["client_credentials"]));
            u.metadata.insert("response_types_supported".to_owned(), json!(["none"]));
        }),
        machine_at("authorization endpoint is null", |u| {
            u.metadata.insert("authorization_endpoint".to_owned(), Value::Null);
        }),
        machine_at("no grant types listed", |u| drop(u.metadata.shift_remove("grant_types_supported"))),
        machine_at("no response types listed", |u| drop(u.metadata.shift_remove("response_types_supported"))),
        machine_at("no PKCE", |u| drop(u.metadata.shift_remove("code_challenge_methods_supported"))),
        machine_at("no registration endpoint", |u| drop(u.metadata.shift_remove("registration_endpoint"))),
        case("grant types not entered", |u| drop(u.metadata.shift_remove("authorization_endpoint")))
            .auth_type("oauth_client_credentials")
            .entered(|_| json!({ "oauth_client_metadata": { "client_id": "svc", "client_secret": "s" } }))
            .registers()
            .sees(|seen| {
                let grants = &seen.client()["grant_types"];
                check(*grants == json!(["client_credentials"]), || format!("grant_types {grants}"))
            }),
        case("issuer and token endpoint alone", |u| {
            u.fixed(PRM, Answer::text(404, ""));
            u.fixed(PRM_MCP, Answer::text(404, ""));
            u.fixed(ASM, Answer::text(404, ""));
        })
        .auth_type("oauth_client_credentials")
        .entered(|u| {
            let mut entered = machine(u);
            entered["oauth_client_metadata"]["issuer"] = json!(u.origin);
            entered["oauth_client_metadata"]["token_endpoint"] = json!(u.url("/token"));
            entered
        })
        .registers(),
        case("no client entered", |_| {})
            .auth_type("oauth_client_credentials")
            .stops(&["pre_registered_client_missing"], &["client_id", "client_secret"])
            .sees(|seen| check(seen.asked().is_empty(), || "something was posted".to_owned()))
            .then(|u, _| machine(u))
            .registers(),
        case("no token endpoint", |u| drop(u.metadata.shift_remove("token_endpoint")))
            .auth_type("oauth_client_credentials")
            .entered(machine)
            .stops(&["metadata_incomplete"], &["token_endpoint"])
            .never_says(&["authorization_endpoint"]),
    ]
}

/// A document's address is entered as issuer, at a server without protected resource.
fn document_addresses() -> Vec<Case> {
    let documents = [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server?x=1",
    ];
    let mut all: Vec<Case> = documents
        .map(|document| {
            case(format!("issuer {document}"), |u| {
                u.hint = None;
                u.fixed(PRM, Answer::text(404, ""));
                u.fixed(PRM_MCP, Answer::text(404, ""));
            })
            .entered(move |u| json!({ "oauth_client_metadata": { "issuer": u.url(document) } }))
            .sees(|seen| {
                let saved = ["findings", "errors"].map(|name| seen.saved[name].to_string()).join(" ");
                let found = saved.contains("issuer");
                let told = found || seen.text().contains("document");
                seen.registered().or_else(|wrong| check(told, || wrong))
            })
            .then(|u, _| json!({ "oauth_client_metadata": { "issuer": u.origin } }))
            .registers()
        })
        .into();
    all.push(
        case("blanks around the issuer", |u| u.fixed(PRM_MCP, Answer::text(404, "")))
            .entered(|u| {
                let mut entered = by_hand(u);
                entered["oauth_client_metadata"]["issuer"] = json!(format!(" {} ", u.origin));
                entered
            })
            .sees(|seen| {
                let told = seen.saved.to_string().contains("issuer");
                seen.registered().or_else(|wrong| check(told, || wrong))
            }),
    );
    all
}
