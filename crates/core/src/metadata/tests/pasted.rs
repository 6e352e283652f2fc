//! Values that were pasted from elsewhere: repaired where the meaning is certain, else named with what to write instead.

use super::*;
use crate::id::SealedId;
use serde_json::json;
use uuid::Uuid;

fn ids(count: usize) -> Vec<SealedId> {
    (1..=count).map(|number| SealedId(Uuid::from_u128(number as u128))).collect()
}

fn in_metadata(member: &str, value: &str) -> String {
    json!({ "oauth_client_metadata": { member: value } }).to_string()
}

/// What is stored for `member` and the codes of the findings.
fn stored(section: &str, member: &str, value: &str) -> (Value, Vec<String>) {
    let text = json!({ section: { member: value } }).to_string();
    let verified = verify(&text, &KnownSecrets::default());
    let codes = verified.findings.iter().map(|finding| finding.code.to_string()).collect();
    let kept = verified.sealed_text(&ids(verified.new_secrets().len()));
    let kept: Value = kept.map_or(Value::Null, |kept| serde_json::from_str(&kept).unwrap());
    match verified.new_secrets() {
        [secret] => (json!(secret.expose()), codes),
        _ => (kept[section][member].clone(), codes),
    }
}

#[test]
fn certain_repairs_are_stored_with_a_notice() {
    let cm = "oauth_client_metadata";
    let reg = "registration";
    for (section, member, value, expected) in [
        (cm, "client_id", "1234-ab.apps.example ", "1234-ab.apps.example"),
        (cm, "client_id", "\n1234\r\n", "1234"),
        (cm, "client_id", "\u{a0}1234\u{a0}", "1234"),
        (cm, "client_id", "\u{feff}1234", "1234"),
        (cm, "client_id", "1234\u{200b}", "1234"),
        (cm, "client_id", "\u{201c}1234\u{201d}", "1234"),
        (cm, "client_id", "\"1234\"", "1234"),
        (cm, "client_name", " Acme ", "Acme"),
        (cm, "client_uri", " https://acme.com", "https://acme.com"),
        (cm, "client_uri", "<https://acme.com>", "https://acme.com"),
        (cm, "logo_uri", "'https://acme.com/l.png'\n", "https://acme.com/l.png"),
        (cm, "issuer", "\thttps://login.acme.com", "https://login.acme.com"),
        (cm, "registration_endpoint", "`https://login.acme.com/r`", "https://login.acme.com/r"),
        (cm, "scope", " read write", "read write"),
        (cm, "scope", "read\nwrite", "read write"),
        (cm, "scope", "read\t\twrite", "read write"),
        (cm, "scope", "read\u{a0}write", "read write"),
        (cm, "scope", "[\"read\", \"write\"]", "read write"),
        (cm, "scope", "\"read write\"", "read write"),
        (cm, "token_endpoint_auth_method", "none ", "none"),
        (cm, "application_type", "'web'", "web"),
        (cm, "client_name#fr", " Acmé ", "Acmé"),
        (reg, "initial_access_token", "Bearer abc", "abc"),
        (reg, "initial_access_token", "bearer   abc\n", "abc"),
        (reg, "initial_access_token", "Authorization: Bearer abc", "abc"),
        (reg, "initial_access_token", "token abc", "abc"),
        (reg, "initial_access_token", "Bearer: \"abc\"", "abc"),
        (reg, "initial_access_token", " abc ", "abc"),
        (reg, "initial_access_token", "\u{201c}abc\u{201d}", "abc"),
        (reg, "trusted_issuer", "https://login.acme.com/ ", "https://login.acme.com/"),
        (reg, "resource", " <api://acme>", "api://acme"),
        (reg, "method", "\"dcr\"", "dcr"),
        ("headers", "X-Key", " k\n", "k"),
        ("headers", "Authorization", "Bearer abc\u{200b}", "Bearer abc"),
        ("passthrough_headers", "X-Key", "k\u{a0}", "k"),
    ] {
        let (kept, codes) = stored(section, member, value);
        assert_eq!(kept, json!(expected), "{member} {value:?} {codes:?}");
        assert_eq!(codes, ["trimmed"], "{member} {value:?}");
    }
    // A secret beside its id; its quotation marks may belong to it.
    for (value, expected) in [(" s3 cret\n", "s3 cret"), ("\u{feff}s3", "s3"), ("\"s3\" ", "\"s3\"")] {
        let text =
            json!({ "oauth_client_metadata": { "client_id": "x", "client_secret": value } }).to_string();
        let verified = verify(&text, &KnownSecrets::default());
        assert_eq!(verified.new_secrets()[0].expose(), expected);
        assert_eq!(verified.findings.0[0].code, "trimmed");
        assert!(!verified.findings.0[0].message.contains("s3"));
        assert!(verified.sealed_text(&ids(1)).unwrap().contains("$sealed:"));
    }
}

