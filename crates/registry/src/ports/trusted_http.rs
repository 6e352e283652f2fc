//! HTTP to services that the operator configured: identity provider, key sets, secret store.

use futures_util::future::BoxFuture;
use registry_core::secret::Secret;

/// A request to a service that the operator configured.
#[derive(Debug)]
pub struct HttpRequest<'a> {
    /// A URL of the configuration, or one that such a service named.
    pub url: &'a str,
    /// Headers; their values may be secrets.
    pub headers: Vec<(&'a str, Secret)>,
    /// A form to post; without one it is a GET. Its values may be secrets.
    pub form: Option<Vec<(&'a str, Secret)>>,
}

impl<'a> HttpRequest<'a> {
    /// A bare GET.
    pub(crate) fn get(url: &'a str) -> Self {
        Self { url, headers: Vec::new(), form: None }
    }
}

/// The response of such a service.
#[derive(Debug)]
pub struct HttpResponse {
    /// HTTP status.
    pub status: u16,
    /// The body. May hold secrets.
    pub body: Secret,
}

/// The HTTP client for services that the operator configured: identity provider, key sets, secret store. Their addresses are
/// trusted; their responses are bounded in time and size.
pub trait TrustedHttpClient: Send + Sync {
    /// Asks once. The error is a sentence for the log, without secrets.
    fn ask<'a>(&'a self, request: HttpRequest<'a>) -> BoxFuture<'a, Result<HttpResponse, String>>;
}
