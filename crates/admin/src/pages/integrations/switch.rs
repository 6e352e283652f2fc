//! One integration switched off and on, and tested.

use super::bulk;
use crate::http::failure::Failure;
use crate::http::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::Integration;
use registry_core::permission::Permission;
use registry_core::slug::Reference;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(confirm_disable).service(disable).service(enable).service(test);
}

#[derive(Template)]
#[template(path = "pages/integration_disable.html")]
struct DisablePage {
    shell: Shell,
    integration: Integration,
    /// Days until the clients are withdrawn.
    kept: i64,
}

async fn find(visitor: &Visitor, slug: &str) -> Result<Integration, Failure> {
    Ok(visitor.registry.integrations().get(&visitor.actor, &Reference::parse(slug)).await?)
}

#[get("/integrations/{integration}/disable")]
async fn confirm_disable(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    visitor.actor.require(Permission::UpdateIntegrations)?;
    let integration = find(&visitor, &path).await?;
    let page = DisablePage {
        shell: Shell::of(&request, &visitor, "integrations", format!("Disable {}", integration.name)),
        kept: visitor.registry.settings().life.withdraw_after.num_days(),
        integration,
    };
    Ok(html(StatusCode::OK, &page)?)
}

#[post("/integrations/{integration}/disable")]
async fn disable(visitor: Visitor, path: web::Path<String>) -> Result<HttpResponse, Failure> {
    let integration = find(&visitor, &path).await?;
    bulk::switch(&visitor, &integration, false).await?;
    Ok(go(format!("/ui/integrations/{}?done=disabled-1", integration.slug)))
}

#[post("/integrations/{integration}/enable")]
async fn enable(visitor: Visitor, path: web::Path<String>) -> Result<HttpResponse, Failure> {
    let integration = find(&visitor, &path).await?;
    bulk::switch(&visitor, &integration, true).await?;
    Ok(go(format!("/ui/integrations/{}?done=enabled-1", integration.slug)))
}

#[post("/integrations/{integration}/test")]
async fn test(visitor: Visitor, path: web::Path<String>) -> Result<HttpResponse, Failure> {
    visitor.registry.integrations().test_connection(&visitor.actor, &Reference::parse(&path)).await?;
    Ok(go(format!("/ui/integrations/{}?done=tested", path.as_str())))
}
