//! Delete an integration.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, deletion_message, go, html};
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
    /// The typed text, when it is not the slug.
    typed: Option<String>,
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    reference: &Reference,
    typed: Option<String>,
) -> Result<HttpResponse, Failure> {
    let losses = signed_in.registry.integrations().dry_run_delete(&signed_in.actor, reference).await?;
    let integration = signed_in.registry.integrations().get(&signed_in.actor, reference).await?;
    let (status, problem) = match typed {
        Some(_) => (StatusCode::UNPROCESSABLE_ENTITY, "Problem: delete"),
        None => (StatusCode::OK, "Delete"),
    };
    let shell = Shell::of(request, signed_in, "integrations", format!("{problem} {}", integration.name));
    Ok(html(status, &Page { shell, integration, losses, typed })?)
}

#[get("/integrations/{integration}/delete")]
async fn confirm(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, &Reference::parse(&path), None).await
}

#[derive(Deserialize)]
struct Form {
    slug: String,
}

#[post("/integrations/{integration}/delete")]
async fn delete(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let reference = Reference::parse(&path);
    let integration = signed_in.registry.integrations().get(&signed_in.actor, &reference).await?;
    if form.slug.trim() != integration.slug.as_str() {
        return render(&request, &signed_in, &reference, Some(form.into_inner().slug)).await;
    }
    let actor = &signed_in.actor;
    let deleted = signed_in.registry.integrations().delete(actor, &reference, None).await?;
    Ok(go(format!("/ui/integrations?done={}", deletion_message(actor, &deleted))))
}
