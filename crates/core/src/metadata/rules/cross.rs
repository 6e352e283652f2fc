//! Rules that involve several members.

use super::report::{Report, echo};
use crate::finding::{Finding, pointer_push};
use crate::metadata::fields::field::Section;
use crate::metadata::fields::names::{ALIAS_WRAPPER, CANONICAL_WRAPPER};
use crate::metadata::fields::table::find;
use serde_json::{Map, Value};

/// RFC 7591 §2: the default of an omitted list.
const DEFAULT_GRANT_TYPES: &[&str] = &["authorization_code"];
const DEFAULT_RESPONSE_TYPES: &[&str] = &["code"];
/// Where the gateway learns whether a token is genuine.
const JWT_SOURCES: [&str; 3] = ["jwksUri", "jwks", "introspectEndpoint"];

/// Judges the members of one object of one text together. What other levels may still add is judged after resolution.
pub(crate) fn check_object(
    section: Section,
    object: &Map<String, Value>,
    pointer: &str,
    report: &mut Report,
) {
    match section {
        Section::ClientMetadata => {
            check_secret_has_id(object, pointer, report);
            check_grants(object, pointer, report);
            check_override(object, pointer, report);
            if is_set(object, "client_secret") && text(object, "token_endpoint_auth_method") == Some("none") {
                report.push(secret_unused(pointer));
            }
        }
        Section::ExternalAuthConfig => check_secret_has_id(object, pointer, report),
        Section::JwtValidation if !JWT_SOURCES.iter().any(|name| is_set(object, name)) => {
            report.push(Finding::error(
                pointer,
                "missing_member",
                "`jwt_validation` needs one of `jwksUri`, `jwks` and `introspectEndpoint`.",
            ));
        }
        _ => {}
    }
}

/// Members that the same text sets and names in `registration.omit`.
pub(crate) fn check_omitted(document: &Map<String, Value>, report: &mut Report) {
    let Some(Value::Array(omit)) = document.get("registration").and_then(|one| one.get("omit")) else {
        return;
    };
    let set: Vec<&Map<String, Value>> = [CANONICAL_WRAPPER, ALIAS_WRAPPER]
        .iter()
        .filter_map(|name| document.get(*name)?.as_object())
        .collect();
    for (index, name) in omit.iter().enumerate() {
        let Some(name) = name.as_str() else { continue };
        let known = find(Section::ClientMetadata, name).is_some() || name.contains('#');
        if known && set.iter().any(|metadata| is_set(metadata, name)) {
            report.push(Finding::warning(
                format!("/registration/omit/{index}"),
                "set_and_omitted",
                format!(
                    "`{}` is set and at the same time named in `registration.omit`, so it is not sent. Remove one of the two.",
                    echo(name)
                ),
            ));
        }
    }
}

/// A client secret is set, and the auth method says that it is not used.
pub(crate) fn secret_unused(pointer: &str) -> Finding {
    Finding::warning(
        pointer_push(pointer, "token_endpoint_auth_method"),
        "secret_unused",
        "`client_secret` is set, but `token_endpoint_auth_method` is `none`, so the secret would never be used. Set `client_secret_basic` or `client_secret_post`, or remove the secret.",
    )
}

/// RFC 7591 §2.1, an omitted list taking its default first.
pub(crate) fn check_grants(object: &Map<String, Value>, pointer: &str, report: &mut Report) {
    // Ill-typed lists have another finding.
    let list = |name: &str, default: &[&str]| -> Option<Vec<String>> {
        match object.get(name) {
            None | Some(Value::Null) => Some(default.iter().map(|&text| text.to_owned()).collect()),
            Some(Value::Array(list)) => list.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            Some(_) => None,
        }
    };
    let (Some(grants), Some(responses)) =
        (list("grant_types", DEFAULT_GRANT_TYPES), list("response_types", DEFAULT_RESPONSE_TYPES))
    else {
        return;
    };
    let has_grant = |name: &str| grants.iter().any(|grant| grant == name);
    let mismatch = |member: &str, message: &str| {
        Finding::error(pointer_push(pointer, member), "grant_response_mismatch", message)
    };
    let asks_code = responses.iter().any(|response| response == "code");
    if asks_code && !has_grant("authorization_code") && !grants.is_empty() {
        report.push(mismatch(
            "grant_types",
            "The response type `code` needs the grant type `authorization_code`. Add it to `grant_types`, or set `response_types` to [].",
        ));
    } else if !asks_code
        && has_grant("authorization_code")
        && responses.iter().all(|response| response == "code")
    {
        report.push(mismatch(
            "response_types",
            "The grant type `authorization_code` needs the response type `code`. Set `response_types` to [\"code\"].",
        ));
    } else if grants.iter().all(|grant| grant == "refresh_token") && !grants.is_empty() {
        report.push(mismatch(
            "grant_types",
            "`refresh_token` alone is not enough. Add the grant type `authorization_code`.",
        ));
    }
}

fn check_secret_has_id(object: &Map<String, Value>, pointer: &str, report: &mut Report) {
    if is_set(object, "client_secret") && !is_set(object, "client_id") {
        report.push(Finding::error(
            pointer_push(pointer, "client_secret"),
            "secret_without_id",
            "`client_secret` needs the `client_id` it belongs to beside it. The two are never taken from different levels.",
        ));
    }
}

/// A replaced authorization server is only complete with issuer and both endpoints (RFC 8414 §2).
fn check_override(object: &Map<String, Value>, pointer: &str, report: &mut Report) {
    const NEEDED: [&str; 3] = ["issuer", "authorization_endpoint", "token_endpoint"];
    let Some(given) = NEEDED[1..].iter().find(|name| is_set(object, name)) else {
        return;
    };
    let grants = object.get("grant_types").and_then(Value::as_array).filter(|grants| !grants.is_empty());
    // No grant that an authorization endpoint is for.
    let no_users = grants.is_some_and(|grants| {
        grants.iter().all(|grant| grant.as_str().is_some_and(|grant| grant != "authorization_code"))
    });
    let missing: Vec<String> = NEEDED
        .iter()
        .filter(|name| !(is_set(object, name) || no_users && **name == "authorization_endpoint"))
        .map(|name| format!("`{name}`"))
        .collect();
    if !missing.is_empty() {
        report.push(Finding::warning(
            pointer_push(pointer, given),
            "incomplete_override",
            format!(
                "`{given}` replaces only this endpoint; the rest still comes from the published metadata. To need none, also set {}.",
                missing.join(" and ")
            ),
        ));
    }
}

fn is_set(object: &Map<String, Value>, name: &str) -> bool {
    object.get(name).is_some_and(|value| !value.is_null())
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}
