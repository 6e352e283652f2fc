//! The upstream client (INV-9): one connection for one request, to a checked address.

use crate::answered::UpstreamResponse;
use crate::limits::{Limits, MAX_REDIRECTS, MAX_RESPONSE_BYTES, MAX_RESPONSE_HEADERS};
use crate::resolve::{FilteringResolver, Lookup, System};
use crate::response::{ReadBody, read};
use crate::transport_error::{TransportError, transport_error};
use registry_core::egress::{EgressPolicy, Scope};
use registry_core::oauth::{Failure, FailureClass};
use registry_core::url_text::{host_of, shown};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION, USER_AGENT,
};
use reqwest::{Body, Certificate, Client, Method, RequestBuilder, Response, redirect, retry};
use serde_json::Value;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;
use url::Url;

/// The only header of discovery; it is not secret.
pub(crate) const VERSION_HEADER: &str = "mcp-protocol-version";

/// The client for every URL that the operator did not configure. Clones share it.
#[derive(Clone, Debug)]
pub struct UpstreamClient {
    policy: EgressPolicy,
    limits: Limits,
    lookup: Arc<dyn Lookup>,
    roots: Vec<Certificate>,
    /// The hosts that `egress.allow` applies to.
    scope: Scope,
    /// Built with the first request: loading the machine's certificate authorities costs more than a handshake.
    client: Arc<OnceLock<Client>>,
    /// The same for hosts that `egress.allow` does not apply to.
    outside: Arc<OnceLock<Client>>,
}

/// One request.
pub(crate) struct OutgoingRequest<'a> {
    /// What the request is for; a field of its tracing span.
    pub(crate) purpose: &'static str,
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) accept: &'static str,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) json: Option<&'a Value>,
    /// Additional headers; all but the protocol version may be secrets.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) wanted: ReadBody,
    /// Whether redirects are followed.
    pub(crate) follow: bool,
}

impl<'a> OutgoingRequest<'a> {
    /// A request for a JSON response, without credentials and without redirects.
    pub(crate) fn plain(purpose: &'static str, method: Method, url: &'a str) -> Self {
        Self {
            purpose,
            method,
            url,
            accept: "application/json",
            bearer: None,
            json: None,
            headers: &[],
            wanted: ReadBody::UpTo(MAX_RESPONSE_BYTES),
            follow: false,
        }
    }

    /// Only a GET without credentials and body: data for one address is never sent to another.
    fn may_be_redirected(&self) -> bool {
        self.follow
            && self.method == Method::GET
            && self.bearer.is_none()
            && self.json.is_none()
            && self.headers.iter().all(|(name, _)| *name == VERSION_HEADER)
    }
}

impl UpstreamClient {
    /// A client that connects only to what `policy` allows.
    pub fn new(policy: EgressPolicy, limits: Limits) -> Self {
        Self {
            policy,
            limits,
            lookup: Arc::new(System),
            roots: Vec::new(),
            scope: Scope::Everything,
            client: Arc::default(),
            outside: Arc::default(),
        }
    }

    /// The same client with this scope.
    #[must_use]
    pub fn within(&self, scope: Scope) -> Self {
        Self { scope, ..self.clone() }
    }

    /// Drops the built clients, after a change of lookup or roots.
    fn reset_clients(self) -> Self {
        Self { client: Arc::default(), outside: Arc::default(), ..self }
    }

    /// Resolves names with `lookup` instead of the system. The addresses are checked as well.
    #[must_use]
    pub fn with_lookup(mut self, lookup: impl Lookup) -> Self {
        self.lookup = Arc::new(lookup);
        self.reset_clients()
    }

    /// Also trusts the certificate authorities in `pem`. The error says what is wrong with it.
    pub fn with_certificates(mut self, pem: &[u8]) -> Result<Self, String> {
        self.roots = Certificate::from_pem_bundle(pem).map_err(|error| error.to_string())?;
        // A file without any certificate parses without error, and would be noticed only when connections fail.
        if self.roots.is_empty() {
            return Err("it contains no certificate in PEM format".to_owned());
        }
        Ok(self.reset_clients())
    }

