//! An API client over HTTP, with an API key.

use crate::command::CommandError;
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

/// Timeout of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// An API client with one key.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Client {
    /// A client of the API at `base`.
    pub(super) fn new(base: &str, key: &str) -> Result<Self, CommandError> {
        Ok(Self { http: http()?, base: base.to_owned(), key: key.to_owned() })
    }

    /// Fetches `path`; anything but a 2xx answer is a failure that quotes it.
    pub(super) async fn get(&self, path: &str) -> Result<Value, CommandError> {
        self.call(Method::GET, path, None).await
    }

    /// Posts `body` to `path`; anything but a 2xx answer is a failure that quotes it.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, CommandError> {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CommandError> {
        let failed = |what: String| CommandError::new(format!("{method} {path}: {what}"));
        let mut request =
            self.http.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| failed(error.to_string()))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| failed(error.to_string()))?;
        if !status.is_success() {
            return Err(failed(format!("answered {status}: {text}")));
        }
        serde_json::from_str(&text).map_err(|error| failed(format!("answered no JSON: {error}")))
    }
}

/// Fetches a page without any credential.
pub(super) async fn get_text(url: &str) -> Result<String, CommandError> {
    let failed = |error: reqwest::Error| CommandError::new(format!("GET {url}: {error}"));
    http()?
        .get(url)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(failed)?
        .text()
        .await
        .map_err(failed)
}

/// An HTTP client that follows no redirect.
#[expect(clippy::disallowed_methods, reason = "the demo is a caller of the API, not the product calling out")]
pub(super) fn http() -> Result<reqwest::Client, CommandError> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(REQUEST_TIMEOUT)
        .build()
        .map_err(|error| CommandError::new(format!("No HTTP client: {error}.")))
}
