//! Adding an integration.

use super::integrations::all_workspaces;
use crate::failure::Failure;
use crate::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{NewIntegration, NewServer, Workspace};
use registry_core::finding::Finding;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::Reference;

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
    fn read(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(body) {
            let value = value.into_owned();
            match &*name {
                "name" => form.name = value,
                "slug" => form.slug = value,
                "url" => form.url = value,
                "auth_type" => form.auth_type = value,
                "transport" => form.transport = value,
                "configuration" => form.configuration = value,
                "workspaces" => form.workspaces.push(value),
                _ => {}
            }
        }
        form
    }
}

#[get("/integrations/new")]
pub(super) async fn show_form(request: HttpRequest, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let shell = Shell::of(&request, &visitor, "integrations", "Add integration");
    let workspaces = all_workspaces(&visitor).await?;
    Ok(html(StatusCode::OK, &Page { shell, form: Form::default(), workspaces, problems: Vec::new() })?)
}

#[post("/integrations/new")]
pub(super) async fn submit(
    request: HttpRequest,
    visitor: Visitor,
    body: web::Bytes,
) -> Result<HttpResponse, Failure> {
    let form = Form::read(&body);
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
            for workspace in &form.workspaces {
                let new = NewServer {
                    integration: saved.value.id.into(),
                    workspace: Some(Reference::parse(workspace)),
                    name: saved.value.name.clone(),
                    slug: Some(saved.value.slug.to_string()),
                    description: None,
                    configuration: None,
                };
                visitor.registry.create_server(&visitor.actor, new).await?;
            }
            return Ok(go(format!("/ui/integrations/{}?done=created", saved.value.slug)));
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