    /// The egress policy.
    pub fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Sends one request in its own tracing span. The span holds the purpose, method, host and status; never a
    /// path, a query string or a header.
    pub(crate) async fn send(
        &self,
        outgoing: &OutgoingRequest<'_>,
    ) -> Result<UpstreamResponse, TransportError> {
        let span = tracing::info_span!(
            "outgoing_request",
            purpose = outgoing.purpose,
            method = %outgoing.method,
            host = host_of(outgoing.url),
            status = tracing::field::Empty,
        );
        let answer = self.exchange(outgoing).instrument(span.clone()).await?;
        span.record("status", answer.status);
        Ok(answer)
    }

    async fn exchange(&self, outgoing: &OutgoingRequest<'_>) -> Result<UpstreamResponse, TransportError> {
        let deadline = Instant::now() + self.limits.total;
        let sent = Arc::new(AtomicBool::new(false));
        let Ok(followed) = timeout_at(deadline, self.follow(outgoing, &sent)).await else {
            let message = format!(
                "{} did not answer within {} seconds.",
                host_of(outgoing.url),
                self.limits.total.as_secs_f32()
            );
            let failure = Failure::new(FailureClass::Transient, "timeout", message);
            return Err(TransportError { failure, maybe_sent: sent.load(Ordering::SeqCst), begun: None });
        };
        let (response, url) = followed?;
        read(response, &url, outgoing.wanted, deadline).await
    }

    async fn follow(
        &self,
        outgoing: &OutgoingRequest<'_>,
        sent: &Arc<AtomicBool>,
    ) -> Result<(Response, String), TransportError> {
        let mut url = outgoing.url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send_once(outgoing, &url, sent).await?;
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let redirected = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let (Some(location), true, true) = (location, redirected, outgoing.may_be_redirected()) else {
                return Ok((response, url));
            };
            let next = Url::parse(&url)
                .and_then(|from| Ok((from.join(location)?, from)))
                .ok()
                // Never from https to http. http to http is possible only on this machine.
                .filter(|(next, from)| next.scheme() == "https" || next.scheme() == from.scheme());
            let Some((mut next, _)) = next else {
                return Err(redirect_refused("The redirect leads to an address that is not allowed."));
            };
            // A fragment is meaningful only to browsers (RFC 9110 §10.2.2).
            next.set_fragment(None);
            url = next.into();
        }
        Err(redirect_refused("Too many redirects."))
    }

    /// One request: checks the text of the URL; the resolver checks the addresses.
    async fn send_once(
        &self,
        outgoing: &OutgoingRequest<'_>,
        url: &str,
        sent: &Arc<AtomicBool>,
    ) -> Result<Response, TransportError> {
        let parsed = self.policy.check_url_within(url, &self.scope).map_err(|problem| {
            let message = format!("The address {} may not be reached: {problem}.", shown(url));
            TransportError::not_sent(FailureClass::Security, "address_blocked", message)
        })?;
        let counts = parsed.host_str().is_some_and(|host| self.scope.includes(host));
        let mut request = self
            .client(counts)?
            .request(outgoing.method.clone(), parsed)
            .header(ACCEPT, outgoing.accept)
            .header(USER_AGENT, concat!("mcp-registry/", env!("CARGO_PKG_VERSION")));
        for (name, value) in outgoing.headers {
            request = request.header(*name, sensitive_header(value)?);
        }
        if let Some(token) = outgoing.bearer {
            request = request.header(AUTHORIZATION, sensitive_header(&format!("Bearer {token}"))?);
        }
        match outgoing.json {
            Some(json) => request = with_body(request, json, sent),
            None => sent.store(true, Ordering::SeqCst),
        }
        request.send().await.map_err(|error| transport_error(error, url, sent.load(Ordering::SeqCst)))
    }

    /// The client for a host, depending on whether `egress.allow` applies to it.
    fn client(&self, counts: bool) -> Result<&Client, TransportError> {
        let (built, scope) = if counts {
            (&self.client, Scope::Everything)
        } else {
            (&self.outside, Scope::Hosts(Vec::new()))
        };
        if let Some(client) = built.get() {
            return Ok(client);
        }
        let client = self.build(scope).map_err(|error| {
            let message = format!("No connection could be prepared: {error}.");
            TransportError::not_sent(FailureClass::Transient, "client_failed", message)
        })?;
        Ok(built.get_or_init(|| client))
    }

    /// No proxy of the environment, no redirects but those of `follow`, no connection reuse, nothing sent
    /// twice.
    fn build(&self, scope: Scope) -> Result<Client, reqwest::Error> {
        #[expect(clippy::disallowed_methods, reason = "the only HTTP client for upstreams")]
        let builder = Client::builder();
        builder
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .dns_resolver(FilteringResolver {
                policy: self.policy.clone(),
                scope,
                lookup: Arc::clone(&self.lookup),
            })
            .connect_timeout(self.limits.connect)
            .pool_max_idle_per_host(0)
            .http1_only()
            .http1_max_headers(MAX_RESPONSE_HEADERS)
            .tls_certs_merge(self.roots.clone())
            .build()
    }
}

