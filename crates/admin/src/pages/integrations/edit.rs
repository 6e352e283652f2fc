//! The name, address and authentication of an integration.

use super::field;
use crate::http::choice::known;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::{filled, problems};
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Affected, Error, Integration, IntegrationChange, ReplacementMode};
use registry_core::finding::Finding;
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::Reference;
use serde::Deserialize;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(save);
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    name: String,
    description: String,
    url: String,
    auth: String,
    transport: String,
    /// The version that the form was made from, so that no concurrent change is lost.
    version: i64,
    intent: Intent,
}

/// The button.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Intent {
    /// Saves; asks first when clients are replaced.
    #[default]
    Save,
    /// After the confirmation page: clients are replaced immediately.
    Now,
    /// After the confirmation page: clients stay in use until a user approves.
    Later,
}

#[derive(Template)]
#[template(path = "pages/integration_edit.html")]
struct Page {
    shell: Shell,
    integration: Integration,
    form: Form,
    problems: Vec<Finding>,
    /// The cost of saving, when it must be confirmed.
    cost: Option<Affected>,
}

impl Page {
    fn problem(&self, name: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| field(finding) == name)
    }
}

impl Form {
    fn of(integration: &Integration) -> Self {
        Self {
            name: integration.name.clone(),
            description: integration.description.clone().unwrap_or_default(),
            url: integration.url.clone(),
            auth: integration.auth_type.as_str().to_owned(),
            transport: integration.transport.as_str().to_owned(),
            version: integration.version,
            intent: Intent::Save,
        }
    }

    /// What differs from the stored integration.
    fn change(&self, now: &Integration) -> Result<IntegrationChange, Failure> {
        let auth_type = known("auth", AuthType::parse(&self.auth))?;
        let transport = known("transport", Transport::parse(&self.transport))?;
        let description = filled(&self.description);
        let url = self.url.trim();
        Ok(IntegrationChange {
            name: (self.name != now.name).then(|| self.name.clone()),
            description: if description == now.description { Patch::Keep } else { description.into() },
            url: (url != now.url).then(|| url.to_owned()),
            auth_type: (auth_type != now.auth_type).then_some(auth_type),
            transport: (transport != now.transport).then_some(transport),
            replacements: match self.intent {
                Intent::Later => ReplacementMode::Defer,
                Intent::Save | Intent::Now => ReplacementMode::Policy,
            },
            ..IntegrationChange::default()
        })
    }
}

fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    integration: Integration,
    form: Form,
    problems: Vec<Finding>,
    cost: Option<Affected>,
) -> Result<HttpResponse, Failure> {
    let (status, title) = if problems.is_empty() {
        (StatusCode::OK, "Edit")
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, "Problem: edit")
    };
    let shell = Shell::of(request, signed_in, "integrations", format!("{title} {}", integration.name));
    Ok(html(status, &Page { shell, integration, form, problems, cost })?)
}

#[get("/integrations/{integration}/edit")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    signed_in.actor.require(Permission::UpdateIntegrations)?;
    let integration =
        signed_in.registry.integrations().get(&signed_in.actor, &Reference::parse(&path)).await?;
    let form = Form::of(&integration);
    render(&request, &signed_in, integration, form, Vec::new(), None)
}

#[post("/integrations/{integration}/edit")]
async fn save(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let (form, reference) = (form.into_inner(), Reference::parse(&path));
    let integration = registry.integrations().get(actor, &reference).await?;
    let change = form.change(&integration)?;
    let saved = if form.intent == Intent::Save {
        // The cost is confirmed once, before anything is saved.
        match registry
            .integrations()
            .dry_run_update(actor, &reference, change.clone(), Some(form.version))
            .await
        {
            Ok(dry_run) if dry_run.affected.replaced + dry_run.affected.rediscovered > 0 => {
                return render(&request, &signed_in, integration, form, Vec::new(), Some(dry_run.affected));
            }
            Ok(_) => registry.integrations().update(actor, &reference, change, Some(form.version)).await,
            Err(error) => Err(error),
        }
    } else {
        registry.integrations().update(actor, &reference, change, Some(form.version)).await
    };
    match saved {
        Ok(saved) => Ok(go(format!("/ui/integrations/{}?done=changed", saved.value.slug))),
        Err(Error::Stale { .. }) => {
            let message = "Another user changed this integration in the meantime. What you typed is below; what is stored now is on its page. Save again to replace it with yours.";
            let form = Form { version: integration.version, ..form };
            let finding = Finding::error("/name", "stale_version", message);
            render(&request, &signed_in, integration, form, vec![finding], None)
        }
        Err(error) => render(&request, &signed_in, integration, form, problems(error)?, None),
    }
}
