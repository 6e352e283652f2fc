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
    /// What to post; without it it is a GET.
    pub body: Option<Body<'a>>,
}

/// What is posted.
#[derive(Debug)]
pub enum Body<'a> {
    /// A form. Its values may be secrets.
    Form(Vec<(&'a str, Secret)>),
    /// JSON text.
    Json(Secret),
}

impl<'a> HttpRequest<'a> {
    /// A bare GET.
    pub(crate) fn get(url: &'a str) -> Self {
        Self { url, headers: Vec::new(), body: None }
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
