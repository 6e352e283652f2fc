//! Logos of clients, served from the own origin.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY};
use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, get, web};

/// The path of a logo.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show);
}

/// Headers for a third-party file on the own origin: opened directly it may not run scripts, load or submit
/// anything. Vector graphics use the styles that they contain.
const SANDBOX: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

#[get("/logos/{digest}")]
async fn show(signed_in: SignedInUser, path: web::Path<String>) -> Result<HttpResponse, Failure> {
    let file = signed_in.registry.logos().file(&signed_in.actor, &path).await?;
    let kind = file.media_type.strip_prefix("image/").unwrap_or_default();
    let name = format!("inline; filename=\"logo.{}\"", kind.split('+').next().unwrap_or_default());
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_SECURITY_POLICY, SANDBOX))
        .insert_header((CONTENT_DISPOSITION, name))
        // The URL contains the hash of the content, so that it never changes.
        .insert_header((CACHE_CONTROL, "private, max-age=86400, immutable"))
        .content_type(file.media_type)
        .body(file.bytes))
}
