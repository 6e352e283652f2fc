//! The form for a new key.

use super::{Created, Query};
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::api_keys::labels::{Preset, allows};
use crate::view::{Shell, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use chrono::Duration;
use registry::{NewApiKey, Workspace};
use registry_core::finding::Finding;
use registry_core::permission::{Permission, Role, SCOPES};
use registry_core::slug::Reference;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "pages/api_key_new.html")]
struct Page {
    shell: Shell,
    form: Form,
    workspaces: Vec<Workspace>,
    problems: Vec<Finding>,
}

impl Page {
    fn problem(&self, pointer: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| anchor(&finding.pointer) == pointer)
    }
}

/// The field that a finding is about.
pub(crate) fn anchor(pointer: &str) -> &str {
    match pointer.trim_start_matches('/').split('/').next().unwrap_or_default() {
        "" => "name",
        "workspace_id" => "workspace",
        "expires_at" => "days",
        field => field,
    }
    .trim()
}

/// How much of the role the key gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Access {
    All,
    Read,
    Write,
    Chosen,
}

/// The form values. Scopes are checkboxes of one name, so the form is parsed as pairs.
#[derive(Clone, Debug, Default)]
struct Form {
    name: String,
    role: String,
    /// `all`, `read`, `write` or `chosen`.
    access: String,
    scopes: Vec<String>,
    workspace: String,
    /// Days, or `never`.
    days: String,
    reason: String,
}

impl Form {
    /// The default: the least access, with an expiry.
    fn fresh() -> Self {
        Self {
            role: Role::Gateway.as_str().to_owned(),
            access: "all".to_owned(),
            days: "90".to_owned(),
            ..Self::default()
        }
    }

    fn of(pairs: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "name" => form.name = value,
                "role" => form.role = value,
                "access" => form.access = value,
                "scopes" => form.scopes.push(value),
                "workspace" => form.workspace = value,
                "days" => form.days = value,
                "reason" => form.reason = value,
                _ => {}
            }
        }
        form
    }

    fn chose(&self, scope: &str) -> bool {
        self.scopes.iter().any(|chosen| chosen == scope)
    }

    /// The key to create, or what is invalid.
    fn read(&self, signed_in: &SignedInUser) -> Result<NewApiKey, Vec<Finding>> {
        let mut problems = Vec::new();
        let role = Role::parse(&self.role);
        if role.is_none() {
            problems.push(Finding::error("/role", "missing_member", "Choose a role."));
        }
        let role = role.unwrap_or(Role::Gateway);
        let access = crate::http::choice::find(&self.access);
        let scopes = match access {
            // A gateway key fetches documents; it has no scopes to narrow.
            Some(_) if role == Role::Gateway => Vec::new(),
            Some(Access::All) => Vec::new(),
            Some(Access::Read) => Preset::Read.scopes(role),
            Some(Access::Write) => Preset::Write.scopes(role),
            Some(Access::Chosen) => self.scopes.clone(),
            // A missing value never means the whole role.
            None => {
                problems.push(Finding::error("/access", "missing_member", "Choose what the key may do."));
                Vec::new()
            }
        };
        if access == Some(Access::Chosen) && role != Role::Gateway {
            problems.extend(self.check_chosen(role));
        }
        let expires_at = match (self.days.as_str(), self.days.parse::<i64>()) {
            ("never", _) => None,
            (_, Ok(days)) if (1..=3650).contains(&days) => {
                Some(signed_in.registry.now() + Duration::days(days))
            }
            _ => {
                problems.push(Finding::error("/days", "invalid_value", "Choose when the key expires."));
                None
            }
        };
        if self.days == "never" && self.reason.trim().is_empty() {
            let message = "A key that never expires needs a reason, which is shown in the list of keys.";
            problems.push(Finding::error("/reason", "missing_member", message));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(NewApiKey {
            name: self.name.clone(),
            role,
            scopes,
            workspace: (!self.workspace.is_empty()).then(|| Reference::parse(&self.workspace)),
            expires_at,
            reason: Some(self.reason.clone()),
        })
    }

    fn check_chosen(&self, role: Role) -> Option<Finding> {
        if self.scopes.is_empty() {
            let message = "Choose at least one scope, or another kind of access.";
            return Some(Finding::error("/scopes", "missing_member", message));
        }
        let beyond: Vec<String> = SCOPES
            .iter()
            .filter(|(scope, given)| self.chose(scope) && !allows(role, given))
            .map(|(scope, _)| format!("`{scope}`"))
            .collect();
        (!beyond.is_empty()).then(|| {
            let message = format!(
                "The role `{}` does not have {}. Choose another role, or leave them out.",
                role.as_str(),
                beyond.join(", ")
            );
            Finding::error("/scopes", "invalid_value", message)
        })
    }
}

#[get("/api-keys/new")]
pub(super) async fn show(request: HttpRequest, signed_in: SignedInUser) -> Result<HttpResponse, Failure> {
    signed_in.actor.require_organisation(Permission::ManageKeys)?;
    render(&request, &signed_in, Form::fresh(), Vec::new()).await
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    form: Form,
    problems: Vec<Finding>,
) -> Result<HttpResponse, Failure> {
    let (status, title) = if problems.is_empty() {
        (StatusCode::OK, "Create an API key")
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, "Problem: create an API key")
    };
    let shell = Shell::of(request, signed_in, "api-keys", title);
    let workspaces = super::workspaces(signed_in).await?;
    Ok(html(status, &Page { shell, form, workspaces, problems })?)
}

/// The response contains the new key, the only time. It is not a redirect, because a key must not be in a URL.
#[post("/api-keys/new")]
pub(super) async fn submit(
    request: HttpRequest,
    signed_in: SignedInUser,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let form = Form::of(form.into_inner());
    let new = match form.read(&signed_in) {
        Ok(new) => new,
        Err(problems) => {
            signed_in.actor.require_organisation(Permission::ManageKeys)?;
            return render(&request, &signed_in, form, problems).await;
        }
    };
    match signed_in.registry.api_keys().create(&signed_in.actor, new).await {
        Ok(made) => {
            let created =
                Created { name: made.record.name, key: made.key, rotated: false, findings: made.findings };
            super::render(&request, &signed_in, &Query::default(), Some(created)).await
        }
        Err(registry::Error::Invalid(findings)) => render(&request, &signed_in, form, findings.0).await,
        Err(error) => Err(error.into()),
    }
}
