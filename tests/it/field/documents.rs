//! Published documents that say something odd: identifiers, endpoints, encodings, lists (RFC 9728 §3.3, RFC 8414 §3.3).

use super::{ASM, Case, OIDC, PRM, PRM_MCP, REGISTER, by_hand, case, cases, check, members};
use serde_json::{Value, json};
use support::{Answer, UpstreamScript};

cases! {
    odd_protected_resource_is_used_or_told = resources();
    foreign_issuer_is_told_verbatim_and_can_be_trusted = foreign_issuers();
    unused_endpoint_stops_nothing = unused_endpoints();
    odd_metadata_are_used_or_told = odd_metadata();
    legacy_discovery_prefers_published_documents = legacy();
}

fn resource_of(name: &'static str, resource: &'static str) -> Case {
    case(format!("resource: {name}"), move |u| {
        u.resource.insert("resource".to_owned(), json!(resource));
    })
}

/// Client, issuer and endpoints of an app that an admin registered there.
fn own_client(u: &UpstreamScript) -> Value {
    let mut entered = by_hand(u);
    entered["oauth_client_metadata"]["client_id"] = json!("0f1e2d3c-app");
    entered["oauth_client_metadata"]["client_secret"] = json!("entra~Secret.1");
    entered
}

fn resources() -> Vec<Case> {
    let foreign = [
        ("app id URI", "api://0f1e2d3c-0000-4000-8000-00000000abcd"),
        ("URN", "urn:acme:mcp"),
        ("GUID", "0f1e2d3c-0000-4000-8000-00000000abcd"),
        ("another host", "https://mcp.elsewhere.example/mcp"),
        ("host alone", "mcp.example.com"),
        ("empty", ""),
        ("inner name", "http://mcp.svc.cluster.local:8080/mcp"),
    ];
    let mut all: Vec<Case> =
        foreign.map(|(name, resource)| resource_of(name, resource).entered(own_client).registers()).into();
    all.extend([
        case("no resource", |u| drop(u.resource.shift_remove("resource")))
            .stops(&[], &["resource"])
            .never_says(&["(not a URL)", "another resource"])
            .then(|u, _| by_hand(u))
            .registers(),
        case("resource is null", |u| drop(u.resource.insert("resource".to_owned(), Value::Null)))
            .stops(&[], &["resource"])
            .never_says(&["(not a URL)"]),
        case("https for http", |u| {
            let other = u.url("/mcp").replace("http:", "https:");
            u.resource.insert("resource".to_owned(), json!(other));
        })
        .stops(&["resource_mismatch"], &["https://", "http://"]),
        resource_of("another host, nothing entered", "https://mcp.elsewhere.example/mcp")
            .stops(&["resource_mismatch"], &["https://mcp.elsewhere.example/mcp"]),
        resource_of("no URL, nothing entered", "api://0f1e2d3c")
            .stops(&["resource_mismatch"], &["api://0f1e2d3c"]),
        case("slash typed, published without", |u| {
            u.hint = None;
            u.fixed("GET /.well-known/oauth-protected-resource/mcp/", Answer::text(404, ""));
        })
        .suffix("/")
        .registers(),
        case("slash typed, published at the root", |u| {
            u.hint = None;
            u.fixed(PRM_MCP, Answer::text(404, ""));
            u.fixed("GET /.well-known/oauth-protected-resource/mcp/", Answer::text(404, ""));
            u.route(PRM, |_, u| Some(Answer::json(200, &u.resource.clone().into())));
        })
        .suffix("/")
        .registers(),
        case("first authorization server does not resolve", |u| {
            let both = json!(["https://login.corp.invalid", u.origin]);
            u.resource.insert("authorization_servers".to_owned(), both);
        })
        .registers(),
        case("first authorization server is closed", |u| {
            u.resource.insert("authorization_servers".to_owned(), json!(["http://127.0.0.1:9", u.origin]));
        })
        .registers(),
        case("endpoints in the protected resource", |u| {
            u.resource.shift_remove("authorization_servers");
            u.resource.insert("authorization_endpoint".to_owned(), json!(u.url("/authorize")));
            u.resource.insert("token_endpoint".to_owned(), json!(u.url("/token")));
        })
        .stops(&["authorization_server_not_found"], &["issuer"])
        .then(|u, _| json!({ "oauth_client_metadata": { "issuer": u.origin } }))
        .registers(),
        case("no protected resource", no_resource)
            .stops(&["authorization_server_not_found"], &["issuer"])
            .then(|u, _| json!({ "oauth_client_metadata": { "issuer": u.origin } }))
            .registers(),
        case("path of the server as authorization server", |u| {
            u.resource.insert("authorization_servers".to_owned(), json!([u.url("/mcp")]));
        })
        .stops(&["metadata_not_found"], &["issuer"])
        .then(|u, _| json!({ "oauth_client_metadata": { "issuer": u.origin } }))
        .registers(),
        case("empty lists of scopes", |u| {
            u.resource.insert("scopes_supported".to_owned(), json!([]));
            u.metadata.insert("scopes_supported".to_owned(), json!([]));
        })
        .registers()
        .sees(|seen| {
            let asked = seen.asked();
            check(asked.iter().all(|one| one.get("scope").is_none()), || format!("asked {asked:?}"))
        }),
    ]);
    all
}