#[test]
fn values_that_are_right_are_left_alone() {
    for (section, member, value) in [
        ("oauth_client_metadata", "client_name", "Acme \u{201c}Gold\u{201d} \u{200c}mcp"),
        ("oauth_client_metadata", "client_name", "\"Acme\""),
        ("oauth_client_metadata", "software_id", "<acme>"),
        ("oauth_client_metadata", "client_id", "Bearer x"),
        ("oauth_client_metadata", "client_id", "a \"b\""),
        ("oauth_client_metadata", "client_id", "\"a"),
        ("oauth_client_metadata", "scope", "read write"),
        ("oauth_client_metadata", "client_uri", "https://acme.com/a?b=%20"),
        ("registration", "initial_access_token", "token"),
        ("registration", "initial_access_token", "bearerabc"),
        ("registration", "initial_access_token", "tokenabc.def"),
        ("headers", "Authorization", "Bearer abc"),
        ("headers", "X-Quoted", "\"abc\""),
    ] {
        let (kept, codes) = stored(section, member, value);
        assert_eq!((kept, codes), (json!(value), Vec::new()), "{member} {value:?}");
    }
}

/// Each finding names what was seen and, where it can, what to write.
#[test]
fn uncertain_values_are_named_with_a_repair() {
    for (text, code, severity, words, suggestion) in [
        (in_metadata("scope", "chat:write,search:read"), "pasted_value", "warning", "`,`", Some("chat:write search:read")),
        (in_metadata("scope", "a, b, c"), "pasted_value", "warning", "`,`", Some("a b c")),
        (in_metadata("scope", "a;b"), "pasted_value", "warning", "`;`", Some("a b")),
        (in_metadata("scope", "\u{201c}a b"), "invalid_scope", "error", "U+201C left double quotation mark", None),
        (in_metadata("scope", "a\u{200b}b"), "invalid_scope", "error", "U+200B zero-width space", None),
        (in_metadata("client_id", "12\u{2013}34"), "illegal_character", "error", "U+2013 en dash", Some("12-34")),
        (in_metadata("client_id", "12\u{200b}34"), "illegal_character", "error", "U+200B zero-width space", Some("1234")),
        (in_metadata("client_id", "12\u{a0}34"), "illegal_character", "error", "U+00A0 no-break space", Some("12 34")),
        (in_metadata("client_uri", "https://acme\u{200b}.com/"), "invalid_url", "error", "U+200B zero-width space", Some("https://acme.com/")),
        (in_metadata("client_uri", "https://acme.com/\u{a0}x"), "invalid_url", "error", "U+00A0 no-break space", Some("https://acme.com/x")),
        (in_metadata("client_uri", "https://acme\u{2013}corp.com/"), "invalid_url", "error", "U+2013 en dash", Some("https://acme-corp.com/")),
        (in_metadata("client_uri", "https://acme.com/a b"), "invalid_url", "error", "U+0020 space", None),
        (in_metadata("client_uri", "https://acme.com/,"), "pasted_value", "warning", "`,`", Some("https://acme.com/")),
        (in_metadata("registration_endpoint", "https://acme.com/r;"), "pasted_value", "warning", "`;`", Some("https://acme.com/r")),
        (in_metadata("client_uri", "acme.com"), "invalid_url", "error", "https://", Some("https://acme.com")),
        (in_metadata("client_name", "Ac\nme"), "illegal_character", "error", "U+000A line break", None),
        (in_metadata("issuer", "https://l.example/.well-known/oauth-authorization-server"), "pasted_value", "warning", "metadata document", Some("https://l.example")),
        (in_metadata("issuer", "https://l.example/.well-known/oauth-authorization-server/t1"), "pasted_value", "warning", "metadata document", Some("https://l.example/t1")),
        (in_metadata("issuer", "https://l.example/t1/.well-known/openid-configuration"), "pasted_value", "warning", "metadata document", Some("https://l.example/t1")),
        (in_metadata("issuer", "https://l.example/.well-known/oauth-protected-resource/mcp"), "pasted_value", "warning", "metadata document", Some("https://l.example/mcp")),
        (in_metadata("issuer", "https://l.example/oauth2/authorize"), "pasted_value", "warning", "endpoint", Some("https://l.example")),
        (in_metadata("issuer", "https://l.example/t1/oauth/token"), "pasted_value", "warning", "endpoint", Some("https://l.example/t1")),
        (in_metadata("issuer", "https://l.example/register/"), "pasted_value", "warning", "endpoint", Some("https://l.example")),
        (json!({ "registration": { "initial_access_token": "SSWS 00abc" } }).to_string(), "pasted_value", "warning", "`SSWS`", None),
        (json!({ "registration": { "initial_access_token": "basic 00abc" } }).to_string(), "pasted_value", "warning", "`Basic`", None),
        (json!({ "registration": { "initial_access_token": "00 abc" } }).to_string(), "pasted_value", "warning", "blank", None),
        (json!({ "registration": { "trusted_issuer": "https://l.example/.well-known/openid-configuration" } }).to_string(), "pasted_value", "warning", "metadata document", Some("https://l.example")),
        (json!({ "headers": { "X-Key": "k\u{2013}x" } }).to_string(), "illegal_character", "error", "U+2013 en dash", None),
        (json!({ "headers": { "X-Key": "ké" } }).to_string(), "illegal_character", "error", "another one", None),
        (json!({ "oauth_client_metadata": { "contacts": ["mailto:a@acme.com"] } }).to_string(), "invalid_email", "warning", "contacts", Some("a@acme.com")),
    ] {
        let findings = verify(&text, &KnownSecrets::default()).findings;
        let found = &findings.0[0];
        assert_eq!((found.code.as_ref(), found.severity.as_str()), (code, severity), "{text}: {findings}");
        assert!(found.message.contains(words), "{text}: {}", found.message);
        assert_eq!(found.suggestion.as_deref(), suggestion, "{text}");
        assert!(!found.message.contains("00abc") && !found.message.contains("ké"), "{}", found.message);
        assert!(CODES.iter().any(|one| one.code == code && one.severities.contains(&found.severity)), "{code}");
    }
    for issuer in
        ["https://l.example/api/auth", "https://l.example", "https://l.example/realms/token-service"]
    {
        assert_eq!(found(&in_metadata("issuer", issuer)), [], "{issuer}");
    }
}

