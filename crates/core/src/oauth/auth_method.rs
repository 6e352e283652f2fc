//! Token endpoint authentication methods (RFC 7591 §2): which can be used here, and which one a registered client has.

use super::clean::clean;
use super::failure::{Failure, FailureClass};
use serde_json::{Map, Value};

/// The methods that can be used with a secret, best first: OAuth 2.1 §2.4.1 makes `client_secret_post` the mandatory one.
pub(super) const SECRET_METHODS: [&str; 2] = ["client_secret_post", "client_secret_basic"];

/// Whether gateways can authenticate with `method`: other methods need keys or certificates, and this registry holds none.
/// The one place that decides this.
pub fn usable_auth_method(method: &str) -> bool {
    method == "none" || SECRET_METHODS.contains(&method)
}

/// The methods of [`usable_auth_method`] for a message.
const USABLE: &str = "`none`, `client_secret_basic` and `client_secret_post`";

/// `method` as it is registered with IANA, if only its writing is odd: case, blanks, hyphens, invisible characters.
fn well_written(method: &str) -> String {
    let written = clean(method, 100).to_ascii_lowercase().replace(['-', ' '], "_");
    if usable_auth_method(&written) { written } else { method.to_owned() }
}

/// The method that `answer` repeats: as text, or as a list of which the first usable one counts (glewlwyd).
pub(super) fn echoed(answer: &Map<String, Value>, has_secret: bool) -> Option<String> {
    match answer.get("token_endpoint_auth_method")? {
        Value::String(method) => Some(well_written(method)),
        Value::Array(methods) => {
            let mut methods = methods.iter().filter_map(Value::as_str).map(well_written);
            let first = methods.next()?;
            let fits = |method: &String| usable_auth_method(method) && (method != "none") == has_secret;
            Some(if fits(&first) { first } else { methods.find(fits).unwrap_or(first) })
        }
        _ => None,
    }
}

/// How the client of `answer` authenticates at the token endpoint. `listed`: the methods that the authorization server lists
/// (RFC 8414 §2); `None`: it lists none.
pub(super) fn registered_method(
    answer: &Map<String, Value>,
    request: &Map<String, Value>,
    has_secret: bool,
    listed: Option<&[String]>,
    warnings: &mut Vec<String>,
) -> Result<String, Failure> {
    let asked = request.get("token_endpoint_auth_method").and_then(Value::as_str);
    let asked_secret = asked.filter(|method| SECRET_METHODS.contains(method));
    let listed_secret = || {
        let lists = |method: &&str| listed.is_some_and(|listed| listed.iter().any(|one| one == *method));
        SECRET_METHODS.into_iter().find(lists)
    };
    match (echoed(answer, has_secret), has_secret) {
        (Some(method), true) if method == "none" => {
            let used = asked_secret.or_else(listed_secret).unwrap_or("client_secret_post");
            warnings.push(format!(
                "A secret was issued although `none` was registered; gateways authenticate with `{used}`."
            ));
            Ok(used.to_owned())
        }
        (Some(method), false) if SECRET_METHODS.contains(&method.as_str()) => Err(no_secret(&format!(
            "The authorization server registered the auth method `{method}` but issued no secret."
        ))),
        (Some(method), _) if usable_auth_method(&method) => {
            if answer
                .get("token_endpoint_auth_method")
                .and_then(Value::as_str)
                .is_some_and(|text| text != method)
            {
                warnings.push(format!("`token_endpoint_auth_method` was answered in another writing; it is taken for `{method}`."));
            }
            Ok(method)
        }
        (Some(method), has_secret) => {
            let method = clean(&method, 100);
            let used = listed_secret().filter(|_| has_secret).ok_or_else(|| not_usable(&method, asked))?;
            warnings.push(format!(
                "The auth method `{method}` was registered, which cannot be used here. The authorization server lists `{used}` and issued a secret, so gateways authenticate with `{used}`."
            ));
            Ok(used.to_owned())
        }
        // Not repeated. What was asked for was chosen from what the authorization server lists; the default of RFC 7591 §2
        // only where it lists nothing.
        (None, true) => {
            if let Some(asked) = asked_secret {
                return Ok(asked.to_owned());
            }
            let used = listed_secret().unwrap_or("client_secret_basic");
            warnings.push(format!(
                "A secret was issued without `token_endpoint_auth_method`; gateways authenticate with `{used}`."
            ));
            Ok(used.to_owned())
        }
        (None, false) => match asked_secret {
            Some(asked) => Err(no_secret(&format!(
                "The authorization server was asked for the auth method `{asked}` but issued no secret."
            ))),
            None => Ok("none".to_owned()),
        },
    }
}

/// The failure of a setting that names another method.
pub(crate) fn unusable_setting(method: &str) -> Failure {
    Failure::new(
        FailureClass::Configuration,
        "auth_method_not_supported",
        format!(
            "`token_endpoint_auth_method` is set to `{method}`, which needs keys or certificates that this registry does not hold. Set it to one of {USABLE}, or remove the member."
        ),
    )
}

