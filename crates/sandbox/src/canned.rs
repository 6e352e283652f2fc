//! Answers given word for word instead of the sandbox's own, and what is done to the sandbox's own answers: as real servers
//! and the proxies in front of them were seen to do.

use crate::answer;
use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// An answer that is sent as it is; nothing else happens to the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CannedAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body: text as it is, anything else as JSON; absent: empty.
    #[serde(default)]
    pub body: Value,
    /// `Content-Type`; absent: `text/html` for a text that begins with `<`, `text/plain` for other text, else
    /// `application/json`.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Other headers, such as `location` or `content-encoding`.
    #[serde(default)]
    pub headers: Map<String, Value>,
}

impl CannedAnswer {
    /// A JSON document, or a text.
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, body, content_type: None, headers: Map::new() }
    }

    fn response(&self) -> HttpResponse {
        let (usual, body) = match &self.body {
            Value::Null => ("application/json", String::new()),
            Value::String(text) if text.starts_with('<') => ("text/html; charset=utf-8", text.clone()),
            Value::String(text) => ("text/plain; charset=utf-8", text.clone()),
            json => ("application/json", json.to_string()),
        };
        let mut response = HttpResponse::build(answer::status(self.status));
        response.content_type(self.content_type.as_deref().unwrap_or(usual));
        for (name, value) in &self.headers {
            response.insert_header((name.as_str(), value.as_str().unwrap_or_default()));
        }
        response.body(body)
    }
}

/// The answer that `answers` hold for the method and path of `request`.
pub(crate) fn canned(
    answers: &BTreeMap<String, CannedAnswer>,
    request: &ServiceRequest,
) -> Option<HttpResponse> {
    let named = format!("{} {}", request.method(), request.path());
    answers.get(&named).map(CannedAnswer::response)
}

/// In which form `client_secret_expires_at` is answered (RFC 7591 §3.2.1: seconds since 1970).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryForm {
    /// A number of seconds since 1970.
    #[default]
    Seconds,
    /// A number of milliseconds since 1970 (servers written in JavaScript).
    Milliseconds,
    /// A number of microseconds since 1970.
    Microseconds,
    /// The seconds as a text.
    Text,
    /// A date of RFC 3339.
    Date,
    /// Left out.
    Absent,
}

impl ExpiryForm {
    /// `seconds` (0: never) in this form; `None`: the member is left out.
    pub(crate) fn value(self, seconds: i64) -> Option<Value> {
        match self {
            Self::Seconds => Some(json!(seconds)),
            Self::Milliseconds => Some(json!(seconds.saturating_mul(1_000))),
            Self::Microseconds => Some(json!(seconds.saturating_mul(1_000_000))),
            Self::Text => Some(json!(seconds.to_string())),
            Self::Date if seconds == 0 => Some(Value::Null),
            Self::Date => Some(json!(DateTime::from_timestamp(seconds, 0).map(|at| at.to_rfc3339()))),
            Self::Absent => None,
        }
    }
}

/// What is around the registered client in the answer to a registration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerWrapping {
    /// Nothing.
    #[default]
    None,
    /// The JSON text is a string of another JSON text (API gateways that encode twice).
    String,
    /// A list with one item.
    List,
    /// `{"data": …}`.
    Data,
    /// The answer is empty, although the client was registered.
    Empty,
}

impl AnswerWrapping {
    /// The body of an answer whose document is `client`.
    pub(crate) fn body(self, client: &Value) -> String {
        match self {
            Self::None => client.to_string(),
            Self::String => json!(client.to_string()).to_string(),
            Self::List => json!([client]).to_string(),
            Self::Data => json!({ "data": client }).to_string(),
            Self::Empty => String::new(),
        }
    }
}

/// Puts these members into `document`; null leaves a member out.
pub(crate) fn with_members(document: &mut Value, members: &Map<String, Value>) {
    let Some(document) = document.as_object_mut() else { return };
    for (name, value) in members {
        if value.is_null() {
            document.remove(name);
        } else {
            document.insert(name.clone(), value.clone());
        }
    }
}
