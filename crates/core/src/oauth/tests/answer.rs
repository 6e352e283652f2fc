//! Answers to registrations, and retries after refusals.

use crate::clock::Timestamp;
use crate::metadata::ScopePolicy;
use crate::oauth::sanitize::is_plain;
use crate::oauth::{
    Asked, Discovery, Failure, FailureClass, HttpAnswer, Issued, IssuerMatch, RequestPolicy,
    adjust_after_refusal, build_request, classify_refusal, negotiate_auth_method, read_answer,
};
use crate::secret::Secret;
use chrono::DateTime;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

fn now() -> Timestamp {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn request() -> Map<String, Value> {
    map(
        &json!({ "client_name": "A", "redirect_uris": ["https://g/cb"], "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"] }),
    )
}

fn read(status: u16, body: &Value) -> Result<Issued, Failure> {
    read_bytes(status, body.to_string().as_bytes(), &request())
}

fn read_bytes(status: u16, body: &[u8], request: &Map<String, Value>) -> Result<Issued, Failure> {
    let asked = Asked { request, listed_methods: None };
    read_answer("https://h/register", &HttpAnswer::new(status, body), asked, now())
}

fn refused(status: u16, body: &[u8]) -> Failure {
    classify_refusal(&HttpAnswer::new(status, body))
}

