//! Registrations: counters, list, one with its attempts, and what a person can do.

use crate::failure::Failure;
use crate::session::Visitor;
use crate::view::{self, Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{PageRequest, Registration, RegistrationDetail, RegistrationFilter};
use registry_core::clock::Timestamp;
use registry_core::id::RegistrationId;
use registry_core::permission::Permission;
use registry_core::registration::State;
use serde::Deserialize;

/// Its addresses.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(confirm)
        .service(retry)
        .service(reregister)
        .service(approve)
        .service(skip)
        .service(withdraw)
        .service(show);
}

const SIZE: u64 = 50;

#[derive(Template)]
#[template(path = "pages/registrations.html")]
struct ListPage {
    shell: Shell,
    q: String,
    chosen: Option<State>,
    counts: Vec<(State, u64)>,
    all: u64,
    /// Number of the first row.
    first: u64,
    items: Vec<Registration>,
    total: u64,
    moving: bool,
    /// Entries of the orphan ledger that wait for somebody.
    orphans: u64,
    now: Timestamp,
    previous: Option<String>,
    next: Option<String>,
}

impl ListPage {
    /// The list in another state, with the same search.
    fn link(&self, state: &str) -> String {
        address(&self.q, state, 0)
    }

    /// What the rows of this page are, "51–100".
    fn range(&self) -> String {
        let last = self.first + u64::try_from(self.items.len()).unwrap_or_default() - 1;
        if last > self.first { format!("{}–{last}", self.first) } else { self.first.to_string() }
    }

    /// Counters worth a tile: those of rare states only while there are any.
    fn tiles(&self) -> impl Iterator<Item = &(State, u64)> {
        self.counts.iter().filter(|(state, count)| {
            *count > 0 || self.is_chosen(state) || !matches!(state, State::Withdrawing | State::Withdrawn)
        })
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
    fn is_chosen(&self, state: &State) -> bool {
        self.chosen == Some(*state)
    }
}

#[derive(Debug, Default, Deserialize)]
struct Query {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    page: u64,
}

#[get("/registrations")]
async fn list(
    request: HttpRequest,
    visitor: Visitor,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let chosen = State::parse(&query.state);
    let filter = RegistrationFilter {
        states: chosen.into_iter().collect(),
        search: Some(query.q.clone()).filter(|text| !text.is_empty()),
        ..RegistrationFilter::default()
    };
    let (registry, actor) = (&visitor.registry, &visitor.actor);
    let counts = registry.registration_counts(actor, filter.clone()).await?;
    let wanted = PageRequest::new(query.page, SIZE);
    let found = registry.registrations(actor, filter, wanted).await?;
    let link = |page: u64| address(&query.q, &query.state, page);
    let page = ListPage {
        shell: Shell::of(&request, &visitor, "registrations", "Registrations"),
        all: counts.iter().filter(|(state, _)| *state != State::Withdrawn).map(|(_, count)| count).sum(),
        moving: counts.iter().any(|(state, count)| {
            *count > 0
                && matches!(state, State::Queued | State::Registering | State::Retrying | State::Withdrawing)
        }),
        previous: query.page.checked_sub(1).map(link),
        next: found.has_more(wanted).then(|| link(query.page + 1)),
        first: query.page.saturating_mul(SIZE).saturating_add(1),
        q: query.q.clone(),
        orphans: registry.open_orphans(actor).await?,
        items: found.items,
        total: found.total,
        now: registry.now(),
        chosen,
        counts,
    };
    Ok(html(StatusCode::OK, &page)?)
}

/// The address of the list.
fn address(search: &str, state: &str, page: u64) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("q", search), ("state", state)] {
        if !value.is_empty() {
            pairs.append_pair(name, value);
        }
    }
    if page > 0 {
        pairs.append_pair("page", &page.to_string());
    }
    format!("/ui/registrations?{}", pairs.finish())
}

#[derive(Template)]
#[template(path = "pages/registration.html")]
struct DetailPage {
    shell: Shell,
    detail: RegistrationDetail,
    may_operate: bool,
    now: Timestamp,
}

impl DetailPage {
    fn sentence(&self) -> String {
        let registration = &self.detail.registration;
        if let Some(detail) = &registration.detail {
            return detail.clone();
        }
        match registration.state {
            State::Registered => "A client is registered and ready for the gateways.".to_owned(),
            State::Queued => "Waits for a worker.".to_owned(),
            State::Registering => "Discovery or a request is under way.".to_owned(),
            State::Withdrawing => "The client is being deleted at the authorization server.".to_owned(),
            other => view::capital(other.as_str()),
        }
    }

