//! Answers to registrations (RFC 7591 §3.2.1): lenient about form, strict about what matters (INV-33).

use super::auth_method::registered_method;
use super::callbacks::check_callbacks;
use super::clean::clean;
use super::failure::{Failure, FailureClass, classify_refusal};
use super::http_answer::HttpAnswer;
use super::json::bare_name;
use super::management_address::management;
use super::odd_time::{Moment, read_moment};
use super::reading::{Reading, read_members};
use super::refusal_words::{RefusalWords, refusal_words, says_failure};
use super::sanitize::{is_plain, sanitize};
use super::unusable::UnusableClient;
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

/// What an answer is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The body of the request.
    pub request: &'a Map<String, Value>,
    /// The `token_endpoint_auth_methods_supported` of the authorization server (RFC 8414 §2); `None`: it lists none.
    pub listed_methods: Option<&'a [String]>,
}

/// Reads the answer of `endpoint` to a registration. Every status of success with a usable client is a registration. One
/// without a usable client is a failure of [`FailureClass::Unusable`], unless it names no client and says that it refused.
pub fn read_answer(
    endpoint: &str,
    answer: &HttpAnswer<'_>,
    asked: Asked<'_>,
    now: Timestamp,
) -> Result<Issued, Failure> {
    if !answer.is_success() {
        return Err(classify_refusal(answer));
    }
    let Reading { members, value, warnings } = read_members(answer);
    let refuses = value.as_ref().is_some_and(says_failure);
    let names_client = || UnusableClient::read(answer, endpoint).client_id.is_some();
    if refuses && !names_client() {
        return Err(classify_refusal(answer));
    }
    let result = match members {
        Ok(members) if refuses => Err(contradiction(&members)),
        Ok(members) => issue(members, endpoint, asked, now),
        Err(what) => Err(not_json(answer.status, &what)),
    };
    let mut issued = result.map_err(|failure| {
        // Words are taken only of an answer whose members are certain: what was issued may be repeated in them.
        let words = if value.is_some() { refusal_words(answer) } else { RefusalWords::default() };
        let client = UnusableClient::read(answer, endpoint);
        let failure = Failure { error: words.error, error_description: words.description, ..failure };
        // A stub's secret may equal the id, and the id is no secret.
        let id = client.client_id.clone();
        let secrets = secrets_of(value.as_ref()).into_iter();
        let secrets = secrets.filter(|secret| id.as_deref() != Some(secret.expose())).collect::<Vec<_>>();
        secrets.iter().fold(failure.with_unusable_client(client), Failure::without)
    })?;
    if answer.status != 200 && answer.status != 201 {
        issued.warnings.insert(
            0,
            format!("The registration was answered with {} instead of 201 (RFC 7591 §3.2.1).", answer.status),
        );
    }
    issued.warnings.splice(0..0, warnings);
    Ok(issued)
}

/// Reads the members that may be kept secret, wherever they are, so that they can be taken out of texts.
fn secrets_of(value: Option<&Value>) -> Vec<Secret> {
    match value {
        Some(Value::Object(members)) => members
            .iter()
            .flat_map(|(name, member)| {
                if matches!(bare_name(name).as_str(), "clientsecret" | "registrationaccesstoken") {
                    values_in(member)
                } else {
                    secrets_of(Some(member))
                }
            })
            .collect(),
        Some(Value::Array(items)) => items.iter().flat_map(|item| secrets_of(Some(item))).collect(),
        Some(Value::String(text)) if text.trim_start().starts_with(['{', '[', '"']) => {
            secrets_of(serde_json::from_str(text).ok().as_ref())
        }
        _ => Vec::new(),
    }
}

