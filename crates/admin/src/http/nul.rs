//! The character NUL in an address or a form: refused before a page looks at it (`registry_core::nul` says why).

use crate::http::failure::Failure;
use crate::state::MAX_FORM_BYTES;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::middleware::Next;
use actix_web::{Error, web};
use registry_core::nul::{NulLocation, in_pairs, in_path};

/// Middleware around every page. Reads a form to its end, as the page would, and passes the bytes on.
pub(crate) async fn refuse(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let uri = request.uri();
    if in_path(uri.path()).is_some() {
        return Ok(request.error_response(Failure::Request(StatusCode::NOT_FOUND, NO_PAGE)));
    }
    if let Some(place) = in_pairs(uri.query().unwrap_or_default()) {
        return Ok(request.error_response(refusal(StatusCode::BAD_REQUEST, "query parameter", place)));
    }
    if !request.method().is_safe() && is_form(&request) {
        let payload = request.extract::<web::Payload>().await?;
        let Ok(read) = payload.to_bytes_limited(MAX_FORM_BYTES).await else {
            return Ok(request.error_response(Failure::Request(
                StatusCode::PAYLOAD_TOO_LARGE,
                "The form is larger than 1 MiB; nothing was changed.",
            )));
        };
        // The page handles a body that ended early.
        if let Ok(form) = read {
            if let Some(place) = std::str::from_utf8(&form).ok().and_then(in_pairs) {
                return Ok(request.error_response(refusal(StatusCode::UNPROCESSABLE_ENTITY, "field", place)));
            }
            request.set_payload(Payload::from(form));
        }
    }
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}

const NO_PAGE: &str = "No address of a page contains the character NUL (`%00`). The address may be mistyped.";

fn is_form(request: &ServiceRequest) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| {
        kind.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded")
    })
}

fn refusal(status: StatusCode, what: &str, place: NulLocation) -> Failure {
    let subject = match place {
        NulLocation::Value(name) => format!("The {what} `{name}`"),
        NulLocation::Name | NulLocation::Segment(_) => format!("The name of a {what}"),
    };
    Failure::Input(
        status,
        format!(
            "{subject} contains the character NUL (`%00`), which cannot be stored. Nothing was changed; remove it."
        ),
    )
}
