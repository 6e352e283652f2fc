//! Which workspaces may use an integration: one row per workspace, one form.

use crate::http::choice::ticked;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{
    AccessChange, AccessOverview, AccessUpdate, Error, Integration, ReplacementMode, WorkspaceAccess,
};
use registry_core::clock::Timestamp;
use registry_core::patch::Patch;
use registry_core::slug::Reference;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(save);
}

#[derive(Template)]
#[template(path = "pages/access.html")]
struct Page {
    shell: Shell,
    integration: Integration,
    access: AccessOverview,
    query: Query,
    /// Why saving was refused.
    problem: Option<String>,
    now: Timestamp,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    q: String,
    /// `all` or `none`: how the checkboxes are preset before anything is saved.
    mark: String,
}

impl Page {
    /// The rows on the page.
    fn rows(&self) -> impl Iterator<Item = &WorkspaceAccess> {
        let text = self.query.q.trim().to_lowercase();
        self.access.workspaces.iter().filter(move |row| {
            row.workspace.name.to_lowercase().contains(&text)
                || row.workspace.slug.as_str().to_lowercase().contains(&text)
        })
    }

    fn count(&self) -> usize {
        self.rows().count()
    }

    fn is_checked(&self, row: &WorkspaceAccess) -> bool {
        match self.query.mark.as_str() {
            "all" => true,
            "none" => false,
            _ => row.enabled,
        }
    }

    /// The URL of this page with the checkboxes preset.
    fn marked(&self, mark: &str) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        if !self.query.q.is_empty() {
            pairs.append_pair("q", &self.query.q);
        }
        pairs.append_pair("mark", mark);
        format!("/ui/integrations/{}/access?{}", self.integration.slug, pairs.finish())
    }
}

#[get("/integrations/{integration}/access")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, &Reference::parse(&path), query.into_inner(), None).await
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    reference: &Reference,
    query: Query,
    problem: Option<(StatusCode, String)>,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let integration = registry.integrations().get(actor, reference).await?;
    let (status, problem) = match problem {
        Some((status, message)) => (status, Some(message)),
        None => (StatusCode::OK, None),
    };
    let mark = if problem.is_some() { "Problem: access to" } else { "Access to" };
    let page = Page {
        shell: Shell::of(request, signed_in, "integrations", format!("{mark} {}", integration.name)),
        access: registry.access().overview(actor, reference).await?,
        now: registry.now(),
        integration,
        query,
        problem,
    };
    Ok(html(status, &page)?)
}

/// The form. Parsed by hand because a checkbox may occur several times.
#[derive(Debug, Default)]
struct Form {
    /// Slugs of the rows on the page; all other workspaces stay unchanged.
    shown: BTreeSet<String>,
    /// Slugs of the ticked rows.
    on: BTreeSet<String>,
    every_new: bool,
    /// The user confirmed what disabling access stops.
    confirmed: bool,
}

impl Form {
    fn read(fields: Vec<(String, String)>) -> Result<Self, Failure> {
        let mut form = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "shown" => _ = form.shown.insert(value),
                "on" => _ = form.on.insert(value),
                "every_new" => form.every_new = ticked("every_new", &value)?,
                "confirmed" => form.confirmed = ticked("confirmed", &value)?,
                _ => {}
            }
        }
        Ok(form)
    }

    /// Whether the workspace shall have access.
    fn wants(&self, row: &WorkspaceAccess) -> bool {
        let slug = row.workspace.slug.as_str();
        if self.shown.contains(slug) { self.on.contains(slug) } else { row.enabled }
    }
}

#[derive(Template)]
#[template(path = "pages/access_confirm.html")]
struct ConfirmPage {
    shell: Shell,
    integration: Integration,
    /// Workspaces that lose access and have clients.
    losing: Vec<WorkspaceAccess>,
    form: Form,
    /// Days until the clients are withdrawn.
    kept: i64,
}

#[post("/integrations/{integration}/access")]
async fn save(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    fields: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let (form, reference) = (Form::read(fields.into_inner())?, Reference::parse(&path));
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let integration = registry.integrations().get(actor, &reference).await?;
    let now = registry.access().overview(actor, &reference).await?;
    let stops = |row: &&WorkspaceAccess| row.enabled && !form.wants(row) && row.servers > 0;
    let losing: Vec<_> = now.workspaces.iter().filter(stops).cloned().collect();
    if now.may_change && !losing.is_empty() && !form.confirmed {
        let title = format!("Switch off access to {}", integration.name);
        let page = ConfirmPage {
            shell: Shell::of(&request, &signed_in, "integrations", title),
            kept: registry.settings().life.withdraw_after.num_days(),
            integration,
            losing,
            form,
        };
        return Ok(html(StatusCode::OK, &page)?);
    }
    // A new default must not change existing workspaces: then each of them gets an explicit row.
    let all = now.global_access != form.every_new;
    let changes = now.workspaces.iter().filter(|row| all || form.wants(row) != row.enabled);
    let update = AccessUpdate {
        workspaces: changes
            .map(|row| AccessChange {
                workspace: Reference::Id(row.workspace.id.0),
                enabled: Some(form.wants(row)),
                configuration: Patch::Keep,
            })
            .collect(),
        global_access: all.then_some(form.every_new),
        override_existing: false,
        replacements: ReplacementMode::default(),
    };
    match registry.access().update(actor, &reference, update).await {
        Ok(_) => Ok(go(format!("/ui/integrations/{}/access?done=access", integration.slug))),
        Err(Error::Conflict { message, .. }) => {
            let problem = Some((StatusCode::CONFLICT, message));
            render(&request, &signed_in, &reference, Query::default(), problem).await
        }
        Err(Error::Invalid(findings)) => {
            let message = findings.0.iter().map(|one| one.message.as_str()).collect::<Vec<_>>().join(" ");
            let problem = Some((StatusCode::UNPROCESSABLE_ENTITY, message));
            render(&request, &signed_in, &reference, Query::default(), problem).await
        }
        Err(error) => Err(error.into()),
    }
}
