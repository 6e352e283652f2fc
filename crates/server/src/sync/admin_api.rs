//! Requests to the admin API of a gateway, at the address that the operator typed. They carry secrets: only https, or http on
//! this machine; no redirect is followed, and no error quotes what was sent.

use registry_outbound::check_trusted_url;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Method, redirect};
use serde_json::Value;
use std::time::Duration;

/// Gateways connect to the upstream before they answer.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// How often a request is sent that the gateway is too busy for.
const MAX_ATTEMPTS: u32 = 4;
/// The first time between two attempts; it doubles.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// The longest `Retry-After` that is obeyed within a request.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
/// Characters of an answer that an error quotes.
const MAX_QUOTED: usize = 300;

/// A request that the gateway refused, or did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct AdminError {
    /// The HTTP status; 0: no answer.
    pub(crate) status: u16,
    message: String,
}

impl AdminError {
    /// An answer that is not what this gateway's API promises.
    pub(crate) fn unexpected(message: impl Into<String>) -> Self {
        Self { status: 0, message: message.into() }
    }

    /// Whether further requests are pointless now: the gateway refuses the token, or is too busy.
    pub(crate) fn concerns_all(&self) -> bool {
        matches!(self.status, 401 | 429 | 503)
    }
}

/// The admin API of one gateway.
pub(crate) struct AdminApi {
    http: Client,
    base: String,
    token: String,
}

impl AdminApi {
    /// The API at `base`, with a bearer token. The error is a sentence for the operator.
    #[expect(
        clippy::disallowed_methods,
        reason = "the operator's own gateway, at the address that they typed"
    )]
    pub(crate) fn new(base: &str, token: String) -> Result<Self, String> {
        check_trusted_url(base).map_err(|why| {
            format!("Secrets are not sent to {base}: {why}. Use an https address of the gateway.")
        })?;
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(REQUEST_TIMEOUT)
            .user_agent(concat!("mcp-registry-sync/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("No HTTP client: {error}."))?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), token })
    }

    /// Sends one request, again where the gateway is too busy or away. The answer's JSON; null where there is no body.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, AdminError> {
        let mut interval = RETRY_INTERVAL;
        for attempt in 1.. {
            match self.attempt(&method, path, body).await {
                Ok(answer) => return Ok(answer),
                Err((error, after)) => {
                    // Without an answer it is unknown whether something was made.
                    let repeatable =
                        matches!(error.status, 429 | 503) || (error.status == 0 && method == Method::GET);
                    if !repeatable || attempt >= MAX_ATTEMPTS {
                        return Err(error);
                    }
                    tokio::time::sleep(after.unwrap_or(interval).min(MAX_RETRY_AFTER)).await;
                    interval *= 2;
                }
            }
        }
        Err(AdminError::unexpected("no attempt was made"))
    }

    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, (AdminError, Option<Duration>)> {
        let failed = |status: u16, what: &str| AdminError {
            status,
            message: format!("{method} {}{path}: {what}", self.base),
        };
        let mut request =
            self.http.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let no_answer = |error: reqwest::Error| (failed(0, &error.without_url().to_string()), None);
        let response = request.send().await.map_err(no_answer)?;
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        let text = response.text().await.map_err(no_answer)?;
        if !status.is_success() {
            let said = if body.is_some() { said(&text, body) } else { quoted(&text) };
            return Err((failed(status.as_u16(), &format!("answered {status}: {said}")), after));
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|_| {
            (failed(status.as_u16(), "the answer is not JSON; is this the gateway's address?"), None)
        })
    }
}

/// What a refusal says, unless it repeats a text of the request: that may be a secret. Validation errors do.
fn said(text: &str, body: Option<&Value>) -> String {
    fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::String(text) => found.push(text),
            Value::Array(list) => list.iter().for_each(|one| texts(one, found)),
            Value::Object(members) => members.values().for_each(|one| texts(one, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    if let Some(body) = body {
        texts(body, &mut found);
    }
    // Longest first: one may be part of another.
    found.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let hidden =
        found.iter().filter(|text| text.len() >= 4).fold(text.to_owned(), |all, text| all.replace(text, "…"));
    quoted(&hidden)
}

/// The beginning of an answer, on one line.
fn quoted(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_go_to_https_or_this_machine_only() {
        for (base, fits) in [
            ("https://gateway.example.com", true),
            ("http://127.0.0.1:4444", true),
            ("http://localhost:4000/", true),
            ("http://gateway.internal:4000", false),
            ("ftp://gateway", false),
        ] {
            let made = AdminApi::new(base, "token".to_owned());
            assert_eq!(made.is_ok(), fits, "{base}");
            if let Err(message) = made {
                assert!(message.contains("https") && !message.contains("token"), "{message}");
            }
        }
    }

    #[test]
    fn a_refusal_does_not_repeat_what_was_sent() {
        let body = json!({ "oauth_config": { "client_secret": "topsecret", "scopes": ["read"] }, "n": "ab" });
        let text = r#"{"detail":[{"msg":"bad","input":{"client_secret":"topsecret","scopes":["read"]}}]}"#;
        let said = said(text, Some(&body));
        assert!(said.contains("\"msg\":\"bad\"") && !said.contains("topsecret"), "{said}");
    }

    #[test]
    fn long_answers_are_cut() {
        assert_eq!(quoted("a\n b"), "a b");
        assert_eq!(quoted(&"ä".repeat(400)).chars().count(), MAX_QUOTED + 1);
    }
}
