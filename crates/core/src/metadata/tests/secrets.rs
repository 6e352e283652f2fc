//! Secrets: cut out, kept, moved.

use super::*;
use crate::id::SealedId;
use uuid::Uuid;

fn id(number: u128) -> SealedId {
    SealedId(Uuid::from_u128(number))
}

const TEXT: &str = r#"{ "oauth_metadata" : {"client_id":"x","client_secret" :"S3CRET-a"},
  "custom_headers":{"X-Key":"S3CRET-b","X-Null":null},"passthrough_headers": {"X\/Y~": "S3CRET-c"},
  "registration":{"initial_access_token":"S3CRET-d\"\u0041"},
  "jwt_validation":{"introspectEndpoint":"https://l.example/i","introspectClientSecret":"S3CRET-e"},
  "external_auth_config":{"authorization_endpoint":"https://l.example/a","token_endpoint":"https://l.example/t","client_id":"g","client_secret":"S3CRET-f"} }"#;

#[test]
fn secrets_are_extracted_and_other_bytes_unchanged() {
    let text = TEXT.replace(r"X\/Y~", "X~Y");
    let verified = verify(&text, &KnownSecrets::default());
    assert_eq!(verified.findings, Findings::default());
    let pointers: Vec<&str> = verified.new_secrets().iter().map(|secret| secret.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/oauth_client_metadata/client_secret",
            "/headers/X-Key",
            "/passthrough_headers/X~0Y",
            "/registration/initial_access_token",
            "/jwt_validation/introspectClientSecret",
            "/external_auth_config/client_secret"
        ]
    );
    assert_eq!(verified.new_secrets()[3].expose(), "S3CRET-d\"A");
    assert!(!format!("{verified:?}").contains("S3CRET"));
    let ids: Vec<SealedId> = (1..=6).map(id).collect();
    assert_eq!(verified.sealed_text(&ids[1..]), None);
    let sealed = verified.sealed_text(&ids).unwrap();
    let mut expected = text.replace(r#""S3CRET-d\"\u0041""#, "\"S3CRET-d\"");
    for (number, letter) in (1..=6).zip('a'..) {
        expected = expected.replace(&format!("\"S3CRET-{letter}\""), &format!("\"{}\"", marker(id(number))));
    }
    assert_eq!(sealed, expected);

    let shown = verified.shown_text("new").unwrap();
    assert!(!shown.contains("S3CRET") && shown.matches("\"new\"").count() == 6, "{shown}");
    assert_eq!(
        shown.replace("\"new\"", "").len(),
        sealed.len() - 6 * (marker(id(1)).len() + 2),
        "nothing else"
    );
    let broken = verify(&text.replace("\"x\"", "7"), &KnownSecrets::default());
    assert_eq!(broken.shown_text("new"), None, "what cannot be saved may hold secrets anywhere");

    let known = KnownSecrets::of(&sealed);
    assert_eq!(known.0["/headers/X-Key"], id(2));
    let configuration = AdvancedConfiguration::from_stored(&sealed).unwrap();
    assert_eq!(configuration.sealed_ids(), known.0);
    assert!(
        configuration.value().contains_key("oauth_client_metadata")
            && configuration.value().contains_key("headers")
    );

    let again = verify(&sealed, &known);
    assert!(again.findings.is_empty() && again.new_secrets().is_empty());
    assert_eq!(again.kept_secrets(), known.0);
    assert_eq!(again.sealed_text(&[]).unwrap(), sealed);
    // Respelling a key loses nothing.
    let respelt =
        sealed.replace("custom_headers", "headers").replace("oauth_metadata", "oauth_client_metadata");
    assert_eq!(verify(&respelt, &known).kept_secrets(), known.0);

    let resolution = resolved(&[(Level::Server, &configuration), (Level::Organisation, &configuration)]);
    let credentials = resolution.effective.credentials.clone().unwrap();
    assert_eq!((credentials.client_secret, credentials.level), (Some(id(1)), Level::Server));
    assert_eq!(resolution.effective.registration.initial_access_token, Some(id(4)));
    assert_eq!(resolution.effective.gateway["headers"]["X-Key"], marker(id(2)));
    assert!(resolution.effective.gateway["headers"].get("X-Null").is_none());
    let shown = format!("{:?}{:?}", resolution.overridden, resolution.ignored);
    assert!(shown.contains("\"secret\"") && !shown.contains("$sealed"), "{shown}");
}

