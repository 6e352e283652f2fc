//! The words of a refusal, in every shape of the field: OAuth (RFC 7591 §3.2.2), problem documents (RFC 9457), the errors of
//! web frameworks and validators, lists, pages, plain text.

use super::clean::clean;
use super::http_answer::HttpAnswer;
use super::markup::{document_words, is_markup, is_page, page_words};
use super::refusal_codes::{error_code, known_code, plain, status_of};
use super::refusal_members::{BY_MEMBER, NAMING, NOISE, SAYING};
use serde_json::{Map, Value};
use url::Url;
use url::form_urlencoded;

/// The longest description, in characters.
const MAX_WORDS: usize = 500;
/// How many sentences are collected.
const MAX_SENTENCES: usize = 12;
/// How deep errors are nested at most.
const MAX_DEPTH: usize = 8;

/// What a refusal says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RefusalWords {
    /// The error code.
    pub(super) error: Option<String>,
    /// The sentences, with the members they are about.
    pub(super) description: Option<String>,
    /// The status that the body names.
    pub(super) status: Option<u16>,
    /// Whether the body is an HTML page: an authorization server writes none to a registration.
    pub(super) is_page: bool,
}

/// Reads what `answer` says about its refusal. Text that is not JSON is used of a status from 400 on only: another answer may
/// hold a client and its secret.
pub(super) fn refusal_words(answer: &HttpAnswer<'_>) -> RefusalWords {
    let text = answer.text().text;
    let text = text.trim();
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return of_value(&value, answer.status >= 400);
    }
    if answer.status < 400 || text.is_empty() {
        return RefusalWords { is_page: is_page(text), ..RefusalWords::default() };
    }
    of_text(text)
}

fn of_text(text: &str) -> RefusalWords {
    let form: Vec<(String, String)> =
        if text.contains('=') && !text.contains(char::is_whitespace) && !is_markup(text) {
            form_urlencoded::parse(text.as_bytes()).into_owned().collect()
        } else {
            Vec::new()
        };
    if form.iter().any(|(name, _)| plain(name).starts_with("error")) {
        let members: Map<String, Value> =
            form.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        return of_value(&Value::Object(members), false);
    }
    let description = if is_page(text) {
        page_words(text)
    } else if is_markup(text) {
        document_words(text)
    } else {
        Some(clean(text, MAX_WORDS)).filter(|words| !words.is_empty())
    };
    RefusalWords { description, is_page: is_page(text), ..RefusalWords::default() }
}

fn of_value(value: &Value, is_refusal: bool) -> RefusalWords {
    if let Value::String(inner) = value {
        return match serde_json::from_str::<Value>(inner.trim()) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => of_value(&inner, is_refusal),
            _ if is_refusal && !inner.trim().is_empty() => of_text(inner.trim()),
            _ => RefusalWords::default(),
        };
    }
    let mut sentences = Sentences::default();
    sentences.say(value, "", 0);
    if let Value::Object(members) = value {
        if sentences.0.is_empty() {
            for name in ["title", "statusMessage", "statusText", "error_name"] {
                members
                    .get(name)
                    .and_then(Value::as_str)
                    .into_iter()
                    .for_each(|text| sentences.add("", text));
            }
        }
        if sentences.0.is_empty() && is_refusal {
            sentences.by_member(members, "", 0);
        }
        let link =
            members.iter().find(|(name, _)| plain(name) == "erroruri").and_then(|(_, uri)| uri.as_str());
        if let Some(uri) =
            link.filter(|uri| Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "https" | "http")))
        {
            sentences.add("", &format!("see {uri}"));
        }
    }
    let error = error_code(value);
    let description = sentences.joined().or_else(|| error.clone().filter(|text| text.chars().count() > 100));
    RefusalWords {
        error: error.map(|error| clean(&error, 100)),
        description,
        status: status_of(value),
        is_page: false,
    }
}

/// Whether a value that was answered with success, and names no client, says that something failed.
pub(super) fn says_failure(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            let says = |name: &str, value: &Value| match plain(name).as_str() {
                "error" | "errors" | "errordescription" | "errorcode" | "errorsummary" | "errormessage"
                | "errorcauses" | "fault" | "faultstring" | "exception" | "validationerrors"
                | "violations" | "issues" => !is_empty(value),
                "ok" | "success" | "succeeded" | "issuccess" => {
                    *value == Value::Bool(false) || *value == "false"
                }
                "iserror" | "failed" | "haserrors" => *value == Value::Bool(true),
                "status" | "result" | "state" | "outcome" => value.as_str().is_some_and(|word| {
                    ["error", "fail", "failed", "failure", "ko", "denied", "rejected"]
                        .iter()
                        .any(|bad| word.eq_ignore_ascii_case(bad))
                }),
                _ => false,
            };
            members.iter().any(|(name, value)| says(name, value))
                || status_of(value).is_some()
                || members.contains_key("title") && members.contains_key("detail")
                || members.get("detail").is_some_and(Value::is_array)
        }
        Value::Array(items) => items.iter().any(says_failure),
        Value::String(text) => {
            serde_json::from_str::<Value>(text).is_ok_and(|inner| !inner.is_string() && says_failure(&inner))
        }
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.trim().is_empty() || text == "0" || text.eq_ignore_ascii_case("none"),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) => false,
    }
}

/// The sentences that were found, each once.
#[derive(Default)]
struct Sentences(Vec<String>);

