//! What is known of an integration's server, and a button that puts its settings into the configuration's editor.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{KnownServerBox, Shell, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use registry::{
    Configuration, ConfigurationScope, Integration, PageRequest, Registration, RegistrationFilter,
};
use registry_core::known_servers::{KnownServer, recognise};
use registry_core::permission::Permission;
use registry_core::slug::Reference;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show);
}

/// Number of registrations whose issuers are looked at.
const REGISTRATIONS: u64 = 100;

#[derive(Template)]
#[template(path = "pages/known_server.html")]
struct Page {
    shell: Shell,
    integration: Integration,
    /// The box, and the configuration that its button adds to; `None`: the server is not known.
    known: Option<(KnownServerBox, Configuration)>,
}

/// The known server of an MCP address, or of the authorization servers of its registrations.
pub(super) fn known_server(url: &str, registrations: &[Registration]) -> Option<&'static KnownServer> {
    let mut issuers = registrations.iter().flat_map(|one| [&one.issuer, &one.discovered_issuer]).flatten();
    recognise(url, None).or_else(|| issuers.find_map(|issuer| recognise(url, Some(issuer))))
}

/// The box about the known server, with the stored configuration that its button adds to.
pub(crate) async fn known_server_box(
    signed_in: &SignedInUser,
    integration: &Integration,
    server: &'static KnownServer,
) -> Result<(KnownServerBox, Configuration), Failure> {
    let scope = ConfigurationScope::Integration(integration.id.into());
    let stored = signed_in.registry.configurations().get(&signed_in.actor, &scope).await?;
    let text = stored.text.as_deref().unwrap_or_default();
    let mut known = KnownServerBox::of(server, text, None, format!("known:{}", server.key));
    known.may_use = signed_in.actor.can(Permission::UpdateIntegrations);
    Ok((known, stored))
}

#[get("/integrations/{integration}/known-server")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let reference = Reference::parse(&path);
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let integration = registry.integrations().get(actor, &reference).await?;
    let filter = RegistrationFilter { integration: Some(reference), ..RegistrationFilter::default() };
    let page = PageRequest::new(0, REGISTRATIONS);
    let registrations = registry.registrations().list(actor, filter, page).await?.items;
    let known = match known_server(&integration.url, &registrations) {
        Some(server) => Some(known_server_box(&signed_in, &integration, server).await?),
        None => None,
    };
    let title = format!("Known server of {}", integration.name);
    let shell = Shell::of(&request, &signed_in, "integrations", title);
    Ok(html(StatusCode::OK, &Page { shell, integration, known })?)
}
