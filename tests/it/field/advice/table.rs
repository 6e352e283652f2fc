//! The reasons at which a first registration ends.

use super::super::{ASM, Case, OIDC, PRM, PRM_MCP, REGISTER, by_hand, case, documents::shown_issuer};
use super::{Action, Row};
use serde_json::{Value, json};
use support::{Answer, UpstreamScript};

/// The registration endpoint answers so.
fn registering(answer: Answer) -> Case {
    case("registration endpoint", move |u: &mut UpstreamScript| u.fixed(REGISTER, answer.clone()))
}

/// The registration endpoint works.
fn mended(u: &mut UpstreamScript) {
    u.unroute(REGISTER);
    u.answer.clear();
    u.omit.clear();
}

/// Everything that discovery asks for.
const ASKED: [&str; 5] = ["POST /mcp", PRM, PRM_MCP, ASM, OIDC];

fn all_mended(u: &mut UpstreamScript) {
    for route in ASKED {
        u.unroute(route);
    }
}

fn client_by_hand(_: &UpstreamScript, _: &str) -> Value {
    json!({ "oauth_client_metadata": { "client_id": "by-hand", "client_secret": "s3cret" } })
}

/// The first text between back ticks that is a member of authorization server metadata.
fn named_endpoint(text: &str) -> String {
    let ends = |one: &&str| one.ends_with("_endpoint");
    text.split('`').find(ends).expect("the text names the endpoint").to_owned()
}

/// The first URL in the text that is neither `but` nor the address of a document.
fn other_url(text: &str, but: &str) -> String {
    let words = text.split(|one: char| one.is_whitespace() || "()`\"<>,;|".contains(one));
    let url = |word: &str| word.trim_end_matches('.').to_owned();
    words
        .map(url)
        .find(|word| word.starts_with("http") && word != but && !word.contains("/.well-known/"))
        .unwrap_or_else(|| panic!("no other URL in {text}"))
}

pub(super) fn first_registrations() -> Vec<Row> {
    let mut all = waiting();
    all.extend(unreadable());
    all.extend(discovery());
    all.extend(refused());
    all
}

fn waiting() -> Vec<Row> {
    vec![
        Row::new(
            "upstream_unavailable",
            registering(Answer::text(503, "")),
            &["again later"],
            Action::Waits(mended),
        ),
        Row::new("rate_limited", registering(Answer::text(429, "")), &[], Action::Waits(mended)),
        Row::new(
            "connection_lost",
            case("server closes the connection", |u| {
                for route in ASKED {
                    u.fixed(route, Answer::raw(b""));
                }
            }),
            &[],
            Action::Waits(all_mended),
        ),
        Row::new(
            "name_not_found",
            case("mistyped host", |_| {}).at("https://mcp.typo.invalid/mcp"),
            &["mcp.typo.invalid"],
            Action::Url(|u, _| u.url("/mcp")),
        ),
        Row::new(
            "connection_failed",
            case("mistyped port", |_| {}).at("http://127.0.0.1:9/mcp"),
            &["127.0.0.1"],
            Action::Url(|u, _| u.url("/mcp")),
        ),
        Row::new("answer_lost", registering(Answer::raw(b"")), &["Retry"], Action::OwnerMends(mended)),
    ]
}

