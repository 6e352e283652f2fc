//! Judging requested client metadata and completing it with defaults (RFC 7591 §2, §2.1).

use crate::answer::{self, Refused};
use crate::quirks::{Quirks, ScopeHandling};
use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};
use url::Url;

const TEXTS: [&str; 6] = [
    "client_name",
    "scope",
    "software_id",
    "software_version",
    "token_endpoint_auth_method",
    "application_type",
];
const LINKS: [&str; 4] = ["client_uri", "logo_uri", "tos_uri", "policy_uri"];
const LISTS: [&str; 4] = ["redirect_uris", "grant_types", "response_types", "contacts"];
/// Known to the specification, taken without a look.
const OTHERS: [&str; 3] = ["jwks", "jwks_uri", "software_statement"];
const METHODS: [&str; 3] = ["none", "client_secret_post", "client_secret_basic"];

fn invalid<T>(description: &str) -> Result<T, Refused> {
    Err(answer::error(StatusCode::BAD_REQUEST, "invalid_client_metadata", description).into())
}

fn invalid_redirect<T>(description: &str) -> Result<T, Refused> {
    Err(answer::error(StatusCode::BAD_REQUEST, "invalid_redirect_uri", description).into())
}

/// The metadata to register: what was asked for, where it can be had, with defaults for the rest.
pub(super) fn judge(asked: &Map<String, Value>, quirks: &Quirks) -> Result<Map<String, Value>, Refused> {
    check_strictly(asked, quirks)?;
    let mut registered = Map::new();
    for (name, value) in asked {
        // Language variants are known by the member they vary (RFC 7591 §2.2).
        let base = name.split_once('#').map_or(name.as_str(), |(base, _)| base);
        let varied = base != name;
        let known = if varied {
            base == "client_name" || LINKS.contains(&base)
        } else {
            [&TEXTS[..], &LINKS, &LISTS, &OTHERS].concat().contains(&base)
        };
        if quirks.refuse_unknown_members && (varied || !known) {
            return invalid(&format!("Unrecognized field \"{name}\", not marked as ignorable"));
        }
        if known {
            check_type(name, base, value)?;
            registered.insert(name.clone(), value.clone());
        }
    }
    registered.entry("token_endpoint_auth_method").or_insert_with(|| json!("client_secret_basic"));
    registered.entry("grant_types").or_insert_with(|| json!(["authorization_code"]));
    registered.entry("response_types").or_insert_with(|| json!(["code"]));
    registered.entry("application_type").or_insert_with(|| json!("web"));
    check_agreement(&registered)?;
    check_method(&registered, quirks)?;
    check_redirects(&registered, quirks)?;
    apply_scope_policy(&mut registered, quirks)?;
    if quirks.ignore_redirect_uris {
        registered.insert("redirect_uris".to_owned(), json!(["https://somebody-else.example/callback"]));
    }
    for (name, value) in &quirks.replace_members {
        registered.insert(name.clone(), value.clone());
    }
    Ok(registered)
}

/// What strict schemas and alphabets refuse.
fn check_strictly(asked: &Map<String, Value>, quirks: &Quirks) -> Result<(), Refused> {
    if let Some(known) = &quirks.strict_members {
        let odd: Vec<String> =
            asked.keys().filter(|name| !known.contains(name)).map(|name| format!("'{name}'")).collect();
        if !odd.is_empty() {
            return invalid(&format!("Unrecognized key(s) in object: {}", odd.join(", ")));
        }
    }
    let name = asked.get("client_name").and_then(Value::as_str).unwrap_or_default();
    if quirks.plain_client_name && !name.chars().all(|one| one.is_ascii_alphanumeric() || " -".contains(one))
    {
        return invalid("client_name may only contain alphanumeric characters, hyphens, and spaces");
    }
    Ok(())
}

fn check_type(name: &str, base: &str, value: &Value) -> Result<(), Refused> {
    let text = value.as_str().filter(|text| !text.is_empty());
    if TEXTS.contains(&base) && text.is_none() {
        return invalid(&format!("{name} must be a non-empty string"));
    }
    if LINKS.contains(&base) {
        let web = text
            .and_then(|text| Url::parse(text).ok())
            .is_some_and(|link| matches!(link.scheme(), "http" | "https"));
        if !web {
            return invalid(&format!("{name} must be a web address"));
        }
    }
    let list = || {
        value
            .as_array()
            .is_some_and(|items| items.iter().all(|item| item.as_str().is_some_and(|item| !item.is_empty())))
    };
    if LISTS.contains(&base) && !list() {
        return invalid(&format!("{name} must be a list of non-empty strings"));
    }
    if base == "application_type" && !matches!(text, Some("web" | "native")) {
        return invalid("application_type must be web or native");
    }
    Ok(())
}

fn contains(metadata: &Map<String, Value>, member: &str, item: &str) -> bool {
    metadata
        .get(member)
        .and_then(Value::as_array)
        .is_some_and(|items| items.iter().any(|value| value == item))
}

/// Grant and response types go together (RFC 7591 §2.1).
fn check_agreement(metadata: &Map<String, Value>) -> Result<(), Refused> {
    if contains(metadata, "grant_types", "authorization_code") == contains(metadata, "response_types", "code")
    {
        Ok(())
    } else {
        invalid("grant_types and response_types do not go together")
    }
}

fn check_method(metadata: &Map<String, Value>, quirks: &Quirks) -> Result<(), Refused> {
    let method = metadata.get("token_endpoint_auth_method").and_then(Value::as_str).unwrap_or_default();
    let accepted = match &quirks.accepted_auth_methods {
        Some(list) => list.iter().any(|accepted| accepted == method),
        None => METHODS.contains(&method),
    };
    if accepted { Ok(()) } else { invalid(&format!("token_endpoint_auth_method {method} is not supported")) }
}

fn check_redirects(metadata: &Map<String, Value>, quirks: &Quirks) -> Result<(), Refused> {
    let addresses =
        metadata.get("redirect_uris").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if addresses.is_empty() && contains(metadata, "grant_types", "authorization_code") {
        return invalid_redirect("redirect_uris must be present");
    }
    for text in addresses.iter().filter_map(Value::as_str) {
        let Ok(address) = Url::parse(text) else {
            return invalid_redirect("redirect_uris must be absolute");
        };
        // RFC 6749 §3.1.2.
        if address.fragment().is_some() {
            return invalid_redirect("redirect_uris must not have a fragment");
        }
        let host = address.host_str().unwrap_or_default();
        if quirks.redirect_hosts.as_ref().is_some_and(|hosts| !hosts.iter().any(|listed| listed == host)) {
            return invalid_redirect(&format!("{host} is not an approved redirect host"));
        }
    }
    Ok(())
}

fn apply_scope_policy(metadata: &mut Map<String, Value>, quirks: &Quirks) -> Result<(), Refused> {
    let Some(scope) = metadata.get("scope").and_then(Value::as_str) else { return Ok(()) };
    match quirks.scope_policy {
        ScopeHandling::Accept => {}
        ScopeHandling::KnownOnly => {
            if scope.split(' ').any(|asked| !quirks.scopes_supported.iter().any(|known| known == asked)) {
                return invalid("scope must only contain Authorization Server supported scope values");
            }
        }
        ScopeHandling::Refuse => {
            let description = "Policy 'Allowed Client Scopes' rejected request to client-registration service. \
                               Details: Not permitted to use specified clientScope";
            return Err(answer::error(StatusCode::FORBIDDEN, "insufficient_scope", description).into());
        }
        ScopeHandling::Ignore => drop(metadata.remove("scope")),
    }
    Ok(())
}
