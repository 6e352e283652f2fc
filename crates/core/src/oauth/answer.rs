//! Answers to registrations (RFC 7591 §3.2.1): lenient about form, strict about what matters (INV-33).

use super::failure::{Failure, FailureClass, classify_refusal, clean};
use super::json::read_object;
use super::management_address::management;
use super::sanitize::{is_plain, sanitize};
use crate::clock::Timestamp;
use crate::secret::Secret;
use serde_json::{Map, Value, json};

/// The longest `client_id` kept, in bytes: some encode whole metadata.
const MAX_CLIENT_ID_BYTES: usize = 8 * 1024;

/// A client as the authorization server registered it.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Its id, opaque.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Option<Secret>,
    /// When it was issued, in seconds since 1970.
    pub client_id_issued_at: Option<i64>,
    /// When the secret expires, in seconds since 1970; `None`: never (the wire's 0).
    pub client_secret_expires_at: Option<i64>,
    /// How it authenticates at the token endpoint.
    pub token_endpoint_auth_method: String,
    /// Where it is managed (RFC 7592), if it is manageable.
    pub registration_client_uri: Option<String>,
    /// The token for that, if it is manageable.
    pub registration_access_token: Option<Secret>,
    /// Every member of the answer but the secrets.
    pub response: Map<String, Value>,
    /// Warnings about the response, for users.
    pub warnings: Vec<String>,
    /// Whether the callbacks are those asked for. Always so of a registration; an update that changes them brings secrets
    /// that must not be lost, but no client as wanted.
    pub callbacks_honoured: bool,
}

/// Reads the answer of `endpoint` to `request`.
pub fn read_answer(
    endpoint: &str,
    (status, retry_after): (u16, Option<u64>),
    body: &[u8],
    request: &Map<String, Value>,
    now: Timestamp,
) -> Result<Issued, Failure> {
    if status != 200 && status != 201 {
        return Err(classify_refusal(status, retry_after, body));
    }
    let Some(answer) = read_object(body) else { return Err(not_json()) };
    issue(answer, endpoint, request, now)
}

pub(super) fn not_json() -> Failure {
    Failure::new(
        FailureClass::Protocol,
        "answer_not_json",
        "The registration endpoint did not answer with a valid JSON object, so there is no client to use.",
    )
}

/// The client that `answer` of `endpoint` describes, wherever its members came from; it was asked for with `request`.
pub(super) fn issue(
    mut answer: Map<String, Value>,
    endpoint: &str,
    request: &Map<String, Value>,
    now: Timestamp,
) -> Result<Issued, Failure> {
    // Hydra and others write "not set" as null or "" (INV-33).
    answer.retain(|_, value| !value.is_null() && value.as_str() != Some(""));
    let mut warnings = Vec::new();
    let secret = take_text(&mut answer, "client_secret").map(Secret::new);
    let token = take_text(&mut answer, "registration_access_token").map(Secret::new);
    let client_id = answer
        .get("client_id")
        .and_then(Value::as_str)
        .filter(|id| id.len() <= MAX_CLIENT_ID_BYTES && id.bytes().all(|byte| (0x20..0x7f).contains(&byte)))
        .ok_or_else(|| {
            Failure::new(
                FailureClass::Protocol,
                "client_id_missing",
                "The authorization server answered without a usable `client_id`.",
            )
        })?
        .to_owned();
    if secret.as_ref().is_some_and(|secret| !is_plain(secret.expose())) {
        return Err(Failure::new(
            FailureClass::Protocol,
            "secret_missing",
            "The authorization server issued a secret that cannot be used: it contains control or invisible characters (RFC 6749 appendix A.2).",
        ));
    }
    // What the registration is managed with is judged below, and the id above: both are used unchanged.
    let stated_uri = answer.get("registration_client_uri").and_then(Value::as_str).map(str::to_owned);
    // These are compared with those that were asked for.
    let callbacks = answer.shift_remove("redirect_uris");
    sanitize(&mut answer, "The answer", &mut warnings);
    answer.extend(callbacks.map(|callbacks| ("redirect_uris".to_owned(), callbacks)));
    for name in ["redirect_uris", "grant_types", "response_types", "contacts"] {
        if let Some(Value::String(one)) = answer.get(name).cloned() {
            warnings.push(format!("`{name}` was answered as one string instead of a list."));
            answer.insert(name.to_owned(), json!([one]));
        }
    }
    check_callbacks(&mut answer, request, &mut warnings)?;
    let expires_at = expiry(&mut answer, secret.is_some(), now, &mut warnings)?;
    let issued_at = seconds(answer.get("client_id_issued_at"));
    answer.shift_remove("client_id_issued_at");
    let method = auth_method(&answer, request, secret.is_some(), &mut warnings)?;
    warn_of_differences(&answer, request, &mut warnings);
    // The answer is kept as it is; gateways get what has the right type.
    warnings.extend(super::shown_members::shown_members(&mut answer.clone()));
    let unused_token = token.clone();
    let (uri, token) = management(stated_uri, token, endpoint, &mut warnings);
    let mut issued = Issued {
        client_id,
        client_secret: secret,
        client_id_issued_at: issued_at,
        client_secret_expires_at: expires_at,
        token_endpoint_auth_method: method,
        registration_client_uri: uri,
        registration_access_token: token,
        response: answer,
        warnings,
        callbacks_honoured: true,
    };
    let own: Vec<Secret> = issued
        .client_secret
        .iter()
        .chain(&issued.registration_access_token)
        .chain(&unused_token)
        .cloned()
        .collect();
    issued.hide(&own);
    Ok(issued)
}

