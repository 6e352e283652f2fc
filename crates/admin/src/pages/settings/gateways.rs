//! Gateways, callbacks and published documents, and whether they are reachable.

use super::Tab;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;
use registry::{PushState, Reached};
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
    /// Whether the signed-in user may start the check.
    may_check: bool,
    reached: Vec<Reached>,
    /// Whether the API of the open gateway's control plane is enabled.
    serves_portkey: bool,
    /// How each gateway that is told of changes was told.
    pushes: Vec<PushState>,
    now: Timestamp,
}

impl Page {
    /// How current a gateway is: CSS class, icon and words.
    fn push_look(&self, push: &PushState) -> (&'static str, &'static str, String) {
        let when = |at: &Timestamp| crate::view::when(at, &self.now);
        let behind = match push.behind {
            0 => String::new(),
            1 => ", 1 revision behind".to_owned(),
            more => format!(", {more} revisions behind"),
        };
        match (&push.failing_since, &push.told_at) {
            (Some(since), _) => ("warn", "warn", format!("Stale since {}{behind}", when(since))),
            (None, Some(at)) => ("ok", "ok", format!("Told {}{behind}", when(at))),
            (None, None) => ("", "clock", "Never told yet".to_owned()),
        }
    }
}

#[get("/settings/gateways")]
pub(super) async fn show(request: HttpRequest, signed_in: SignedInUser) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, Vec::new()).await
}

/// No request is sent when the page is only viewed.
#[post("/settings/gateways/check")]
pub(super) async fn check(request: HttpRequest, signed_in: SignedInUser) -> Result<HttpResponse, Failure> {
    let reached = signed_in.registry.gateway().check_reachability(&signed_in.actor).await?;
    render(&request, &signed_in, reached).await
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    reached: Vec<Reached>,
) -> Result<HttpResponse, Failure> {
    signed_in.actor.require_organisation(Permission::ReadOrganisation)?;
    let settings = signed_in.registry.shared_settings();
    let page = Page {
        shell: Shell::of(request, signed_in, "settings", "Gateways and callbacks"),
        gateways: settings.gateway_urls.clone(),
        callbacks: settings.callbacks(),
        documents: settings.cimd_public_url.clone(),
        public_url: signed_in.registry.settings().public_url.clone(),
        may_check: signed_in.actor.can(Permission::WriteOrganisation),
        reached,
        serves_portkey: signed_in.registry.settings().portkey.is_some(),
        pushes: signed_in.registry.gateway().push_states(&signed_in.actor).await?,
        now: signed_in.registry.now(),
    };
    Ok(html(StatusCode::OK, &page)?)
}