fn no_resource(u: &mut UpstreamScript) {
    u.hint = None;
    u.fixed(PRM_MCP, Answer::text(404, "Not Found"));
    u.fixed(PRM, Answer::text(404, "Not Found"));
}

/// The value that the text shows as the other issuer, character for character, as a user copies it.
pub(super) fn shown_issuer(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("name another issuer (")?;
    Some(rest.split_once(") than")?.0.to_owned())
}

/// Metadata whose issuer is the origin followed by `end`: it is shown so, and trusted when it is copied.
fn foreign_issuer(end: &'static str) -> Case {
    let issuer = move |u: &UpstreamScript| format!("{}{end}", u.origin);
    case(format!("issuer ends in {end:?}"), move |u| {
        let found = issuer(u);
        u.resource.insert("authorization_servers".to_owned(), json!([u.url("/VCeDsk8Z")]));
        u.metadata.insert("issuer".to_owned(), json!(found));
        u.route("GET /.well-known/oauth-authorization-server/VCeDsk8Z", |_, u| {
            Some(Answer::json(200, &u.metadata.clone().into()))
        });
    })
    .stops(&["issuer_mismatch"], &["trusted_issuer"])
    .sees(move |seen| {
        let (shown, wanted) = (shown_issuer(&seen.text()), issuer(&seen.upstream.script()));
        check(shown.as_deref() == Some(&wanted), || format!("shown {shown:?}, published {wanted}"))
    })
    .then(|_, seen| json!({ "registration": { "trusted_issuer": shown_issuer(&seen.text()) } }))
    .registers()
    .sees(move |seen| {
        let (found, wanted) = (&seen.client()["issuer"], issuer(&seen.upstream.script()));
        check(*found == wanted, || format!("the document says {found}, not {wanted}"))
    })
}

fn foreign_issuers() -> Vec<Case> {
    ["", "/", "/backend/oauthproxy", "/a//b", "/A%2Fb", "/a%2fb", "/~x", "/x.", "/%7Bid%7D", "/tenant/", "/ä"]
        .map(foreign_issuer)
        .into_iter()
        .chain([
            case("no issuer", |u| drop(u.metadata.shift_remove("issuer")))
                .stops(&[], &["issuer"])
                .never_says(&["(not a URL)", "trusted_issuer"])
                .then(|u, _| by_hand(u))
                .registers(),
            case("issuer is null", |u| drop(u.metadata.insert("issuer".to_owned(), Value::Null)))
                .stops(&[], &["issuer"])
                .never_says(&["(not a URL)", "trusted_issuer"])
                .then(|u, _| by_hand(u))
                .registers(),
            case("issuer is a number", |u| drop(u.metadata.insert("issuer".to_owned(), json!(7))))
                .stops(&[], &["issuer"])
                .then(|u, _| by_hand(u))
                .registers(),
        ])
        .collect()
}

fn unused_endpoints() -> Vec<Case> {
    let names = [
        "introspection_endpoint",
        "revocation_endpoint",
        "pushed_authorization_request_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "end_session_endpoint",
        "device_authorization_endpoint",
        "service_documentation",
    ];
    let values =
        ["http://keycloak-http.keycloak.svc.cluster.local/x", "/relative", "ftp://as.example.com/x", "n/a"];
    let pairs = names.iter().flat_map(|name| values.iter().map(move |value| (*name, *value)));
    pairs
        .map(|(name, value)| {
            case(format!("{name}: {value}"), move |u| drop(u.metadata.insert(name.to_owned(), json!(value))))
                .registers()
                .sees(move |seen| {
                    let shown = &seen.document["authorization_server"][name];
                    check(shown.is_null() || name == "service_documentation", || format!("{name} is {shown}"))
                })
                .then(|u, _| by_hand(u))
                .registers()
        })
        .collect()
}