/// `request` with `json` as a body; `sent` is set when the connection reads it.
fn with_body(request: RequestBuilder, json: &Value, sent: &Arc<AtomicBool>) -> RequestBuilder {
    let bytes = json.to_string().into_bytes();
    let length = bytes.len();
    let sent = Arc::clone(sent);
    let body = futures_util::stream::once(async move {
        sent.store(true, Ordering::SeqCst);
        Ok::<_, Infallible>(bytes)
    });
    // A stream would be sent chunked, which some servers do not read; the length is known, so Content-Length is set.
    request
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, length)
        .body(Body::wrap_stream(body))
}

/// A header's value, which may be a secret.
fn sensitive_header(text: &str) -> Result<HeaderValue, TransportError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        TransportError::not_sent(
            FailureClass::Configuration,
            "token_not_sendable",
            "A token or header contains characters that are not allowed in an HTTP header, such as a line break. Enter it again.",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn redirect_refused(message: &str) -> TransportError {
    TransportError::not_sent(FailureClass::Protocol, "redirect_not_allowed", message)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_get_is_redirected() {
        let body = Value::Null;
        let document = OutgoingRequest {
            follow: true,
            ..OutgoingRequest::plain("test", Method::GET, "https://as.example/")
        };
        assert!(document.may_be_redirected());
        let versioned = [(VERSION_HEADER, "2025-11-25")];
        assert!(OutgoingRequest { method: Method::GET, headers: &versioned, ..document }.may_be_redirected());
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::HEAD] {
            assert!(!OutgoingRequest { method, ..document }.may_be_redirected());
        }
        let get = || Method::GET;
        assert!(!OutgoingRequest { method: get(), bearer: Some("t"), ..document }.may_be_redirected());
        assert!(!OutgoingRequest { method: get(), json: Some(&body), ..document }.may_be_redirected());
        assert!(!OutgoingRequest { method: get(), follow: false, ..document }.may_be_redirected());
        assert!(
            !OutgoingRequest { method: get(), headers: &[("x-api-key", "k")], ..document }
                .may_be_redirected()
        );
    }

    #[test]
    fn file_without_certificates_is_an_error() {
        let http = UpstreamClient::new(EgressPolicy::default(), Limits::default());
        assert!(http.with_certificates(b"nonsense").unwrap_err().contains("no certificate"));
    }

    #[test]
    fn tokens_are_hidden_from_debug_output() {
        assert_eq!(format!("{:?}", sensitive_header("canary").unwrap()), "Sensitive");
    }
}
