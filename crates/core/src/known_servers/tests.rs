//! The table is sound, hosts are compared by whole labels, and each preset is a valid configuration once it is filled in.

use super::{KNOWN_SERVERS, KnownServer, Place, find, recognise, recognise_found};
use crate::metadata::{FIELDS, FILL_INS, KnownSecrets, Section, contains_fill_in, verify};
use crate::oauth::{Exchange, issuer_of_document};
use crate::preflight::Approach;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use url::Url;

/// Every preset with its server.
fn presets() -> impl Iterator<Item = (&'static KnownServer, super::Preset)> {
    KNOWN_SERVERS.iter().filter_map(|server| server.preset.map(|preset| (server, preset)))
}

/// `text` with a plausible value for each placeholder.
fn filled_in(text: &str) -> String {
    FILL_INS.iter().fold(text.to_owned(), |text, one| {
        let value = match one.token {
            "<scopes>" => "users:read chat:write",
            "<scope>" => "mcp.access",
            "<client_name>" => "Acme Gateway",
            "<api_identifier>" => "https://api.acme.com/mcp",
            _ => "0f1e2d3c-0000-4000-8000-00000000abcd",
        };
        text.replace(one.token, value)
    })
}

/// An address in `place`.
fn example(place: &Place) -> String {
    let host = match place.host {
        "*" => "sso.acme.example".to_owned(),
        host => host.replacen("*.", "acme.", 1).replace(".*.", ".eu1."),
    };
    format!("https://{host}{}", place.path_end.replace('*', "acme"))
}

#[test]
fn rows_are_complete_and_unique() {
    let mut keys = BTreeSet::new();
    for server in KNOWN_SERVERS.iter() {
        assert!(keys.insert(server.key), "{} twice", server.key);
        assert_eq!(find(server.key).map(|found| found.key), Some(server.key));
        let is_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(server.key.chars().all(is_key), "{}", server.key);
        assert!(!server.mcp.is_empty() || !server.issuers.is_empty(), "{}: nothing leads to it", server.key);
        assert!(!server.notes.is_empty(), "{}", server.key);
        for place in server.mcp.iter().chain(server.issuers) {
            assert!(place.host != "*" || !place.path_end.is_empty(), "{}: matches everything", server.key);
            assert_eq!(place.host, place.host.to_ascii_lowercase());
        }
        for note in server.notes {
            assert!(note.text.ends_with('.') && !note.sources.is_empty(), "{}: {}", server.key, note.text);
            assert_eq!(note.text.matches('`').count() % 2, 0, "{}", note.text);
            for (label, url) in note.links() {
                let parsed = Url::parse(&url).unwrap();
                assert!(parsed.scheme() == "https" && !label.is_empty(), "{}: {url}", server.key);
            }
        }
    }
    assert!(KNOWN_SERVERS.len() >= 30, "{}", KNOWN_SERVERS.len());
    assert!(find("nothing").is_none());
}

#[test]
fn each_row_is_recognised_by_its_addresses() {
    for server in KNOWN_SERVERS.iter() {
        for place in server.mcp {
            let found = recognise(&example(place), None).map(|found| found.key);
            // `/v1/mcp` of Atlassian is a row of its own before the rest of the host.
            assert_eq!(found, Some(server.key), "{place}");
        }
        for place in server.issuers {
            let found = recognise("https://mcp.acme.example/mcp", Some(&example(place)));
            assert!(found.is_some_and(|found| found.issuers.contains(place)), "{place}");
        }
    }
}