fn odd_metadata() -> Vec<Case> {
    vec![
        case("brotli that nobody asked for", |u| {
            u.route(ASM, |_, u| Some(Answer::json(200, &u.metadata.clone().into()).brotli()));
        })
        .sees(|seen| seen.registered().or_else(|_| seen.stopped(&[], &["encod"]))),
        case("gzip that nobody asked for", |u| {
            u.route(ASM, |_, u| Some(Answer::json(200, &u.metadata.clone().into()).gzip()));
            u.route(REGISTER, |request, u| Some(u.register(request).gzip()));
        })
        .registers(),
        case("byte order mark", |u| {
            u.route(ASM, |_, u| {
                let answer = Answer::json(200, &u.metadata.clone().into());
                Some(answer.map_body(|body| [b"\xef\xbb\xbf", body].concat()))
            });
        })
        .sees(|seen| seen.registered().or_else(|_| seen.stopped(&[], &["byte order"]))),
        case("null members", |u| {
            let nulls = json!({ "registration_endpoint": null, "scopes_supported": null, "revocation_endpoint": null });
            u.metadata.extend(members(nulls));
        })
        .stops(&["registration_not_supported"], &["client_id"]),
        case("the iss flag", |u| {
            u.metadata.insert("authorization_response_iss_parameter_supported".to_owned(), json!(true));
        })
        .registers()
        .sees(|seen| {
            let flag = &seen.document["authorization_server"]["authorization_response_iss_parameter_supported"];
            check(*flag == json!(true), || format!("the flag is {flag}"))
        }),
        case("page with 200, then the OpenID form", |u| {
            u.fixed(ASM, Answer::page(200, "App"));
            u.route(OIDC, |_, u| Some(Answer::json(200, &u.metadata.clone().into())));
        })
        .registers(),
    ]
}

/// Nothing is posted to an address that was guessed.
fn nothing_guessed(case: Case) -> Case {
    case.sees(|seen| check(seen.asked().is_empty(), || format!("{} guessed requests", seen.asked().len())))
}

fn legacy() -> Vec<Case> {
    let legacy = |_: &UpstreamScript| json!({ "registration": { "legacy_discovery": true } });
    let openid = |u: &mut UpstreamScript| {
        no_resource(u);
        for (name, path) in [
            ("authorization_endpoint", "/oidc/auth"),
            ("token_endpoint", "/oidc/token"),
            ("registration_endpoint", "/oidc/clients"),
        ] {
            u.metadata.insert(name.to_owned(), json!(u.url(path)));
        }
        u.route(OIDC, |_, u| Some(Answer::json(200, &u.metadata.clone().into())));
        u.route("POST /oidc/clients", |request, u| Some(u.register(request)));
    };
    let mut all: Vec<Case> = [
        ("404", Answer::text(404, "")),
        ("page with 200", Answer::page(200, "App")),
        ("500", Answer::text(500, "")),
        ("403", Answer::text(403, "")),
        ("error with 200", Answer::json(200, &json!({ "message": "Cannot GET" }))),
    ]
    .into_iter()
    .map(|(name, answer)| {
        let script = move |u: &mut UpstreamScript| {
            openid(u);
            u.fixed(ASM, answer.clone());
        };
        nothing_guessed(
            case(format!("OpenID document, OAuth form {name}"), script).entered(legacy).registers(),
        )
    })
    .collect();
    all.push(nothing_guessed(
        case("OpenID document without a registration endpoint", move |u| {
            openid(u);
            u.fixed(ASM, Answer::text(404, ""));
            u.metadata.shift_remove("registration_endpoint");
        })
        .entered(legacy)
        .stops(&["registration_not_supported"], &["client_id"]),
    ));
    for (name, answer) in [
        ("error with 200", Answer::json(200, &json!({ "statusCode": 404, "message": "Cannot GET" }))),
        ("empty object", Answer::json(200, &json!({}))),
        ("page with 200", Answer::page(200, "App")),
    ] {
        all.push(
            case(format!("legacy server, protected resource {name}"), move |u| {
                no_resource(u);
                u.fixed(PRM_MCP, answer.clone());
                u.fixed(PRM, answer.clone());
            })
            .entered(legacy)
            .registers()
            .then(|u, _| by_hand(u))
            .registers(),
        );
    }
    all.push(
        case("legacy server, protected resource 500", |u| {
            no_resource(u);
            u.fixed(PRM_MCP, Answer::text(500, ""));
            u.fixed(PRM, Answer::text(500, ""));
        })
        .entered(legacy)
        .sees(|seen| seen.registered().or_else(|_| seen.stopped(&["upstream_unavailable"], &["500"])))
        .then(|u, _| by_hand(u))
        .registers(),
    );
    all.push(
        case("nothing is published at all", |u| {
            no_resource(u);
            u.fixed(ASM, Answer::text(404, ""));
        })
        .entered(legacy)
        .registers(),
    );
    all
}
