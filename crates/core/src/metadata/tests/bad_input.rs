//! Bad input by example: what is found, where, how badly.

use super::*;
use std::collections::BTreeSet;

/// Texts and what is found in them, `code severity pointer` each.
pub(super) const CASES: &[(&str, &[&str])] = &[
    (
        r#"{"oauth_client_metadata":{"contacts":"a@b.example"}}"#,
        &["wrong_type error /oauth_client_metadata/contacts"],
    ),
    (
        r#"{"oauth_client_metadata":{"contacts":[7]}}"#,
        &["wrong_type error /oauth_client_metadata/contacts/0"],
    ),
    (
        r#"{"oauth_client_metadata":{"contacts":[null]}}"#,
        &["wrong_type error /oauth_client_metadata/contacts/0"],
    ),
    (r#"{"oauth_client_metadata":{"scope":["a","b"]}}"#, &["wrong_type error /oauth_client_metadata/scope"]),
    (
        r#"{"oauth_client_metadata":{"client_name":7}}"#,
        &["wrong_type error /oauth_client_metadata/client_name"],
    ),
    (r#"{"oauth_client_metadata":[]}"#, &["wrong_type error /oauth_client_metadata"]),
    (
        r#"{"oauth_client_metadata":{"client_name":""}}"#,
        &["empty_value error /oauth_client_metadata/client_name"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_name":"  \t "}}"#,
        &["empty_value error /oauth_client_metadata/client_name"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_name":"Ac\nme"}}"#,
        &["illegal_character error /oauth_client_metadata/client_name"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_name":"Ac\u0000me"}}"#,
        &["nul_character error /oauth_client_metadata/client_name"],
    ),
    (r#"{"unknown":{"deep":["\u0000"]}}"#, &["nul_character error /unknown/deep/0"]),
    (r#"{"headers":{"X-\u0000":"a"}}"#, &["nul_character error /headers/X-\0"]),
    (
        r#"{"oauth_client_metadata":{"client_name":"Acme \u202eemca"}}"#,
        &["illegal_character error /oauth_client_metadata/client_name"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_uri":""}}"#,
        &["empty_value error /oauth_client_metadata/client_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_uri":"acme.com"}}"#,
        &["invalid_url error /oauth_client_metadata/client_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_uri":"/home"}}"#,
        &["invalid_url error /oauth_client_metadata/client_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_uri":"https://"}}"#,
        &["invalid_url error /oauth_client_metadata/client_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_uri":"https:acme.com"}}"#,
        &["invalid_url error /oauth_client_metadata/client_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_uri":" https://acme.com"}}"#,
        &["trimmed warning /oauth_client_metadata/client_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_uri":"https://a b.example"}}"#,
        &["invalid_url error /oauth_client_metadata/client_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_uri":"https://acme.com:99999"}}"#,
        &["invalid_url error /oauth_client_metadata/client_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_uri":"https:\\\\acme.com"}}"#,
        &["invalid_url error /oauth_client_metadata/client_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_uri":"https://\u00e4cme.example"}}"#,
        &["invalid_url error /oauth_client_metadata/client_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_uri":"https://me:pw@acme.com"}}"#,
        &["credentials_in_url error /oauth_client_metadata/client_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_uri":"https://@acme.com"}}"#,
        &["credentials_in_url error /oauth_client_metadata/client_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"tos_uri":"javascript:alert(1)"}}"#,
        &["scheme_not_allowed error /oauth_client_metadata/tos_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"logo_uri":"data:image/png;base64,AAAA"}}"#,
        &["scheme_not_allowed error /oauth_client_metadata/logo_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"policy_uri":"ftp://acme.com/x"}}"#,
        &["scheme_not_allowed error /oauth_client_metadata/policy_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"logo_uri":"http://acme.com/logo.png"}}"#,
        &["insecure_url warning /oauth_client_metadata/logo_uri"],
    ),
    (
        r#"{"oauth_client_metadata":{"logo_uri":"https://192.0.2.7/logo.png"}}"#,
        &["ip_literal_host warning /oauth_client_metadata/logo_uri"],
    ),
    (r#"{"oauth_client_metadata":{"tos_uri":"https://acme.com/legal#terms"}}"#, &[]),
    (r#"{"oauth_client_metadata":{"scope":"a  b"}}"#, &["trimmed warning /oauth_client_metadata/scope"]),
    (r#"{"oauth_client_metadata":{"scope":" a"}}"#, &["trimmed warning /oauth_client_metadata/scope"]),
    (r#"{"oauth_client_metadata":{"scope":"a\tb"}}"#, &["trimmed warning /oauth_client_metadata/scope"]),
    (r#"{"oauth_client_metadata":{"scope":"a\"b"}}"#, &["invalid_scope error /oauth_client_metadata/scope"]),
    (
        r#"{"oauth_client_metadata":{"scope":"\u00e9"}}"#,
        &["invalid_scope error /oauth_client_metadata/scope"],
    ),
    (r#"{"oauth_client_metadata":{"scope":""}}"#, &["empty_value error /oauth_client_metadata/scope"]),
    (
        r#"{"oauth_client_metadata":{"scope":"a b a"}}"#,
        &["duplicate_value warning /oauth_client_metadata/scope"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_nmae":"Acme"}}"#,
        &["unknown_member warning /oauth_client_metadata/client_nmae"],
    ),
    (r#"{"oauth_client_metadata":{"foo":null}}"#, &[]),
    (
        r#"{"oauth_client_metdata":{"client_name":"Acme"}}"#,
        &["unknown_top_level_member warning /oauth_client_metdata"],
    ),
    (r#"{"disablePooling":true}"#, &["unknown_top_level_member warning /disablePooling"]),
    (
        r#"{"oauth_client_metadata":{"redirect_uris":["https://acme.com"]}}"#,
        &["ignored_member notice /oauth_client_metadata/redirect_uris"],
    ),
    (
        r#"{"oauth_client_metadata":{"oauth_client_metadata":{"client_name":"Acme"}}}"#,
        &["doubled_wrapper error /oauth_client_metadata/oauth_client_metadata"],
    ),
    (
        r#"{"oauth_metadata":{"oauth_metadata":{"client_id":"x"}}}"#,
        &["doubled_wrapper error /oauth_metadata/oauth_metadata"],
    ),
    (
        r#"{"configurations":{"oauth_metadata":{"client_id":"x"}}}"#,
        &["doubled_wrapper error /configurations"],
    ),
    (r#"{"client_name":"Acme","scope":"a"}"#, &["missing_wrapper error /client_name"]),
    (r#"{"client_name#fr":"Acme"}"#, &["missing_wrapper error /client_name#fr"]),
    (r#"{"client_id":"x","client_secret":"y"}"#, &["missing_wrapper error /client_id"]),
    (r#"{"client_name":null}"#, &[]),
    (r#"{"oauth_metadata":{},"oauth_client_metadata":{}}"#, &["both_spellings error /oauth_metadata"]),
    (r#"{"oauth_metadata":null,"oauth_client_metadata":{}}"#, &[]),
    (r#"{"headers":{},"custom_headers":{}}"#, &["both_spellings error /custom_headers"]),
    (r#"{"passthrough_header":{},"passthrough_headers":{}}"#, &["both_spellings error /passthrough_header"]),
    (r#"{"tools":{},"tools":{}}"#, &["duplicate_member error /tools"]),
    (
        r#"{"oauth_client_metadata":{"scope":"a","scope":"b"}}"#,
        &["duplicate_member error /oauth_client_metadata/scope"],
    ),
    (r#"{"x":[{"a":1,"a":2}]}"#, &["unknown_top_level_member warning /x", "duplicate_member error /x/0/a"]),
    (
        r#"{"oauth_client_metadata":{"contacts":["a@b.example","a@b.example"]}}"#,
        &["duplicate_value warning /oauth_client_metadata/contacts/1"],
    ),
    (
        r#"{"oauth_client_metadata":{"contacts":["the boss"]}}"#,
        &["invalid_email warning /oauth_client_metadata/contacts/0"],
    ),
    (
        r#"{"oauth_client_metadata":{"contacts":[""]}}"#,
        &["empty_value error /oauth_client_metadata/contacts/0"],
    ),
    (r#"{"oauth_client_metadata":{"contacts":[]}}"#, &[]),
    (
        r#"{"oauth_client_metadata":{"grant_types":["implicit","authorization_code"]}}"#,
        &["unsupported_grant_type error /oauth_client_metadata/grant_types/0"],
    ),
    (
        r#"{"oauth_client_metadata":{"grant_types":["password","authorization_code"]}}"#,
        &["unsupported_grant_type error /oauth_client_metadata/grant_types/0"],
    ),
    (
        r#"{"oauth_client_metadata":{"grant_types":["authorization_code","refresh-token"]}}"#,
        &["unsupported_grant_type error /oauth_client_metadata/grant_types/1"],
    ),
    (r#"{"oauth_client_metadata":{"grant_types":["authorization_code","urn:example:grant"]}}"#, &[]),
    (
        r#"{"oauth_client_metadata":{"grant_types":[]}}"#,
        &["empty_value error /oauth_client_metadata/grant_types"],
    ),
    (
        r#"{"oauth_client_metadata":{"grant_types":["client_credentials"]}}"#,
        &["grant_response_mismatch error /oauth_client_metadata/grant_types"],
    ),
    (
        r#"{"oauth_client_metadata":{"response_types":[]}}"#,
        &["grant_response_mismatch error /oauth_client_metadata/response_types"],
    ),
    (
        r#"{"oauth_client_metadata":{"grant_types":["refresh_token"],"response_types":[]}}"#,
        &["grant_response_mismatch error /oauth_client_metadata/grant_types"],
    ),
    (
        r#"{"oauth_client_metadata":{"response_types":["token"]}}"#,
        &["unsupported_response_type error /oauth_client_metadata/response_types/0"],
    ),
    (
        r#"{"oauth_client_metadata":{"token_endpoint_auth_method":"private_key_jwt"}}"#,
        &["unsupported_auth_method error /oauth_client_metadata/token_endpoint_auth_method"],
    ),
    (
        r#"{"oauth_client_metadata":{"token_endpoint_auth_method":""}}"#,
        &["empty_value error /oauth_client_metadata/token_endpoint_auth_method"],
    ),
    (
        r#"{"oauth_client_metadata":{"application_type":"desktop"}}"#,
        &["invalid_value error /oauth_client_metadata/application_type"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_secret":"s3cret"}}"#,
        &["secret_without_id error /oauth_client_metadata/client_secret"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_id":"x","client_secret":"s3cret","token_endpoint_auth_method":"none"}}"#,
        &["secret_unused warning /oauth_client_metadata/token_endpoint_auth_method"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_id":"x","client_secrte":"s3cret"}}"#,
        &["misplaced_secret error /oauth_client_metadata/client_secrte"],
    ),
    (r#"{"initial_access_token":"t0ken"}"#, &["misplaced_secret error /initial_access_token"]),
    (
        r#"{"authorization_webhook":{"api_key":"k"}}"#,
        &["misplaced_secret error /authorization_webhook/api_key"],
    ),
    (r#"{"heders":{"X-Key":"k"}}"#, &["misplaced_secret error /heders/X-Key"]),
    (r#"{"oauth_client_metadata":{"client_name#fr":"Acme","client_name#pt-BR":"Acme"}}"#, &[]),
    (
        r#"{"oauth_client_metadata":{"client_name#":"Acme"}}"#,
        &["invalid_language_tag error /oauth_client_metadata/client_name#"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_name#french language":"Acme"}}"#,
        &["invalid_language_tag error /oauth_client_metadata/client_name#french language"],
    ),
    (
        r#"{"oauth_client_metadata":{"client_name#fr":"a","client_name#FR":"b"}}"#,
        &["duplicate_member error /oauth_client_metadata/client_name#FR"],
    ),
    (
        r#"{"oauth_client_metadata":{"tos_uri#fr":"javascript:x"}}"#,
        &["scheme_not_allowed error /oauth_client_metadata/tos_uri#fr"],
    ),
    (
        r#"{"oauth_client_metadata":{"scope#fr":"a"}}"#,
        &["unknown_member warning /oauth_client_metadata/scope#fr"],
    ),
    (
        r#"{"oauth_client_metadata":{"issuer":"http://login.example"}}"#,
        &["insecure_url error /oauth_client_metadata/issuer"],
    ),
    (r#"{"oauth_client_metadata":{"issuer":"http://127.0.0.1:9000/realm"}}"#, &[]),
    (
        r#"{"oauth_client_metadata":{"issuer":"https://login.example/?a=b"}}"#,
        &["invalid_url error /oauth_client_metadata/issuer"],
    ),
    (
        r#"{"oauth_client_metadata":{"issuer":"https://login.example/#a"}}"#,
        &["invalid_url error /oauth_client_metadata/issuer"],
    ),
    (
        r#"{"oauth_client_metadata":{"registration_endpoint":"https://login.example/r#x"}}"#,
        &["invalid_url error /oauth_client_metadata/registration_endpoint"],
    ),
    (
        r#"{"oauth_client_metadata":{"issuer":"https://l.example","authorization_endpoint":"https://l.example/a","token_endpoint":"https://l.example/t"}}"#,
        &[],
    ),
    (
        r#"{"oauth_client_metadata":{"token_endpoint":"https://l.example/t"}}"#,
        &["incomplete_override warning /oauth_client_metadata/token_endpoint"],
    ),
    (r#"{"oauth_client_metadata":{"authorization_params":{"access_type":"offline"}}}"#, &[]),
    (
        r#"{"oauth_client_metadata":{"authorization_params":{"state":"x"}}}"#,
        &["reserved_parameter error /oauth_client_metadata/authorization_params/state"],
    ),
    (
        r#"{"oauth_client_metadata":{"authorization_params":{"state":null,"a":1}}}"#,
        &["wrong_type error /oauth_client_metadata/authorization_params/a"],
    ),
    (r#"{"registration":{"method":"magic"}}"#, &["invalid_value error /registration/method"]),
    (
        r#"{"registration":{"method":"cimd","scope":"never","replace":"ask","trusted_issuer":"https://l.example/","initial_access_token":"t"}}"#,
        &[],
    ),
    (r#"{"registration":{"resource":"api://0f1e2d3c-0000-4000-8000-00000000abcd"}}"#, &[]),
    (r#"{"registration":{"resource":"urn:example:mcp"}}"#, &[]),
    (r#"{"registration":{"resource":"https://mcp.example.com/mcp?tenant=a"}}"#, &[]),
    (r#"{"registration":{"resource":"http://mcp.internal.example:8080/"}}"#, &[]),
    (
        r#"{"registration":{"resource":"https://mcp.example.com/#a"}}"#,
        &["invalid_url error /registration/resource"],
    ),
    (r#"{"registration":{"resource":"urn:example:mcp#a"}}"#, &["invalid_url error /registration/resource"]),
    (r#"{"registration":{"resource":"mcp.example.com/mcp"}}"#, &["invalid_url error /registration/resource"]),
    (
        r#"{"registration":{"resource":"mcp.example.com:8443/mcp"}}"#,
        &["invalid_url error /registration/resource"],
    ),
    (r#"{"registration":{"resource":"localhost:8443"}}"#, &["invalid_url error /registration/resource"]),
    (r#"{"registration":{"resource":"api:"}}"#, &["invalid_url error /registration/resource"]),
    (r#"{"registration":{"resource":"api://a b"}}"#, &["invalid_url error /registration/resource"]),
    (r#"{"registration":{"resource":"api://é"}}"#, &["invalid_url error /registration/resource"]),
    (r#"{"registration":{"resource":"acme-mcp"}}"#, &["invalid_url warning /registration/resource"]),
    (r#"{"registration":{"resource":""}}"#, &["empty_value error /registration/resource"]),
    (r#"{"registration":{"resource":["urn:a:b"]}}"#, &["wrong_type error /registration/resource"]),
    (
        r#"{"registration":{"resource":"https://u:p@mcp.example.com/"}}"#,
        &["credentials_in_url error /registration/resource"],
    ),
    (r#"{"registration":{"omit":["software_id","logo_uri","client_name#fr"]}}"#, &[]),
    (r#"{"registration":{"omit":[]}}"#, &[]),
    (r#"{"registration":{"omit":"software_id"}}"#, &["wrong_type error /registration/omit"]),
    (r#"{"registration":{"omit":["redirect_uris"]}}"#, &["invalid_value error /registration/omit/0"]),
    (r#"{"registration":{"omit":["client_id"]}}"#, &["invalid_value error /registration/omit/0"]),
    (
        r#"{"registration":{"omit":["softwareId",7]}}"#,
        &["invalid_value error /registration/omit/0", "wrong_type error /registration/omit/1"],
    ),
    (r#"{"registration":{"omit":["scope#fr"]}}"#, &["invalid_value error /registration/omit/0"]),
    (r#"{"registration":{"omit":["scope","scope"]}}"#, &["duplicate_value warning /registration/omit/1"]),
    (
        r#"{"oauth_client_metadata":{"software_id":"a","scope":null},"registration":{"omit":["scope","software_id"]}}"#,
        &["set_and_omitted warning /registration/omit/1"],
    ),
    (
        r#"{"oauth_metadata":{"client_name#fr":"a"},"registration":{"omit":["client_name#fr"]}}"#,
        &["set_and_omitted warning /registration/omit/0"],
    ),
    (r#"{"registration":{"client_name":"Acme"}}"#, &["unknown_member warning /registration/client_name"]),
    (r#"{"headers":{"X-Key":"k","x-key":"l"}}"#, &["duplicate_member error /headers/x-key"]),
    (r#"{"headers":{"X Key":"k"}}"#, &["invalid_header_name error /headers/X Key"]),
    (r#"{"headers":{"X-Key":"a\r\nHost: b"}}"#, &["illegal_character error /headers/X-Key"]),
    (r#"{"headers":{"X-Key":""}}"#, &["empty_value error /headers/X-Key"]),
    (r#"{"headers":{"X-Key":7}}"#, &["wrong_type error /headers/X-Key"]),
    (r#"{"headers":"X-Key: k"}"#, &["wrong_type error /headers"]),
    (r#"{"forward_headers":["X-A",{"from":"X-B","to":"X-C"}]}"#, &[]),
    (r#"{"forward_headers":["X A"]}"#, &["invalid_header_name error /forward_headers/0"]),
    (r#"{"forward_headers":[{"from":"X-B"}]}"#, &["missing_member error /forward_headers/0"]),
    (r#"{"forward_headers":{"mode":"all-except","headers":["X-A"]}}"#, &[]),
    (
        r#"{"forward_headers":{"mode":"some","headers":["X-A"]}}"#,
        &["invalid_value error /forward_headers/mode"],
    ),
    (
        r#"{"forward_headers":{}}"#,
        &["missing_member error /forward_headers", "missing_member error /forward_headers"],
    ),
    (r#"{"forward_headers":"X-A"}"#, &["wrong_type error /forward_headers"]),
    (r#"{"user_identity_forwarding":{"method":"bearer","include_claims":["sub"]}}"#, &[]),
    (r#"{"user_identity_forwarding":{}}"#, &["missing_member error /user_identity_forwarding"]),
    (
        r#"{"user_identity_forwarding":{"method":"jwt_header","jwt_expiry_seconds":0}}"#,
        &["invalid_value error /user_identity_forwarding/jwt_expiry_seconds"],
    ),
    (
        r#"{"user_identity_forwarding":{"method":"jwt_header","jwt_expiry_seconds":1.5}}"#,
        &["invalid_value error /user_identity_forwarding/jwt_expiry_seconds"],
    ),
    (r#"{"jwt_validation":{"headerKey":"Authorization"}}"#, &["missing_member error /jwt_validation"]),
    (
        r#"{"jwt_validation":{"jwks":{"keys":[]},"maxTokenAge":"12h","claimValues":{"t":{"values":["a"],"matchType":"contains"}}}}"#,
        &[],
    ),
    (
        r#"{"jwt_validation":{"jwksUri":"https://l.example/jwks","maxTokenAge":"soon"}}"#,
        &["invalid_value error /jwt_validation/maxTokenAge"],
    ),
    (
        r#"{"jwt_validation":{"jwksUri":"https://l.example/jwks","algorithms":["none"]}}"#,
        &["invalid_value error /jwt_validation/algorithms/0"],
    ),
    (
        r#"{"jwt_validation":{"jwksUri":"https://l.example/jwks","claimValues":{"t":{}}}}"#,
        &["missing_member error /jwt_validation/claimValues/t"],
    ),
    (
        r#"{"external_auth_config":{"issuer":"https://l.example"}}"#,
        &["missing_member error /external_auth_config", "missing_member error /external_auth_config"],
    ),
    (
        r#"{"external_auth_config":{"authorization_endpoint":"https://l.example/a","token_endpoint":"https://l.example/t","client_secret":"s3cret"}}"#,
        &["secret_without_id error /external_auth_config/client_secret"],
    ),
    (
        r#"{"tools":{"allowed":["a"],"rateLimit":{"requests":1,"window":60},"logCalls":true},"transport":{"preferred":"sse","allowFallback":false}}"#,
        &[],
    ),
    (r#"{"tools":{"logCalls":"yes"}}"#, &["wrong_type error /tools/logCalls"]),
    (r#"{"transport":"http"}"#, &["wrong_type error /transport"]),
    ("[]", &["not_an_object error "]),
    ("null", &["not_an_object error "]),
    ("\"x\"", &["not_an_object error "]),
    ("{", &["invalid_json error "]),
    ("{'a': 1}", &["invalid_json error "]),
    ("{\"a\": 1,}", &["invalid_json error "]),
    ("{\"a\": [1,]}", &["invalid_json error "]),
    ("{\"a\": 1} // why", &["invalid_json error "]),
    ("{\"a\": 0x10}", &["invalid_json error "]),
    ("{\"a\": \"line\nbreak\"}", &["invalid_json error "]),
    ("{\"a\": 1} {}", &["invalid_json error "]),
    ("{a: 1}", &["invalid_json error "]),
    ("\u{feff}{}", &["trimmed warning "]),
    ("\u{feff}", &["trimmed warning "]),
    ("{\u{feff}}", &["invalid_json error "]),
    ("{\u{a0}}", &["invalid_json error "]),
    ("", &[]),
    (" \n ", &[]),
    ("{}", &[]),
];

#[test]
fn every_bad_input_has_a_finding_and_position() {
    for (text, expected) in CASES {
        let mut found: Vec<String> = found(text)
            .into_iter()
            .map(|(code, severity, pointer)| format!("{code} {severity} {pointer}"))
            .collect();
        let mut expected: Vec<String> = expected.iter().map(|&line| line.to_owned()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn every_code_is_listed_with_its_severity_and_every_message_is_a_sentence() {
    let mut seen = BTreeSet::new();
    for (text, _) in CASES {
        for finding in &verify(text, &KnownSecrets::default()).findings {
            let code = CODES
                .iter()
                .find(|code| code.code == finding.code)
                .unwrap_or_else(|| panic!("{}", finding.code));
            assert!(code.severities.contains(&finding.severity), "{}", finding.code);
            let message = &finding.message;
            assert!(message.ends_with(['.', '?']) && !message.contains('!'), "{message}");
            assert!(!message.contains("s3cret") && !message.contains("pw@"), "{message}");
            assert!(finding.line.is_some() && finding.column.is_some(), "{text}: {message}");
            seen.insert(code.code);
        }
    }
    let names: BTreeSet<&str> = CODES.iter().map(|code| code.code).collect();
    assert_eq!(names.len(), CODES.len(), "a code is listed twice");
    assert!(seen.len() >= 33, "{seen:?}");
}

#[test]
fn suggestions_name_the_intended_member() {
    for (text, suggestion) in [
        (r#"{"oauth_client_metadata":{"client_nmae":"Acme"}}"#, Some("client_name")),
        (r#"{"oauth_client_metadata":{"clientName":"Acme"}}"#, Some("client_name")),
        (r#"{"oauth_client_metadata":{"name":"Acme"}}"#, Some("client_name")),
        (r#"{"oauth_client_metadata":{"logo":"https://acme.com/l.png"}}"#, Some("logo_uri")),
        (r#"{"oauth_client_metadata":{"tos_url":"https://acme.com"}}"#, Some("tos_uri")),
        (r#"{"oauth_client_metadata":{"default_max_age":7}}"#, None),
        (r#"{"oauth_client_metdata":{}}"#, Some("oauth_client_metadata")),
        (r#"{"oauth_client_metadata":{"scope":"a,b"}}"#, Some("a b")),
        (r#"{"oauth_client_metadata":{"client_uri":"acme.com"}}"#, Some("https://acme.com")),
        (r#"{"oauth_client_metadata":{"logo_uri":"http://acme.com/l.png"}}"#, Some("https://acme.com/l.png")),
        (r#"{"oauth_client_metadata":{"contacts":["mailto:a@acme.com"]}}"#, Some("a@acme.com")),
        (
            r#"{"oauth_client_metadata":{"grant_types":["authorization_code","refresh"]}}"#,
            Some("refresh_token"),
        ),
    ] {
        let findings = verify(text, &KnownSecrets::default()).findings;
        assert_eq!(findings.0[0].suggestion.as_deref(), suggestion, "{text}");
    }
    let wrong =
        verify(r#"{"oauth_client_metadata":{"scope":["mcp:read","mcp:write"]}}"#, &KnownSecrets::default());
    assert_eq!(
        wrong.findings.0[0].message,
        "`scope` must be one string of space-separated scopes, not a list. Write \"mcp:read mcp:write\"."
    );
}

#[test]
fn positions_are_lines_and_characters() {
    let text = "{\n  \"oauth_client_metadata\": {\n    \"client_name\": \"é\", \"client_nmae\": \"x\",\n    \"scope\": 7\n  }\n}";
    let findings = verify(text, &KnownSecrets::default()).findings;
    let places: Vec<(&str, Option<u32>, Option<u32>)> =
        findings.iter().map(|f| (f.code.as_ref(), f.line, f.column)).collect();
    assert_eq!(places, [("unknown_member", Some(3), Some(25)), ("wrong_type", Some(4), Some(14))]);
    let broken = verify("{\n  \"a\": 1,\n  \"ü\": 1,}\n", &KnownSecrets::default()).findings;
    assert_eq!((broken.0[0].line, broken.0[0].column), (Some(3), Some(9)));
    let control = verify("{\"é\": \"a\tb\"}", &KnownSecrets::default()).findings;
    assert_eq!((control.0[0].line, control.0[0].column), (Some(1), Some(9)));
}

#[test]
fn sizes_are_bounded() {
    let long = |name: &str, value: &str| format!("{{\"oauth_client_metadata\":{{\"{name}\":{value}}}}}");
    for (text, code) in [
        (long("client_name", &format!("\"{}\"", "é".repeat(256))), "too_long"),
        (long("scope", &format!("\"{}\"", "a".repeat(4097))), "too_long"),
        (long("client_uri", &format!("\"https://acme.com/{}\"", "a".repeat(2048))), "too_long"),
        (long(&"n".repeat(257), "1"), "too_long"),
        (long("contacts", &format!("[{}]", vec!["\"a@b.example\""; 1001].join(","))), "too_many"),
        (" ".repeat(MAX_CONFIGURATION_BYTES + 1), "too_large"),
        (format!("{{\"x\":{}{}}}", "[".repeat(200), "]".repeat(200)), "invalid_json"),
    ] {
        let findings = found(&text);
        assert_eq!(findings.len(), 1, "{code}: {findings:?}");
        assert_eq!((findings[0].0.as_str(), findings[0].1), (code, "error"));
    }
    assert_eq!(found(&long("client_name", &format!("\"{}\"", "é".repeat(255)))), []);
    let headers: Vec<String> = (0..101).map(|number| format!("\"X-{number}\":\"v\"")).collect();
    assert_eq!(found(&format!("{{\"headers\":{{{}}}}}", headers.join(",")))[0].0, "too_many");
    let members: Vec<String> = (0..5000).map(|number| format!("\"m{number}\":1")).collect();
    let many = found(&format!("{{\"oauth_client_metadata\":{{{}}}}}", members.join(",")));
    assert_eq!(many.len(), 101);
    assert_eq!(many[100].0, "more_findings");
}

#[test]
fn examples_and_defaults_of_the_table_are_valid() {
    for field in FIELDS.iter().filter(|field| !field.is_ignored()) {
        assert!(!field.help.is_empty() && !field.title.is_empty(), "{}", field.name);
        for json in field.default.into_iter().chain([field.example]) {
            let value: Value =
                serde_json::from_str(json).unwrap_or_else(|_| panic!("{}: {json}", field.name));
            let mut report = crate::metadata::rules::report::Report::default();
            crate::metadata::rules::document::check_member(field, &value, "/x", &mut report);
            let findings = report.into_findings();
            assert!(findings.is_empty(), "{}: {findings:?}", field.name);
        }
    }
}
