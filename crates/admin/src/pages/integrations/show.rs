//! One integration: its settings, its state, and its users.

use super::all_workspaces;
use super::known_server::known_server;
use super::list::{health, method};
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{
    AccessList, ConfigurationScope, Integration, IntegrationEvent, KnownServerInfo, NewServer, PageRequest,
    RegistrationFilter, Server, ServerFilter, Workspace,
};
use registry_core::clock::Timestamp;
use registry_core::known_servers::KnownServer;
use registry_core::registration::State;
use registry_core::slug::Reference;
use serde::Deserialize;
use std::collections::BTreeSet;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(add_server).service(show);
}

/// Number of recent changes shown.
const CHANGES: u64 = 5;

#[derive(Template)]
#[template(path = "pages/integration.html")]
struct IntegrationPage {
    shell: Shell,
    integration: Integration,
    servers: Vec<Server>,
    access: AccessList,
    workspaces: Vec<Workspace>,
    callbacks: Vec<String>,
    /// The URL of the first gateway.
    gateway: Option<String>,
    /// The number of registrations by state, without states of zero.
    states: Vec<(State, u64)>,
    /// The authorization servers of its clients.
    issuers: Vec<String>,
    /// The row of the table of known servers that its address or an issuer leads to.
    known: Option<&'static KnownServer>,
    /// What its upstream says about itself.
    upstream: KnownServerInfo,
    changes: Vec<IntegrationEvent>,
    /// The number of the current configuration version.
    revision: i64,
    now: Timestamp,
}

#[get("/integrations/{integration}")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let reference = Reference::parse(&path);
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let integration = registry.integrations().get(actor, &reference).await?;
    let filter = ServerFilter { integration: Some(reference.clone()), ..ServerFilter::default() };
    let servers = registry.servers().list(actor, filter, PageRequest::new(0, 200)).await?.items;
    let access = registry.access().list(actor, &reference).await?;
    let filter = RegistrationFilter { integration: Some(reference.clone()), ..RegistrationFilter::default() };
    let counts = registry.registrations().counts(actor, filter.clone()).await?;
    let registrations = registry.registrations().list(actor, filter, PageRequest::new(0, 100)).await?.items;
    let known = known_server(&integration.url, &registrations);
    let issuers: BTreeSet<String> = registrations.into_iter().filter_map(|one| one.issuer).collect();
    let page = IntegrationPage {
        shell: Shell::of(&request, &signed_in, "integrations", integration.name.clone()),
        gateway: registry.shared_settings().gateway_addresses().next().cloned(),
        states: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
        issuers: issuers.into_iter().collect(),
        known,
        upstream: registry.capabilities().info_of_integration(actor, &reference).await?,
        changes: registry.integrations().events(actor, &reference, CHANGES).await?,
        revision: registry
            .configurations()
            .get(actor, &ConfigurationScope::Integration(reference.clone()))
            .await?
            .revision,
        callbacks: registry.deployment().organisation(actor).await?.callback_urls,
        workspaces: all_workspaces(&signed_in).await?,
        now: registry.now(),
        integration,
        servers,
        access,
    };
    Ok(html(StatusCode::OK, &page)?)
}

#[derive(Deserialize)]
struct AddServer {
    workspace: String,
}

#[post("/integrations/{integration}/servers")]
async fn add_server(
    signed_in: SignedInUser,
    path: web::Path<String>,
    form: web::Form<AddServer>,
) -> Result<HttpResponse, Failure> {
    let integration =
        signed_in.registry.integrations().get(&signed_in.actor, &Reference::parse(&path)).await?;
    let new = NewServer {
        integration: integration.id.into(),
        workspace: Some(Reference::parse(&form.workspace)),
        name: integration.name,
        slug: None,
        description: None,
        configuration: None,
        secret_mappings: Vec::new(),
    };
    signed_in.registry.servers().create(&signed_in.actor, new).await?;
    Ok(go(format!("/ui/integrations/{}?done=created", integration.slug)))
}
