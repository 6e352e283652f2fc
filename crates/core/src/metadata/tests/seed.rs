//! The documented examples and tables of client metadata, quoted (docs/client-metadata.md, INV-21).

use super::*;
use serde_json::json;

/// The four documented examples.
pub(super) const EXAMPLES: [&str; 4] = [
    crate::examples::ORGANISATION,
    crate::examples::ENTERPRISE_COMPLIANCE,
    crate::examples::PRE_REGISTERED_CLIENT,
    crate::examples::CUSTOM_SCOPES,
];

/// "Available Fields": field, type, description.
const AVAILABLE: [(&str, &str, &str); 12] = [
    ("client_name", "string", "Name shown during OAuth consent"),
    ("client_uri", "string", "Organization's homepage URL"),
    ("logo_uri", "string", "Logo shown during consent (should be HTTPS)"),
    ("scope", "string", "Space-separated OAuth scopes to request"),
    ("software_id", "string", "Unique client identifier (useful for pre-registered clients)"),
    ("software_version", "string", "Client software version"),
    ("grant_types", "string[]", "OAuth grant types"),
    ("response_types", "string[]", "OAuth response types"),
    ("token_endpoint_auth_method", "string", "Token endpoint auth method"),
    ("contacts", "string[]", "Contact email addresses"),
    ("tos_uri", "string", "Terms of Service URL"),
    ("policy_uri", "string", "Privacy policy URL"),
];

/// "Fields That Cannot Be Set".
const EXCLUDED: [&str; 4] = ["redirect_uris", "jwks_uri", "jwks", "software_statement"];

fn defaults() -> Value {
    json!({
        "client_name": "Portkey (acme/linear)",
        "client_uri": "https://portkey.ai",
        "logo_uri": "https://cfassets.portkey.ai/logo%2Fdew-color.png",
        "software_id": "ai.portkey.mcp",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "web",
        "redirect_uris": ["https://g.example/oauth/upstream-callback"],
    })
}

fn defaults_with(changes: &Value) -> Value {
    let mut all = defaults();
    let members = all.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        members.insert(name.clone(), value.clone());
    }
    all
}

#[test]
fn documented_examples_have_no_findings_and_are_sent_unchanged() {
    for example in EXAMPLES {
        let verified = verify(example, &KnownSecrets::default());
        assert_eq!(verified.findings, Findings::default(), "{example}");
        assert_eq!(verified.sealed_text(&[]).unwrap(), example);
        let configuration = AdvancedConfiguration::from_stored(example).unwrap();
        let resolution = resolved(&[(Level::Integration, &configuration)]);
        assert!(resolution.findings.is_empty() && resolution.ignored.is_empty());
        let metadata = &serde_json::from_str::<Value>(example).unwrap()["oauth_client_metadata"];
        assert_eq!(sent(&resolution), defaults_with(metadata));
        for member in metadata.as_object().unwrap().keys() {
            assert_eq!(resolution.origins[member], Origin::Integration, "{member}");
        }
        assert_eq!(configuration.client_metadata_field_count(), metadata.as_object().unwrap().len());
    }
}