#[test]
fn foreign_characters_in_the_text_are_named() {
    for (text, words, line, column) in [
        ("{\u{201c}oauth_client_metadata\u{201d}: {}}", "U+201C left double quotation mark", 1, 2),
        ("{\"oauth_client_metadata\":\u{a0}{}}", "U+00A0 no-break space", 1, 26),
        ("{\n  \u{2018}a\u{2019}: 1}", "U+2018 left single quotation mark", 2, 3),
        ("{\"a\": \u{feff}1}", "U+FEFF byte order mark", 1, 7),
        ("{\u{200b}}", "U+200B zero-width space", 1, 2),
        ("{\"a\": 1\u{ff0c} \"b\": 2}", "U+FF0C fullwidth comma", 1, 8),
        ("{\"a\"\u{ff1a} 1}", "U+FF1A fullwidth colon", 1, 5),
        ("{\"a\": \u{2013}1}", "U+2013 en dash", 1, 7),
        ("{\"a\": \"x\u{201d}}", "U+201D right double quotation mark", 1, 9),
        ("{\"a\": \u{2026}}", "U+2026 horizontal ellipsis", 1, 7),
        ("{\"\\\"\": \u{201e}x\u{201c}}", "U+201E double low-9 quotation mark", 1, 8),
    ] {
        let findings = verify(text, &KnownSecrets::default()).findings;
        let found = &findings.0[0];
        assert_eq!(found.code, "invalid_json", "{text}");
        assert!(found.message.contains(words), "{text}: {}", found.message);
        assert_eq!((found.line, found.column), (Some(line), Some(column)), "{text}: {}", found.message);
    }
    // What is inside of strings is no fault of the text.
    let findings = verify("{\"a\": \"\u{201c}é\u{a0}\", }", &KnownSecrets::default()).findings;
    assert!(findings.0[0].code == "invalid_json", "{findings}");
    assert_eq!(found("{\"oauth_client_metadata\":{\"client_name\":\"\u{201c}Acme\u{201d}\"}}"), []);
}

#[test]
fn byte_order_mark_is_removed_with_a_warning() {
    let text = "\u{feff}{\"oauth_client_metadata\":{\"client_name\":\"A\"}}";
    let verified = verify(text, &KnownSecrets::default());
    assert_eq!(triples(&verified.findings), [("trimmed".to_owned(), "warning", String::new())]);
    assert!(verified.findings.0[0].message.contains("U+FEFF byte order mark"));
    let kept = verified.sealed_text(&[]).unwrap();
    assert_eq!(kept, text.trim_start_matches('\u{feff}'));
    assert_eq!(verified.repaired_text(), kept);
}

