//! Middleware before every page: authentication. A form that arrives after its session ended is kept and offered
//! again after sign-in.

use crate::http::failure::Failure;
use crate::http::session::{SignedInUser, local, referer, state};
use crate::pages::sign_in::{self, Unsent};
use crate::state::MAX_FORM_BYTES;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};

/// Paths that need no session.
const WITHOUT_SESSION: [&str; 4] = ["/ui/assets/", "/ui/sign-in", "/ui/sign-out", "/ui/theme"];
/// Paths whose form is not kept, because it holds only passwords.
const PASSWORD_FORM: &str = "/ui/account/password";

/// Middleware: authenticates the session, for the page and for error pages.
pub(crate) async fn load_session(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if !WITHOUT_SESSION.iter().any(|open| request.path().starts_with(open)) {
        match SignedInUser::find(request.request().clone()).await {
            Ok(signed_in) => drop(request.extensions_mut().insert(signed_in)),
            Err(Failure::SignIn { .. }) if !request.method().is_safe() => {
                let payload = request.extract::<web::Payload>().await?;
                let registry = state(request.request()).registry.clone();
                let body =
                    registry.limits().with_form_timeout(payload.to_bytes_limited(MAX_FORM_BYTES)).await;
                let body = body.ok().and_then(Result::ok).and_then(Result::ok);
                let (request, _) = request.into_parts();
                let page = ended(&request, body.as_deref());
                return Ok(ServiceResponse::new(request, page));
            }
            // The page itself shows what is wrong.
            Err(_) => {}
        }
    }
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}

/// The sign-in page that keeps the form.
fn ended(request: &HttpRequest, body: Option<&[u8]>) -> actix_web::HttpResponse {
    let next = local(referer(request).as_deref());
    if request.headers().contains_key("hx-request") {
        // The request was for a part of a page; the whole page must redirect to sign-in.
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("next", &next)
            .append_pair("ended", "unsaved")
            .finish();
        let mut answer = actix_web::HttpResponse::Unauthorized().finish();
        if let Ok(value) = HeaderValue::from_str(&format!("/ui/sign-in?{query}")) {
            answer.headers_mut().insert(HeaderName::from_static("hx-redirect"), value);
        }
        return answer;
    }
    let form = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let body = body.filter(|_| form && request.path() != PASSWORD_FORM);
    let unsent = body.and_then(|body| std::str::from_utf8(body).ok()).map(|body| Unsent {
        path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        body: body.to_owned(),
    });
    sign_in::after_the_end(request, next, unsent)
}
