//! The Advanced configuration page, the same at every level: addresses here, `place` says what a page is about, `show`
//! reads, `submit` takes what was posted. The text and the `form` are two views of one thing: `submitted` makes a text of
//! either, `acts` are the buttons that change it.

mod choice;
mod conflict;
mod examples;
mod form;
mod history;
mod layer_tabs;
mod layout;
mod live_check;
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

use crate::http::failure::Failure;
use crate::http::session::Visitor;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::middleware::Compress;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use choice::Choice;
use registry_core::metadata::json_schema;
use scope::{of_access, of_integration, of_organisation, of_server};
use show::read;
use submit::submit;

/// Its addresses.
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

/// The JSON Schema of what is edited, for the editor: suggestions, meanings, kinds. It belongs to the binary.
#[get("/configuration-schema.json", wrap = "Compress::default()")]
async fn schema(_: Visitor) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "private, max-age=3600")).json(json_schema())
}

#[get("/integrations/{integration}/config")]
async fn show_integration(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
    query: web::Query<Choice>,
) -> Result<HttpResponse, Failure> {
    let place = of_integration(&visitor, &path).await?;
    read(&request, &visitor, place, query.into_inner()).await
}

#[post("/integrations/{integration}/config")]
async fn submit_integration(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let place = of_integration(&visitor, &path).await?;
    submit(&request, &visitor, place, form.into_inner()).await
}

#[get("/workspaces/{workspace}/integrations/{integration}/config")]
async fn show_access(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    query: web::Query<Choice>,
) -> Result<HttpResponse, Failure> {
    let place = of_access(&visitor, &path.0, &path.1).await?;
    read(&request, &visitor, place, query.into_inner()).await
}

#[post("/workspaces/{workspace}/integrations/{integration}/config")]
async fn submit_access(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let place = of_access(&visitor, &path.0, &path.1).await?;
    submit(&request, &visitor, place, form.into_inner()).await
}

#[get("/workspaces/{workspace}/servers/{server}/config")]
async fn show_server(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    query: web::Query<Choice>,
) -> Result<HttpResponse, Failure> {
    let place = of_server(&visitor, &path.0, &path.1).await?;
    read(&request, &visitor, place, query.into_inner()).await
}

#[post("/workspaces/{workspace}/servers/{server}/config")]
async fn submit_server(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let place = of_server(&visitor, &path.0, &path.1).await?;
    submit(&request, &visitor, place, form.into_inner()).await
}

#[get("/settings/organisation")]
async fn show_organisation(
    request: HttpRequest,
    visitor: Visitor,
    query: web::Query<Choice>,
) -> Result<HttpResponse, Failure> {
    read(&request, &visitor, of_organisation(&visitor), query.into_inner()).await
}

#[post("/settings/organisation")]
async fn submit_organisation(
    request: HttpRequest,
    visitor: Visitor,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    submit(&request, &visitor, of_organisation(&visitor), form.into_inner()).await
}
