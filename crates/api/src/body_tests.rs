//! Request bodies of operations, parsed as a request sends them.

use crate::http::body::{RequestBody, parse, written};
use crate::http::failure::Failure;
use crate::v1::access::UpdateAccess;
use crate::v1::integrations::create::CreateIntegration;
use crate::v1::integrations::update::UpdateIntegration;
use registry::Error;
use registry_core::patch::Patch;

fn findings<T: RequestBody>(text: &str) -> Vec<(String, String)> {
    match parse::<T>(text) {
        Ok(_) => Vec::new(),
        Err(Failure::Application(Error::Invalid(findings))) => {
            findings.iter().map(|finding| (finding.pointer.clone(), finding.code.to_string())).collect()
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn pair(pointer: &str, code: &str) -> (String, String) {
    (pointer.to_owned(), code.to_owned())
}

#[test]
fn broken_json_has_a_position() {
    let Err(Failure::Application(Error::Invalid(found))) =
        parse::<CreateIntegration>("{\n  \"name\": \"Ä\", \"url\" 5\n}")
    else {
        panic!("accepted")
    };
    let finding = found.iter().next().unwrap();
    assert_eq!((finding.code.as_ref(), finding.line, finding.column), ("invalid_json", Some(2), Some(22)));
}

#[test]
fn all_wrong_members_are_reported_together() {
    let text = r#"{"name": 5, "url": "https://x.test/mcp", "auth_type": "oauth", "transprot": "http", "configurations": []}"#;
    let mut found = findings::<CreateIntegration>(text);
    found.sort();
    assert_eq!(
        found,
        [
            pair("/auth_type", "invalid_value"),
            pair("/configurations", "wrong_type"),
            pair("/name", "wrong_type"),
            pair("/transport", "missing_member"),
            pair("/transprot", "unknown_member"),
        ]
    );
}

#[test]
fn lengths_have_finding_codes() {
    let name = "x".repeat(256);
    let text = format!(r#"{{"name": "{name}", "description": "{}"}}"#, "y".repeat(501));
    let mut found = findings::<UpdateIntegration>(&text);
    found.sort();
    assert_eq!(found, [pair("/description", "too_long"), pair("/name", "invalid_length")]);
    assert_eq!(findings::<UpdateIntegration>(r#"{"name": ""}"#), [pair("/name", "empty_value")]);
}

#[test]
fn empty_change_is_refused() {
    let Err(failure) = parse::<UpdateIntegration>("{}") else { panic!("accepted") };
    assert!(failure.to_string().contains("`configurations`"), "{failure}");
    assert_eq!(findings::<UpdateIntegration>("{}"), [pair("", "nothing_to_change")]);
}

#[test]
fn configuration_is_kept_as_written_and_null_clears_it() {
    let body = parse::<UpdateIntegration>("{\"configurations\": { \"b\" : 1,\n\"a\": 1.50 }}").unwrap();
    assert_eq!(written(body.configurations), Patch::Set("{ \"b\" : 1,\n\"a\": 1.50 }".to_owned()));
    let cleared = parse::<UpdateIntegration>("{\"configurations\": null}").unwrap();
    assert_eq!(written(cleared.configurations), Patch::Clear);
    let absent = parse::<UpdateIntegration>("{\"name\": \"A\"}").unwrap();
    assert_eq!(written(absent.configurations), Patch::Keep);
}

#[test]
fn nested_members_have_pointers() {
    let text = r#"{"workspaces": [{"id": "acme", "enabled": "yes"}, {"enable": true}]}"#;
    assert_eq!(
        findings::<UpdateAccess>(text),
        [
            pair("/workspaces/0/enabled", "wrong_type"),
            pair("/workspaces/1/enable", "unknown_member"),
            pair("/workspaces/1/id", "missing_member"),
        ]
    );
}

#[test]
fn secret_mappings_are_validated() {
    let text = r#"{"secret_mappings": [{"target_field": "configurations.headers", "secret_reference_id": "x", "value_format": "yaml"}, {"secret_key": 1}]}"#;
    assert_eq!(
        findings::<UpdateIntegration>(text),
        [
            pair("/secret_mappings/0/value_format", "invalid_value"),
            pair("/secret_mappings/1/secret_key", "wrong_type"),
            pair("/secret_mappings/1/target_field", "missing_member"),
            pair("/secret_mappings/1/secret_reference_id", "missing_member"),
        ]
    );
    assert_eq!(findings::<UpdateIntegration>(r#"{"name": "A", "secret_mappings": []}"#), []);
}

#[test]
fn duplicate_member_is_refused() {
    assert_eq!(
        findings::<UpdateIntegration>(r#"{"name": "A", "name": "B"}"#),
        [pair("", "duplicate_member")]
    );
    assert_eq!(findings::<UpdateIntegration>("[]"), [pair("", "not_an_object")]);
}