fn no_secret(what: &str) -> Failure {
    Failure::new(
        FailureClass::Protocol,
        "secret_missing",
        format!(
            "{what} Set `token_endpoint_auth_method` to `none` if it also accepts clients without a secret, ask its owner, or enter a client registered manually in `client_id`."
        ),
    )
}

fn not_usable(method: &str, asked: Option<&str>) -> Failure {
    let asked =
        asked.map_or_else(String::new, |asked| format!(" although `{}` was requested", clean(asked, 100)));
    Failure::new(
        FailureClass::Protocol,
        "auth_method_not_usable",
        format!(
            "The authorization server registered the auth method `{method}`{asked}. This registry can use {USABLE} only. Ask its owner to register one of these, or enter a client registered manually in `client_id`."
        ),
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn registered_method_is_usable_or_refused() {
        let post = &["none", "client_secret_post"][..];
        let basic = &["client_secret_basic"][..];
        let both = &["client_secret_basic", "client_secret_post"][..];
        let jwt = &["private_key_jwt"][..];
        for (echo, asked, secret, listed, expected) in [
            (json!("none"), "none", false, None, Ok("none")),
            (json!(null), "none", false, Some(post), Ok("none")),
            (json!("client_secret_post"), "none", true, None, Ok("client_secret_post")),
            (json!("None"), "none", false, None, Ok("none")),
            (json!(" CLIENT_SECRET_POST "), "none", true, None, Ok("client_secret_post")),
            (json!("client-secret-basic"), "none", true, None, Ok("client_secret_basic")),
            (json!(["client_secret_basic"]), "none", true, None, Ok("client_secret_basic")),
            (json!(["private_key_jwt", "client_secret_post"]), "none", true, None, Ok("client_secret_post")),
            (json!(["client_secret_basic", "none"]), "none", false, None, Ok("none")),
            // A secret without a method.
            (json!(null), "client_secret_basic", true, Some(post), Ok("client_secret_basic")),
            (json!(null), "none", true, Some(post), Ok("client_secret_post")),
            (json!(null), "none", true, Some(basic), Ok("client_secret_basic")),
            (json!(null), "none", true, Some(both), Ok("client_secret_post")),
            (json!(null), "none", true, Some(jwt), Ok("client_secret_basic")),
            (json!(null), "none", true, None, Ok("client_secret_basic")),
            (json!(7), "none", true, Some(post), Ok("client_secret_post")),
            // `none` with a secret.
            (json!("none"), "none", true, Some(basic), Ok("client_secret_basic")),
            (json!("none"), "none", true, Some(both), Ok("client_secret_post")),
            (json!("none"), "client_secret_basic", true, Some(both), Ok("client_secret_basic")),
            (json!("none"), "none", true, None, Ok("client_secret_post")),
            // What cannot be used.
            (json!("private_key_jwt"), "none", false, Some(post), Err("auth_method_not_usable")),
            (json!("private_key_jwt"), "none", true, None, Err("auth_method_not_usable")),
            (json!("private_key_jwt"), "none", true, Some(jwt), Err("auth_method_not_usable")),
            (json!("client_secret_jwt"), "none", true, Some(both), Ok("client_secret_post")),
            (json!("tls_client_auth"), "none", false, None, Err("auth_method_not_usable")),
            (json!("self_signed_tls_client_auth"), "none", true, Some(basic), Ok("client_secret_basic")),
            (json!("public"), "none", false, None, Err("auth_method_not_usable")),
            (
                json!(["private_key_jwt", "tls_client_auth"]),
                "none",
                false,
                Some(post),
                Err("auth_method_not_usable"),
            ),
            (json!("client_secret_post"), "client_secret_post", false, None, Err("secret_missing")),
            (json!("client_secret_basic"), "none", false, Some(post), Err("secret_missing")),
            (json!(null), "client_secret_post", false, Some(basic), Err("secret_missing")),
        ] {
            let answer = json!({ "token_endpoint_auth_method": echo });
            let request = json!({ "token_endpoint_auth_method": asked });
            let listed: Option<Vec<String>> =
                listed.map(|listed| listed.iter().map(|&one| one.to_owned()).collect());
            let mut warnings = Vec::new();
            let method = registered_method(
                answer.as_object().unwrap(),
                request.as_object().unwrap(),
                secret,
                listed.as_deref(),
                &mut warnings,
            );
            let got = method.as_deref().map_err(|failure| failure.code);
            assert_eq!(got, expected, "{echo} {asked} {secret} {listed:?}");
            if let Ok(method) = &method {
                assert!(usable_auth_method(method));
                let silent = match &echo {
                    Value::String(echo) => echo == method,
                    Value::Array(_) => true,
                    _ => asked == method,
                };
                assert_eq!(warnings.is_empty(), silent, "{echo} {asked}: {warnings:?}");
            }
        }
    }
}
