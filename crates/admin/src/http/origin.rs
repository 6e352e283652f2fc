//! Refuses forms of other sites (CSRF) without tokens in pages: the browser states where a request comes from.

use crate::http::failure;
use crate::http::session::state;
use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HOST, HeaderMap, ORIGIN};
use actix_web::middleware::Next;
use url::Url;

/// Middleware: refuses unsafe methods from other origins.
pub(crate) async fn refuse_other_sites(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || comes_from_us(request.headers(), &Reached::of(&request)) {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    }
    Ok(request.error_response(failure::foreign_form()))
}

/// The address under which browsers reach this deployment.
struct Reached {
    /// `server.public_url`.
    public: Option<Url>,
    /// `https` or `http`: from the public URL if set, else from the cookie setting, else from this connection.
    scheme: String,
}

impl Reached {
    fn of(request: &ServiceRequest) -> Self {
        let state = state(request.request());
        let public = state.registry.settings().public_url.as_deref().and_then(|url| Url::parse(url).ok());
        let secure = state.secure_cookies || request.app_config().secure();
        Self::new(public, secure)
    }

    fn new(public: Option<Url>, secure: bool) -> Self {
        let scheme = public.as_ref().map_or(if secure { "https" } else { "http" }, Url::scheme).to_owned();
        Self { public, scheme }
    }
}

/// `Sec-Fetch-Site` decides where the browser sends it; else `Origin` must equal the own origin, including the
/// scheme. A request without either header is refused.
fn comes_from_us(headers: &HeaderMap, reached: &Reached) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let (Some(origin), Some(host)) = (text(ORIGIN.as_str()), text(HOST.as_str())) else { return false };
    let Some((scheme, from)) = origin.split_once("://") else { return false };
    let is_public = || {
        let origin = Url::parse(origin).ok().map(|origin| origin.origin()).filter(url::Origin::is_tuple);
        origin.is_some() && origin == reached.public.as_ref().map(Url::origin)
    };
    scheme == reached.scheme && (from.eq_ignore_ascii_case(host) || is_public())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn ours(headers: &[(&'static str, &'static str)], public: Option<&str>, secure: bool) -> bool {
        let mut request = TestRequest::default();
        for header in headers {
            request = request.insert_header(*header);
        }
        let reached = Reached::new(public.map(|url| Url::parse(url).unwrap()), secure);
        comes_from_us(request.to_http_request().headers(), &reached)
    }

    #[test]
    fn form_of_another_site_is_refused() {
        for (headers, expected) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "none")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("sec-fetch-site", "cross-site"), ("origin", "http://a:1"), ("host", "a:1")], false),
            (vec![("origin", "http://a:1"), ("host", "a:1")], true),
            (vec![("origin", "http://A:1"), ("host", "a:1")], true),
            (vec![("origin", "http://evil"), ("host", "a:1")], false),
            (vec![("origin", "https://evil"), ("host", "a:1")], false),
            (vec![("origin", "null"), ("host", "a:1")], false),
            (vec![("origin", "null"), ("host", "null")], false),
            (vec![("host", "a:1")], false),
        ] {
            assert_eq!(ours(&headers, None, false), expected, "{headers:?}");
        }
    }

    #[test]
    fn origin_with_another_scheme_is_refused() {
        let host = ("host", "h");
        let public = Some("https://h");
        for (origin, public, secure, expected) in [
            ("http://h", None, false, true),
            ("https://h", None, false, false),
            ("https://h", None, true, true),
            ("http://h", None, true, false),
            ("https://h", public, false, true),
            ("http://h", public, false, false),
            ("javascript://h", public, false, false),
            ("javascript://h", None, false, false),
            ("data://h", None, false, false),
            ("ftp://h", public, true, false),
            ("null", public, true, false),
            ("://h", None, false, false),
            ("https://h.evil.example", public, true, false),
            // A proxy that forwards another host name.
            ("https://public.example", Some("https://public.example/"), true, true),
            ("https://public.example:444", Some("https://public.example"), true, false),
            ("http://public.example", Some("https://public.example"), true, false),
        ] {
            assert_eq!(
                ours(&[("origin", origin), host], public, secure),
                expected,
                "{origin} {public:?} {secure}"
            );
        }
    }
}
