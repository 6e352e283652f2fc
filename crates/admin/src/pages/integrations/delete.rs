//! The end of an integration.

use crate::http::failure::Failure;
use crate::http::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Integration, IntegrationDeletion};
use registry_core::slug::Reference;
use serde::Deserialize;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(confirm).service(delete);
}

#[derive(Template)]
#[template(path = "pages/integration_delete.html")]
struct Page {
    shell: Shell,
    integration: Integration,
    losses: IntegrationDeletion,
    /// What was typed instead of the slug.
    typed: Option<String>,
}

async fn render(
    request: &HttpRequest,
    visitor: &Visitor,
    reference: &Reference,
    typed: Option<String>,
) -> Result<HttpResponse, Failure> {
    let losses = visitor.registry.integrations().dry_run_delete(&visitor.actor, reference).await?;
    let integration = visitor.registry.integrations().get(&visitor.actor, reference).await?;
    let (status, problem) = match typed {
        Some(_) => (StatusCode::UNPROCESSABLE_ENTITY, "Problem: delete"),
        None => (StatusCode::OK, "Delete"),
    };
    let shell = Shell::of(request, visitor, "integrations", format!("{problem} {}", integration.name));
    Ok(html(status, &Page { shell, integration, losses, typed })?)
}

#[get("/integrations/{integration}/delete")]
async fn confirm(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    render(&request, &visitor, &Reference::parse(&path), None).await
}

#[derive(Deserialize)]
struct Form {
    slug: String,
}

#[post("/integrations/{integration}/delete")]
async fn delete(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let reference = Reference::parse(&path);
    let integration = visitor.registry.integrations().get(&visitor.actor, &reference).await?;
    if form.slug.trim() != integration.slug.as_str() {
        return render(&request, &visitor, &reference, Some(form.into_inner().slug)).await;
    }
    let deleted = visitor.registry.integrations().delete(&visitor.actor, &reference, None).await?;
    Ok(go(format!("/ui/integrations?done=deleted-{}", deleted.servers)))
}
