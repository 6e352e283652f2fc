//! Disable, enable and test one integration.

use super::bulk;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
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

async fn find(signed_in: &SignedInUser, slug: &str) -> Result<Integration, Failure> {
    Ok(signed_in.registry.integrations().get(&signed_in.actor, &Reference::parse(slug)).await?)
}

#[get("/integrations/{integration}/disable")]
async fn confirm_disable(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    signed_in.actor.require(Permission::UpdateIntegrations)?;
    let integration = find(&signed_in, &path).await?;
    let page = DisablePage {
        shell: Shell::of(&request, &signed_in, "integrations", format!("Disable {}", integration.name)),
        kept: signed_in.registry.settings().life.withdraw_after.num_days(),
        integration,
    };
    Ok(html(StatusCode::OK, &page)?)
}

#[post("/integrations/{integration}/disable")]
async fn disable(signed_in: SignedInUser, path: web::Path<String>) -> Result<HttpResponse, Failure> {
    let integration = find(&signed_in, &path).await?;
    bulk::switch(&signed_in, &integration, false).await?;
    Ok(go(format!("/ui/integrations/{}?done=disabled-1", integration.slug)))
}

#[post("/integrations/{integration}/enable")]
async fn enable(signed_in: SignedInUser, path: web::Path<String>) -> Result<HttpResponse, Failure> {
    let integration = find(&signed_in, &path).await?;
    bulk::switch(&signed_in, &integration, true).await?;
    Ok(go(format!("/ui/integrations/{}?done=enabled-1", integration.slug)))
}

#[post("/integrations/{integration}/test")]
async fn test(signed_in: SignedInUser, path: web::Path<String>) -> Result<HttpResponse, Failure> {
    signed_in.registry.integrations().test_connection(&signed_in.actor, &Reference::parse(&path)).await?;
    Ok(go(format!("/ui/integrations/{}?done=tested", path.as_str())))
}
