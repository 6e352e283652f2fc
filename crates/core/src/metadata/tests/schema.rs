//! The published schema and the validator agree: what one refuses the other does not accept.

use super::bad_input::CASES;
use super::seed::EXAMPLES;
use super::*;
use crate::finding::Severity;

/// Errors that JSON Schema cannot say, or that are about the text and not about the value.
const INEXPRESSIBLE: &[&str] = &[
    "duplicate_member",
    "grant_response_mismatch",
    "insecure_url",
    "misplaced_secret",
    "marker_moved",
    "nul_character",
    "unknown_marker",
];
/// Among errors of these codes some can be said by pattern, others take a parser.
const PARTLY: &[&str] = &["invalid_url"];

#[test]
fn schema_is_single_and_documents_every_member() {
    let schema = json_schema();
    jsonschema::meta::validate(&schema).unwrap();
    for field in FIELDS {
        let properties = if field.section == Section::TopLevel {
            &schema["properties"]
        } else {
            &schema["$defs"][field.section.as_str()]["properties"]
        };
        let property = &properties[field.name];
        assert_eq!(property["title"], field.title);
        assert_eq!(property["description"], field.help);
        assert_eq!(property.get("deprecated").is_some(), field.is_ignored() || field.alias_of.is_some());
        assert_eq!(property.get("writeOnly").is_some(), field.secret);
    }
}

#[test]
fn schema_and_validator_agree_over_the_corpus() {
    let validator = jsonschema::validator_for(&json_schema()).unwrap();
    let examples = EXAMPLES.iter().map(|example| (*example).to_owned());
    let cases = CASES.iter().map(|(text, _)| (*text).to_owned());
    let mut compared = 0;
    for text in examples.chain(cases).chain(variations()) {
        let Ok(value) = serde_json::from_str::<Value>(&text) else {
            continue;
        };
        let findings = verify(&text, &KnownSecrets::default()).findings;
        // What the validator repairs the schema does not know.
        if findings.iter().any(|finding| finding.code == "trimmed") {
            continue;
        }
        let accepted = validator.is_valid(&value);
        let why: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        if !accepted {
            assert!(findings.has_errors(), "the schema refuses, the validator does not: {text}\n{why:?}");
        }
        let errors = || findings.iter().filter(|finding| finding.severity == Severity::Error);
        let expressible = |code: &str| !INEXPRESSIBLE.contains(&code) && !PARTLY.contains(&code);
        if errors().any(|finding| expressible(&finding.code)) {
            assert!(!accepted, "the validator refuses, the schema does not: {text}\n{findings}");
        }
        compared += 1;
    }
    assert!(compared > 1000, "{compared}");
}

/// Every member of the table with every kind of value.
fn variations() -> Vec<String> {
    const VALUES: &[&str] = &[
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "5.0",
        "1e300",
        "\"\"",
        "\" \"",
        "\"\u{feff}\"",
        "\"a\"",
        "\"a b\"",
        "\"é\"",
        "\"a\\u0007\"",
        "\"https://acme.com\"",
        "\"HTTPS://acme.com/?a#b\"",
        "\"http://localhost:1/x\"",
        "\"https://a@b.example\"",
        "\"5m\"",
        "\"code\"",
        "[]",
        "[\"\"]",
        "[\"a\"]",
        "[\"code\"]",
        "[\"urn:a:b\"]",
        "[7]",
        "[null]",
        "[{}]",
        "[{\"from\":\"a\",\"to\":\"b\"}]",
        "{}",
        "{\"a\":\"b\"}",
        "{\"a\":null}",
        "{\"a\":7}",
        "{\"a b\":null}",
        "{\"\":\"x\"}",
        "{\"a\":{\"values\":\"x\"}}",
        "{\"mode\":\"allowlist\",\"headers\":[]}",
        "{\"method\":\"bearer\"}",
        "{\"jwks\":{}}",
        "{\"jwks\":null}",
    ];
    let mut texts = Vec::new();
    for field in FIELDS {
        for value in VALUES.iter().copied().chain([field.example]) {
            let member = format!("{{\"{}\":{value}}}", field.name);
            texts.push(match field.section {
                Section::TopLevel => member,
                Section::ForwardedHeader => format!("{{\"forward_headers\":[{member}]}}"),
                Section::ClaimRule => {
                    format!("{{\"jwt_validation\":{{\"jwks\":{{}},\"claimValues\":{{\"c\":{member}}}}}}}")
                }
                Section::RateLimit => format!("{{\"tools\":{{\"rateLimit\":{member}}}}}"),
                section => format!("{{\"{}\":{member}}}", section.as_str()),
            });
            if field.localised {
                texts.push(format!("{{\"oauth_client_metadata\":{{\"{}#de-CH\":{value}}}}}", field.name));
                texts.push(format!("{{\"oauth_client_metadata\":{{\"{}#1\":{value}}}}}", field.name));
                texts.push(format!("{{\"{}#de\":{value}}}", field.name));
            }
        }
    }
    texts
}
