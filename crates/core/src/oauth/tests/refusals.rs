//! The words of refusals in every shape of the field, and what they mean.

use crate::oauth::{HttpAnswer, classify_refusal};
use serde_json::{Value, json};

fn said(status: u16, body: &Value) -> (Option<String>, Option<String>) {
    let failure = classify_refusal(&HttpAnswer::new(status, body.to_string().as_bytes()));
    (failure.error, failure.error_description)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn words_are_found_in_every_shape() {
    for (body, error, words) in [
        (
            json!({ "error": "invalid_request", "error_description": "no name" }),
            Some("invalid_request"),
            "no name",
        ),
        (json!({ "error": "x", "errorDescription": "no name" }), Some("x"), "no name"),
        (
            json!({ "error": "x", "error_description": "no", "error_uri": "https://h/doc" }),
            Some("x"),
            "no; see https://h/doc",
        ),
        (json!({ "error": "x", "error_uri": "javascript:1", "message": "no" }), Some("x"), "no"),
        (
            json!({ "type": "about:blank", "title": "Bad Request", "status": 400, "detail": "logo_uri must be reachable" }),
            None,
            "logo_uri must be reachable",
        ),
        (json!({ "title": "Bad Request", "status": 400 }), None, "Bad Request"),
        (
            json!({ "type": "https://h/errors/invalid_redirect_uri", "title": "No" }),
            Some("invalid_redirect_uri"),
            "No",
        ),
        (
            json!({ "title": "T", "detail": "D", "errors": [{ "detail": "too long", "pointer": "#/client_name" }] }),
            None,
            "D; client_name: too long",
        ),
        (
            json!({ "title": "T", "invalid-params": [{ "name": "client_name", "reason": "too long" }] }),
            None,
            "client_name: too long",
        ),
        (json!({ "message": "Registration is off" }), None, "Registration is off"),
        (json!({ "msg": "a", "reason": "b" }), None, "a; b"),
        (json!({ "Message": "a" }), None, "a"),
        (json!({ "detail": "not allowed" }), None, "not allowed"),
        (json!({ "detail": ["a", "b"] }), None, "a; b"),
        (
            json!({ "detail": [{ "type": "string_too_long", "loc": ["body", "client_name"], "msg": "String should have at most 16 characters", "input": "x" }] }),
            None,
            "client_name: String should have at most 16 characters",
        ),
        (
            json!({ "detail": [{ "loc": ["body", "redirect_uris", 0], "msg": "bad" }, { "loc": ["body"], "msg": "whole" }] }),
            None,
            "redirect_uris.0: bad; whole",
        ),
        (
            json!({ "detail": { "error": "invalid_client_metadata", "error_description": "no" } }),
            Some("invalid_client_metadata"),
            "no",
        ),
        (
            json!({ "errorCode": "E0000005", "errorSummary": "Invalid session", "errorLink": "E0000005", "errorId": "oae1", "errorCauses": [] }),
            Some("E0000005"),
            "Invalid session",
        ),
        (
            json!({ "errorCode": "E1", "errorSummary": "Api validation failed: client_name", "errorCauses": [{ "errorSummary": "client_name: too long" }, { "errorSummary": "logo_uri: bad" }] }),
            Some("E1"),
            "Api validation failed: client_name; client_name: too long; logo_uri: bad",
        ),
        (
            json!({ "error": { "code": 400, "message": "Bad name", "status": "INVALID_ARGUMENT", "details": [{ "@type": "x", "fieldViolations": [{ "field": "client_name", "description": "too long" }] }] } }),
            Some("INVALID_ARGUMENT"),
            "Bad name; client_name: too long",
        ),
        (
            json!({ "error": { "code": "invalid_redirect_uri", "message": "m", "innerError": { "message": "deep" } } }),
            Some("invalid_redirect_uri"),
            "m; deep",
        ),
        (
            json!({ "errors": [{ "message": "a", "path": ["register", "name"], "extensions": { "code": "BAD" } }] }),
            Some("BAD"),
            "register.name: a",
        ),
        (json!({ "errors": ["a", "b"] }), None, "a; b"),
        (
            json!({ "errors": { "client_name": ["too long", "odd"], "logo_uri": "bad" } }),
            None,
            "client_name: too long; client_name: odd; logo_uri: bad",
        ),
        (
            json!({ "message": "The given data was invalid.", "errors": { "client_name": ["The client name field is required."] } }),
            None,
            "The given data was invalid.; client_name: The client name field is required.",
        ),
        (
            json!({ "issues": [{ "code": "unrecognized_keys", "keys": ["logo_uri"], "path": [], "message": "Unrecognized key(s) in object" }] }),
            None,
            "Unrecognized key(s) in object (logo_uri)",
        ),
        (
            json!({ "error": { "name": "ZodError", "issues": [{ "path": ["client_name"], "message": "Required" }] } }),
            None,
            "client_name: Required",
        ),
        (
            json!({ "error": { "formErrors": [], "fieldErrors": { "client_name": ["Required"] } } }),
            None,
            "client_name: Required",
        ),
        (
            json!([{ "instancePath": "", "keyword": "additionalProperties", "params": { "additionalProperty": "software_id" }, "message": "must NOT have additional properties" }]),
            None,
            "must NOT have additional properties (software_id)",
        ),
        (
            json!([{ "instancePath": "/client_name", "message": "must be string" }]),
            None,
            "client_name: must be string",
        ),
        (
            json!({ "statusCode": 400, "message": ["client_name must be a string", "logo_uri must be a URL"], "error": "Bad Request" }),
            Some("Bad Request"),
            "client_name must be a string; logo_uri must be a URL",
        ),
        (
            json!({ "message": [{ "property": "client_name", "constraints": { "maxLength": "too long" } }] }),
            None,
            "client_name: too long",
        ),
        (json!({ "validationErrors": { "client_name": ["too long"] } }), None, "client_name: too long"),
        (
            json!({ "errors": [{ "field": "clientName", "defaultMessage": "must not be blank", "rejectedValue": null }] }),
            None,
            "clientName: must not be blank",
        ),
        (
            json!({ "timestamp": "2026", "status": 400, "error": "Bad Request", "message": "No message", "path": "/register" }),
            Some("Bad Request"),
            "No message",
        ),
        (
            json!({ "errors": [{ "status": "400", "source": { "pointer": "/data/attributes/client_name" }, "title": "Invalid", "detail": "too long" }] }),
            None,
            "client_name: too long",
        ),
        (
            json!({ "client_name": ["This field may not be blank."], "non_field_errors": ["x"] }),
            None,
            "client_name: This field may not be blank.; x",
        ),
        (json!([{ "errorCode": "INVALID", "message": "no" }]), Some("INVALID"), "no"),
        (json!(["a", "b"]), None, "a; b"),
        (json!("Forbidden"), None, "Forbidden"),
        (
            json!("{\"error\":\"invalid_request\",\"error_description\":\"inner\"}"),
            Some("invalid_request"),
            "inner",
        ),
        (json!({ "message": "{\"detail\":\"inner\"}" }), None, "inner"),
        (
            json!({ "fault": { "faultstring": "No route", "detail": { "errorcode": "x" } } }),
            Some("x"),
            "No route",
        ),
        (
            json!({ "error": "invalid_request", "error_hint": "look", "error_description": "no" }),
            Some("invalid_request"),
            "no; look",
        ),
        (
            json!({ "error": { "code": 400, "status": "Bad Request", "reason": "why", "message": "no" } }),
            Some("Bad Request"),
            "no; why",
        ),
        (
            json!({ "code": 422, "error_code": "validation_failed", "msg": "no" }),
            Some("validation_failed"),
            "no",
        ),
        (
            json!({ "Error": "INVALID_CLIENT_METADATA", "error": "INVALID_CLIENT_METADATA" }),
            Some("invalid_client_metadata"),
            "",
        ),
        (json!({ "error": "invalid\u{0}", "message": "a\u{0}b\u{202e}c" }), Some("invalid"), "a bc"),
    ] {
        let (code, description) = said(400, &body);
        assert_eq!(code.as_deref(), error, "{body}");
        assert_eq!(description.unwrap_or_default(), words, "{body}");
    }
}

#[test]
fn words_are_found_in_texts_of_every_kind() {
    for (content_type, body, words) in [
        (None, &b"Forbidden\r\n"[..], "Forbidden"),
        (None, b"<html><title>Attention Required! | Edge</title>", "Attention Required! | Edge"),
        (None, b"<html><title></title><h1>Blocked</h1>", "Blocked"),
        (
            None,
            b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no</Message></Error>",
            "AccessDenied: no",
        ),
        (None, b"error=invalid_request&error_description=no+name", "no name"),
        (Some("text/plain; charset=iso-8859-1"), b"Acc\xe8s refus\xe9", "Acc\u{e8}s refus\u{e9}"),
        (None, b"{\"error_description\":\"Acc\xe8s\"}", "Acc\u{e8}s"),
        (Some("text/html"), b"\xff\xfeN\0o\0", "No"),
        (None, b"{\"error\":\"cut", "{\"error\":\"cut"),
    ] {
        let answer = HttpAnswer { content_type, ..HttpAnswer::new(400, body) };
        let failure = classify_refusal(&answer);
        assert_eq!(failure.error_description.as_deref(), Some(words), "{:?}", String::from_utf8_lossy(body));
    }
    let long = classify_refusal(&HttpAnswer::new(400, "é".repeat(600).as_bytes()));
    assert_eq!(long.error_description.map(|text| text.chars().count()), Some(500));
}

#[test]
fn redirect_is_about_the_callback_only_where_it_is_said() {
    for (status, body, code) in [
        (400, json!({ "message": "You are being redirected to login" }), "invalid_client_metadata"),
        (
            400,
            json!({ "error": "invalid_request", "error_description": "too many redirects" }),
            "invalid_client_metadata",
        ),
        (400, json!({ "error_description": "redirect_uri not allowed" }), "invalid_redirect_uri"),
        (400, json!({ "error_description": "The redirect URI is not allowed" }), "invalid_redirect_uri"),
        (400, json!({ "message": "Invalid redirect URL" }), "invalid_redirect_uri"),
        (400, json!({ "message": "redirectUris must be https" }), "invalid_redirect_uri"),
        (
            422,
            json!({ "detail": [{ "loc": ["body", "redirect_uris", 0], "msg": "bad" }] }),
            "invalid_redirect_uri",
        ),
        (400, json!({ "message": "callback host not on our list" }), "invalid_redirect_uri"),
        (400, json!({ "error": { "code": "invalid_redirect_uri" } }), "invalid_redirect_uri"),
        (403, json!({ "message": "redirecting" }), "registration_not_allowed"),
        (
            400,
            json!({ "error": "invalid_client_metadata", "error_description": "redirecting" }),
            "invalid_client_metadata",
        ),
    ] {
        let failure = classify_refusal(&HttpAnswer::new(status, body.to_string().as_bytes()));
        assert_eq!(failure.code, code, "{body}");
    }
}

proptest::proptest! {
    #[test]
    fn hostile_refusals_never_panic(status: u16, body: Vec<u8>, page in "<title.{0,40}", json in "[\\[{\":,a-z\\]}]{0,60}") {
        for body in [&body[..], page.as_bytes(), json.as_bytes()] {
            let failure = classify_refusal(&HttpAnswer::new(status, body));
            let words = failure.error_description.unwrap_or_default();
            proptest::prop_assert!(words.chars().count() <= 500 && !words.chars().any(char::is_control));
        }
    }
}
