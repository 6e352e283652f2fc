//! What holds for every input.

use super::*;
use crate::id::SealedId;
use proptest::prelude::*;
use uuid::Uuid;

/// Texts near the table: known names with values of all kinds, plus noise.
pub(super) fn configurations() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => proptest::sample::select(FIELDS.iter().map(|field| field.name).collect::<Vec<_>>()).prop_map(str::to_owned),
        1 => "[a-z_#$ ~/\"\\\\é]{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(Value::from("https://acme.com/a?b#c")),
        Just(Value::from("$sealed:0190a000-0000-7000-8000-000000000000")),
        proptest::sample::select(FIELDS.to_vec())
            .prop_map(|field| serde_json::from_str::<Value>(field.example).unwrap_or(Value::Null)),
    ];
    let value = leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    (value.clone(), value, any::<bool>()).prop_map(|(metadata, other, pretty)| {
        let mut document = match other {
            Value::Object(object) => object,
            other => serde_json::Map::from_iter([("registration".to_owned(), other)]),
        };
        document.insert("oauth_client_metadata".to_owned(), metadata);
        let text =
            if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        text.unwrap()
    })
}

fn ids(count: usize) -> Vec<SealedId> {
    (1..=count).map(|number| SealedId(Uuid::from_u128(number as u128))).collect()
}

proptest! {
    #[test]
    fn verify_never_panics(text in "[\\[\\]{}:,\"'a-e0-9\\\\/*+.u$#\\s-]{0,60}", noise in ".{0,60}") {
        for text in [text.clone(), noise.clone(), format!("{{\"oauth_client_metadata\":{text}}}"), format!("{{\"{noise}\":1}}")] {
            let verified = verify(&text, &KnownSecrets::default());
            prop_assert!(verified.has_errors() || verified.sealed_text(&ids(verified.new_secrets().len())).is_some());
            let accepted = verified.findings.iter().all(|finding| finding.code != "invalid_json");
            // A byte order mark is removed.
            let read = text.strip_prefix('\u{feff}').unwrap_or(&text);
            prop_assert!(!accepted || read.trim_ascii().is_empty() || serde_json::from_str::<Value>(read).is_ok());
        }
    }

    #[test]
    fn accepted_configuration_can_be_stored_resolved_and_resent(text in configurations()) {
        let verified = verify(&text, &KnownSecrets::default());
        if let Some(kept) = verified.sealed_text(&ids(verified.new_secrets().len())) {
            let known = KnownSecrets::of(&kept);
            let again = verify(&kept, &known);
            // A marker is shorter or longer than its secret, so that the text behind it in the line moves.
            let findings = |verified: &Verified| {
                let mut findings = verified.findings.clone();
                findings.0.iter_mut().for_each(|finding| (finding.line, finding.column) = (None, None));
                findings.0.retain(|finding| finding.code != "trimmed");
                findings
            };
            prop_assert!(again.findings.iter().all(|finding| finding.code != "trimmed"), "repaired once: {}", again.findings);
            prop_assert_eq!(findings(&again), findings(&verified));
            prop_assert!(again.new_secrets().is_empty());
            let configuration = AdvancedConfiguration::from_stored(&kept).unwrap();
            let resolution = resolved(&[(Level::Server, &configuration)]);
            prop_assert_eq!(resolved(&[(Level::Server, &configuration)]), resolution.clone());
            prop_assert_eq!(&resolution.effective.client_metadata["redirect_uris"][0], "https://g.example/oauth/upstream-callback");
        }
        if let Ok(configuration) = AdvancedConfiguration::from_stored(&text) {
            resolved(&[(Level::Server, &configuration)]);
        }
    }

    #[test]
    fn stored_text_contains_no_secret(secret in "[ -~]{0,20}", header in "[A-Za-z-]{1,10}") {
        let secret = format!("S3CRET-{secret}");
        let quoted = serde_json::to_string(&secret).unwrap();
        let text = format!(
            "{{\"oauth_client_metadata\":{{\"client_id\":\"x\",\"client_secret\":{quoted}}},\"headers\":{{\"{header}\":{quoted}}},\"registration\":{{\"initial_access_token\":{quoted}}}}}"
        );
        let verified = verify(&text, &KnownSecrets::default());
        prop_assert_eq!(verified.new_secrets().len(), 3);
        let kept = verified.sealed_text(&ids(3)).unwrap();
        prop_assert!(!kept.contains("S3CRET"));
        prop_assert!(verified.new_secrets().iter().all(|new| new.expose() == secret.trim()));
        let debug = format!("{verified:?}");
        prop_assert!(!debug.contains("S3CRET"));
    }

    #[test]
    fn highest_level_that_sets_a_member_wins(values in proptest::collection::vec(proptest::option::of("[a-z]{1,8}"), 4), turn in 0usize..4) {
        let levels = [Level::Organisation, Level::Integration, Level::Workspace, Level::Server];
        let texts: Vec<AdvancedConfiguration> = values.iter().map(|value| {
            configuration(&serde_json::json!({"software_version": value, "client_id": value}).to_string())
        }).collect();
        let mut layers: Vec<(Level, &AdvancedConfiguration)> = levels.into_iter().zip(&texts).collect();
        let resolution = resolved(&layers);
        let highest = values.iter().rposition(Option::is_some);
        let expected = highest.and_then(|index| values[index].clone());
        prop_assert_eq!(resolution.effective.client_metadata.get("software_version").and_then(Value::as_str).map(str::to_owned), expected.clone());
        prop_assert_eq!(resolution.origins.get("software_version").copied(), highest.map(|index| levels[index].into()));
        prop_assert_eq!(resolution.effective.credentials.as_ref().map(|credentials| (credentials.client_id.clone(), credentials.level)), expected.zip(highest.map(|index| levels[index])));
        layers.rotate_left(turn);
        let turned = resolved(&layers);
        prop_assert_eq!(turned.effective.digest(), resolution.effective.digest());
        prop_assert_eq!(turned, resolution);
    }

    #[test]
    fn digest_is_independent_of_member_order(order in Just(vec![0usize, 1, 2, 3]).prop_shuffle()) {
        let members = [r#""client_name":"A""#, r#""scope":"a b""#, r#""contacts":["a@b.example"]"#, r#""authorization_params":{"a":"b"}"#];
        let text = |order: &[usize]| format!("{{{}}}", order.iter().map(|index| members[*index]).collect::<Vec<_>>().join(","));
        let shuffled = resolved(&[(Level::Server, &configuration(&text(&order)))]);
        let plain = resolved(&[(Level::Server, &configuration(&text(&[0, 1, 2, 3])))]);
        prop_assert_eq!(shuffled.effective.digest(), plain.effective.digest());
    }
}
