//! Adjusted retries after refusals (INV-23).

use crate::metadata::ScopePolicy;
use crate::oauth::{
    Adjustment, Discovery, Failure, FailureClass, Prepared, RequestPolicy, adjust_after_refusal,
    build_request,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const OURS: RequestPolicy<'_> =
    RequestPolicy { admin_members: &BTreeSet::new(), omit: &[], scope_policy: ScopePolicy::Auto };

fn request() -> Map<String, Value> {
    let request = json!({
        "client_name": "Portkey (acme/linear)", "client_uri": "https://portkey.ai", "logo_uri": "https://portkey.ai/l.png",
        "software_id": "ai.portkey.mcp", "software_version": "1", "scope": "a b",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none", "contacts": ["a@b.example"], "tos_uri": "https://portkey.ai/t",
        "policy_uri": "https://portkey.ai/p", "application_type": "web", "redirect_uris": ["https://g/cb"],
    });
    request.as_object().unwrap().clone()
}

fn discovery(methods: &[&str]) -> Discovery {
    let mut discovery = Discovery::default();
    if !methods.is_empty() {
        discovery.metadata.insert("token_endpoint_auth_methods_supported".to_owned(), json!(methods));
    }
    discovery
}

fn refused(error: &str, words: &str) -> Failure {
    let mut failure = Failure::new(FailureClass::Configuration, "invalid_client_metadata", "Refused.");
    failure.error = (!error.is_empty()).then(|| error.to_owned());
    failure.error_description = (!words.is_empty()).then(|| words.to_owned());
    failure
}

fn retried(words: &str) -> Option<Prepared> {
    adjust_after_refusal(&request(), &refused("invalid_client_metadata", words), OURS, &discovery(&[]), &[])
}

/// The members that a retry changes, with what becomes of them.
fn changed(words: &str) -> Vec<(String, Value)> {
    let mut changes: Vec<(String, Value)> = retried(words)
        .into_iter()
        .flat_map(|prepared| prepared.adjustments)
        .map(|adjustment| {
            assert!(adjustment.why.starts_with("Retry after a refusal: ") && adjustment.why.contains(words));
            (adjustment.member, adjustment.to)
        })
        .collect();
    changes.sort_by(|one, other| one.0.cmp(&other.0));
    changes
}

/// Members that the words name are dropped, several at once, however they are written.
#[test]
fn refused_defaults_are_dropped_together() {
    for (words, dropped) in [
        ("Unrecognized key(s) in object: 'logo_uri', 'software_id'", &["logo_uri", "software_id"][..]),
        ("unknown field \"software_version\"", &["software_version"]),
        (
            "unknown field `software_id`, expected one of `redirect_uris`, `client_name`, `logo_uri` at line 1",
            &["software_id"],
        ),
        ("additional properties are not allowed: `application_type`", &["application_type"]),
        (
            "Additional properties are not allowed ('application_type', 'software_id' were unexpected)",
            &["application_type", "software_id"],
        ),
        ("logo_uri must be reachable", &["logo_uri"]),
        ("/software_id: is not allowed", &["software_id"]),
        ("#/software_id and #/client_uri must not be present", &["client_uri", "software_id"]),
        (
            "body.software_version: Extra inputs are not permitted; body.software_id: Extra inputs are not permitted",
            &["software_id", "software_version"],
        ),
        ("softwareId is not a valid property", &["software_id"]),
        (
            "property logo_uri should not exist, property software_id should not exist",
            &["logo_uri", "software_id"],
        ),
        (
            "Unrecognized field \"software_id\" (class X), not marked as ignorable (2 known properties: \"client_name\", \"logo_uri\"])",
            &["software_id"],
        ),
        ("tos_uri: Invalid url; policy_uri: Invalid url", &["policy_uri", "tos_uri"]),
        ("the logo URL could not be fetched", &["logo_uri"]),
        ("contacts must be approved", &["contacts"]),
        ("client_uri host does not match the host of redirect_uris", &["client_uri"]),
        ("Only redirect_uris and client_name are allowed, got software_id", &["software_id"]),
        ("Invalid software ID", &["software_id"]),
        ("The requested scope is not available", &["scope"]),
        ("Unknown parameter: response_types", &["response_types"]),
        (
            "unrecognized keys: \"token_endpoint_auth_method\", \"grant_types\"",
            &["grant_types", "token_endpoint_auth_method"],
        ),
    ] {
        let expected: Vec<(String, Value)> =
            dropped.iter().map(|member| ((*member).to_owned(), Value::Null)).collect();
        assert_eq!(changed(words), expected, "{words}");
    }
    // Members that are refused and not named: what only users see, and what is not in RFC 7591.
    let unnamed = retried("must NOT have additional properties").unwrap();
    let left: Vec<&str> = unnamed.request.keys().map(String::as_str).collect();
    assert_eq!(
        left,
        [
            "client_name",
            "scope",
            "grant_types",
            "response_types",
            "token_endpoint_auth_method",
            "redirect_uris"
        ]
    );
}

#[test]
fn words_that_name_no_member_lead_to_no_retry() {
    for words in [
        "",
        "no",
        "Invalid request",
        "redirect_uris: not on the list",
        "Please contact the administrator",
        "logos are fine",
        "The domain name is blocked",
        "software is required",
        "response was empty",
        "A policy forbids this",
    ] {
        assert_eq!(changed(words), [], "{words}");
    }
    let mut unread = refused("", "");
    assert_eq!(adjust_after_refusal(&request(), &unread, OURS, &discovery(&[]), &[]), None);
    unread.error = Some("insufficient_scope".to_owned());
    assert_eq!(adjust_after_refusal(&request(), &unread, OURS, &discovery(&[]), &[]), None);
    for class in
        [FailureClass::Transient, FailureClass::Ambiguous, FailureClass::Security, FailureClass::Protocol]
    {
        let mut failure = refused("invalid_client_metadata", "software_id unknown");
        failure.class = class;
        assert_eq!(adjust_after_refusal(&request(), &failure, OURS, &discovery(&[]), &[]), None, "{class:?}");
    }
}

/// The shipped name is reduced to the alphabet and the length that the words ask for.
#[test]
fn shipped_name_is_written_plainly() {
    for (words, name) in [
        ("client_name may only contain alphanumeric characters, hyphens, and spaces", "Portkey acme linear"),
        ("client_name: String should have at most 16 characters", "Portkey acme lin"),
        ("client_name must be at most 12 characters long", "Portkey acme"),
        ("body.client_name: must be shorter than or equal to 10 characters", "Portkey ac"),
        ("client_name is longer than 14", "Portkey acme l"),
        ("client_name must be shorter than 13 characters", "Portkey acme"),
        ("client_name must have between 3 and 12 characters", "Portkey acme"),
        ("/client_name maxLength 12", "Portkey acme"),
        ("client_name exceeds 12", "Portkey acme"),
        ("client_name: 12 or fewer", "Portkey acme"),
        ("client_name is too long", "Portkey acme lin"),
        ("client_name must match ^[a-z0-9-]{1,12}$", "portkey-acme"),
        ("client_name does not match /^[A-Za-z0-9 _-]+$/", "Portkey acme linear"),
        ("client_name must match ^[a-zA-Z0-9_]+$", "Portkey_acme_linear"),
        ("client_name: letters and digits only, no spaces", "Portkeyacmelinear"),
        ("clientName may only contain letters, digits and underscores", "Portkey_acme_linear"),
        ("client_name contains invalid characters", "Portkey acme linear"),
        ("client name must be lowercase alphanumeric with hyphens", "portkey-acme-linear"),
        ("Name may only contain letters, numbers and spaces", "Portkey acme linear"),
        ("client_name is not allowed", "Portkey acme linear"),
    ] {
        assert_eq!(changed(words), [("client_name".to_owned(), json!(name))], "{words}");
    }
    // A name that is plain already and refused all the same is left out.
    let mut plain = request();
    plain.insert("client_name".to_owned(), json!("Acme"));
    let failure = refused("invalid_client_metadata", "client_name is not unique");
    let next = adjust_after_refusal(&plain, &failure, OURS, &discovery(&[]), &[]).unwrap();
    assert!(!next.request.contains_key("client_name"));
    // Not where an admin set it in another language.
    plain.insert("client_name#fr".to_owned(), json!("Acmé"));
    assert_eq!(adjust_after_refusal(&plain, &failure, OURS, &discovery(&[]), &[]), None);
}

#[test]
fn auth_method_is_switched_even_to_one_that_is_not_listed() {
    for (tried, words, listed, next) in [
        (
            "client_secret_post",
            "Only token_endpoint_auth_method='none' is supported, got 'client_secret_post'",
            &["client_secret_post"][..],
            "none",
        ),
        ("client_secret_post", "unsupported token_endpoint_auth_method", &["client_secret_post"], "none"),
        (
            "client_secret_post",
            "unsupported token_endpoint_auth_method",
            &["client_secret_post", "client_secret_basic"],
            "client_secret_basic",
        ),
        (
            "client_secret_post",
            "token_endpoint_auth_method must be client_secret_basic",
            &["client_secret_post"],
            "client_secret_basic",
        ),
        ("none", "token_endpoint_auth_method none is not supported", &["none"], "client_secret_post"),
        ("none", "unsupported auth method: none. Supported: client_secret_basic", &[], "client_secret_basic"),
        ("none", "unsupported authentication method", &["client_secret_basic"], "client_secret_basic"),
        (
            "none",
            "tokenEndpointAuthMethod: must be one of client_secret_post, client_secret_basic",
            &["client_secret_basic"],
            "client_secret_basic",
        ),
        ("none", "Public clients are not allowed", &[], "client_secret_post"),
        ("client_secret_basic", "Only public clients can register", &["client_secret_basic"], "none"),
        (
            "client_secret_basic",
            "confidential clients are not supported",
            &["client_secret_basic", "client_secret_post"],
            "none",
        ),
        (
            "client_secret_post",
            "none of the auth methods is right",
            &["client_secret_post", "client_secret_basic"],
            "client_secret_basic",
        ),
    ] {
        let mut wanted = request();
        wanted.insert("token_endpoint_auth_method".to_owned(), json!(tried));
        let failure = refused("invalid_client_metadata", words);
        let retry = adjust_after_refusal(&wanted, &failure, OURS, &discovery(listed), &[]).unwrap();
        assert_eq!(retry.request["token_endpoint_auth_method"], next, "{words}");
        let set = BTreeSet::from(["token_endpoint_auth_method".to_owned()]);
        let admins = RequestPolicy { admin_members: &set, ..OURS };
        assert_eq!(adjust_after_refusal(&wanted, &failure, admins, &discovery(listed), &[]), None, "{words}");
    }
}

#[test]
fn refresh_token_is_left_out_where_it_is_refused() {
    for words in [
        "grant_types: refresh_token is not supported",
        "unsupported grant type",
        "The grant type 'refresh_token' is not allowed",
        "grant_types must be [\"authorization_code\"]",
        "grantTypes[1]: Invalid enum value",
    ] {
        assert_eq!(changed(words), [("grant_types".to_owned(), json!(["authorization_code"]))], "{words}");
    }
    let mut single = request();
    single.insert("grant_types".to_owned(), json!(["refresh_token"]));
    let failure = refused("", "grant_types invalid");
    assert_eq!(adjust_after_refusal(&single, &failure, OURS, &discovery(&[]), &[]), None);
}

/// Whatever an authorization server says: what an admin set stays, each member is adjusted once, and the chain ends.
#[test]
fn chain_of_retries_ends_and_spares_what_an_admin_set() {
    let everything = request().keys().cloned().collect::<Vec<_>>().join(", ");
    for words in [
        everything.clone(),
        format!("unknown keys: {everything}"),
        "must NOT have additional properties".to_owned(),
        "scope and client_name and auth method".to_owned(),
    ] {
        for admins in [
            vec![],
            vec!["software_id", "client_name"],
            vec!["scope", "token_endpoint_auth_method", "contacts"],
        ] {
            let set: BTreeSet<String> = admins.iter().map(|&name| name.to_owned()).collect();
            let policy = RequestPolicy { admin_members: &set, ..OURS };
            let failure = refused("invalid_client_metadata", &words);
            let mut prepared = build_request(&request(), &discovery(&[]), policy).unwrap();
            let mut rounds = 0;
            while let Some(next) = adjust_after_refusal(
                &prepared.request,
                &failure,
                policy,
                &discovery(&[]),
                &prepared.adjustments,
            ) {
                prepared = next;
                rounds += 1;
                assert!(rounds <= 13, "{words}");
            }
            for name in admins {
                assert_eq!(prepared.request.get(name), request().get(name), "{name}: {words}");
            }
            assert_eq!(prepared.request["redirect_uris"], request()["redirect_uris"]);
            let retried = |one: &&Adjustment| one.why.starts_with("Retry after a refusal");
            let members: Vec<&str> =
                prepared.adjustments.iter().filter(retried).map(|one| one.member.as_str()).collect();
            assert_eq!(members.len(), members.iter().collect::<BTreeSet<_>>().len(), "{members:?}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn hostile_words_never_panic_and_the_callback_stays(words in "(\\PC|client_name|scope|none|[0-9]|than|\\{|,|\\}|\\[a-z){0,40}") {
        let failure = refused("", &words);
        if let Some(next) = adjust_after_refusal(&request(), &failure, OURS, &discovery(&[]), &[]) {
            proptest::prop_assert_eq!(&next.request["redirect_uris"], &request()["redirect_uris"]);
            proptest::prop_assert!(next.adjustments.iter().all(|one| one.from != one.to));
        }
    }
}

/// `registration.omit` also keeps back what a request would get by itself.
#[test]
fn omitted_members_are_not_added_to_a_request() {
    let mut found = discovery(&["client_secret_post"]);
    found.scopes = vec!["a".to_owned()];
    let mut wanted = request();
    wanted.shift_remove("scope");
    wanted.shift_remove("token_endpoint_auth_method");
    let omit = ["scope".to_owned(), "token_endpoint_auth_method".to_owned()];
    let policy = RequestPolicy { omit: &omit, ..OURS };
    let prepared = build_request(&wanted, &found, policy).unwrap();
    assert_eq!(Value::Object(prepared.request), Value::Object(wanted.clone()));
    assert_eq!(prepared.adjustments, []);
    let with = build_request(&wanted, &found, OURS).unwrap();
    assert!(with.request.contains_key("scope") && with.request.contains_key("token_endpoint_auth_method"));
}
