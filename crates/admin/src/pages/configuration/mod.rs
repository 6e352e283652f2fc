//! The Advanced Configuration page, the same for an integration, the access of a workspace, a server and the organisation.
//!
//! `routes` builds the paths of each, `scope` loads the object, `show` renders the page, `submit` handles the posted form.
//! A user edits the JSON text itself or the controls of `form`: `submitted` turns what was posted into one text either way.
//! `quick_fixes` are the buttons that change this text, `unsaved_text` carries it while it is not saved.

mod choice;
mod conflict;
mod examples;
mod form;
mod history;
mod layer_tabs;
mod layout;
pub(crate) mod preview;
mod problems;
mod quick_fixes;
mod restore;
mod routes;
mod saving;
mod scope;
mod secrets;
mod show;
mod submit;
mod submitted;
mod unsaved_text;

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::middleware::Compress;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use choice::Choice;
use registry_core::metadata::json_schema;
use scope::{of_access, of_integration, of_organisation, of_server};
use show::read;
use submit::submit;

/// Mounts the handlers below, and those of the history.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(show_integration)
        .service(submit_integration)
        .service(show_access)
        .service(submit_access)
        .service(show_server)
        .service(submit_server)
        .service(show_organisation)
        .service(submit_organisation)
        .service(schema)
        .configure(history::routes);
}

/// The JSON Schema of a configuration; the editor takes suggestions, descriptions and types from it. It changes only with a
/// new release, so browsers may cache it.
#[get("/configuration-schema.json", wrap = "Compress::default()")]
async fn schema(_: SignedInUser) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "private, max-age=3600")).json(json_schema())
}

#[get("/integrations/{integration}/config")]
async fn show_integration(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    query: web::Query<Choice>,
) -> Result<HttpResponse, Failure> {
    let scope = of_integration(&signed_in, &path).await?;
    read(&request, &signed_in, scope, query.into_inner()).await
}

#[post("/integrations/{integration}/config")]
async fn submit_integration(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let scope = of_integration(&signed_in, &path).await?;
    submit(&request, &signed_in, scope, form.into_inner()).await
}

#[get("/workspaces/{workspace}/integrations/{integration}/config")]
async fn show_access(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<(String, String)>,
    query: web::Query<Choice>,
) -> Result<HttpResponse, Failure> {
    let scope = of_access(&signed_in, &path.0, &path.1).await?;
    read(&request, &signed_in, scope, query.into_inner()).await
}

#[post("/workspaces/{workspace}/integrations/{integration}/config")]
async fn submit_access(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<(String, String)>,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let scope = of_access(&signed_in, &path.0, &path.1).await?;
    submit(&request, &signed_in, scope, form.into_inner()).await
}

#[get("/workspaces/{workspace}/servers/{server}/config")]
async fn show_server(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<(String, String)>,
    query: web::Query<Choice>,
) -> Result<HttpResponse, Failure> {
    let scope = of_server(&signed_in, &path.0, &path.1).await?;
    read(&request, &signed_in, scope, query.into_inner()).await
}

#[post("/workspaces/{workspace}/servers/{server}/config")]
async fn submit_server(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<(String, String)>,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let scope = of_server(&signed_in, &path.0, &path.1).await?;
    submit(&request, &signed_in, scope, form.into_inner()).await
}

#[get("/settings/organisation")]
async fn show_organisation(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Choice>,
) -> Result<HttpResponse, Failure> {
    read(&request, &signed_in, of_organisation(&signed_in), query.into_inner()).await
}

#[post("/settings/organisation")]
async fn submit_organisation(
    request: HttpRequest,
    signed_in: SignedInUser,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    submit(&request, &signed_in, of_organisation(&signed_in), form.into_inner()).await
}