#[test]
fn known_markers_are_kept() {
    let (mine, other) = (marker(id(1)), marker(id(2)));
    let known = KnownSecrets([("/headers/A".to_owned(), id(1))].into());
    for (text, expected) in [
        (format!(r#"{{"headers":{{"A":"{mine}"}}}}"#), vec![]),
        (format!(r#"{{"headers":{{"B":"{mine}"}}}}"#), vec!["marker_moved /headers/B"]),
        (format!(r#"{{"headers":{{"A":"{other}"}}}}"#), vec!["unknown_marker /headers/A"]),
        (
            format!(r#"{{"headers":{{"A":"{}"}}}}"#, mine.to_uppercase().replace("SEALED", "sealed") + "x"),
            vec!["unknown_marker /headers/A"],
        ),
        (r#"{"headers":{"A":"$sealed:"}}"#.to_owned(), vec!["unknown_marker /headers/A"]),
        (
            format!(r#"{{"oauth_client_metadata":{{"client_name":"{mine}"}}}}"#),
            vec!["marker_moved /oauth_client_metadata/client_name"],
        ),
        (
            format!(r#"{{"unknown":[{{"x":"{other}"}}]}}"#),
            vec!["unknown_marker /unknown/0/x", "unknown_top_level_member /unknown"],
        ),
    ] {
        let mut found: Vec<String> =
            verify(&text, &known).findings.iter().map(|f| format!("{} {}", f.code, f.pointer)).collect();
        found.sort();
        assert_eq!(found, expected, "{text}");
    }
    let cleared = verify("{}", &known);
    assert!(cleared.findings.is_empty() && cleared.kept_secrets().is_empty());
    let replaced = verify(r#"{"headers":{"A":"new"}}"#, &known);
    assert_eq!(replaced.new_secrets()[0].expose(), "new");
}

#[test]
fn markers_are_mapped_for_reverts() {
    let text = format!("{{\"headers\": {{\"A\": \"{}\", \"B\": \"{}\"}} }}", marker(id(1)), marker(id(2)));
    let mapped = map_markers(&text, |pointer, id| (pointer == "/headers/A").then_some(id)).unwrap();
    assert_eq!(mapped, format!("{{\"headers\": {{\"A\": \"{}\", \"B\": null}} }}", marker(id(1))));
    let swapped = map_markers(&text, |_, _| Some(id(9))).unwrap();
    assert_eq!(KnownSecrets::of(&swapped).0.into_values().collect::<Vec<_>>(), [id(9), id(9)]);
    assert_eq!(map_markers("[]", |_, id| Some(id)), None);
    assert_eq!(parse_marker(&marker(id(7))), Some(id(7)));
    assert_eq!(parse_marker("$sealed:{00000000-0000-0000-0000-000000000007}"), None);
}

#[test]
fn secret_of_a_level_is_not_sent_to_an_endpoint_of_another() {
    let secret = AdvancedConfiguration::from_stored(&format!(
        "{{\"oauth_client_metadata\":{{\"client_id\":\"x\",\"client_secret\":\"{}\"}},\"registration\":{{\"initial_access_token\":\"{}\"}}}}",
        marker(id(1)),
        marker(id(2))
    ))
    .unwrap();
    let endpoint = configuration(
        r#"{"issuer":"https://e.example","authorization_endpoint":"https://e.example/a","token_endpoint":"https://e.example/t"}"#,
    );
    let stolen = resolved(&[(Level::Organisation, &secret), (Level::Server, &endpoint)]);
    assert_eq!(stolen.effective.credentials.unwrap().client_secret, None);
    assert_eq!(stolen.effective.registration.initial_access_token, None);
    let codes: Vec<String> = triples(&stolen.findings)
        .into_iter()
        .map(|(code, severity, _)| format!("{code} {severity}"))
        .collect();
    assert_eq!(codes, ["secret_crosses_levels error", "secret_crosses_levels error"]);
    let own = resolved(&[(Level::Server, &secret), (Level::Organisation, &endpoint)]);
    assert_eq!(own.effective.credentials.unwrap().client_secret, Some(id(1)));
    assert!(own.findings.is_empty());
}
