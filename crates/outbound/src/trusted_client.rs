//! The client for services that the operator configured: the identity provider, its key sets, a vault.
//! Their addresses may be private; time and size are limited, and redirects are not followed.

use registry_core::url_text::host_of;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Certificate, Client, Method, redirect, retry};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::timeout;
use tracing::Instrument;
use url::{Host, Url};

/// Timeout of the whole exchange.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum size of a response, in bytes after decompression.
const MAX_RESPONSE_BYTES: usize = 512 * 1024;

/// The client for services that the operator configured. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct TrustedClient {
    roots: Vec<Certificate>,
    client: Arc<OnceLock<Client>>,
}

/// A response of any status.
#[derive(Clone, Debug)]
pub struct TrustedResponse {
    /// HTTP status.
    pub status: u16,
    /// The body; may hold secrets.
    pub body: Vec<u8>,
}

/// What is sent; may hold secrets.
#[derive(Clone)]
pub enum TrustedBody<'a> {
    /// A form.
    Form(Vec<(&'a str, &'a str)>),
    /// JSON text.
    Json(&'a str),
}

/// Writes only the kind of the body, so that no secret appears in logs.
impl std::fmt::Debug for TrustedBody<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Form(_) => "Form",
            Self::Json(_) => "Json",
        })
    }
}

/// Checks a URL of the configuration; the error says why it is not allowed.
pub fn check_trusted_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is not a URL")?;
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        "http" => Err("it is not https; plain http is allowed only for this machine"),
        _ => Err("it is not https"),
    }
}

impl TrustedClient {
    /// Also trusts the certificate authorities in `pem`. The error says what is wrong with it.
    pub fn with_certificates(mut self, pem: &[u8]) -> Result<Self, String> {
        self.roots = Certificate::from_pem_bundle(pem).map_err(|error| error.to_string())?;
        self.client = Arc::default();
        Ok(self)
    }

    /// Sends one request; headers may hold secrets. The error is a sentence for the log: it holds neither headers nor body.
    /// The request has a tracing span with method, host and status.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<TrustedBody<'_>>,
    ) -> Result<TrustedResponse, String> {
        let span = tracing::info_span!(
            "outgoing_request",
            purpose = "trusted_service",
            %method,
            host = host_of(url),
            status = tracing::field::Empty,
        );
        let response = self.exchange(method, url, headers, body).instrument(span.clone()).await?;
        span.record("status", response.status);
        Ok(response)
    }

    async fn exchange(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<TrustedBody<'_>>,
    ) -> Result<TrustedResponse, String> {
        let parsed = check_trusted_url(url).map_err(|why| format!("{url} may not be outgoing: {why}"))?;
        let failed = |what: &dyn std::fmt::Display| format!("{url}: {what}");
        let mut request = self
            .client()
            .map_err(|error| failed(&error))?
            .request(method, parsed)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("mcp-registry/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| failed(&error))?;
            let mut value = HeaderValue::from_str(value).map_err(|_| failed(&"a header cannot be sent"))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        match body {
            Some(TrustedBody::Form(form)) => {
                let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
                request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
            }
            Some(TrustedBody::Json(text)) => {
                request = request.header(CONTENT_TYPE, "application/json").body(text.to_owned());
            }
            None => {}
        }
        let exchange = async {
            // The error's own text would contain the URL with its query.
            let mut response = request.send().await.map_err(|error| failed(&error.without_url()))?;
            let status = response.status().as_u16();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error.without_url()))? {
                if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                    return Err(failed(&format_args!("more than {MAX_RESPONSE_BYTES} bytes")));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(TrustedResponse { status, body })
        };
        timeout(EXCHANGE_TIMEOUT, exchange)
            .await
            .unwrap_or_else(|_| Err(failed(&"no answer within 5 seconds")))
    }

    fn client(&self) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        #[expect(clippy::disallowed_methods, reason = "only for addresses of the configuration")]
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .connect_timeout(EXCHANGE_TIMEOUT)
            .pool_max_idle_per_host(0)
            .http1_only()
            .tls_certs_merge(self.roots.clone())
            .build()?;
        Ok(self.client.get_or_init(|| client))
    }
}

#[cfg(test)]
mod tests {
    use super::check_trusted_url;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for fine in [
            "https://idp.corp.internal/x",
            "https://10.0.0.7/",
            "http://127.0.0.1:8200",
            "http://[::1]/",
            "http://localhost/",
        ] {
            assert!(check_trusted_url(fine).is_ok(), "{fine}");
        }
        for odd in
            ["http://idp.corp.internal/", "http://10.0.0.7/", "ftp://h/", "file:///etc/passwd", "no URL", ""]
        {
            assert!(check_trusted_url(odd).is_err(), "{odd}");
        }
    }
}