#[test]
fn available_fields_row_by_row() {
    let customisable: Vec<&Field> = FIELDS
        .iter()
        .filter(|field| field.usage == Usage::Sent && field.name != "application_type")
        .collect();
    assert_eq!(customisable.len(), AVAILABLE.len());
    for (name, kind, description) in AVAILABLE {
        let field = find(Section::ClientMetadata, name).unwrap();
        let expected = if kind == "string" { Kind::String } else { Kind::StringList };
        assert_eq!((field.kind, field.usage), (expected, Usage::Sent), "{name}");
        assert!(field.help.starts_with(description), "{name}: {}", field.help);
        let right = format!("{{\"oauth_client_metadata\": {{\"{name}\": {}}}}}", field.example);
        assert_eq!(found(&right), [], "{name}");
        let wrong = if kind == "string" { r#"["a"]"# } else { r#""a""# };
        let wrong = format!("{{\"oauth_client_metadata\": {{\"{name}\": {wrong}}}}}");
        assert_eq!(found(&wrong), [("wrong_type".into(), "error", format!("/oauth_client_metadata/{name}"))]);
    }
}

#[test]
fn default_values_row_by_row() {
    let resolution = resolved(&[]);
    assert_eq!(sent(&resolution), defaults());
    assert!(
        resolution.findings.is_empty() && resolution.overridden.is_empty() && resolution.ignored.is_empty()
    );
    assert!(Branding::default().check().is_empty());
    let order: Vec<&String> = resolution.effective.client_metadata.keys().collect();
    assert_eq!(
        order,
        [
            "client_name",
            "client_uri",
            "logo_uri",
            "software_id",
            "grant_types",
            "response_types",
            "token_endpoint_auth_method",
            "application_type",
            "redirect_uris"
        ]
    );
    for (name, value) in defaults().as_object().unwrap() {
        let origin = match name.as_str() {
            "redirect_uris" => Origin::Gateway,
            "application_type" => Origin::Computed,
            _ => Origin::Default,
        };
        assert_eq!(resolution.origins[name], origin, "{name}");
        if origin == Origin::Default && name != "client_name" {
            let stated: Value =
                serde_json::from_str(find(Section::ClientMetadata, name).unwrap().default.unwrap()).unwrap();
            assert_eq!(&stated, value, "{name}");
        }
    }
    let template = find(Section::ClientMetadata, "client_name").unwrap().default.unwrap();
    assert_eq!(serde_json::from_str::<String>(template).unwrap(), Branding::default().client_name);
    assert!(resolution.effective.admin_members.is_empty());
}

/// "`redirect_uris` Cannot Be Customized": `<gateway-url>/oauth/upstream-callback`.
#[test]
fn redirect_uris_is_never_customisable() {
    let configuration = configuration(
        r#"{"redirect_uris": ["https://evil.example/"], "redirect_uri": "https://evil.example/"}"#,
    );
    for level in [Level::Organisation, Level::Integration, Level::Workspace, Level::Server] {
        let resolution = resolved(&[(level, &configuration)]);
        assert_eq!(sent(&resolution), defaults());
        assert_eq!(resolution.origins["redirect_uris"], Origin::Gateway);
        let ignored: Vec<(&str, &str)> =
            resolution.ignored.iter().map(|i| (i.member.as_str(), i.code.as_str())).collect();
        assert_eq!(ignored, [("redirect_uri", "ignored_member"), ("redirect_uris", "ignored_member")]);
    }
}

/// "If you include these fields, they're ignored."
#[test]
fn excluded_fields_are_saved_and_never_sent() {
    for name in EXCLUDED {
        for value in [r#""https://acme.com/x""#, r#"["https://acme.com/x"]"#, r#"{"keys": []}"#, "7"] {
            let text = format!("{{\"oauth_client_metadata\": {{\"{name}\": {value}}}}}");
            let verified = verify(&text, &KnownSecrets::default());
            assert_eq!(
                triples(&verified.findings),
                [("ignored_member".into(), "notice", format!("/oauth_client_metadata/{name}"))]
            );
            let kept = verified.sealed_text(&[]).unwrap();
            assert_eq!(kept, text);
            let configuration = AdvancedConfiguration::from_stored(&kept).unwrap();
            assert_eq!(sent(&resolved(&[(Level::Server, &configuration)])), defaults(), "{text}");
        }
    }
}

/// "Registration-body vectors" of the reference.
#[test]
fn registration_bodies() {
    for (metadata, changes, codes) in [
        ("{}", json!({}), vec![]),
        (r#"{"client_name":null}"#, json!({}), vec![]),
        (r#"{"client_name":""}"#, json!({}), vec!["empty_value"]),
        (r#"{"scope":"a b"}"#, json!({"scope": "a b"}), vec![]),
        (
            r#"{"grant_types":["client_credentials"],"response_types":[]}"#,
            json!({"grant_types": ["client_credentials"], "response_types": []}),
            vec![],
        ),
        (r#"{"redirect_uris":["https://evil/"]}"#, json!({}), vec!["ignored_member"]),
        (r#"{"redirect_uri":"https://evil/"}"#, json!({}), vec!["ignored_member"]),
        (
            r#"{"jwks":{"keys":[]},"jwks_uri":"https://a.example/jwks","software_statement":"a.b.c"}"#,
            json!({}),
            vec!["ignored_member", "ignored_member", "ignored_member"],
        ),
        (
            r#"{"authorization_endpoint":"https://a.example/authorize"}"#,
            json!({}),
            vec!["incomplete_override"],
        ),
        (
            r#"{"token_endpoint_auth_method":"client_secret_basic"}"#,
            json!({"token_endpoint_auth_method": "client_secret_basic"}),
            vec![],
        ),
        (r#"{"foo":1}"#, json!({}), vec!["unknown_member"]),
        (r#"{"oauth_metadata":{"client_id":"x"}}"#, json!({}), vec!["doubled_wrapper"]),
    ] {
        for wrapper in [CANONICAL_WRAPPER, ALIAS_WRAPPER] {
            let text = format!("{{\"{wrapper}\": {metadata}}}");
            let found: Vec<String> = found(&text).into_iter().map(|(code, _, _)| code).collect();
            assert_eq!(found, codes, "{text}");
            let configuration = AdvancedConfiguration::from_stored(&text).unwrap();
            let resolution = resolved(&[(Level::Integration, &configuration)]);
            assert_eq!(sent(&resolution), defaults_with(&changes), "{text}");
            assert_eq!(resolution.effective.credentials, None);
        }
    }
    let client = configuration(r#"{"client_id":"x"}"#);
    let resolution = resolved(&[(Level::Integration, &client)]);
    assert_eq!(resolution.effective.credentials.unwrap().client_id, "x");
}
