//! Adding an integration.

use super::integrations::all_workspaces;
use crate::failure::Failure;
use crate::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Integration, NewIntegration, NewServer, Workspace};
use registry_core::finding::Finding;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::Reference;

/// Its addresses.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show_form).service(submit);
}

#[derive(Template)]
#[template(path = "pages/integration_new.html")]
struct Page {
    shell: Shell,
    form: Form,
    workspaces: Vec<Workspace>,
    problems: Vec<Finding>,
}

impl Page {
    /// The problem with the member at `pointer`, or below it.
    fn problem(&self, pointer: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| finding.pointer.starts_with(pointer))
    }

    /// The field a problem is about.
    #[expect(clippy::unused_self, reason = "called from the template")]
    fn field(&self, finding: &Finding) -> &'static str {
        match finding.pointer.split('/').nth(1) {
            Some("name") => "name",
            Some("slug") => "slug",
            Some("url") => "url",
            _ => "configuration",
        }
    }

    fn configuration_problems(&self) -> impl Iterator<Item = &Finding> {
        self.problems.iter().filter(|finding| finding.pointer.starts_with("/configurations"))
    }

    fn chosen(&self, workspace: &Workspace) -> bool {
        self.form.workspaces.iter().any(|slug| slug == workspace.slug.as_str())
    }
}

#[derive(Clone, Debug, Default)]
struct Form {
    name: String,
    slug: String,
    url: String,
    auth_type: String,
    transport: String,
    configuration: String,
    workspaces: Vec<String>,
}

impl Form {
    /// Read by hand because a checkbox may be there several times.
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "name" => form.name = value,
                "slug" => form.slug = value,
                "url" => form.url = value,
                "auth_type" => form.auth_type = value,
                "transport" => form.transport = value,
                // Browsers send line ends as CR LF; what is stored has the ones that were typed.
                "configuration" => form.configuration = value.replace("\r\n", "\n"),
                "workspaces" => form.workspaces.push(value),
                _ => {}
            }
        }
        form
    }
}

#[get("/integrations/new")]
async fn show_form(request: HttpRequest, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let shell = Shell::of(&request, &visitor, "integrations", "Add integration");
    let workspaces = all_workspaces(&visitor).await?;
    Ok(html(StatusCode::OK, &Page { shell, form: Form::default(), workspaces, problems: Vec::new() })?)
}

#[post("/integrations/new")]
async fn submit(
    request: HttpRequest,
    visitor: Visitor,
    fields: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let form = Form::read(fields.into_inner());
    let text = Some(form.configuration.clone()).filter(|text| !text.trim().is_empty());
    let new = NewIntegration {
        name: form.name.clone(),
        slug: Some(form.slug.trim().to_owned()).filter(|slug| !slug.is_empty()),
        description: None,
        url: form.url.trim().to_owned(),
        auth_type: AuthType::parse(&form.auth_type).unwrap_or(AuthType::OauthAuto),
        transport: Transport::parse(&form.transport).unwrap_or(Transport::Http),
        workspace: visitor.actor.workspace().map(Reference::from),
        configuration: text,
    };
    let problems = match visitor.registry.create_integration(&visitor.actor, new).await {
        Ok(saved) => {
            let left_out = add_servers(&visitor, &saved.value, &form.workspaces).await;
            let done = if left_out == 0 { "created".to_owned() } else { format!("partly-{left_out}") };
            return Ok(go(format!("/ui/integrations/{}?done={done}", saved.value.slug)));
        }
        Err(registry::Error::Invalid(findings)) => findings.0,
        Err(registry::Error::Conflict { code, message, pointer }) => {
            vec![Finding::error(pointer.unwrap_or("/slug"), code, message)]
        }
        Err(error) => return Err(error.into()),
    };
    let shell = Shell::of(&request, &visitor, "integrations", "Problem: add integration");
    let workspaces = all_workspaces(&visitor).await?;
    Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &Page { shell, form, workspaces, problems })?)
}

/// Makes a server in each workspace, named like the integration; counts those that could not be made. The integration is
/// there by then, so its page is where to go on.
async fn add_servers(visitor: &Visitor, integration: &Integration, workspaces: &[String]) -> usize {
    let mut left_out = 0;
    for workspace in workspaces {
        let new = |slug| NewServer {
            integration: integration.id.into(),
            workspace: Some(Reference::parse(workspace)),
            name: integration.name.clone(),
            slug,
            description: None,
            configuration: None,
        };
        let (registry, actor) = (&visitor.registry, &visitor.actor);
        let mut made = registry.create_server(actor, new(Some(integration.slug.to_string()))).await;
        if let Err(registry::Error::Conflict { code: "slug_taken", .. }) = made {
            made = registry.create_server(actor, new(None)).await;
        }
        if let Err(error) = made {
            tracing::warn!(%error, workspace, "a server could not be made with its integration");
            left_out += 1;
        }
    }
    left_out
}
