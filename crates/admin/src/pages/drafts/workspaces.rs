//! Step 4: which workspaces get access.

use super::{Problem, Wizard, onwards, open};
use crate::http::choice::{known, read, ticked};
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Draft, DraftStep, Error, PageRequest, Workspace, WorkspaceFilter};
use registry_core::id::{DraftId, WorkspaceId};
use registry_core::permission::Permission;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(submit);
}

/// Maximum number of rows; a search finds the others.
const PAGE_SIZE: u64 = 100;

#[derive(Template)]
#[template(path = "pages/drafts/workspaces.html")]
struct Page {
    shell: Shell,
    wizard: Wizard,
    draft: Draft,
    q: String,
    rows: Vec<Workspace>,
    /// The number of workspaces that match the search.
    total: u64,
    /// Whether there is any workspace.
    any: bool,
    /// Whether the signed-in user may create one.
    may_make: bool,
}

impl Page {
    /// The number of matches that are not on the page.
    fn left_out(&self) -> u64 {
        self.total.saturating_sub(PAGE_SIZE)
    }

    fn is_chosen(&self, workspace: &Workspace) -> bool {
        self.draft.workspaces.iter().any(|chosen| chosen.id == workspace.id)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    q: String,
}

/// Parsed by hand because a checkbox may occur several times.
#[derive(Debug, Default)]
struct Submitted {
    chosen: BTreeSet<WorkspaceId>,
    /// The workspaces on the page, ticked or not.
    shown: BTreeSet<WorkspaceId>,
    every_new: bool,
    q: String,
    /// The previous search text.
    searched: String,
    intent: Intent,
}

/// The button.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Intent {
    #[default]
    Go,
    /// Saves the draft and returns to the list.
    Draft,
    /// Searches.
    Search,
    /// Ticks all workspaces on the page.
    All,
    /// Clears all checkboxes on the page.
    None,
    /// The Enter key.
    Enter,
}

impl Submitted {
    /// Whether to search instead of going to the next step. Enter submits the form from every field: when the
    /// search text is new, it means the search.
    fn looks_on(&self) -> bool {
        match self.intent {
            Intent::Search | Intent::All | Intent::None => true,
            Intent::Enter => self.q.trim() != self.searched.trim(),
            Intent::Go | Intent::Draft => false,
        }
    }

    fn read(fields: Vec<(String, String)>) -> Result<Self, Failure> {
        let mut form = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "workspaces" => _ = form.chosen.insert(known("workspaces", value.parse().ok())?),
                "shown" => _ = form.shown.insert(known("shown", value.parse().ok())?),
                "every_new" => form.every_new = ticked("every_new", &value)?,
                "q" => form.q = value,
                "searched" => form.searched = value,
                "intent" => form.intent = read("intent", &value)?,
                _ => {}
            }
        }
        Ok(form)
    }

    /// The selected workspaces: the checkboxes on the page, and the selected ones that the search hides.
    fn selection(&self, draft: &Draft) -> Vec<WorkspaceId> {
        let hidden = draft.workspaces.iter().map(|one| one.id).filter(|id| !self.shown.contains(id));
        let here = match self.intent {
            Intent::All => self.shown.clone(),
            Intent::None => BTreeSet::new(),
            Intent::Go | Intent::Draft | Intent::Search | Intent::Enter => self.chosen.clone(),
        };
        hidden.chain(here).collect()
    }
}

#[get("/drafts/{draft}/workspaces")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<DraftId>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    match open(&signed_in, &path).await? {
        Ok(draft) => render(&request, &signed_in, draft, query.into_inner().q, Vec::new()).await,
        Err(elsewhere) => Ok(elsewhere),
    }
}

#[post("/drafts/{draft}/workspaces")]
async fn submit(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<DraftId>,
    fields: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let draft = match open(&signed_in, &path).await? {
        Ok(draft) => draft,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let form = Submitted::read(fields.into_inner())?;
    let selection = form.selection(&draft);
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    // A search saves the checkboxes too: nothing is lost.
    match registry.drafts().set_workspaces(actor, draft.id, &selection, form.every_new).await {
        Ok(_) if form.looks_on() => {
            let query =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("q", &form.q).finish();
            Ok(go(format!("{}?{query}", super::step_page(draft.id, DraftStep::Workspaces))))
        }
        Ok(_) => Ok(onwards(form.intent == Intent::Draft, draft.id, DraftStep::Register)),
        Err(Error::Invalid(findings)) => {
            let problems = findings.0.into_iter();
            let problems = problems.map(|one| Problem::of(one, |_| "every_new".to_owned())).collect();
            render(&request, &signed_in, draft, form.q, problems).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    draft: Draft,
    q: String,
    problems: Vec<Problem>,
) -> Result<HttpResponse, Failure> {
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let filter = WorkspaceFilter { search: Some(q.trim().to_owned()), ..WorkspaceFilter::default() };
    let found = signed_in
        .registry
        .workspaces()
        .list(&signed_in.actor, filter, PageRequest::new(0, PAGE_SIZE))
        .await?;
    let wizard = Wizard::of(&draft, DraftStep::Workspaces, problems);
    let page = Page {
        shell: Shell::of(request, signed_in, "integrations", wizard.title("workspaces")),
        may_make: signed_in.actor.can(Permission::UpdateWorkspaces) && signed_in.actor.workspace().is_none(),
        any: signed_in.overview.workspaces > 0,
        rows: found.items,
        total: found.total,
        wizard,
        draft,
        q,
    };
    Ok(html(status, &page)?)
}
