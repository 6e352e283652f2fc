//! Members of a registered client that are only shown: gateways' SDKs parse them, so that a value of another type than the
//! registry of client metadata says (IANA, RFC 7591 §4.1; OpenID Connect Registration §2) is not handed on (INV-40).

use super::clean::clean;
use serde_json::{Map, Value};
use url::Url;

/// The type of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// A text that is not empty.
    Text,
    /// An http or https URL.
    Web,
    /// Space-separated scopes.
    Scope,
    /// A list of texts.
    Texts,
    /// A list of absolute URLs of any scheme.
    Urls,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A JSON Web Key Set: an object with a list `keys` of objects.
    JwkSet,
}

/// How many names a warning lists.
const MAX_NAMED: usize = 10;

/// The registry of client metadata, by type. `client_id` and `client_secret` are not here: they are never only shown.
const REGISTRY: &[(Type, &[&str])] = &[
    (
        Type::Text,
        &[
            "client_name",
            "software_id",
            "software_version",
            "software_statement",
            "application_type",
            "subject_type",
            "token_endpoint_auth_method",
            "token_endpoint_auth_signing_alg",
            "issuer",
            "id_token_signed_response_alg",
            "id_token_encrypted_response_alg",
            "id_token_encrypted_response_enc",
            "userinfo_signed_response_alg",
            "userinfo_encrypted_response_alg",
            "userinfo_encrypted_response_enc",
            "request_object_signing_alg",
            "request_object_encryption_alg",
            "request_object_encryption_enc",
            "authorization_signed_response_alg",
            "authorization_encrypted_response_alg",
            "authorization_encrypted_response_enc",
            "introspection_signed_response_alg",
            "introspection_encrypted_response_alg",
            "introspection_encrypted_response_enc",
            "tls_client_auth_subject_dn",
            "tls_client_auth_san_dns",
            "tls_client_auth_san_uri",
            "tls_client_auth_san_ip",
            "tls_client_auth_san_email",
            "backchannel_token_delivery_mode",
            "backchannel_authentication_request_signing_alg",
            "nfv_token_signed_response_alg",
            "nfv_token_encrypted_response_alg",
            "nfv_token_encrypted_response_enc",
            "ace_profile",
            "organization_name",
            "display_name",
            "description",
            "registration_access_token",
        ],
    ),
    (
        Type::Web,
        &[
            "client_uri",
            "logo_uri",
            "tos_uri",
            "policy_uri",
            "jwks_uri",
            "signed_jwks_uri",
            "sector_identifier_uri",
            "initiate_login_uri",
            "frontchannel_logout_uri",
            "backchannel_logout_uri",
            "backchannel_client_notification_endpoint",
            "registration_client_uri",
            "organization_uri",
            "information_uri",
        ],
    ),
    (Type::Scope, &["scope"]),
    (
        Type::Texts,
        &[
            "grant_types",
            "response_types",
            "contacts",
            "default_acr_values",
            "authorization_details_types",
            "client_registration_types",
            "keywords",
            "token_endpoint_auth_methods_supported",
        ],
    ),
    (Type::Urls, &["redirect_uris", "post_logout_redirect_uris", "request_uris"]),
    (Type::Integer, &["client_id_issued_at", "client_secret_expires_at", "default_max_age"]),
    (
        Type::Boolean,
        &[
            "require_auth_time",
            "tls_client_certificate_bound_access_tokens",
            "dpop_bound_access_tokens",
            "require_signed_request_object",
            "require_pushed_authorization_requests",
            "use_mtls_endpoint_aliases",
            "frontchannel_logout_session_required",
            "backchannel_logout_session_required",
            "backchannel_user_code_parameter",
        ],
    ),
    (Type::JwkSet, &["jwks"]),
];

