//! Five levels, two groups, origins.

use super::*;
use serde_json::json;

#[test]
fn highest_level_wins_per_member() {
    let organisation = configuration(
        r#"{"client_name":"Org","tos_uri":"https://org.example/tos","contacts":["a@org.example"]}"#,
    );
    let integration = configuration(r#"{"client_name":"Int","scope":"a"}"#);
    let server = configuration(r#"{"client_name":"Srv","scope":null,"contacts":[]}"#);
    let resolution = resolved(&[
        (Level::Server, &server),
        (Level::Organisation, &organisation),
        (Level::Integration, &integration),
    ]);
    let effective = &resolution.effective;
    assert_eq!(effective.client_metadata["client_name"], "Srv");
    assert_eq!(effective.client_metadata["scope"], "a");
    assert_eq!(effective.client_metadata["tos_uri"], "https://org.example/tos");
    assert!(!effective.client_metadata.contains_key("contacts"));
    assert!(effective.is_admins("scope") && !effective.is_admins("token_endpoint_auth_method"));
    assert_eq!(effective.admin_members.iter().collect::<Vec<_>>(), ["client_name", "scope", "tos_uri"]);
    assert_eq!(resolution.origins["client_name"], Origin::Server);
    assert_eq!(resolution.origins["scope"], Origin::Integration);
    let hidden: Vec<(&str, Level, Origin)> =
        resolution.overridden.iter().map(|o| (o.member.as_str(), o.level, o.by)).collect();
    assert_eq!(
        hidden,
        [
            ("client_name", Level::Default, Origin::Server),
            ("client_name", Level::Organisation, Origin::Server),
            ("client_name", Level::Integration, Origin::Server),
            ("contacts", Level::Organisation, Origin::Server),
        ]
    );
    assert_eq!(resolution.ignored[0].code, "empty_list");
    assert_eq!(serde_json::to_value(&resolution.overridden[0]).unwrap()["value"], "Portkey (acme/linear)");
    assert_eq!(serde_json::to_value(resolution.origins["redirect_uris"]).unwrap(), "gateway");
}

#[test]
fn groups_resolve_as_a_unit() {
    let integration = AdvancedConfiguration::from_stored(
        r#"{"oauth_client_metadata":{"client_id":"a","issuer":"https://i.example","token_endpoint":"https://i.example/t","authorization_endpoint":"https://i.example/a"},
            "registration":{"trusted_issuer":"https://i.example/","method":"dcr"}}"#,
    )
    .unwrap();
    let workspace = configuration(r#"{"registration_endpoint":"https://w.example/r"}"#);
    let resolution = resolved(&[(Level::Integration, &integration), (Level::Workspace, &workspace)]);
    let server = &resolution.effective.authorization_server;
    assert_eq!(server.registration_endpoint.as_deref(), Some("https://w.example/r"));
    assert_eq!((server.issuer.as_deref(), server.trusted_issuer.as_deref()), (None, None));
    assert_eq!(server.level, Some(Level::Workspace));
    let hidden: Vec<&str> = resolution.overridden.iter().map(|o| o.member.as_str()).collect();
    assert_eq!(hidden, ["authorization_endpoint", "issuer", "registration.trusted_issuer", "token_endpoint"]);
    let credentials = resolution.effective.credentials.unwrap();
    assert_eq!((credentials.client_id.as_str(), credentials.level), ("a", Level::Integration));
    assert_eq!(resolution.effective.registration.method, Method::Dcr);
    assert_eq!(resolution.origins["registration.method"], Origin::Integration);
    assert_eq!(resolution.origins["registration.scope"], Origin::Default);
}

#[test]
fn gateway_members_resolve_as_a_unit_without_nulls() {
    let low = AdvancedConfiguration::from_stored(
        r#"{"tools":{"allowed":["a"],"blocked":["b"]},"forward_headers":["X-A"]}"#,
    )
    .unwrap();
    let high = AdvancedConfiguration::from_stored(
        r#"{"tools":{"allowed":["c"],"logCalls":null},"transport":null,"unknown":1}"#,
    )
    .unwrap();
    let resolution = resolved(&[(Level::Organisation, &low), (Level::Server, &high)]);
    assert_eq!(
        Value::Object(resolution.effective.gateway.clone()),
        json!({"tools": {"allowed": ["c"]}, "forward_headers": ["X-A"]})
    );
    assert_eq!(resolution.origins["tools"], Origin::Server);
    assert_eq!(resolution.ignored[0].code, "unknown_top_level_member");
}

#[test]
fn resolution_is_validated() {
    let variant = configuration(r#"{"tos_uri#fr":"https://acme.com/fr"}"#);
    let base = configuration(r#"{"tos_uri":"https://acme.com/"}"#);
    let codes = |layers: &[(Level, &AdvancedConfiguration)]| -> Vec<String> {
        triples(&resolved(layers).findings)
            .into_iter()
            .map(|(code, severity, _)| format!("{code} {severity}"))
            .collect()
    };
    assert_eq!(codes(&[(Level::Server, &variant)]), ["language_variant_without_base error"]);
    assert_eq!(codes(&[(Level::Server, &variant), (Level::Organisation, &base)]), Vec::<String>::new());
    let both = resolved(&[(Level::Server, &variant), (Level::Organisation, &base)]);
    assert_eq!(both.effective.client_metadata.keys().next_back().unwrap(), "tos_uri#fr");

    let machine = configuration(r#"{"grant_types":["client_credentials"],"response_types":[]}"#);
    let code = configuration(r#"{"response_types":["code"]}"#);
    assert_eq!(codes(&[(Level::Organisation, &machine)]), Vec::<String>::new());
    assert_eq!(
        codes(&[(Level::Organisation, &machine), (Level::Server, &code)]),
        ["grant_response_mismatch error"]
    );

    let secretless = configuration(r#"{"client_id":"x","token_endpoint_auth_method":"client_secret_post"}"#);
    assert_eq!(codes(&[(Level::Server, &secretless)]), ["auth_method_needs_secret warning"]);
    let native = configuration(r#"{"application_type":"native"}"#);
    assert_eq!(codes(&[(Level::Server, &native)]), ["application_type_mismatch warning"]);
    let method =
        AdvancedConfiguration::from_stored(r#"{"registration":{"method":"pre_registered"}}"#).unwrap();
    assert_eq!(codes(&[(Level::Server, &method)]), ["method_needs_client warning"]);
}

#[test]
fn application_type_follows_the_callback() {
    for (callbacks, expected) in [
        (vec!["https://g.example/oauth/upstream-callback"], "web"),
        (vec!["http://localhost:8787/oauth/upstream-callback"], "native"),
        (
            vec!["http://127.0.0.1:1/oauth/upstream-callback", "http://[::1]:2/oauth/upstream-callback"],
            "native",
        ),
        (vec![], "web"),
    ] {
        let callbacks: Vec<String> = callbacks.into_iter().map(str::to_owned).collect();
        let context = ResolveContext { workspace: "acme", server: "linear", callbacks: &callbacks };
        let resolution = resolve(&Branding::default(), &[], &context);
        assert_eq!(resolution.effective.client_metadata["application_type"], expected);
        assert_eq!(resolution.effective.client_metadata["redirect_uris"], json!(callbacks));
    }
}

#[test]
fn branding_is_validated_and_expanded_once() {
    let branding = Branding {
        client_name: "Acme {server} {workspace} {nobody}".to_owned(),
        logo_uri: "javascript:x".to_owned(),
        grant_types: vec!["client_credentials".to_owned()],
        ..Branding::default()
    };
    let mut found = triples(&branding.check());
    found.sort();
    let codes: Vec<(&str, &str)> =
        found.iter().map(|(code, _, pointer)| (code.as_str(), pointer.as_str())).collect();
    assert_eq!(
        codes,
        [
            ("grant_response_mismatch", "/grant_types"),
            ("scheme_not_allowed", "/logo_uri"),
            ("unknown_placeholder", "/client_name")
        ]
    );
    let acme = Branding { client_name: "{workspace}-{server}".to_owned(), ..Branding::default() };
    let context = ResolveContext { workspace: "{server}", server: "b", callbacks: &[] };
    assert_eq!(resolve(&acme, &[], &context).effective.client_metadata["client_name"], "{server}-b");
    assert!(serde_json::from_str::<Branding>(r#"{"client_nmae":"x"}"#).is_err());
    assert_eq!(serde_json::from_str::<Branding>("{}").unwrap(), Branding::default());
}

#[test]
fn refused_values_are_never_sent() {
    let old = configuration(r#"{"client_uri":"javascript:x","scope":["a"],"contacts":"a@b.example"}"#);
    let resolution = resolved(&[(Level::Server, &old)]);
    assert_eq!(sent(&resolution), sent(&resolved(&[])));
    let codes: Vec<&str> = resolution.ignored.iter().map(|ignored| ignored.code.as_str()).collect();
    assert_eq!(codes, ["scheme_not_allowed", "wrong_type", "wrong_type"]);
}

#[test]
fn digest_depends_on_the_content() {
    let one = resolved(&[(Level::Server, &configuration(r#"{"client_name":"A","scope":"b"}"#))]).effective;
    let two = resolved(&[(Level::Server, &configuration(r#"{"scope":"b","client_name":"A"}"#))]).effective;
    let other = resolved(&[(Level::Server, &configuration(r#"{"scope":"c","client_name":"A"}"#))]).effective;
    assert_eq!(one.digest(), two.digest());
    assert_ne!(one.digest(), other.digest());
    assert!(
        one.digest().len() == 64
            && one.digest().bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    );
    let back: EffectiveMetadata = serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap();
    assert_eq!((&back, back.digest()), (&one, one.digest()));
}

fn with_registration(registration: &str, metadata: &str) -> AdvancedConfiguration {
    AdvancedConfiguration::from_stored(&format!(
        "{{\"oauth_client_metadata\": {metadata}, \"registration\": {registration}}}"
    ))
    .unwrap()
}

/// Each omitted member is left out with its language variants, and the digest says so.
#[test]
fn omitted_members_are_not_sent() {
    let all = r#"{"client_name":"A","client_name#fr":"B","scope":"a","contacts":["a@b.example"],"software_version":"1","tos_uri":"https://a.example/t","policy_uri":"https://a.example/p"}"#;
    let plain = with_registration("{}", all);
    let before = resolved(&[(Level::Integration, &plain)]);
    for field in FIELDS.iter().filter(|field| field.usage == Usage::Sent) {
        let omit = with_registration(&format!(r#"{{"omit":["{}"]}}"#, field.name), "{}");
        let resolution = resolved(&[(Level::Integration, &plain), (Level::Server, &omit)]);
        let names = || resolution.effective.client_metadata.keys();
        let mut expected: Vec<&String> = before
            .effective
            .client_metadata
            .keys()
            .filter(|name| name.split('#').next() != Some(field.name))
            .collect();
        expected.sort();
        let mut left: Vec<&String> = names().collect();
        left.sort();
        assert_eq!(left, expected, "{}", field.name);
        assert_ne!(resolution.effective.digest(), before.effective.digest(), "{}", field.name);
        assert!(!resolution.origins.contains_key(field.name), "{}", field.name);
        assert!(!resolution.effective.is_admins(field.name), "{}", field.name);
        assert!(resolution.effective.registration.omits(field.name));
        if field.name != "application_type" {
            assert!(
                resolution.ignored.iter().any(|one| one.member == field.name && one.code == "omitted"),
                "{}: {:?}",
                field.name,
                resolution.ignored
            );
        }
        assert_eq!(resolution.origins["registration.omit"], Origin::Server);
    }
    let variant = with_registration(r#"{"omit":["client_name#fr"]}"#, "{}");
    let resolution = resolved(&[(Level::Integration, &plain), (Level::Server, &variant)]);
    assert_eq!(resolution.effective.client_metadata["client_name"], "A");
    assert!(!resolution.effective.client_metadata.contains_key("client_name#fr"));
}

#[test]
fn higher_level_sends_what_a_lower_one_omits() {
    let omit = with_registration(r#"{"omit":["software_id","logo_uri"]}"#, "{}");
    let set = configuration(r#"{"software_id":"mine"}"#);
    let above = resolved(&[(Level::Integration, &omit), (Level::Server, &set)]);
    assert_eq!(above.effective.client_metadata["software_id"], "mine");
    assert!(!above.effective.client_metadata.contains_key("logo_uri"));
    assert_eq!(above.effective.registration.omit, ["logo_uri"]);
    let hidden: Vec<_> =
        above.overridden.iter().map(|one| (one.member.as_str(), one.level, one.by)).collect();
    assert!(hidden.contains(&("registration.omit", Level::Integration, Origin::Server)), "{hidden:?}");
    let below = resolved(&[(Level::Organisation, &set), (Level::Integration, &omit)]);
    assert!(!below.effective.client_metadata.contains_key("software_id"));
    // `null` and an absent list set nothing here; an empty list omits nothing.
    let empty = with_registration(r#"{"omit":[]}"#, "{}");
    let undone = resolved(&[(Level::Organisation, &omit), (Level::Server, &empty)]);
    assert_eq!(sent(&undone), sent(&resolved(&[])));
    let null = with_registration(r#"{"omit":null}"#, r#"{"software_id":null}"#);
    let kept = resolved(&[(Level::Organisation, &omit), (Level::Server, &null)]);
    assert!(!kept.effective.client_metadata.contains_key("software_id"));
}

#[test]
fn members_that_a_request_would_add_are_omitted_by_the_digest_too() {
    let plain = resolved(&[]).effective;
    for (omit, differs) in [("scope", true), ("contacts", false), ("token_endpoint_auth_method", true)] {
        let configuration = with_registration(&format!(r#"{{"omit":["{omit}"]}}"#), "{}");
        let effective = resolved(&[(Level::Server, &configuration)]).effective;
        assert_eq!(effective.digest() != plain.digest(), differs, "{omit}");
    }
}

#[test]
fn resource_is_an_input_of_discovery() {
    let plain = resolved(&[]).effective;
    let configuration = with_registration(r#"{"resource":"urn:a:b"}"#, "{}");
    let effective = resolved(&[(Level::Server, &configuration)]).effective;
    assert_eq!(effective.registration.resource.as_deref(), Some("urn:a:b"));
    assert_ne!(effective.discovery_inputs(), plain.discovery_inputs());
    assert_eq!(effective.digest(), plain.digest(), "the client is the same");
    let back: EffectiveMetadata = serde_json::from_value(serde_json::to_value(&effective).unwrap()).unwrap();
    assert_eq!(back, effective);
}

#[test]
fn client_name_is_plain_only_by_rule() {
    let plain = with_registration(r#"{"client_name_characters":"plain"}"#, "{}");
    let resolution = resolved(&[(Level::Integration, &plain)]);
    assert_eq!(resolution.effective.client_metadata["client_name"], "Portkey acme linear");
    assert_eq!(resolution.origins["client_name"], Origin::Computed);
    let hidden: Vec<_> = resolution.overridden.iter().map(|one| (one.member.as_str(), one.by)).collect();
    assert_eq!(hidden, [("client_name", Origin::Computed)]);
    let named = configuration(r#"{"client_name":"Acme & Co. (EU)","client_name#fr":"Acmé"}"#);
    let resolution = resolved(&[(Level::Integration, &plain), (Level::Server, &named)]);
    assert_eq!(resolution.effective.client_metadata["client_name"], "Acme Co EU");
    assert_eq!(resolution.effective.client_metadata["client_name#fr"], "Acmé");
    assert!(resolution.effective.is_admins("client_name"));
    let any = with_registration(r#"{"client_name_characters":"any"}"#, r#"{"client_name":"Acme (EU)"}"#);
    let resolution = resolved(&[(Level::Organisation, &plain), (Level::Server, &any)]);
    assert_eq!(resolution.effective.client_metadata["client_name"], "Acme (EU)");
}
