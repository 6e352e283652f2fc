//! A client's logo, fetched as a browser would, to be shown from our own origin.

use crate::client::{OutgoingRequest, UpstreamClient};
use crate::response::ReadBody;
use registry_core::logo::{LogoAnswer, LogoProblem, MAX_LOGO_BYTES, Picture, check_logo};
use registry_core::oauth::Failure;
use reqwest::Method;

/// Why there is no image.
#[derive(Debug)]
pub enum LogoError {
    /// The response is not a usable image.
    Answered(LogoProblem),
    /// There was no usable response.
    Unanswered(Failure),
}

/// Fetches the logo at `url`: one GET without credentials, at most [`MAX_LOGO_BYTES`] bytes. A redirect is not followed: an
/// authorization server or browser may not follow it, so the user is shown the target.
pub async fn fetch_logo(http: &UpstreamClient, url: &str) -> Result<(Picture, Vec<u8>), LogoError> {
    let outgoing = OutgoingRequest {
        purpose: "logo",
        method: Method::GET,
        url,
        accept: "image/png, image/jpeg, image/gif, image/webp, image/svg+xml",
        bearer: None,
        json: None,
        headers: &[],
        wanted: ReadBody::UpTo(MAX_LOGO_BYTES),
        follow: false,
    };
    let answer =
        http.send(&outgoing).await.map_err(|transport_error| match transport_error.failure.code {
            "answer_too_large" => LogoError::Answered(LogoProblem::too_large()),
            _ => LogoError::Unanswered(transport_error.failure),
        })?;
    let judged = check_logo(&LogoAnswer {
        url,
        status: answer.status,
        content_type: answer.content_type.as_deref(),
        location: answer.location.as_deref(),
        body: &answer.body,
    });
    judged.map(|picture| (picture, answer.body)).map_err(LogoError::Answered)
}