/// RFC 7591 §3.2.1: values may be replaced; values that then do not work as requested get a warning.
fn warn_of_differences(
    answer: &Map<String, Value>,
    request: &Map<String, Value>,
    warnings: &mut Vec<String>,
) {
    for name in ["grant_types", "response_types"] {
        let (Some(Value::Array(asked)), Some(Value::Array(got))) = (request.get(name), answer.get(name))
        else {
            continue;
        };
        let missing: Vec<_> =
            asked.iter().filter(|one| !got.contains(one)).filter_map(Value::as_str).collect();
        if !missing.is_empty() {
            warnings.push(format!("`{name}` was registered without {}.", missing.join(", ")));
        }
    }
    let words = |document: &Map<String, Value>| -> Option<Vec<String>> {
        Some(document.get("scope")?.as_str()?.split(' ').map(str::to_owned).collect())
    };
    if let (Some(asked), Some(got)) = (words(request), words(answer)) {
        let missing: Vec<_> = asked.into_iter().filter(|one| !got.contains(one)).collect();
        if !missing.is_empty() {
            warnings.push(format!("`scope` was registered without {}.", missing.join(" ")));
        }
    }
}

fn take_text(answer: &mut Map<String, Value>, name: &str) -> Option<String> {
    // Always removed: values under these names are never shown.
    match answer.shift_remove(name)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A number of seconds, also as an integral float or as digits in a string.
fn seconds(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
            format!("{float:.0}").parse().ok()
        }),
        Value::String(digits) => digits.trim().parse().ok(),
        _ => None,
    }
}

/// Our callbacks must be among the registered ones; exactly ours are kept, in our order.
fn check_callbacks(
    answer: &mut Map<String, Value>,
    request: &Map<String, Value>,
    warnings: &mut Vec<String>,
) -> Result<(), Failure> {
    let Some(Value::Array(registered)) = answer.get("redirect_uris") else {
        answer.shift_remove("redirect_uris");
        warnings.push(
            "The answer does not repeat `redirect_uris`; it is believed that they were registered."
                .to_owned(),
        );
        return Ok(());
    };
    let wanted = request.get("redirect_uris").and_then(Value::as_array).cloned().unwrap_or_default();
    if !wanted.iter().all(|uri| registered.contains(uri)) {
        return Err(Failure::new(
            FailureClass::NeedsAdmin,
            "redirect_uris_not_honoured",
            "The authorization server registered other callbacks than the gateway's, so users could not return from it. Ask its owner to allow the callback URL shown here.",
        ));
    }
    let others: Vec<&Value> = registered.iter().filter(|uri| !wanted.contains(uri)).collect();
    if let Some(first) = others.first() {
        warnings.push(format!(
            "The authorization server registered callbacks that were not requested: {} of them, first {}. Gateways get only the requested ones. Ask its owner to remove the others.",
            others.len(),
            first.as_str().map_or_else(|| "one that is not a string".to_owned(), |uri| clean(uri, 200))
        ));
    }
    if wanted.is_empty() {
        answer.shift_remove("redirect_uris");
    } else {
        answer.insert("redirect_uris".to_owned(), Value::Array(wanted));
    }
    Ok(())
}

fn expiry(
    answer: &mut Map<String, Value>,
    has_secret: bool,
    now: Timestamp,
    warnings: &mut Vec<String>,
) -> Result<Option<i64>, Failure> {
    let value = answer.shift_remove("client_secret_expires_at");
    if !has_secret {
        return Ok(None);
    }
    match seconds(value.as_ref()) {
        Some(0) => Ok(None),
        Some(moment) if moment <= now.timestamp() => Err(Failure::new(
            FailureClass::Protocol,
            "client_secret_expired",
            "The authorization server issued a client whose secret has expired already.",
        )),
        Some(moment) => Ok(Some(moment)),
        None => {
            warnings.push(
                "A secret came without `client_secret_expires_at`; it is taken to never expire.".to_owned(),
            );
            Ok(None)
        }
    }
}

fn auth_method(
    answer: &Map<String, Value>,
    request: &Map<String, Value>,
    has_secret: bool,
    warnings: &mut Vec<String>,
) -> Result<String, Failure> {
    let echoed = match answer.get("token_endpoint_auth_method") {
        Some(Value::String(method)) => Some(method.as_str()),
        // glewlwyd answers a list.
        Some(Value::Array(methods)) => methods.first().and_then(Value::as_str),
        _ => None,
    };
    let method = match (echoed, has_secret) {
        (Some("none"), true) => {
            warnings.push("A secret was issued although `none` was registered; gateways authenticate with `client_secret_post`.".to_owned());
            "client_secret_post"
        }
        (Some(method), _) => method,
        // Not repeated: what was asked for was chosen from what the authorization server lists. The default of RFC 7591
        // §2 only where a secret was issued that was not requested.
        (None, true) => request
            .get("token_endpoint_auth_method")
            .and_then(Value::as_str)
            .filter(|method| method.starts_with("client_secret"))
            .unwrap_or("client_secret_basic"),
        (None, false) => "none",
    };
    if method.starts_with("client_secret") && !has_secret {
        return Err(Failure::new(
            FailureClass::Protocol,
            "secret_missing",
            format!("The authorization server registered the auth method `{method}` but issued no secret."),
        ));
    }
    Ok(method.to_owned())
}