#[test]
fn addresses_decide_as_documented() {
    let mcp = "https://mcp.acme.example/mcp";
    for (url, issuer, expected) in [
        ("https://mcp.atlassian.com/v1/mcp", None, Some("atlassian-v1")),
        ("https://mcp.atlassian.com/v1/sse", None, Some("atlassian-v1")),
        ("https://mcp.atlassian.com/v1/mcp/authv2", None, Some("atlassian")),
        ("https://mcp.atlassian.com/v2/mcp", None, Some("atlassian")),
        ("https://MCP.Slack.com/mcp", None, Some("slack")),
        ("https://mcp.slack.com./mcp", None, Some("slack")),
        ("https://mcp.slack.com:8443/mcp?x=1#y", None, Some("slack")),
        ("https://gmailmcp.googleapis.com/mcp/v1", None, Some("google")),
        ("https://googleapis.com/mcp", None, None),
        ("https://gitlab.acme.example/api/v4/mcp", None, Some("gitlab")),
        ("https://gitlab.acme.example/gitlab/api/v4/mcp/", None, Some("gitlab")),
        ("https://gitlab.acme.example/api/v4/mcp/more", None, None),
        ("https://mcp.us5.datadoghq.com/api/mcp", None, Some("datadog")),
        ("https://mcp.a.b.datadoghq.com/api/mcp", None, None),
        // A product comes before its authorization server.
        ("https://mcp.asana.com/v2/mcp", Some("https://acme.okta.com"), Some("asana")),
        (mcp, Some("https://acme.okta.com/oauth2/default"), Some("okta")),
        (mcp, Some("https://okta.com"), None),
        (mcp, Some("https://sso.acme.example/realms/main"), Some("keycloak")),
        (mcp, Some("https://sso.acme.example/auth/realms/main"), Some("keycloak")),
        (mcp, Some("https://sso.acme.example/realms/"), None),
        (mcp, Some("https://sso.acme.example/realms"), None),
        (mcp, Some("http://127.0.0.1:8080/realms/main"), Some("keycloak")),
        (mcp, Some("https://login.microsoftonline.com/common/v2.0"), Some("entra")),
        (mcp, Some("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab"), Some("cognito")),
        (mcp, Some("https://cognito-idp.amazonaws.com/x"), None),
        (mcp, Some("https://github.com/login/oauth"), Some("github")),
        (mcp, Some("https://github.com"), None),
        // Other hosts that look alike.
        ("https://mcp.slack.com.evil.example/mcp", None, None),
        ("https://evil-mcp.slack.com/mcp", None, None),
        ("https://mcp-slack.com/mcp", None, None),
        ("https://evil.example/mcp.slack.com", None, None),
        ("https://mcp.slack.com@evil.example/mcp", None, None),
        (mcp, Some("https://evilokta.com"), None),
        (mcp, Some("https://acme.okta.com.evil.example"), None),
        (mcp, Some("https://.okta.com"), None),
        (mcp, Some("not a URL"), None),
        ("", None, None),
        ("urn:mcp.slack.com", None, None),
    ] {
        assert_eq!(recognise(url, issuer).map(|found| found.key), expected, "{url} {issuer:?}");
    }
}

#[test]
fn failed_discovery_names_the_issuer_it_asked() {
    let asked = |url: &str| Exchange {
        step: "authorization_server".to_owned(),
        url: url.to_owned(),
        ..Exchange::default()
    };
    for (url, issuer) in [
        ("https://a.example/.well-known/oauth-authorization-server", "https://a.example"),
        ("https://a.example/.well-known/oauth-authorization-server/x", "https://a.example/x"),
        ("https://a.example/x/.well-known/openid-configuration", "https://a.example/x"),
    ] {
        assert_eq!(issuer_of_document(url).as_deref(), Some(issuer));
    }
    let mcp = "https://mcp.acme.example/mcp";
    let trace = [
        Exchange { step: "probe".to_owned(), url: mcp.to_owned(), ..Exchange::default() },
        asked("https://sso.acme.example/.well-known/oauth-authorization-server/realms/main"),
    ];
    assert_eq!(recognise_found(mcp, None, &trace).map(|found| found.key), Some("keycloak"));
    assert!(recognise_found(mcp, None, &trace[..1]).is_none());
}

#[test]
fn presets_are_valid_once_filled_in() {
    for (server, preset) in presets() {
        assert!(!preset.members().is_empty(), "{}", server.key);
        assert!(preset.auth_type.needs_client(), "{}", server.key);
        // With its placeholders: an error for each value that has one, and nothing else.
        let open = verify(preset.json, &KnownSecrets::default()).findings;
        let codes: Vec<_> = open.0.iter().map(|one| one.code.as_ref()).collect();
        assert!(codes.iter().all(|code| *code == "placeholder_left"), "{}: {codes:?}", server.key);
        assert_eq!(codes.is_empty(), !contains_fill_in(preset.json), "{}", server.key);
        // Filled in: nothing to report.
        let text = filled_in(preset.json);
        assert!(!contains_fill_in(&text), "{}", server.key);
        let findings = verify(&text, &KnownSecrets::default()).findings;
        assert!(findings.is_empty(), "{}: {findings:?}", server.key);
    }
}

