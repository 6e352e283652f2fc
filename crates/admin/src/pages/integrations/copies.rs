//! Export, import and copies of integrations.

use super::field;
use super::query::Query;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::{filled, problems};
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::http::header::{ContentDisposition, DispositionParam, DispositionType};
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Imported, Integration};
use registry_core::finding::Finding;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::Deserialize;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(export_all)
        .service(show_import)
        .service(import)
        .service(export)
        .service(show_duplicate)
        .service(duplicate);
}

/// JSON as a download.
pub(super) fn file(name: &str, json: String) -> HttpResponse {
    let disposition = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(format!("{name}.json"))],
    };
    HttpResponse::Ok().content_type("application/json").insert_header(disposition).body(json)
}

#[get("/integrations.json")]
async fn export_all(signed_in: SignedInUser, query: web::Query<Query>) -> Result<HttpResponse, Failure> {
    let json = signed_in.registry.integrations().export(&signed_in.actor, query.filter()).await?;
    Ok(file("integrations", json))
}

#[get("/integrations/{integration}/export")]
async fn export(signed_in: SignedInUser, path: web::Path<String>) -> Result<HttpResponse, Failure> {
    let json =
        signed_in.registry.integrations().export_these(&signed_in.actor, &[Reference::parse(&path)]).await?;
    Ok(file(&path, json))
}

#[derive(Template)]
#[template(path = "pages/integrations_import.html")]
struct ImportPage {
    shell: Shell,
    text: String,
    /// The preview of an import.
    dry_run: Option<Imported>,
    problems: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Import {
    #[serde(default)]
    text: String,
    intent: ImportIntent,
}

/// The button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ImportIntent {
    Check,
    Import,
}

#[get("/integrations/new/import")]
async fn show_import(request: HttpRequest, signed_in: SignedInUser) -> Result<HttpResponse, Failure> {
    signed_in.actor.require(Permission::CreateIntegrations)?;
    let shell = Shell::of(&request, &signed_in, "integrations", "Import integrations");
    let page = ImportPage { shell, text: String::new(), dry_run: None, problems: Vec::new() };
    Ok(html(StatusCode::OK, &page)?)
}

#[post("/integrations/new/import")]
async fn import(
    request: HttpRequest,
    signed_in: SignedInUser,
    form: web::Form<Import>,
) -> Result<HttpResponse, Failure> {
    let Import { text, intent } = form.into_inner();
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let made = match intent {
        ImportIntent::Check => registry.integrations().dry_run_import(actor, &text).await,
        ImportIntent::Import => registry.integrations().import(actor, &text).await,
    };
    let (status, title, dry_run, problems) = match made {
        Ok(made) if intent == ImportIntent::Import => {
            return Ok(go(format!("/ui/integrations?done=imported-{}", made.integrations.len())));
        }
        Ok(made) => (StatusCode::OK, "Import integrations", Some(made), Vec::new()),
        Err(error) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "Problem: import integrations", None, problems(error)?)
        }
    };
    let shell = Shell::of(&request, &signed_in, "integrations", title);
    Ok(html(status, &ImportPage { shell, text, dry_run, problems })?)
}

#[derive(Template)]
#[template(path = "pages/integration_duplicate.html")]
struct DuplicatePage {
    shell: Shell,
    integration: Integration,
    form: Duplicate,
    problems: Vec<Finding>,
}

impl DuplicatePage {
    fn problem(&self, name: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| field(finding) == name)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Duplicate {
    name: String,
    slug: String,
}

async fn render_duplicate(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    path: &str,
    form: Option<Duplicate>,
    problems: Vec<Finding>,
) -> Result<HttpResponse, Failure> {
    signed_in.actor.require(Permission::CreateIntegrations)?;
    let integration =
        signed_in.registry.integrations().get(&signed_in.actor, &Reference::parse(path)).await?;
    let form = form
        .unwrap_or_else(|| Duplicate { name: format!("{} (copy)", integration.name), slug: String::new() });
    let (status, title) = if problems.is_empty() {
        (StatusCode::OK, "Duplicate")
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, "Problem: duplicate")
    };
    let shell = Shell::of(request, signed_in, "integrations", format!("{title} {}", integration.name));
    Ok(html(status, &DuplicatePage { shell, integration, form, problems })?)
}

#[get("/integrations/{integration}/duplicate")]
async fn show_duplicate(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    render_duplicate(&request, &signed_in, &path, None, Vec::new()).await
}

#[post("/integrations/{integration}/duplicate")]
async fn duplicate(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    form: web::Form<Duplicate>,
) -> Result<HttpResponse, Failure> {
    let form = form.into_inner();
    let copied = signed_in
        .registry
        .integrations()
        .duplicate(&signed_in.actor, &Reference::parse(&path), form.name.clone(), filled(&form.slug))
        .await;
    match copied {
        Ok(made) => {
            Ok(go(format!("/ui/integrations/{}?done=copied-{}", made.value.slug, made.left_out.len())))
        }
        Err(error) => render_duplicate(&request, &signed_in, &path, Some(form), problems(error)?).await,
    }
}