/// Every text and number in `value`.
fn values_in(value: &Value) -> Vec<Secret> {
    match value {
        Value::String(text) => vec![Secret::new(text)],
        Value::Number(number) => vec![Secret::new(number.to_string())],
        Value::Array(items) => items.iter().flat_map(values_in).collect(),
        Value::Object(members) => members.values().flat_map(values_in).collect(),
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

pub(super) fn not_json(status: u16, what: &str) -> Failure {
    Failure::new(
        FailureClass::Protocol,
        "answer_not_json",
        format!(
            "The authorization server answered {status} {what}, so there is no client to use. Tell its owner, or enter a client registered manually in `client_id`."
        ),
    )
}

fn contradiction(members: &Map<String, Value>) -> Failure {
    let id = members
        .get("client_id")
        .and_then(Value::as_str)
        .map_or_else(|| "unknown".to_owned(), |id| clean(id, 100));
    Failure::new(
        FailureClass::Protocol,
        "answer_contradictory",
        format!(
            "The authorization server answered a `client_id` ({id}) and an error at once, so whether the client works is not certain. Tell its owner, or enter a client registered manually in `client_id`."
        ),
    )
}

/// The client that `answer` of `endpoint` describes, wherever its members came from.
pub(super) fn issue(
    mut answer: Map<String, Value>,
    endpoint: &str,
    asked: Asked<'_>,
    now: Timestamp,
) -> Result<Issued, Failure> {
    let request = asked.request;
    // Hydra and others write "not set" as null or "" (INV-33).
    answer.retain(|_, value| !value.is_null() && value.as_str() != Some(""));
    let mut warnings = Vec::new();
    let secret = take_text(&mut answer, "client_secret").map(Secret::new);
    let token = take_text(&mut answer, "registration_access_token").map(Secret::new);
    let client_id = client_id(&mut answer, &mut warnings)?;
    if secret.as_ref().is_some_and(|secret| !is_plain(secret.expose())) {
        return Err(Failure::new(
            FailureClass::Protocol,
            "secret_missing",
            "The authorization server issued a secret that cannot be used: it contains control or invisible characters (RFC 6749 appendix A.2). Tell its owner, or enter a client registered manually in `client_id`.",
        ));
    }
    // What the registration is managed with is judged below, and the id above: both are used unchanged.
    let stated_uri = answer.get("registration_client_uri").and_then(Value::as_str).map(str::to_owned);
    // These are compared with those that were asked for.
    let callbacks = answer.shift_remove("redirect_uris");
    sanitize(&mut answer, "The answer", &mut warnings);
    answer.extend(callbacks.map(|callbacks| ("redirect_uris".to_owned(), callbacks)));
    for name in ["grant_types", "response_types", "contacts"] {
        if let Some(Value::String(one)) = answer.get(name).cloned() {
            warnings.push(format!("`{name}` was answered as one string instead of a list."));
            answer.insert(name.to_owned(), json!([one]));
        }
    }
    check_callbacks(&mut answer, request, &mut warnings)?;
    let expires_at = expiry(&mut answer, secret.is_some(), now, &mut warnings)?;
    let issued_at = issued_at(&mut answer, now, &mut warnings);
    let method = registered_method(&answer, request, secret.is_some(), asked.listed_methods, &mut warnings)?;
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

/// The `client_id`, unchanged; a whole number is its digits.
fn client_id(answer: &mut Map<String, Value>, warnings: &mut Vec<String>) -> Result<String, Failure> {
    let refused = |what: String| {
        Failure::new(
            FailureClass::Protocol,
            "client_id_missing",
            format!(
                "The authorization server answered without a usable `client_id`: {what}. Tell its owner, or enter a client registered manually in `client_id`."
            ),
        )
    };
    let id = match answer.get("client_id") {
        None => return Err(refused("there is none".to_owned())),
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
            warnings.push(format!(
                "`client_id` was answered as the number {number} instead of a string; its digits are used."
            ));
            number.to_string()
        }
        Some(other) => {
            let kind = match other {
                Value::Array(_) => "a list",
                Value::Object(_) => "an object",
                Value::Bool(_) => "a boolean",
                _ => "a number that is not whole",
            };
            let shown = match other {
                // What is inside may be a secret.
                Value::Array(_) | Value::Object(_) => String::new(),
                other => format!(" ({})", clean(&other.to_string(), 100)),
            };
            return Err(refused(format!("it is {kind}{shown} and no string")));
        }
    };
    if id.len() > MAX_CLIENT_ID_BYTES {
        return Err(refused(format!("it has {} bytes, more than {MAX_CLIENT_ID_BYTES}", id.len())));
    }
    if let Some(odd) = id.chars().find(|c| !matches!(c, '\u{20}'..='\u{7e}')) {
        return Err(refused(format!(
            "it contains the character U+{:04X}, which RFC 6749 appendix A.1 does not allow",
            u32::from(odd)
        )));
    }
    if id.trim().is_empty() {
        return Err(refused("it is blank".to_owned()));
    }
    answer.insert("client_id".to_owned(), json!(id));
    Ok(id)
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

fn issued_at(answer: &mut Map<String, Value>, now: Timestamp, warnings: &mut Vec<String>) -> Option<i64> {
    let name = "client_id_issued_at";
    let value = answer.shift_remove(name)?;
    let read = read_moment(&value, now);
    match read.moment {
        Moment::At(seconds) => {
            warnings.extend(read.warning(name, &value));
            Some(seconds)
        }
        Moment::Never => None,
        Moment::Unreadable => {
            warnings.push(format!(
                "`{name}` was answered as {}, which is no date; it is left out.",
                clean(&value.to_string(), 80)
            ));
            None
        }
    }
}

fn expiry(
    answer: &mut Map<String, Value>,
    has_secret: bool,
    now: Timestamp,
    warnings: &mut Vec<String>,
) -> Result<Option<i64>, Failure> {
    let name = "client_secret_expires_at";
    let value = answer.shift_remove(name);
    if !has_secret {
        return Ok(None);
    }
    let Some(value) = value else {
        warnings.push(
            "A secret came without `client_secret_expires_at`; it is taken to never expire.".to_owned(),
        );
        return Ok(None);
    };
    let read = read_moment(&value, now);
    warnings.extend(read.warning(name, &value));
    match read.moment {
        Moment::At(moment) if moment <= now.timestamp() => Err(Failure::new(
            FailureClass::Protocol,
            "client_secret_expired",
            format!(
                "The authorization server issued a client whose secret has expired already: `{name}` is {}. Tell its owner, and check this machine's clock; or enter a client registered manually in `client_id`.",
                clean(&value.to_string(), 80)
            ),
        )),
        Moment::At(moment) => Ok(Some(moment)),
        Moment::Never | Moment::Unreadable => Ok(None),
    }
}
