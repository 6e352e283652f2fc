//! Requests, over all replicas.

use crate::types::{Ensured, Finding, GatewayChanges, GatewayDocument, GatewayPage, Reported};
use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderName, RETRY_AFTER};
use reqwest::{Client, Method, Response, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(15);

/// A request that the registry refused, or that no replica answered (`status` 0).
#[derive(Clone, Debug)]
pub struct RegistryError {
    /// The HTTP status; 0 without an answer of a registry.
    pub status: u16,
    /// Stable code of the problem document; empty when there is none.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// How long to wait before the next request.
    pub retry_after: Option<Duration>,
    /// What is wrong with the members of the request.
    pub findings: Vec<Finding>,
}

impl RegistryError {
    pub(crate) fn no_answer(message: impl fmt::Display) -> Self {
        let (code, message) = ("no_answer".to_owned(), message.to_string());
        Self { status: 0, code, message, retry_after: None, findings: Vec::new() }
    }

    /// Whether the registry itself says that there is no such thing; a 404 of something in between is not enough.
    pub fn is_not_found(&self) -> bool {
        self.status == 404 && self.code == "not_found"
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.status, self.message)
    }
}

impl Error for RegistryError {}

/// A connection to the registry, over all of its replicas.
pub struct Registry {
    http: Client,
    urls: Vec<String>,
    key: Box<dyn Fn() -> String + Send + Sync>,
    current: AtomicUsize,
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Registry").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// One request. A repeatable one is sent to the next replica when one does not answer.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) header: Option<(HeaderName, String)>,
    pub(crate) timeout: Duration,
    pub(crate) repeatable: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, path: &'a str) -> Self {
        let repeatable = method != Method::POST;
        Self { method, path, query: Vec::new(), body: None, header: None, timeout: TIMEOUT, repeatable }
    }
}

impl Registry {
    /// `urls` are the base URLs of the replicas. `key` gives the API key before each request, so that a rotated key is used
    /// without a restart.
    ///
    /// # Errors
    /// When the TLS of this machine cannot be set up.
    #[expect(clippy::disallowed_methods, reason = "a client of the registry, at the operator's own address")]
    pub fn new(
        urls: impl IntoIterator<Item = impl Into<String>>,
        key: impl Fn() -> String + Send + Sync + 'static,
    ) -> reqwest::Result<Self> {
        let http = Client::builder().redirect(redirect::Policy::none()).connect_timeout(TIMEOUT).build()?;
        let urls: Vec<String> =
            urls.into_iter().map(|url| url.into().trim_end_matches('/').to_owned()).collect();
        Ok(Self { http, urls, key: Box::new(key), current: AtomicUsize::new(0) })
    }

    /// The current replica does not work: the next request goes to another one.
    pub fn avoid(&self) {
        self.pass_over(self.current.load(Ordering::Relaxed));
    }

