//! The list of registrations with counters and filters, alone or with one registration beside it.

use super::open::{self, Open};
use super::query::Query;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::registrations::labels;
use crate::view::{Around, Place, Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Registration, RetriedRegistrations, Workspace};
use registry_core::clock::Timestamp;
use registry_core::id::RegistrationId;
use registry_core::permission::Permission;
use registry_core::registration::State;
use registry_core::slug::Slug;

const PAGE_SIZE: u64 = 25;

/// Why a form was refused.
pub(super) struct Problem {
    /// The id of the invalid field; empty: none.
    pub(super) field: &'static str,
    pub(super) message: String,
}

#[derive(Template)]
#[template(path = "pages/registrations.html")]
struct ListPage {
    shell: Shell,
    query: Query,
    counts: Vec<(State, u64)>,
    all: u64,
    items: Vec<Registration>,
    total: String,
    /// Number of the first row.
    first: u64,
    /// Whether something changes without a user's action.
    moving: bool,
    /// Unresolved orphans.
    orphans: u64,
    integrations: Vec<(Slug, String)>,
    workspaces: Vec<Workspace>,
    may_operate: bool,
    open: Option<Open>,
    problem: Option<Problem>,
    now: Timestamp,
    previous: Option<String>,
    next: Option<String>,
}

impl ListPage {
    /// The integration that is filtered by, where the picker has no entry for it.
    fn other_integration(&self) -> Option<&str> {
        let chosen = self.query.integration.as_str();
        let listed = self.integrations.iter().any(|(slug, _)| slug.as_str() == chosen);
        (!chosen.is_empty() && !listed).then_some(chosen)
    }

    /// The workspace that is filtered by, where the picker has no entry for it.
    fn other_workspace(&self) -> Option<&str> {
        let chosen = self.query.ws.as_str();
        let listed = self.workspaces.iter().any(|one| one.slug.as_str() == chosen);
        (!chosen.is_empty() && !listed).then_some(chosen)
    }

    /// Whether this part of the page refreshes itself.
    fn refreshes(&self) -> bool {
        self.moving && self.query.is_live()
    }

    fn time(&self) -> String {
        open::clock(&self.now)
    }

    fn open_id(&self) -> Option<RegistrationId> {
        self.open.as_ref().map(|open| open.detail.registration.id)
    }

    fn is_open(&self, one: &Registration) -> bool {
        self.open_id() == Some(one.id)
    }

    /// The URL of one registration beside this list.
    fn beside(&self, one: &Registration) -> String {
        self.query.address(Some(one.id))
    }

    /// The URL of the list alone.
    fn alone(&self) -> String {
        self.query.address(None)
    }

    /// The URL of the list with another state.
    fn in_state(&self, state: &str) -> String {
        self.query.with_state(state).address(None)
    }

    /// The URL of this page with refreshing switched.
    fn switch(&self, live: &str) -> String {
        self.query.with_live(live).address(self.open_id())
    }

    /// The counters that are shown; those of rare states only while they are not zero.
    fn tiles(&self) -> impl Iterator<Item = &(State, u64)> {
        self.counts.iter().filter(|(state, count)| {
            *count > 0 || self.is_chosen(state) || !matches!(state, State::Withdrawing | State::Withdrawn)
        })
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
    fn is_chosen(&self, state: &State) -> bool {
        self.query.chosen() == Some(*state)
    }

    /// How many of the listed registrations failed.
    fn failed(&self) -> u64 {
        let shown = self.query.chosen().is_none_or(|state| state == State::Failed);
        let count = self.counts.iter().find(|(state, _)| *state == State::Failed);
        count.filter(|_| shown).map_or(0, |(_, count)| *count)
    }

    /// The text for screen readers; it is announced only when it differs.
    fn standing(&self) -> String {
        let said: Vec<String> = self
            .counts
            .iter()
            .filter(|(state, count)| *count > 0 && *state != State::Withdrawn)
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        said.join(", ")
    }
}

#[get("/registrations")]
pub(super) async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, query.into_inner(), None, None, StatusCode::OK).await
}

pub(super) async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    query: Query,
    open: Option<Open>,
    problem: Option<Problem>,
    status: StatusCode,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let counts = registry.registrations().counts(actor, query.filter()).await?;
    let place = query.place();
    let found = registry.registrations().list(actor, query.filter(), place.request(PAGE_SIZE)).await?;
    let Around { previous, next } = place.around(&found);
    let name = open.as_ref().map_or_else(|| "Registrations".to_owned(), Open::name);
    let title = if problem.is_some() { format!("Problem: {name}") } else { name };
    let beside = open.as_ref().map(|open| open.detail.registration.id);
    let link = |place: Place| query.with_place(place).address(beside);
    let page = ListPage {
        shell: Shell::of(request, signed_in, "registrations", title),
        all: counts.iter().filter(|(state, _)| *state != State::Withdrawn).map(|(_, count)| count).sum(),
        moving: open.as_ref().is_some_and(Open::moves)
            || counts.iter().any(|(state, count)| *count > 0 && labels::moves(*state)),
        previous: previous.map(link),
        next: next.map(link),
        first: place.first(PAGE_SIZE),
        orphans: registry.orphans().count_open(actor).await?,
        integrations: registry.dashboard().integration_names(actor).await?,
        workspaces: super::super::integrations::all_workspaces(signed_in).await?,
        may_operate: actor.can(Permission::OperateRegistrations),
        total: found.total_text(),
        items: found.items,
        now: registry.now(),
        query,
        counts,
        open,
        problem,
    };
    Ok(html(status, &page)?)
}

#[derive(Template)]
#[template(path = "pages/registrations_retried.html")]
struct RetriedPage {
    shell: Shell,
    retried: RetriedRegistrations,
    back: String,
}

/// Retries the failed registrations of the filtered list.
#[post("/registrations/retry")]
pub(super) async fn retry_failed(
    request: HttpRequest,
    signed_in: SignedInUser,
    form: web::Form<Query>,
) -> Result<HttpResponse, Failure> {
    let query = form.into_inner();
    // An unknown filter would select more registrations than are shown.
    query.check()?;
    let retried = signed_in.registry.registrations().retry_failed(&signed_in.actor, query.filter()).await?;
    // Retried registrations leave the list of failed ones.
    let back = query.with_state("").address(None);
    if retried.refused.is_empty() && !retried.more {
        let mark = if back.contains('?') { '&' } else { '?' };
        return Ok(go(format!("{back}{mark}done=retried-{}", retried.done)));
    }
    let shell = Shell::of(&request, &signed_in, "registrations", "Tried again");
    Ok(html(StatusCode::OK, &RetriedPage { shell, retried, back })?)
}
