//! Serves Client ID Metadata Documents to authorization servers (draft-ietf-oauth-client-id-metadata-document).
//!
//! The documents are public: reading needs no credential, sets no cookie and negotiates no content. The same metadata
//! always gives the same bytes.

use crate::http::error_handler;
use crate::http::extract::{if_none_match, sender};
use crate::http::failure::Failure;
use crate::http::fallback::DocumentedPaths;
use crate::http::nul;
use crate::http::responses::DocumentProblems;
use crate::http::security_headers;
use crate::state::ApiState;
use actix_web::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ETAG, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, get, web};
use registry::Error;
use utoipa_actix_web::service_config::ServiceConfig;

/// Mounts the GET operation, which is part of the OpenAPI document.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(read_client_id_document);
}

/// Read a Client ID Metadata Document
///
/// The URL is the `client_id`. 404 after the client is withdrawn. Public, because authorization servers fetch it;
/// `HEAD` is supported.
#[utoipa::path(
    tag = "operation",
    security(()),
    params(
        ("document" = String, Path, description = "Opaque id of the document.", example = "5f0a3c5e9b1d4a10b7c33f2a6c000009"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what is already known.", example = "\"5f0a3c5e\""),
    ),
    responses(
        (
            status = 200, description = "The document.", body = Object,
            headers(
                ("ETag" = String, description = "Strong entity tag of these bytes."),
                ("Cache-Control" = String, description = "`public, max-age=3600`.")
            ),
            example = json!({
                "client_id": "https://id.example.com/oauth/clients/5f0a3c5e9b1d4a10b7c33f2a6c000009.json",
                "client_name": "Acme Corp MCP Gateway",
                "redirect_uris": ["https://gateway.example.com/oauth/upstream-callback"],
                "token_endpoint_auth_method": "none",
                "token_endpoint_auth_methods_supported": ["none"]
            })
        ),
        (status = 304, description = "Nothing changed since the `ETag` that was sent."),
        DocumentProblems,
    )
)]
#[get("/oauth/clients/{document}.json")]
pub(crate) async fn read_client_id_document(
    request: HttpRequest,
    state: web::Data<ApiState>,
    path: web::Path<String>,
) -> HttpResponse {
    serve_document(request, state, path).await
}

/// Mounts HEAD at the same path, outside of the OpenAPI document. Actix leaves out the body of an answer to HEAD.
pub(crate) fn head(config: &mut web::ServiceConfig) {
    config.route("/oauth/clients/{document}.json", web::head().to(serve_document));
}

/// The document with this id; 304 if the caller knows it; a problem document if there is none or the request is refused.
async fn serve_document(
    request: HttpRequest,
    state: web::Data<ApiState>,
    path: web::Path<String>,
) -> HttpResponse {
    if let Err(error) = state.registry.limits().count_anonymous(sender(&state, &request)) {
        return error_handler::respond(&request, &error.into());
    }
    let paths = request.app_data::<web::Data<DocumentedPaths>>();
    if let Some(Err(failure)) = paths.map(|paths| nul::refuse_in(request.uri(), paths)) {
        return problem(&request, &failure);
    }
    let text = match state.registry.registrations().client_id_document(&path).await {
        Ok(Some(text)) => text,
        Ok(None) => {
            let missing = Error::NotFound { what: "document", reference: path.into_inner() };
            return problem(&request, &missing.into());
        }
        Err(error) => return problem(&request, &error.into()),
    };
    let etag = registry::entity_tag(text.as_bytes());
    if if_none_match(request.headers(), &etag) {
        return with_public_headers(HttpResponse::NotModified(), etag).finish();
    }
    with_public_headers(HttpResponse::Ok(), etag).content_type("application/json").body(text)
}

/// The problem document for `failure`, with security headers and the id of the request.
fn problem(request: &HttpRequest, failure: &Failure) -> HttpResponse {
    let mut response = error_handler::respond(request, failure);
    security_headers::add_with_request_id(response.headers_mut(), request);
    response
}

/// Adds the headers of a public document: anybody may cache it, and scripts of any origin may read it.
fn with_public_headers(mut response: HttpResponseBuilder, etag: String) -> HttpResponseBuilder {
    response
        .insert_header((ETAG, etag))
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    response
}