impl Sentences {
    fn add(&mut self, place: &str, text: &str) {
        let text = clean(&text.split_whitespace().collect::<Vec<_>>().join(" "), MAX_WORDS);
        if text.is_empty() || self.0.len() == MAX_SENTENCES {
            return;
        }
        let named = place.is_empty() || text.to_lowercase().contains(&place.to_lowercase());
        let sentence = if named { text } else { format!("{place}: {text}") };
        if self.0.iter().any(|known| known.contains(&sentence)) {
            return;
        }
        self.0.retain(|known| !sentence.contains(known.as_str()));
        self.0.push(sentence);
    }

    fn joined(self) -> Option<String> {
        let words = clean(&self.0.join("; "), MAX_WORDS);
        (!words.is_empty()).then_some(words)
    }

    /// Collects what `value` says about `place`.
    fn say(&mut self, value: &Value, place: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        match value {
            Value::String(text) => self.say_text(text, place, depth),
            Value::Array(items) => items.iter().for_each(|item| self.say(item, place, depth + 1)),
            Value::Object(members) => {
                let own = if depth == 0 { None } else { place_of(members) };
                let place = match (&own, place) {
                    (Some(own), "") => own.clone(),
                    (Some(own), outer) if own.starts_with(outer) => own.clone(),
                    (Some(own), outer) => format!("{outer}.{own}"),
                    (None, outer) => outer.to_owned(),
                };
                for wanted in SAYING {
                    for (_, member) in members.iter().filter(|(name, _)| plain(name) == wanted) {
                        match member {
                            // The error code is shown beside the words.
                            Value::String(text)
                                if wanted == "error" && (depth == 0 || known_code(text).is_some()) => {}
                            Value::String(text) => self.say_text(&with_names(text, members), &place, depth),
                            Value::Object(inner) if BY_MEMBER.contains(&wanted) && !is_error(inner) => {
                                self.by_member(inner, &place, depth + 1);
                            }
                            other => self.say(other, &place, depth + 1),
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn say_text(&mut self, text: &str, place: &str, depth: usize) {
        let trimmed = text.trim();
        if trimmed.starts_with(['{', '['])
            && let Ok(inner) = serde_json::from_str::<Value>(trimmed)
        {
            // The code inside is no code of the whole: it is a sentence here.
            return self.say(&inner, place, depth + 1);
        }
        if is_page(trimmed) {
            if let Some(words) = page_words(trimmed) {
                self.add(place, &words);
            }
        } else {
            self.add(place, trimmed);
        }
    }

    /// Collects from an object whose names are the members that the errors are about.
    fn by_member(&mut self, members: &Map<String, Value>, place: &str, depth: usize) {
        for (name, value) in members {
            let word = plain(name);
            let secret = ["secret", "token", "password", "assertion", "authorization"]
                .iter()
                .any(|one| word.contains(one));
            // `token_endpoint_auth_method` is the one member of a registration with such a name.
            if NOISE.contains(&word.as_str())
                || depth == 0 && word == "error"
                || secret && !word.starts_with("tokenendpoint")
            {
                continue;
            }
            let named = match word.as_str() {
                "nonfielderrors" | "formerrors" | "base" | "errors" | "general" => place.to_owned(),
                // Constraints of a validator: their names are rules.
                _ if value.is_string() && !place.is_empty() => place.to_owned(),
                _ if place.is_empty() => clean(name, 60),
                _ => format!("{place}.{}", clean(name, 60)),
            };
            match value {
                Value::String(text) => self.say_text(text, &named, depth),
                Value::Array(_) => self.say(value, &named, depth + 1),
                Value::Object(inner) if is_error(inner) => self.say(value, &named, depth + 1),
                Value::Object(inner) if depth < MAX_DEPTH => self.by_member(inner, &named, depth + 1),
                _ => {}
            }
        }
    }
}

/// Whether an object describes an error itself.
fn is_error(members: &Map<String, Value>) -> bool {
    members.keys().any(|name| {
        let word = plain(name);
        SAYING.contains(&word.as_str()) && word != "validation" || NAMING[..2].contains(&word.as_str())
    })
}

/// The member that an error in a list is about.
fn place_of(members: &Map<String, Value>) -> Option<String> {
    let named = NAMING
        .iter()
        .find_map(|wanted| members.iter().find(|(name, _)| plain(name) == *wanted).map(|(_, value)| value));
    let by_name = || members.get("name").filter(|_| members.contains_key("reason"));
    let text = match named.or_else(by_name)? {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let parts = parts.iter().filter_map(|part| match part {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            });
            parts.collect::<Vec<_>>().join(".")
        }
        Value::Object(source) => {
            ["pointer", "parameter"].iter().find_map(|name| source.get(*name)?.as_str()).map(str::to_owned)?
        }
        _ => return None,
    };
    if text.contains("://") {
        return None;
    }
    let text = text.trim_start_matches(['#', '/', '.', '$']).replace('/', ".");
    let text = ["body.", "json.", "data.attributes."]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .unwrap_or(&text);
    let text = clean(text, 100);
    (!text.is_empty() && text != "body").then_some(text)
}

/// The sentence with the names that its error has beside it: the unknown member in `params` of ajv, the `keys` of Zod.
fn with_names(text: &str, members: &Map<String, Value>) -> String {
    let names: Vec<&str> = ["params", "keys", "unrecognizedKeys", "additionalProperties"]
        .iter()
        .filter_map(|name| members.get(*name))
        .flat_map(|value| match value {
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            Value::Object(inner) => inner.values().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        })
        .filter(|name| !text.contains(name))
        .take(5)
        .collect();
    if names.is_empty() { text.to_owned() } else { format!("{text} ({})", names.join(", ")) }
}
