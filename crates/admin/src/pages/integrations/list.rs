//! The list of integrations.

use super::all_workspaces;
use super::query::{PAGE_SIZES, Query};
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Around, Shell, go, html, upstream_line};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use registry::{Health, Integration, IntegrationViews, PageRequest, Workspace};
use registry_core::clock::Timestamp;
use registry_core::id::IntegrationId;
use registry_core::metadata::AdvancedConfiguration;
use registry_core::registration::RegistrationMethod;
use std::collections::HashMap;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(home).service(list);
}

/// Width of the bar of registrations, in its own units.
const BAR_WIDTH: u64 = 76;

#[derive(Template)]
#[template(path = "pages/integrations.html")]
struct Page {
    shell: Shell,
    query: Query,
    items: Vec<Integration>,
    /// Name and version of the upstreams of the items that are known.
    upstreams: HashMap<IntegrationId, String>,
    workspaces: Vec<Workspace>,
    total: u64,
    total_text: String,
    views: IntegrationViews,
    /// Number of the first row.
    first: u64,
    now: Timestamp,
    previous: Option<String>,
    next: Option<String>,
    /// How many integrations the signed-in user is about to add; counted only when there is no integration.
    drafts: u64,
}

impl Page {
    /// Name and version of the upstream of an integration; empty: nothing is known.
    fn upstream(&self, integration: &Integration) -> &str {
        self.upstreams.get(&integration.id).map_or("", String::as_str)
    }

    /// The views: word in the URL, name, count, and the CSS class of an important count.
    fn tabs(&self) -> [(&'static str, &'static str, u64, &'static str); 5] {
        let bad = if self.views.attention > 0 { "bad" } else { "" };
        [
            ("", "All", self.views.all, ""),
            ("attention", "Needs attention", self.views.attention, bad),
            ("custom", "Custom metadata", self.views.custom_metadata, ""),
            ("by-hand", "Pre-registered", self.views.pre_registered, ""),
            ("disabled", "Disabled", self.views.disabled, ""),
        ]
    }

    /// The active filters, each with the URL of the list without it.
    fn active_filters(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if !self.query.q.is_empty() {
            found.push(("Clear search".to_owned(), self.query.without("q")));
        }
        if !self.query.ws.is_empty() {
            found.push(("All workspaces".to_owned(), self.query.without("ws")));
        }
        if !self.query.auth.is_empty() {
            found.push(("Any authentication".to_owned(), self.query.without("auth")));
        }
        if !self.query.view.is_empty() {
            found.push(("All integrations".to_owned(), self.query.without("view")));
        }
        found
    }
}

/// The registered, changing, waiting and failed parts of the bar, in its units.
pub(crate) fn bar(integration: &Integration) -> [(&'static str, u64, u64); 4] {
    let counts = &integration.counts;
    let all = counts.servers.max(1);
    let mut x = 0;
    [
        ("f-ok", counts.registered),
        ("f-idle", counts.registering),
        ("f-warn", counts.attention.saturating_sub(counts.failed)),
        ("f-bad", counts.failed),
    ]
    .map(|(class, count)| {
        let width = (count * BAR_WIDTH).div_ceil(all).min(BAR_WIDTH - x);
        x += width;
        (class, x - width, width)
    })
}

/// The number of client metadata members that an integration sets.
pub(crate) fn fields(integration: &Integration) -> usize {
    integration
        .configuration
        .as_deref()
        .and_then(|text| AdvancedConfiguration::from_stored(text).ok())
        .map_or(0, |configuration| configuration.client_metadata_field_count())
}

/// The line below the authentication: how clients are obtained.
pub(crate) fn method(integration: &Integration) -> &'static str {
    match integration.counts.method {
        _ if !integration.auth_type.needs_client() => "",
        Some(RegistrationMethod::Dcr) => "Dynamic registration",
        Some(RegistrationMethod::Cimd) => "Metadata document",
        Some(RegistrationMethod::PreRegistered) => "Registered by hand",
        None if integration.pre_registered => "Registered by hand",
        None => "No client yet",
    }
}

/// CSS class, icon and text of an integration's state.
pub(crate) fn health(integration: &Integration) -> (&'static str, &'static str, String) {
    match integration.health() {
        Health::Disabled => ("", "pause", "Disabled".to_owned()),
        Health::Failed(count) => ("bad", "bad", format!("{count} failed")),
        Health::Unreachable => ("bad", "bad", "Unreachable".to_owned()),
        Health::Unconfirmed(count) => ("warn", "ask", format!("{count} unconfirmed")),
        Health::Retrying(count) => ("warn", "turn", format!("{count} retrying")),
        Health::Outdated(count) => ("info", "approx", format!("{count} outdated")),
        Health::Registering(count) => ("info", "ring", format!("{count} registering")),
        Health::Unused => ("", "clock", "No server yet".to_owned()),
        Health::Healthy => ("ok", "tick", "Healthy".to_owned()),
    }
}

#[get("/")]
async fn home() -> HttpResponse {
    go("/ui/integrations")
}

#[get("/integrations")]
async fn list(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let (query, registry, actor) = (query.into_inner(), &signed_in.registry, &signed_in.actor);
    let place = query.place();
    let found = registry.integrations().list(actor, query.filter(), place.request(query.size())).await?;
    let Around { previous, next } = place.around(&found);
    let shell = Shell::of(&request, &signed_in, "integrations", "Integrations");
    let drafts = if found.total == 0 && shell.may_write() {
        registry.drafts().list(actor, PageRequest::new(0, 1)).await?.total
    } else {
        0
    };
    let infos = registry.capabilities().infos(actor, found.items.iter().map(|one| one.id.0)).await?;
    let page = Page {
        drafts,
        upstreams: found.items.iter().map(|one| (one.id, upstream_line(infos.get(&one.id.0)))).collect(),
        shell,
        workspaces: all_workspaces(&signed_in).await?,
        views: registry.integrations().views(actor).await?,
        previous: previous.map(|place| query.with_place(&place)),
        next: next.map(|place| query.with_place(&place)),
        total: found.total,
        total_text: found.total_text(),
        items: found.items,
        first: place.first(query.size()),
        now: registry.now(),
        query,
    };
    Ok(html(StatusCode::OK, &page)?)
}