#[test]
fn irregular_answers_of_real_servers_are_accepted() {
    // Hydra: nulls and empty strings for what is not set.
    let hydra = read(201, &json!({ "client_id": "h", "contacts": null, "client_uri": "", "redirect_uris": ["https://g/cb"], "client_secret_expires_at": 0 })).unwrap();
    assert!(!hydra.response.contains_key("contacts") && !hydra.response.contains_key("client_uri"));
    assert_eq!(hydra.token_endpoint_auth_method, "none");
    // Figma: a secret beside `none`.
    let figma = read(200, &json!({ "client_id": "f", "client_secret": "s", "token_endpoint_auth_method": "none", "client_secret_expires_at": "0" })).unwrap();
    assert_eq!(figma.token_endpoint_auth_method, "client_secret_post");
    assert_eq!(figma.client_secret.unwrap().expose(), "s");
    // IBM ISAM: one string where a list is due; integral floats.
    let isam = read(200, &json!({ "client_id": "i", "redirect_uris": "https://g/cb", "client_secret": "s", "client_secret_expires_at": 1_900_000_000.0, "client_id_issued_at": "1800000000" })).unwrap();
    assert_eq!(isam.response["redirect_uris"], json!(["https://g/cb"]));
    assert_eq!(
        (isam.client_secret_expires_at, isam.client_id_issued_at),
        (Some(1_900_000_000), Some(1_800_000_000))
    );
    // Canny: a secret without `token_endpoint_auth_method`; glewlwyd: a list where one is due.
    let canny = read(201, &json!({ "client_id": "c", "client_secret": "s" })).unwrap();
    assert_eq!(canny.token_endpoint_auth_method, "client_secret_basic");
    let mut post = request();
    post.insert("token_endpoint_auth_method".into(), json!("client_secret_post"));
    let body = br#"{"client_id":"c","client_secret":"s"}"#;
    let canny = read_bytes(201, body, &post).unwrap();
    assert_eq!(canny.token_endpoint_auth_method, "client_secret_post");
    assert_eq!(canny.client_secret_expires_at, None);
    assert!(canny.warnings.iter().any(|warning| warning.contains("client_secret_expires_at")));
    let glewlwyd = read(200, &json!({ "client_id": "g", "token_endpoint_auth_method": ["client_secret_basic"], "client_secret": "s" })).unwrap();
    assert_eq!(glewlwyd.token_endpoint_auth_method, "client_secret_basic");
    // oidc-provider: everything, with additional members; the MCP Python SDK: URLs normalised.
    let whole = read(201, &json!({ "client_id": "o", "redirect_uris": ["https://g/cb"], "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "require_auth_time": false, "id_token_signed_response_alg": "RS256", "client_uri": "https://portkey.example/", "token_endpoint_auth_method": "none" })).unwrap();
    assert_eq!(whole.warnings, Vec::<String>::new());
    assert_eq!(whole.response["id_token_signed_response_alg"], "RS256");
    // What was registered otherwise than asked is said.
    let narrowed = read(201, &json!({ "client_id": "n", "redirect_uris": ["https://g/cb"], "grant_types": ["authorization_code"] })).unwrap();
    assert_eq!(narrowed.warnings, ["`grant_types` was registered without refresh_token."]);
    // A secret that is repeated under another name is not kept.
    let twice = read(201, &json!({ "client_id": "t", "client_secret": "canary", "clientSecret": "canary", "x": { "y": ["canary"] } })).unwrap();
    assert!(!Value::Object(twice.response).to_string().contains("canary"));
    // Management needs an absolute URI and a token.
    let relative = read(201, &json!({ "client_id": "l", "registration_client_uri": "/register/l", "registration_access_token": "t" })).unwrap();
    assert!(relative.registration_client_uri.is_none() && relative.registration_access_token.is_none());
    let managed = read(201, &json!({ "client_id": "m", "registration_client_uri": "https://h/register/m", "registration_access_token": "t" })).unwrap();
    assert!(managed.registration_access_token.is_some());
    assert!(
        !Value::Object(managed.response).to_string().contains("registration_access_token"),
        "secrets are apart"
    );
}

#[test]
fn essential_members_are_strict() {
    for (status, body, code) in [
        (201, json!({}), "client_id_missing"),
        (201, json!({ "client_id": [7] }), "client_id_missing"),
        (201, json!([]), "answer_not_json"),
        (
            201,
            json!({ "client_id": "x", "redirect_uris": ["https://other/cb"] }),
            "redirect_uris_not_honoured",
        ),
        (
            201,
            json!({ "client_id": "x", "token_endpoint_auth_method": "client_secret_basic" }),
            "secret_missing",
        ),
        (
            201,
            json!({ "client_id": "x", "client_secret": "s", "client_secret_expires_at": 1_700_000_000 }),
            "client_secret_expired",
        ),
        (204, json!({}), "client_id_missing"),
        (302, json!({}), "registration_redirected"),
        (400, json!({ "error": "invalid_redirect_uri" }), "invalid_redirect_uri"),
        (
            400,
            json!({ "error": "invalid_request", "error_description": "redirect_uri not allowed" }),
            "invalid_redirect_uri",
        ),
        (400, json!({ "error": "invalid_client_metadata" }), "invalid_client_metadata"),
        (401, json!({ "error": "invalid_token" }), "initial_access_token_needed"),
        (403, json!("Forbidden"), "registration_not_allowed"),
        (404, json!({}), "registration_not_supported"),
        (429, json!({ "error": "too_many_requests" }), "rate_limited"),
        (503, json!({}), "upstream_unavailable"),
    ] {
        assert_eq!(read(status, &body).unwrap_err().code, code, "{status} {body}");
    }
    for body in [r#"{"client_id":"a","client_id":"b"}"#, r#"{"client_id":"a"} trailing"#] {
        let twice = read_bytes(201, body.as_bytes(), &request()).unwrap_err();
        assert_eq!(twice.code, "answer_not_json");
    }
    let long = json!({ "client_id": "x".repeat(9000) });
    assert_eq!(read(201, &long).unwrap_err().code, "client_id_missing");
    let html = read_bytes(200, b"<html>sign in</html>", &request()).unwrap_err();
    assert_eq!(html.code, "answer_not_json");
    let cut = read_bytes(403, "Forbidden\n\u{7}".as_bytes(), &request()).unwrap_err();
    assert_eq!(cut.error_description.as_deref(), Some("Forbidden"));
}

fn discovery(metadata: &Value, scopes: &[&str]) -> Discovery {
    Discovery {
        mcp_url: "https://h/mcp".into(),
        resource: "https://h/mcp".into(),
        resource_match: None,
        protected_resource_url: None,
        protected_resource: None,
        challenge_scope: None,
        authorization_server_listed: "https://h".into(),
        issuer: "https://h".into(),
        issuer_match: IssuerMatch::Exact,
        metadata_url: "https://h/.well-known/oauth-authorization-server".into(),
        metadata: map(metadata),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        warnings: Vec::new(),
        found_with: String::new(),
        scope: None,
    }
}

const OURS: RequestPolicy<'_> =
    RequestPolicy { admin_members: &BTreeSet::new(), omit: &[], scope_policy: ScopePolicy::Auto };

#[test]
fn auth_method_is_negotiated_unless_configured() {
    let list = |methods: &[&str]| -> Vec<String> { methods.iter().map(|one| (*one).to_owned()).collect() };
    for (wanted, admins, supported, expected) in [
        ("none", false, None, Ok("none")),
        ("none", false, Some(list(&["client_secret_basic", "none"])), Ok("none")),
        ("none", false, Some(list(&["client_secret_basic", "client_secret_post"])), Ok("client_secret_post")),
        ("none", false, Some(list(&["client_secret_basic"])), Ok("client_secret_basic")),
        ("none", false, Some(list(&["private_key_jwt"])), Err(FailureClass::NeedsAdmin)),
        ("client_secret_basic", true, Some(list(&["none"])), Ok("client_secret_basic")),
        ("none", true, Some(list(&["client_secret_post"])), Ok("none")),
        ("none", true, Some(list(&["private_key_jwt"])), Err(FailureClass::NeedsAdmin)),
        ("none", false, Some(list(&["private_key_jwt", "tls_client_auth"])), Err(FailureClass::NeedsAdmin)),
        ("none", false, Some(list(&["private_key_jwt", "client_secret_basic"])), Ok("client_secret_basic")),
        ("private_key_jwt", true, Some(list(&["none"])), Err(FailureClass::Configuration)),
        ("private_key_jwt", true, Some(list(&["private_key_jwt", "none"])), Err(FailureClass::Configuration)),
        ("client_secret_basic", true, None, Ok("client_secret_basic")),
    ] {
        let result = negotiate_auth_method(wanted, admins, supported.as_deref());
        let got = result.as_ref().map(|one| one.method.as_str()).map_err(|failure| failure.class);
        assert_eq!(got, expected, "{wanted} {admins} {supported:?}");
    }
}

#[test]
fn scopes_are_configured_or_named_by_the_server() {
    let with = |scope: Option<&str>| {
        let mut request = request();
        if let Some(scope) = scope {
            request.insert("scope".into(), json!(scope));
        }
        request
    };
    let scope_set = BTreeSet::from(["scope".to_owned()]);
    let policy = |scope_policy, admins: bool| RequestPolicy {
        scope_policy,
        admin_members: if admins { &scope_set } else { OURS.admin_members },
        ..OURS
    };
    let none = json!({});
    let offline = json!({ "scopes_supported": ["a", "offline_access"] });
    for (scope, metadata, named, policy, sent) in [
        (None, &none, &[][..], OURS, None),
        (None, &none, &["a", "b"][..], OURS, Some("a b")),
        (None, &offline, &["a"][..], OURS, Some("a offline_access")),
        (None, &offline, &[][..], OURS, None),
        (None, &offline, &[][..], policy(ScopePolicy::Always, false), Some("a offline_access")),
        (Some("x"), &none, &["a"][..], policy(ScopePolicy::Auto, true), Some("x")),
        (Some("x"), &offline, &["a"][..], policy(ScopePolicy::Auto, true), Some("x offline_access")),
        (Some("x"), &none, &["a"][..], policy(ScopePolicy::Never, true), None),
    ] {
        let prepared = build_request(&with(scope), &discovery(metadata, named), policy).unwrap();
        assert_eq!(
            prepared.request.get("scope").and_then(Value::as_str),
            sent,
            "{scope:?} {metadata} {named:?}"
        );
        assert_eq!(prepared.adjustments.is_empty(), scope == sent, "every difference is on record");
        assert!(!prepared.request.contains_key("resource"));
    }
}

#[test]
fn request_is_adjusted_once_and_never_against_the_configuration() {
    let found = discovery(&json!({}), &["a"]);
    let prepared = build_request(&request(), &found, OURS).unwrap();
    let refusal =
        refused(400, br#"{"error":"invalid_client_metadata","error_description":"scope not allowed"}"#);
    let retry =
        adjust_after_refusal(&prepared.request, &refusal, OURS, &found, &prepared.adjustments).unwrap();
    assert!(!retry.request.contains_key("scope"));
    assert_eq!(
        adjust_after_refusal(&retry.request, &refusal, OURS, &found, &retry.adjustments),
        None,
        "once"
    );
    let set = BTreeSet::from(["scope".to_owned()]);
    let admins = RequestPolicy { admin_members: &set, ..OURS };
    assert_eq!(adjust_after_refusal(&prepared.request, &refusal, admins, &found, &[]), None);
    let busy = refused(503, b"scope");
    assert_eq!(adjust_after_refusal(&prepared.request, &busy, OURS, &found, &[]), None);
}

#[test]
fn each_failure_has_its_retry_class() {
    let found = discovery(&json!({}), &["a"]);
    let mut wanted = request();
    wanted.insert("application_type".into(), json!("web"));
    let mut prepared = build_request(&wanted, &found, OURS).unwrap();
    let refused = |words: &str| {
        let body = json!({ "error": "invalid_client_metadata", "error_description": words });
        refused(400, body.to_string().as_bytes())
    };
    for (words, member, to) in [
        ("scope must only contain supported values", "scope", Value::Null),
        (
            "unsupported token_endpoint_auth_method: none",
            "token_endpoint_auth_method",
            json!("client_secret_post"),
        ),
        ("redirect_uris do not fit application_type web", "application_type", json!("native")),
    ] {
        let failure = refused(words);
        let next =
            adjust_after_refusal(&prepared.request, &failure, OURS, &found, &prepared.adjustments).unwrap();
        assert_eq!(next.request.get(member).cloned().unwrap_or(Value::Null), to, "{words}");
        assert_eq!(next.adjustments.last().unwrap().member, member);
        assert_eq!(
            adjust_after_refusal(&next.request, &failure, OURS, &found, &next.adjustments),
            None,
            "{words}: once"
        );
        prepared = next;
    }
    let unknown = refused("Unrecognized field \"application_type\"");
    let next = adjust_after_refusal(&wanted, &unknown, OURS, &found, &[]).unwrap();
    assert!(!next.request.contains_key("application_type"));
    let set = BTreeSet::from(["application_type".to_owned()]);
    let chosen = RequestPolicy { admin_members: &set, ..OURS };
    assert_eq!(adjust_after_refusal(&wanted, &unknown, chosen, &found, &[]), None, "somebody chose it");
    let name = refused("client_name is too long");
    let set = BTreeSet::from(["client_name".to_owned()]);
    let chosen = RequestPolicy { admin_members: &set, ..OURS };
    assert_eq!(adjust_after_refusal(&wanted, &name, chosen, &found, &[]), None);
}

#[test]
fn only_registration_members_are_sent() {
    let mut wanted = request();
    for (name, value) in [
        ("resource", json!("https://h/mcp")),
        ("x_custom", json!(1)),
        ("contacts", json!([])),
        ("logo_uri", json!("")),
        ("tos_uri", Value::Null),
        ("client_name#fr", json!("Un")),
        ("response_types", json!([])),
    ] {
        wanted.insert(name.into(), value);
    }
    wanted.shift_remove("token_endpoint_auth_method");
    let prepared = build_request(&wanted, &discovery(&json!({}), &[]), OURS).unwrap();
    let members: Vec<_> = prepared.request.keys().map(String::as_str).collect();
    assert_eq!(
        members,
        [
            "client_name",
            "redirect_uris",
            "grant_types",
            "client_name#fr",
            "response_types",
            "token_endpoint_auth_method"
        ]
    );
    assert_eq!(prepared.adjustments.len(), 6, "every difference is on record");
}

proptest::proptest! {
    #[test]
    fn hostile_answers_never_panic_and_never_show_a_secret(status: u16, body in ".{0,200}", id in "[a-z]{0,8}") {
        let _ = read_bytes(status, body.as_bytes(), &request());
        let odd = json!({ "client_id": id, "client_secret": "canary", "registration_access_token": ["canary"], "x": body });
        if let Ok(issued) = read(201, &odd) {
            let shown = format!("{issued:?}");
            proptest::prop_assert!(!shown.contains("canary"));
        }
    }
}

/// A client that is known, and what its server answers to registration, read and update with `more` in it.
fn answers(more: &Value) -> [(&'static str, Result<Issued, Failure>); 3] {
    let known = map(&json!({ "client_id": "c", "redirect_uris": ["https://g/cb"], "client_name": "A" }));
    let recorded = crate::oauth::ManagedClient {
        client_id: "c".into(),
        client_secret: None,
        client_secret_expires_at: None,
        client_id_issued_at: None,
        token_endpoint_auth_method: "none".into(),
        registration_client_uri: "https://h/register/c".into(),
        registration_access_token: Secret::new("known-token-of-c"),
        request: request(),
        response: known.clone(),
        scope: crate::egress::Scope::Everything,
    };
    let mut answer = known;
    answer.extend(map(more));
    let body = Value::Object(answer).to_string();
    [
        ("registration", read_bytes(201, body.as_bytes(), &request())),
        ("read", recorded.read_read(&HttpAnswer::new(200, body.as_bytes()), now())),
        ("update", recorded.read_update(&HttpAnswer::new(200, body.as_bytes()), &request(), now())),
    ]
}

#[test]
fn all_answers_are_sanitized_alike() {
    let evil = json!(["https://evil/cb", "https://g/cb"]);
    for (more, gone, said) in [
        (json!({ "redirect_uris": evil }), "evil", "not requested"),
        (json!({ "redirect_uris": ["https://g/cb", "javascript:x", 7] }), "javascript", "not requested"),
        (json!({ "policy_uri": "javascript:alert(1)" }), "javascript", "`policy_uri`"),
        (json!({ "tos_uri#ja": "data:text/html,x" }), "data:", "`tos_uri#ja`"),
        (json!({ "logo_uri": ["file:///x"] }), "file:", "`logo_uri`"),
        (json!({ "jwks_uri": "ftp://h/x" }), "ftp:", "`jwks_uri`"),
        (json!({ "client_uri": "/relative" }), "relative", "`client_uri`"),
        (json!({ "extra": { "deep": ["javascript:x"] } }), "javascript", "`deep`"),
        (json!({ "client_name": "a\u{202e}b\u{1b}c\u{0}d\u{200b}e" }), "\u{202e}", "`client_name`"),
        (json!({ "client_name#ja": "a\u{2066}b" }), "\u{2066}", "`client_name#ja`"),
        (json!({ "scope": "a\u{7f}b" }), "\u{7f}", "`scope`"),
        (json!({ "x\u{202e}y": 1 }), "\u{202e}", "names contain"),
        (json!({ "token_endpoint_auth_method": "none\u{200b}" }), "\u{200b}", "`token_endpoint_auth_method`"),
    ] {
        for (kind, issued) in answers(&more) {
            let issued = issued.unwrap();
            let kept = Value::Object(issued.response.clone()).to_string();
            assert!(
                !kept.contains(gone) && !kept.contains(&gone.escape_unicode().to_string()),
                "{kind} {more}: {kept}"
            );
            assert!(
                issued.warnings.iter().any(|one| one.contains(said)),
                "{kind} {more}: {:?}",
                issued.warnings
            );
            assert_eq!(issued.response["redirect_uris"], json!(["https://g/cb"]), "{kind} {more}");
            assert!(issued.warnings.iter().all(|one| is_plain(one)), "{kind}: {:?}", issued.warnings);
        }
    }
    // A registration without ours is none; an update leaves those that were known.
    let [registration, reading, update] =
        answers(&json!({ "redirect_uris": ["https://evil/cb"] })).map(|(_, result)| result);
    assert_eq!(registration.unwrap_err().code, "redirect_uris_not_honoured");
    for issued in [reading.unwrap(), update.unwrap()] {
        assert!(!issued.callbacks_honoured);
        assert_eq!(issued.response["redirect_uris"], json!(["https://g/cb"]));
    }
    for id in ["a\u{202e}", "a\u{0}", "a\nb", "\u{fc}", "a\u{200b}"] {
        assert_eq!(read(201, &json!({ "client_id": id })).unwrap_err().code, "client_id_missing", "{id:?}");
    }
    for secret in ["a\u{0}b", "a\nb", "a\u{202e}b"] {
        assert_eq!(
            read(201, &json!({ "client_id": "c", "client_secret": secret })).unwrap_err().code,
            "secret_missing"
        );
    }
}

#[test]
fn management_address_has_the_origin_of_the_endpoint_that_answered() {
    for (uri, used) in [
        ("https://h/register/c", true),
        ("https://h:443/elsewhere", true),
        ("https://H/register/c", true),
        ("https://h:8443/register/c", false),
        ("https://h.evil/register/c", false),
        ("https://evil/register/c", false),
        ("https://h@evil/c", false),
        ("http://127.0.0.1:48430/steal", false),
    ] {
        let more =
            json!({ "registration_client_uri": uri, "registration_access_token": "another-token-of-c" });
        for (kind, issued) in answers(&more) {
            let issued = issued.unwrap();
            let kept = (kind != "registration").then_some("https://h/register/c");
            let expected = if used { Some(uri) } else { kept };
            assert_eq!(issued.registration_client_uri.as_deref(), expected, "{kind} {uri}");
            let said = issued.warnings.iter().any(|one| one.contains("management address"));
            assert_eq!(
                said,
                !used && (kind != "registration" || !uri.contains('@')),
                "{kind} {uri}: {:?}",
                issued.warnings
            );
        }
    }
}