fn unreadable() -> Vec<Row> {
    vec![
        Row::new(
            "answer_not_http",
            case("another protocol", |u| {
                for route in ASKED {
                    u.fixed(route, Answer::raw(b"SSH-2.0-OpenSSH_9.7\r\n\r\n"));
                }
            }),
            &["URL"],
            Action::OwnerMends(all_mended),
        ),
        Row::new(
            "answer_not_json",
            registering(Answer::page(200, "Sign in")),
            &["owner"],
            Action::OwnerMends(mended),
        ),
        Row::new(
            "answer_too_large",
            registering(Answer::new(201, "application/json", " ".repeat(200 << 10))),
            &["owner", "Retry"],
            Action::OwnerMends(mended),
        ),
        Row::new(
            "unexpected_status",
            registering(Answer::raw(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")),
            &["101"],
            Action::OwnerMends(mended),
        ),
        Row::new(
            "registration_redirected",
            case("redirect of the registration", |u| {
                u.fixed(REGISTER, Answer::text(301, "").header("location", "/register/"));
                u.route("POST /register/", |request, u| Some(u.register(request)));
            }),
            &["/register/", "`registration_endpoint`"],
            Action::Enter(|u, text| {
                assert!(text.contains("/register/"), "{text}");
                json!({ "oauth_client_metadata": { "registration_endpoint": u.url("/register/") } })
            }),
        ),
        Row::new(
            "encoding_not_understood",
            registering(Answer::json(201, &json!({})).header("content-encoding", "zstd")),
            &["zstd", "owner"],
            Action::OwnerMends(mended),
        ),
        Row::new(
            "answer_contradictory",
            case("client and error", |u| drop(u.answer.insert("error".to_owned(), json!("invalid_request")))),
            &["owner", "Retry"],
            Action::OwnerMends(mended),
        ),
        Row::new(
            "auth_method_not_usable",
            case("keys needed", |u| {
                u.answer.insert("token_endpoint_auth_method".to_owned(), json!("private_key_jwt"));
            }),
            &["private_key_jwt", "Retry"],
            Action::OwnerMends(mended),
        ),
        Row::new(
            "client_id_missing",
            case("no client_id", |u| u.omit.push("client_id")),
            &["client_id"],
            Action::OwnerMends(mended),
        ),
        Row::new(
            "client_secret_expired",
            case("expired secret", |u| {
                u.answer.insert("client_secret".to_owned(), json!("x1"));
                u.answer.insert("client_secret_expires_at".to_owned(), json!(1_000_000_000));
            }),
            &["owner"],
            Action::OwnerMends(mended),
        ),
        Row::new(
            "secret_missing",
            case("secret for one method only", |u| {
                u.route(REGISTER, |request, u| {
                    let post = request.body["token_endpoint_auth_method"] == "client_secret_post";
                    u.answer.clear();
                    if !post {
                        u.answer
                            .insert("token_endpoint_auth_method".to_owned(), json!("client_secret_basic"));
                    }
                    None
                });
            }),
            &["token_endpoint_auth_method"],
            Action::Enter(
                |_, _| json!({ "oauth_client_metadata": { "token_endpoint_auth_method": "client_secret_post" } }),
            ),
        ),
    ]
}

fn discovery() -> Vec<Row> {
    vec![
        Row::new(
            "authorization_server_not_found",
            case("no protected resource", |u| {
                u.hint = None;
                u.fixed(PRM, Answer::text(404, ""));
                u.fixed(PRM_MCP, Answer::text(404, ""));
            }),
            &["`issuer`"],
            Action::Enter(|u, _| json!({ "oauth_client_metadata": { "issuer": u.origin } })),
        ),
        Row::new(
            "metadata_not_found",
            case("no metadata", |u| u.fixed(ASM, Answer::text(404, ""))),
            &["`issuer`", "`authorization_endpoint`", "`token_endpoint`"],
            Action::Enter(|u, _| by_hand(u)),
        ),
        Row::new(
            "metadata_incomplete",
            case("no token endpoint", |u| drop(u.metadata.shift_remove("token_endpoint"))),
            &["`token_endpoint`"],
            Action::Enter(
                |u, text| json!({ "oauth_client_metadata": { named_endpoint(text): u.url("/token") } }),
            ),
        ),
        Row::new(
            "registration_not_supported",
            case("no registration endpoint", |u| drop(u.metadata.shift_remove("registration_endpoint"))),
            &["`client_id`", "callback"],
            Action::Enter(client_by_hand),
        ),
        Row::new(
            "resource_mismatch",
            case("another path", |u| {
                u.resource.insert("resource".to_owned(), json!(u.url("/mcp/v2")));
                u.route("GET /.well-known/oauth-protected-resource/mcp/v2", |_, u| {
                    Some(Answer::json(200, &u.resource.clone().into()))
                });
            }),
            &["URL"],
            Action::Url(|u, text| other_url(text, &u.url("/mcp"))),
        ),
        Row::new(
            "issuer_mismatch",
            case("another issuer", |u| drop(u.metadata.insert("issuer".to_owned(), json!(u.url("/real"))))),
            &["`registration.trusted_issuer`"],
            Action::Enter(|_, text| json!({ "registration": { "trusted_issuer": shown_issuer(text) } })),
        ),
        Row::new(
            "endpoint_not_allowed",
            case("token endpoint of an inner host", |u| {
                u.metadata
                    .insert("token_endpoint".to_owned(), json!("http://keycloak.svc.cluster.local/token"));
            }),
            &["`token_endpoint`"],
            Action::OwnerMends(|u| {
                drop(u.metadata.insert("token_endpoint".to_owned(), json!(u.url("/token"))));
            }),
        ),
        Row::new(
            "pre_registered_client_missing",
            case("machine client", |_| {}).auth_type("oauth_client_credentials"),
            &["`client_id`", "`client_secret`"],
            Action::Enter(client_by_hand),
        ),
    ]
}

fn refused() -> Vec<Row> {
    let refusal = |error: &str, words: &str| {
        registering(Answer::json(400, &json!({ "error": error, "error_description": words })))
    };
    vec![
        Row::new(
            "registration_not_allowed",
            registering(Answer::json(403, &json!({ "error": "access_denied" }))),
            &["`client_id`"],
            Action::Enter(client_by_hand),
        ),
        Row::new(
            "initial_access_token_needed",
            case("token demanded", |u| {
                u.route(REGISTER, |request, _| {
                    let given = request.authorization == "Bearer iat-1";
                    if given { None } else { Some(Answer::json(401, &json!({ "error": "invalid_token" }))) }
                });
            }),
            &["`registration.initial_access_token`"],
            Action::Enter(|_, _| json!({ "registration": { "initial_access_token": "iat-1" } })),
        ),
        Row::new(
            "invalid_redirect_uri",
            refusal("invalid_redirect_uri", "host not on our list"),
            &["callback"],
            Action::OwnerMends(mended),
        ),
        Row::new(
            "redirect_uris_not_honoured",
            case("other callbacks", |u| {
                u.answer.insert("redirect_uris".to_owned(), json!(["https://other.example/cb"]));
            }),
            &["callback"],
            Action::OwnerMends(mended),
        ),
        Row::new(
            "invalid_client_metadata",
            case("name refused", |u| {
                u.route(REGISTER, |request, _| {
                    let words = "client_name must be Acme";
                    let refused = json!({ "error": "invalid_client_metadata", "error_description": words });
                    if request.body["client_name"] == "Acme" {
                        None
                    } else {
                        Some(Answer::json(400, &refused))
                    }
                });
            })
            .entered(|_| json!({ "oauth_client_metadata": { "client_name": "Other" } })),
            &["client_name must be Acme"],
            Action::Enter(|_, text| {
                let (_, rest) = text.split_once("client_name must be ").expect("its words");
                let name = rest.split_whitespace().next().unwrap_or_default();
                json!({ "oauth_client_metadata": { "client_name": name } })
            }),
        ),
        Row::new(
            "auth_method_not_supported",
            case("keys listed, none accepted", |u| {
                let keys = json!(["private_key_jwt"]);
                u.metadata.insert("token_endpoint_auth_methods_supported".to_owned(), keys);
            }),
            &["`token_endpoint_auth_methods_supported`", "`none`"],
            Action::Enter(
                |_, _| json!({ "oauth_client_metadata": { "token_endpoint_auth_methods_supported": ["none"] } }),
            ),
        ),
    ]
}
