//! "Check connection": a preview of the registration, with every request that was sent for it.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::integrations::known_server_box;
use crate::view::{KnownServerBox, Shell, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, post, web};
use askama::Template;
use registry::{Configuration, Integration, Preflight, PreflightOverrides};
use registry_core::preflight::AdviceSeverity;
use registry_core::slug::Reference;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(check);
}

#[derive(Template)]
#[template(path = "pages/preflight.html")]
struct PreflightPage {
    shell: Shell,
    integration: Integration,
    found: Preflight,
    /// The box about a known server, and the configuration that its button adds to.
    known: Option<(KnownServerBox, Configuration)>,
}

impl PreflightPage {
    /// Whether a failure is certain.
    fn refused(&self) -> bool {
        self.found.advice.iter().any(|advice| advice.weight == AdviceSeverity::Refusal)
    }

    /// CSS class and icon of the note at the top.
    fn look(&self) -> (&'static str, &'static str) {
        match (self.found.forecast.method, self.refused()) {
            (Some(_), false) => ("ok", "ok"),
            (Some(_), true) => ("warn", "warn"),
            (None, _) => ("bad", "bad"),
        }
    }

    /// The text of the note.
    fn sentence(&self) -> String {
        let forecast = &self.found.forecast;
        match (&forecast.block, forecast.method) {
            (Some(block), _) => block.detail.clone().unwrap_or_else(|| format!("No client: {}.", block.code)),
            (None, Some(_)) if self.refused() => {
                "A client could be obtained, but the problems below prevent it.".to_owned()
            }
            (None, _) => "A client can be obtained, as far as can be foreseen.".to_owned(),
        }
    }
}

/// CSS class and icon of an advice.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
pub(crate) fn weight_look(weight: &AdviceSeverity) -> (&'static str, &'static str) {
    match weight {
        AdviceSeverity::Refusal => ("bad", "bad"),
        AdviceSeverity::Risk => ("warn", "warn"),
        AdviceSeverity::Note => ("info", "info"),
    }
}

// POST, because it sends requests; nothing is saved, so there is no page to redirect to.
#[post("/integrations/{integration}/check")]
async fn check(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let reference = Reference::parse(&path);
    let integration = signed_in.registry.integrations().get(&signed_in.actor, &reference).await?;
    let found = signed_in
        .registry
        .preflight()
        .run(&signed_in.actor, &reference, PreflightOverrides::default())
        .await?;
    let known = match found.known_server {
        Some(server) => Some(known_server_box(&signed_in, &integration, server).await?),
        None => None,
    };
    let shell = Shell::of(&request, &signed_in, "integrations", format!("Check {}", integration.name));
    Ok(html(StatusCode::OK, &PreflightPage { shell, integration, found, known })?)
}
