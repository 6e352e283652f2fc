//! The result of a bulk action: what was done, and what was refused.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use registry::Integration;

#[derive(Template)]
#[template(path = "pages/integrations_done.html")]
struct DonePage {
    shell: Shell,
    heading: &'static str,
    done: Vec<Integration>,
    /// The refused names, each with the reason.
    refused: Vec<(String, String)>,
    /// The URL of the list.
    list: String,
}

/// The result page.
pub(super) fn done_page(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    heading: &'static str,
    done: Vec<Integration>,
    refused: Vec<(String, String)>,
    list: String,
) -> Result<HttpResponse, Failure> {
    let shell = Shell::of(request, signed_in, "integrations", format!("Problem: {}", heading.to_lowercase()));
    Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &DonePage { shell, heading, done, refused, list })?)
}