/// Leaves out of `members` (a client as its authorization server described it) what has not the type that its name
/// demands; of lists, the entries that have it stay. Variants in other languages (`client_name#de`) are judged like their
/// untagged member. The warnings name what was left out; nulls and empty texts say "not set" and are left out silently.
pub fn shown_members(members: &mut Map<String, Value>) -> Vec<String> {
    let (mut left_out, mut shortened, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    members.retain(|name, value| {
        if value.is_null() || value.as_str() == Some("") {
            return false;
        }
        let Some(kind) = type_of(name) else { return true };
        if kind == Type::Scope
            && let Some(scope) = joined(value)
        {
            *value = Value::from(scope);
            warnings.push("`scope` was answered as a list; it is read as one text with spaces.".to_owned());
        }
        let had = value.as_array().map_or(0, Vec::len);
        let stays = fits(kind, value);
        if !stays {
            left_out.push(clean(name, 60));
        } else if value.as_array().is_some_and(|list| list.len() < had) {
            shortened.push(clean(name, 60));
        }
        stays
    });
    // RFC 7591 §2: the two must not occur together.
    if members.contains_key("jwks_uri") && members.shift_remove("jwks").is_some() {
        warnings.push("`jwks` was answered beside `jwks_uri`; gateways get only the latter.".to_owned());
    }
    if !left_out.is_empty() {
        warnings.push(format!(
            "Answered with values that are not of the registered type, and not handed on to gateways: {}.",
            listed(&left_out)
        ));
    }
    if !shortened.is_empty() {
        warnings.push(format!(
            "Answered with list entries that are not of the registered type, and not handed on to gateways: {}.",
            listed(&shortened)
        ));
    }
    warnings
}

fn type_of(name: &str) -> Option<Type> {
    let base = name.split('#').next().unwrap_or_default();
    REGISTRY.iter().find(|(_, names)| names.contains(&base)).map(|(kind, _)| *kind)
}

/// Whether `value` has the type; lists lose the entries that have not. A list that loses all of them has not.
fn fits(kind: Type, value: &mut Value) -> bool {
    match (kind, &mut *value) {
        (Type::Text | Type::Scope, Value::String(text)) => !text.trim().is_empty(),
        (Type::Web, Value::String(text)) => is_web(text),
        (Type::Texts, Value::Array(list)) => {
            keep(list, |item| item.as_str().is_some_and(|text| !text.trim().is_empty()))
        }
        (Type::Urls, Value::Array(list)) => keep(list, |item| item.as_str().is_some_and(is_url)),
        (Type::Integer, Value::Number(number)) => {
            number.as_i64().is_some_and(|number| (0..=MAX_INTEGER).contains(&number))
        }
        (Type::Boolean, Value::Bool(_)) => true,
        (Type::JwkSet, Value::Object(set)) => {
            set.get("keys").and_then(Value::as_array).is_some_and(|keys| keys.iter().all(Value::is_object))
        }
        _ => false,
    }
}

/// The largest whole number every JSON reader keeps exactly (RFC 8259 §6).
const MAX_INTEGER: i64 = 9_007_199_254_740_991;

fn keep(list: &mut Vec<Value>, fits: impl Fn(&Value) -> bool) -> bool {
    let had = list.len();
    list.retain(fits);
    had == 0 || !list.is_empty()
}

/// A list of scopes as one text.
fn joined(value: &Value) -> Option<String> {
    let scopes: Vec<&str> = value.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
    let fit = |scope: &&str| !scope.is_empty() && !scope.contains(char::is_whitespace);
    (!scopes.is_empty() && scopes.iter().all(fit)).then(|| scopes.join(" "))
}

fn is_web(text: &str) -> bool {
    is_url(text)
        && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
}

fn is_url(text: &str) -> bool {
    let scheme_and_slashes = text.contains(':') && !text.contains(char::is_whitespace);
    scheme_and_slashes && Url::parse(text).is_ok()
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(MAX_NAMED).map(|name| format!("`{name}`")).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    /// Every member with every value: what stays has the member's type, and what goes is named.
    #[test]
    fn members_have_their_registered_type_or_go() {
        let values = [
            json!(null),
            json!(true),
            json!(7),
            json!(1.5),
            json!(-1),
            json!("text"),
            json!(""),
            json!(" "),
            json!([]),
            json!([null]),
            json!([7]),
            json!(["a", null, 7, ""]),
            json!({}),
            json!({ "en": "x" }),
            json!([["a"]]),
            json!({ "keys": [{}] }),
            json!({ "keys": [7] }),
            json!({ "keys": {} }),
            json!("https://h.example/x"),
            json!("javascript:alert(1)"),
            json!("https://"),
            json!("//h/x"),
            json!(["https://h.example/cb", "x"]),
            json!(1e300),
        ];
        let names: Vec<&str> = REGISTRY.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        assert_eq!(
            names.len(),
            names.iter().collect::<std::collections::BTreeSet<_>>().len(),
            "a name is there twice"
        );
        let mut kept = 0;
        for name in names {
            for value in &values {
                for name in [name.to_owned(), format!("{name}#de")] {
                    let mut members = Map::from_iter([(name.clone(), value.clone())]);
                    let warnings = shown_members(&mut members);
                    let silent = value.is_null() || value == "";
                    let same = members.get(&name) == Some(value);
                    assert_eq!(warnings.is_empty(), silent || same, "{name} {value} {warnings:?}");
                    let Some(stayed) = members.get(&name) else { continue };
                    kept += 1;
                    let right = match type_of(&name).unwrap() {
                        Type::Text | Type::Scope => stayed.is_string(),
                        Type::Web => stayed == "https://h.example/x",
                        Type::Texts | Type::Urls => stayed.as_array().unwrap().iter().all(Value::is_string),
                        Type::Integer => stayed == 7,
                        Type::Boolean => stayed.is_boolean(),
                        Type::JwkSet => stayed["keys"].is_array(),
                    };
                    assert!(right, "{name} {value} became {stayed}");
                }
            }
        }
        assert!(kept > 200, "{kept}");
    }

    #[test]
    fn what_can_be_read_is_kept() {
        let mut members = json!({
            "scope": ["read", "write"], "grant_types": ["authorization_code", null], "contacts": [null], "client_name": { "en": "Acme" },
            "client_uri": "acme", "x_custom": [null], "jwks": { "keys": [] }, "jwks_uri": "https://h.example/jwks", "tos_uri": "n/a",
        });
        let warnings = shown_members(members.as_object_mut().unwrap());
        assert_eq!(
            members,
            json!({
                "scope": "read write", "grant_types": ["authorization_code"], "x_custom": [null],
                "jwks_uri": "https://h.example/jwks",
            })
        );
        assert_eq!(
            warnings,
            [
                "`scope` was answered as a list; it is read as one text with spaces.",
                "`jwks` was answered beside `jwks_uri`; gateways get only the latter.",
                "Answered with values that are not of the registered type, and not handed on to gateways: `contacts`, `client_name`, `client_uri`, `tos_uri`.",
                "Answered with list entries that are not of the registered type, and not handed on to gateways: `grant_types`.",
            ]
        );
    }

    #[test]
    fn warnings_are_bounded() {
        let mut members: Map<String, Value> =
            (0..200).map(|number| (format!("client_name#x-{number}"), json!(7))).collect();
        let warnings = shown_members(&mut members);
        assert!(members.is_empty());
        assert!(
            warnings.len() == 1 && warnings[0].ends_with("`client_name#x-9` and 190 more."),
            "{warnings:?}"
        );
    }
}
