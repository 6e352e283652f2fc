//! Gateways, callbacks and published documents, and whether they answer.

use super::Tab;
use crate::http::failure::Failure;
use crate::http::session::Visitor;
use crate::view::{Shell, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;
use registry::Reached;
use registry_core::clock::Timestamp;
use registry_core::permission::Permission;

#[derive(Template)]
#[template(path = "pages/settings_gateways.html")]
struct Page {
    shell: Shell,
    gateways: Vec<String>,
    callbacks: Vec<String>,
    documents: Option<String>,
    public_url: Option<String>,
    /// Whether whoever looks may ask for the check.
    may_check: bool,
    reached: Vec<Reached>,
    now: Timestamp,
}

#[get("/settings/gateways")]
pub(super) async fn show(request: HttpRequest, visitor: Visitor) -> Result<HttpResponse, Failure> {
    render(&request, &visitor, Vec::new())
}

/// Nothing is asked when the page is only looked at.
#[post("/settings/gateways/check")]
pub(super) async fn check(request: HttpRequest, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let reached = visitor.registry.gateway().check_reachability(&visitor.actor).await?;
    render(&request, &visitor, reached)
}

fn render(request: &HttpRequest, visitor: &Visitor, reached: Vec<Reached>) -> Result<HttpResponse, Failure> {
    visitor.actor.require_organisation(Permission::ReadOrganisation)?;
    let settings = visitor.registry.shared_settings();
    let page = Page {
        shell: Shell::of(request, visitor, "settings", "Gateways and callbacks"),
        gateways: settings.gateway_urls.clone(),
        callbacks: settings.callbacks(),
        documents: settings.cimd_public_url.clone(),
        public_url: visitor.registry.settings().public_url.clone(),
        may_check: visitor.actor.can(Permission::WriteOrganisation),
        reached,
        now: visitor.registry.now(),
    };
    Ok(html(StatusCode::OK, &page)?)
}