#[test]
fn presets_contain_no_unknown_placeholder() {
    for (server, preset) in presets() {
        for part in preset.json.split('<').skip(1) {
            let token = format!("<{}>", part.split('>').next().unwrap());
            assert!(FILL_INS.iter().any(|one| one.token == token), "{}: {token}", server.key);
        }
    }
}

#[test]
fn placeholder_is_reported_wherever_a_string_may_be() {
    for (text, pointer) in [
        (r#"{"oauth_client_metadata":{"client_id":"<client_id>"}}"#, "/oauth_client_metadata/client_id"),
        (r#"{"oauth_metadata":{"issuer":"https://<tenant_id>/v2.0"}}"#, "/oauth_metadata/issuer"),
        (r#"{"oauth_client_metadata":{"contacts":["<client_name>"]}}"#, "/oauth_client_metadata/contacts/0"),
        (r#"{"headers":{"X-Key":"Bearer <client_secret>"}}"#, "/headers/X-Key"),
        (
            r#"{"registration":{"initial_access_token":"<initial_access_token>"}}"#,
            "/registration/initial_access_token",
        ),
        (
            r#"{"oauth_client_metadata":{"authorization_params":{"audience":"<api_identifier>"}}}"#,
            "/oauth_client_metadata/authorization_params/audience",
        ),
    ] {
        let findings = verify(text, &KnownSecrets::default()).findings;
        assert_eq!(findings.0.len(), 1, "{text}: {findings:?}");
        let finding = &findings.0[0];
        assert_eq!((finding.code.as_ref(), finding.pointer.as_str()), ("placeholder_left", pointer));
        assert!(finding.line.is_some());
        assert!(finding.message.contains('<') && finding.message.contains("Replace"), "{}", finding.message);
    }
    // Angle brackets alone are no placeholder.
    let text = r#"{"oauth_client_metadata":{"client_name":"Acme <beta>"}}"#;
    assert!(verify(text, &KnownSecrets::default()).findings.is_empty());
    // Every member that takes text refuses one.
    let strings = FIELDS.iter().filter(|field| field.section == Section::ClientMetadata);
    assert!(strings.count() > 20);
}

#[test]
fn preset_adds_what_is_missing_and_overwrites_nothing() {
    let google = find("google").unwrap().preset.unwrap();
    let fresh = google.apply("", None).unwrap();
    assert_eq!(
        fresh.added,
        ["client_id", "client_secret", "authorization_params.access_type", "authorization_params.prompt"]
    );
    assert_eq!((fresh.open.as_slice(), fresh.kept.len()), (&fresh.added[..2], 0));
    assert!(fresh.sentence().contains("Replace the placeholders in `client_id`, `client_secret`"));
    let value: Value = serde_json::from_str(&fresh.text).unwrap();
    assert_eq!(value, Value::from(google.members()));
    // Once more changes nothing.
    let again = google.apply(&fresh.text, None).unwrap();
    assert!(again.was_there() && again.text == fresh.text, "{again:?}");
    assert!(again.sentence().starts_with("All of these settings are in the configuration."));

    let marker = "$sealed:0190f2a4-0000-7000-8000-000000000000";
    let own = format!(
        "{{\n    \"tools\": {{\"allowed\": [\"a\"]}},\n    \"oauth_metadata\": {{ \"client_id\": \"mine\", \"client_secret\": \"{marker}\", \"authorization_params\": {{\"prompt\": \"select_account\", \"access_type\": null}} }}\n}}"
    );
    let merged = google.apply(&own, None).unwrap();
    assert_eq!(merged.added, ["authorization_params.access_type"]);
    assert_eq!(
        merged.kept,
        ["authorization_params.prompt"],
        "an own id differs from a placeholder, which is no value"
    );
    assert!(merged.open.is_empty());
    assert!(
        merged.sentence().ends_with("Left as set before: `authorization_params.prompt`."),
        "{}",
        merged.sentence()
    );
    let value: Value = serde_json::from_str(&merged.text).unwrap();
    assert_eq!(
        value["oauth_metadata"],
        json!({ "client_id": "mine", "client_secret": marker, "authorization_params": { "prompt": "select_account", "access_type": "offline" } })
    );
    assert!(merged.text.starts_with("{\n    \"tools\": {\"allowed\": [\"a\"]},\n"), "as it was written");

    for unreadable in [
        "[1",
        "[]",
        r#"{"oauth_client_metadata": "x"}"#,
        r#"{"oauth_client_metadata": {"authorization_params": []}}"#,
    ] {
        assert_eq!(google.apply(unreadable, None), None, "{unreadable}");
    }
}

#[test]
fn preset_replaces_the_approach_chosen_before() {
    let (google, tableau) =
        (find("google").unwrap().preset.unwrap(), find("tableau").unwrap().preset.unwrap());
    assert_eq!(google.approach(), Some(Approach::ByHand));
    assert_eq!(tableau.approach(), Some(Approach::Publish));
    assert_eq!(find("miro").unwrap().preset.unwrap().approach(), None);
    let chosen = r#"{"registration": {"method": "dcr", "replace": "ask"}}"#;
    let value: Value =
        serde_json::from_str(&google.apply(chosen, Some(Approach::Register)).unwrap().text).unwrap();
    assert_eq!(value["registration"], json!({ "replace": "ask" }));
    // Written by a user, it stays and is reported.
    let kept = tableau.apply(chosen, None).unwrap();
    assert_eq!((kept.kept.as_slice(), kept.added.len()), (&["registration.method".to_owned()][..], 0));
    // Fixed headers are never removed.
    let headers = r#"{"headers": {"X-Key": "v"}}"#;
    let text = google.apply(headers, Some(Approach::Headers)).unwrap().text;
    assert!(text.contains("X-Key"));
}

proptest! {
    #[test]
    fn unrelated_hosts_are_not_recognised(
        labels in proptest::collection::vec("[a-z0-9]{1,12}", 1..4),
        path in "(/[a-z0-9]{1,8}){0,3}",
    ) {
        // `.example` is reserved (RFC 2606), so no known server is there.
        let url = format!("https://{}.example{path}", labels.join("."));
        let by_path = path.ends_with("/api/v4/mcp") || path.contains("/realms/");
        prop_assert!(by_path || recognise(&url, Some(&url)).is_none(), "{url}");
    }

    #[test]
    fn hosts_that_contain_a_known_one_are_not_recognised(
        index in any::<proptest::sample::Index>(),
        word in "[a-z0-9]{1,8}",
    ) {
        let places: Vec<&Place> = KNOWN_SERVERS
            .iter()
            .flat_map(|server| server.mcp.iter().chain(server.issuers))
            .filter(|place| place.host != "*")
            .collect();
        let place = index.get(&places);
        let address = Url::parse(&example(place)).unwrap();
        let host = address.host_str().unwrap();
        prop_assert!(place.matches(&address));
        let mut others = vec![
            format!("{host}.{word}.example"),
            format!("{host}-{word}.example"),
            format!("{host}{word}"),
            format!("{word}.example/{host}"),
            format!("{host}@{word}.example"),
        ];
        // Below a host that is known exactly is another host, and so is one whose first label only ends alike.
        if !place.host.contains('*') {
            others.extend([format!("{word}.{host}"), format!("{word}-{host}"), format!("{word}{host}")]);
        } else if let Some(domain) = place.host.strip_prefix("*.") {
            others.extend([domain.to_owned(), format!("{word}{domain}"), format!("{word}-{domain}")]);
        }
        for other in others {
            let url = Url::parse(&format!("https://{other}{}", place.path_end.replace('*', "x"))).unwrap();
            prop_assert!(!place.matches(&url), "{place}: {url}");
        }
    }
}