    /// How the sentence is coloured.
    fn grade(&self) -> &'static str {
        view::state_look(&self.detail.registration.state).0
    }

    /// Whether there is anything to try: the client of a deleted server stays withdrawn.
    fn can_operate(&self) -> bool {
        !self.detail.registration.server_deleted
    }

    fn is_outdated(&self) -> bool {
        self.detail.registration.state == State::Outdated
    }

    fn moving(&self) -> bool {
        matches!(
            self.detail.registration.state,
            State::Queued | State::Registering | State::Retrying | State::Withdrawing
        )
    }
}

#[get("/registrations/{registration}")]
async fn show(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<RegistrationId>,
) -> Result<HttpResponse, Failure> {
    let detail = visitor.registry.registration(&visitor.actor, *path).await?;
    let registration = &detail.registration;
    let title = format!("{} / {}", registration.workspace.slug, registration.server_slug);
    let page = DetailPage {
        shell: Shell::of(&request, &visitor, "registrations", title),
        may_operate: visitor.actor.can(Permission::OperateRegistrations),
        now: visitor.registry.now(),
        detail,
    };
    Ok(html(StatusCode::OK, &page)?)
}

/// Something that is asked once more before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Action {
    /// Make a new client although there is one.
    ReRegister,
    /// Agree that an outdated client is replaced.
    Approve,
    /// Delete the client although the server stays.
    Withdraw,
}

impl Action {
    fn verb(self) -> &'static str {
        match self {
            Self::ReRegister => "Re-register",
            Self::Approve => "Approve",
            Self::Withdraw => "Withdraw",
        }
    }

    fn question(self) -> &'static str {
        match self {
            Self::ReRegister => "Register a new client?",
            Self::Approve => "Replace the client?",
            Self::Withdraw => "Withdraw the client?",
        }
    }
}

#[derive(Template)]
#[template(path = "pages/registration_confirm.html")]
struct ConfirmPage {
    shell: Shell,
    registration: Registration,
    action: Action,
}

#[get("/registrations/{registration}/{action:re-register|approve|withdraw}")]
async fn confirm(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<(RegistrationId, Action)>,
) -> Result<HttpResponse, Failure> {
    let (id, action) = path.into_inner();
    let detail = visitor.registry.registration(&visitor.actor, id).await?;
    let shell = Shell::of(&request, &visitor, "registrations", action.verb());
    Ok(html(StatusCode::OK, &ConfirmPage { shell, registration: detail.registration, action })?)
}

#[post("/registrations/{registration}/retry")]
async fn retry(visitor: Visitor, path: web::Path<RegistrationId>) -> Result<HttpResponse, Failure> {
    visitor.registry.retry_registration(&visitor.actor, *path).await?;
    Ok(go(format!("/ui/registrations/{path}?done=retry")))
}

#[post("/registrations/{registration}/re-register")]
async fn reregister(visitor: Visitor, path: web::Path<RegistrationId>) -> Result<HttpResponse, Failure> {
    visitor.registry.reregister(&visitor.actor, *path).await?;
    Ok(go(format!("/ui/registrations/{path}?done=reregister")))
}

#[post("/registrations/{registration}/approve")]
async fn approve(visitor: Visitor, path: web::Path<RegistrationId>) -> Result<HttpResponse, Failure> {
    visitor.registry.approve_registration(&visitor.actor, *path).await?;
    Ok(go(format!("/ui/registrations/{path}?done=approve")))
}

#[post("/registrations/{registration}/skip")]
async fn skip(visitor: Visitor, path: web::Path<RegistrationId>) -> Result<HttpResponse, Failure> {
    visitor.registry.skip_registration(&visitor.actor, *path).await?;
    Ok(go(format!("/ui/registrations/{path}?done=skip")))
}

#[post("/registrations/{registration}/withdraw")]
async fn withdraw(visitor: Visitor, path: web::Path<RegistrationId>) -> Result<HttpResponse, Failure> {
    visitor.registry.withdraw_registration(&visitor.actor, *path).await?;
    Ok(go(format!("/ui/registrations/{path}?done=withdraw")))
}