/// A marker with blanks around is the marker.
#[test]
fn marker_with_blanks_is_kept() {
    let id = SealedId(Uuid::from_u128(7));
    let stored = format!("{{\"headers\":{{\"X-Key\":\"{}\"}}}}", marker(id));
    let known = KnownSecrets::of(&stored);
    let sent = format!("{{\"headers\":{{\"X-Key\":\" {} \"}}}}", marker(id));
    let verified = verify(&sent, &known);
    assert_eq!(verified.kept_secrets().len(), 1);
    assert_eq!(verified.sealed_text(&[]).as_deref(), Some(stored.as_str()));
}

/// An integration of client credentials: its grants where nobody sets them, and findings where an admin contradicts.
#[test]
fn grants_follow_the_auth_type() {
    let fitted = |metadata: &str, machine: bool| {
        let configuration = configuration(metadata);
        let mut resolution = resolved(&[(Level::Integration, &configuration)]);
        fit_grants(&mut resolution, machine);
        let codes: Vec<String> = resolution.findings.iter().map(|finding| finding.code.to_string()).collect();
        let of = |name: &str| resolution.effective.client_metadata.get(name).cloned().unwrap_or_default();
        (of("grant_types"), of("response_types"), codes)
    };
    let (both, code, machine) =
        (json!(["authorization_code", "refresh_token"]), json!(["code"]), json!(["client_credentials"]));
    let none = Vec::<String>::new;
    let contradicts = || vec!["grants_contradict_auth_type".to_owned()];
    for (metadata, is_machine, expected) in [
        ("{}", true, (machine.clone(), json!([]), none())),
        ("{}", false, (both.clone(), code.clone(), none())),
        (r#"{"client_name":"A"}"#, true, (machine.clone(), json!([]), none())),
        (
            r#"{"grant_types":["client_credentials"],"response_types":[]}"#,
            true,
            (machine.clone(), json!([]), none()),
        ),
        (
            r#"{"grant_types":["client_credentials"],"response_types":[]}"#,
            false,
            (machine.clone(), json!([]), contradicts()),
        ),
        (
            r#"{"grant_types":["authorization_code"]}"#,
            true,
            (json!(["authorization_code"]), json!([]), contradicts()),
        ),
        (
            r#"{"grant_types":["authorization_code"],"response_types":["code"]}"#,
            true,
            (json!(["authorization_code"]), code.clone(), contradicts()),
        ),
        (
            r#"{"grant_types":["authorization_code","client_credentials"],"response_types":["code"]}"#,
            true,
            (json!(["authorization_code", "client_credentials"]), code.clone(), none()),
        ),
        (
            r#"{"grant_types":["authorization_code","client_credentials"]}"#,
            false,
            (json!(["authorization_code", "client_credentials"]), code.clone(), none()),
        ),
        (r#"{"response_types":["code"]}"#, true, (machine.clone(), code.clone(), none())),
    ] {
        assert_eq!(fitted(metadata, is_machine), expected, "{metadata} {is_machine}");
    }
}

/// Without a grant that uses it, no authorization endpoint is demanded (RFC 8414 §2).
#[test]
fn override_needs_an_authorization_endpoint_only_for_users() {
    let override_of = |grants: &str| {
        found(&format!(
            r#"{{"oauth_client_metadata":{{"client_id":"svc","issuer":"https://l.example","token_endpoint":"https://l.example/t"{grants}}}}}"#
        ))
    };
    for (grants, complete) in [
        (r#","grant_types":["client_credentials"],"response_types":[]"#, true),
        (
            r#","grant_types":["client_credentials","urn:ietf:params:oauth:grant-type:jwt-bearer"],"response_types":[]"#,
            true,
        ),
        (r#","grant_types":["urn:ietf:params:oauth:grant-type:device_code"],"response_types":[]"#, true),
        (r#","grant_types":["authorization_code","client_credentials"]"#, false),
        (r#","grant_types":null"#, false),
        ("", false),
    ] {
        let codes: Vec<String> = override_of(grants).into_iter().map(|(code, _, _)| code).collect();
        assert_eq!(codes.is_empty(), complete, "{grants}: {codes:?}");
    }
    let bare = r#"{"oauth_client_metadata":{"token_endpoint":"https://l.example/t","grant_types":["client_credentials"],"response_types":[]}}"#;
    let findings = verify(bare, &KnownSecrets::default()).findings;
    assert!(
        findings.0[0].message.contains("`issuer`")
            && !findings.0[0].message.contains("authorization_endpoint")
    );
}