    fn pass_over(&self, replica: usize) {
        let next = (replica + 1) % self.urls.len().max(1);
        // Unless another request has moved on already.
        let _ = self.current.compare_exchange(replica, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The document of `workspace/server`, with the client of `generation`, or at least as new as the revision `at_least`.
    pub async fn document(
        &self,
        name: &str,
        generation: Option<i64>,
        at_least: Option<i64>,
    ) -> Result<GatewayDocument, RegistryError> {
        let path = path(name);
        let mut call = Call::new(Method::GET, &path);
        call.query.extend(generation.map(|value| ("generation", value.to_string())));
        call.query.extend(at_least.map(|value| ("at_least", value.to_string())));
        self.request(call, &|found: &GatewayDocument| found.name() == name).await
    }

    /// One page of documents that changed after `since`.
    pub async fn page(&self, since: i64) -> Result<GatewayPage, RegistryError> {
        let mut call = Call::new(Method::GET, "/v1/gateway/servers");
        call.query.push(("since", since.to_string()));
        self.request(call, &|_: &GatewayPage| true).await
    }

    /// The changes after `since`, waiting for one; without `since` the current position, immediately.
    pub async fn changes(&self, since: Option<i64>, wait: Duration) -> Result<GatewayChanges, RegistryError> {
        let mut call = Call::new(Method::GET, "/v1/gateway/changes");
        if let Some(since) = since {
            call.query = vec![("since", since.to_string()), ("wait", wait.as_secs().to_string())];
            call.timeout += wait;
        }
        self.request(call, &|_: &GatewayChanges| true).await
    }

    /// The changes after `since` as server-sent events; the caller watches for silence.
    pub(crate) async fn stream(&self, since: i64) -> Result<Response, RegistryError> {
        let mut call = Call::new(Method::GET, "/v1/gateway/changes");
        call.header = Some((HeaderName::from_static("last-event-id"), since.to_string()));
        match self.ask(&call, None).await? {
            Answer::Stream(response) => Ok(response),
            Answer::Json(_) => Err(RegistryError::no_answer("not a stream of events")),
        }
    }

    /// Says that a user waits for the client of this server.
    pub async fn ensure(&self, name: &str, wait: Duration) -> Result<Ensured, RegistryError> {
        let path = format!("{}/ensure", path(name));
        let mut call = Call::new(Method::POST, &path);
        call.body = Some(json!({ "wait": wait.as_secs() }));
        (call.repeatable, call.timeout) = (true, TIMEOUT + wait);
        self.request(call, &|told: &Ensured| match told {
            Ensured::Ready(found) => found.name() == name,
            Ensured::NotYet { .. } => true,
        })
        .await
    }

    /// Says that the client of this generation does not work.
    pub async fn report(&self, name: &str, generation: i64, error: &str) -> Result<Reported, RegistryError> {
        let path = format!("{}/report", path(name));
        let mut call = Call::new(Method::POST, &path);
        (call.body, call.repeatable) = (Some(json!({ "generation": generation, "error": error })), true);
        self.request(call, &|_: &Reported| true).await
    }

    /// One request with a JSON answer that `fits`.
    pub(crate) async fn request<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        fits: &(dyn Fn(&T) -> bool + Sync),
    ) -> Result<T, RegistryError> {
        let whole = |value: &Value| T::deserialize(value).is_ok_and(|told| fits(&told));
        match self.ask(&call, Some(&whole)).await? {
            Answer::Json(value) => serde_json::from_value(value).map_err(RegistryError::no_answer),
            Answer::Stream(_) => Err(RegistryError::no_answer("not JSON")),
        }
    }

    /// One request, sent to each replica in turn until one gives an answer that is JSON and fits, or a stream of events.
    async fn ask(&self, call: &Call<'_>, fits: Option<Fits<'_>>) -> Result<Answer, RegistryError> {
        let mut failed: Option<RegistryError> = None;
        for _ in 0..if call.repeatable { self.urls.len() } else { 1 } {
            let replica = self.current.load(Ordering::Relaxed);
            match self.attempt(&self.urls[replica], call, fits).await {
                Err(error) if error.status == 0 || error.status >= 500 => {
                    self.pass_over(replica);
                    if failed.as_ref().is_none_or(|other| error.retry_after < other.retry_after) {
                        failed = Some(error);
                    }
                }
                told => return told,
            }
        }
        Err(failed.unwrap_or_else(|| RegistryError::no_answer("the registry has no URL")))
    }

    async fn attempt(
        &self,
        base: &str,
        call: &Call<'_>,
        fits: Option<Fits<'_>>,
    ) -> Result<Answer, RegistryError> {
        let mut url = url::Url::parse(&format!("{base}{}", call.path)).map_err(RegistryError::no_answer)?;
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let accept = if fits.is_some() { "application/json" } else { "text/event-stream" };
        let mut request = self
            .http
            .request(call.method.clone(), url)
            .header(AUTHORIZATION, format!("Bearer {}", (self.key)()))
            .header(ACCEPT, accept);
        if let Some((name, value)) = &call.header {
            request = request.header(name, value);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        if fits.is_some() {
            request = request.timeout(call.timeout);
        }
        let response = request.send().await.map_err(|error| broken(&error))?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let Some(fits) = fits else {
            let events = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
            let wrong = || RegistryError::no_answer("not a stream of events");
            return events.then_some(Answer::Stream(response)).ok_or_else(wrong);
        };
        let value: Value = response.json().await.map_err(|error| broken(&error))?;
        let wrong = || RegistryError::no_answer(format_args!("{}: not an answer of the registry", call.path));
        if fits(&value) { Ok(Answer::Json(value)) } else { Err(wrong()) }
    }
}

type Fits<'a> = &'a (dyn Fn(&Value) -> bool + Sync);

enum Answer {
    Json(Value),
    Stream(Response),
}

/// The path of `workspace/server`. Both are slugs.
fn path(name: &str) -> String {
    format!("/v1/gateway/servers/{name}")
}

/// A failed connection, with its causes.
fn broken(error: &reqwest::Error) -> RegistryError {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        message = format!("{message}: {deeper}");
        cause = deeper.source();
    }
    RegistryError::no_answer(message)
}

async fn refusal(response: Response) -> RegistryError {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Problem {
        code: String,
        detail: String,
        errors: Vec<Finding>,
    }
    let status = response.status();
    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(delay);
    let problem: Problem = response.json().await.unwrap_or_default();
    // A redirect leads to something that is no registry, and the key stays here.
    let status = if status.is_redirection() { 0 } else { status.as_u16() };
    RegistryError {
        status,
        code: problem.code,
        message: problem.detail,
        retry_after,
        findings: problem.errors,
    }
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
#[expect(
    clippy::disallowed_methods,
    reason = "a library outside of the registry, with the time of its machine"
)]
fn delay(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    Some((date.to_utc() - Utc::now()).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(delay("7"), Some(Duration::from_secs(7)));
        assert_eq!(delay("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(delay("Fri, 31 Dec 2100 23:59:59 GMT").is_some_and(|wait| wait > Duration::from_secs(1)));
        assert_eq!(delay("soon"), None);
    }
}
