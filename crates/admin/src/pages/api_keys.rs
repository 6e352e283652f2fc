//! API keys: shown once, listed by their beginning, revoked at once.

use crate::failure::Failure;
use crate::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use chrono::Duration;
use registry::{ApiKey, NewApiKey, PageRequest, Workspace};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::id::ApiKeyId;
use registry_core::permission::Role;
use registry_core::slug::Reference;
use serde::Deserialize;

/// Its addresses.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list).service(create).service(confirm).service(revoke);
}

#[derive(Template)]
#[template(path = "pages/api_keys.html")]
struct Page {
    shell: Shell,
    items: Vec<ApiKey>,
    workspaces: Vec<Workspace>,
    form: Form,
    problems: Vec<Finding>,
    created: Option<(String, String)>,
    now: Timestamp,
}

impl Page {
    fn problem(&self, pointer: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| finding.pointer == pointer)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Form {
    name: String,
    role: String,
    #[serde(default)]
    workspace: String,
    #[serde(default)]
    days: String,
}

impl Form {
    /// What is proposed: the weakest key, for a while.
    fn fresh() -> Self {
        Self { role: Role::Gateway.as_str().to_owned(), days: "90".to_owned(), ..Self::default() }
    }
}

#[get("/api-keys")]
async fn list(request: HttpRequest, visitor: Visitor) -> Result<HttpResponse, Failure> {
    render(&request, &visitor, Form::fresh(), Vec::new(), None).await
}

async fn render(
    request: &HttpRequest,
    visitor: &Visitor,
    form: Form,
    problems: Vec<Finding>,
    created: Option<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let title = if problems.is_empty() { "API keys" } else { "Problem: API keys" };
    let page = Page {
        shell: Shell::of(request, visitor, "api-keys", title),
        items: visitor.registry.api_keys(&visitor.actor, PageRequest::new(0, 200)).await?.items,
        workspaces: super::integrations::all_workspaces(visitor).await?,
        now: visitor.registry.now(),
        form,
        problems,
        created,
    };
    Ok(html(status, &page)?)
}

/// The answer holds the new key, the only time: it is not a redirect, because a key has no place in an address.
#[post("/api-keys")]
async fn create(
    request: HttpRequest,
    visitor: Visitor,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let form = form.into_inner();
    let Some(role) = Role::parse(&form.role) else {
        let finding = Finding::error("/role", "missing_member", "Choose what the key may do.");
        return render(&request, &visitor, form, vec![finding], None).await;
    };
    let days = form.days.parse::<i64>().ok().filter(|days| (1..=3650).contains(days));
    let new = NewApiKey {
        name: form.name.clone(),
        role,
        scopes: Vec::new(),
        workspace: (!form.workspace.is_empty()).then(|| Reference::parse(&form.workspace)),
        expires_at: days.map(|days| visitor.registry.now() + Duration::days(days)),
    };
    match visitor.registry.create_api_key(&visitor.actor, new).await {
        Ok(made) => {
            render(&request, &visitor, Form::fresh(), Vec::new(), Some((made.record.name, made.key))).await
        }
        Err(registry::Error::Invalid(findings)) => render(&request, &visitor, form, findings.0, None).await,
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "pages/api_key_revoke.html")]
struct ConfirmPage {
    shell: Shell,
    key: ApiKey,
    now: Timestamp,
}

#[get("/api-keys/{key}/revoke")]
async fn confirm(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<ApiKeyId>,
) -> Result<HttpResponse, Failure> {
    let key = visitor.registry.api_key(&visitor.actor, *path).await?;
    let now = visitor.registry.now();
    let shell = Shell::of(&request, &visitor, "api-keys", format!("Revoke {}", key.name));
    Ok(html(StatusCode::OK, &ConfirmPage { shell, key, now })?)
}

#[post("/api-keys/{key}/revoke")]
async fn revoke(visitor: Visitor, path: web::Path<ApiKeyId>) -> Result<HttpResponse, Failure> {
    visitor.registry.revoke_api_key(&visitor.actor, *path).await?;
    Ok(go("/ui/api-keys?done=revoked"))
}
