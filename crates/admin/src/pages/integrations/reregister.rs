//! New clients for registrations of one integration or of several: what that costs is shown first, and only what the button
//! says is done without a question.

use super::query::Query;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Error, Integration, ReregisterScope, Reregistration};
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::Deserialize;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(confirm).service(submit);
}

/// Registrations that can be chosen as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Which {
    Failed,
    Outdated,
    Unconfirmed,
}

impl Which {
    const ALL: [Self; 3] = [Self::Failed, Self::Outdated, Self::Unconfirmed];

    fn scope(self) -> ReregisterScope {
        match self {
            Self::Failed => ReregisterScope::Failed,
            Self::Outdated => ReregisterScope::Outdated,
            Self::Unconfirmed => ReregisterScope::Unconfirmed,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Outdated => "outdated",
            Self::Unconfirmed => "unconfirmed",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Failed => "Failed",
            Self::Outdated => "Outdated",
            Self::Unconfirmed => "Unconfirmed",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Failed => "The last try was refused. Nothing changes until a user tries again.",
            Self::Outdated => "Their clients work, but with older metadata.",
            Self::Unconfirmed => {
                "The last request had no answer. It may have created a client that this registry does not know; sending it again may create another one."
            }
        }
    }
}

/// What the form says. Boxes of one name may be there several times.
#[derive(Debug, Default)]
pub(super) struct Form {
    which: Vec<Which>,
    /// The consequences that the page showed, as [`Group::seen`].
    seen: Vec<String>,
    sure: bool,
}

impl Form {
    pub(super) fn read(pairs: &[(String, String)]) -> Result<Self, Failure> {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "which" => form.which.push(crate::http::choice::read("which", value)?),
                "seen" => form.seen.push(value.clone()),
                "sure" => form.sure = crate::http::choice::ticked("sure", value)?,
                _ => {}
            }
        }
        Ok(form)
    }

    /// The button that says "failed": what it names, and no answer to a question yet.
    pub(super) fn failed() -> Self {
        Self { which: vec![Which::Failed], ..Self::default() }
    }

    pub(super) fn is_sure(&self) -> bool {
        self.sure
    }
}

/// One choice with what it costs, over all integrations.
#[derive(Clone)]
struct Group {
    which: Which,
    ticked: bool,
    all: Vec<(Integration, Reregistration)>,
}

impl Group {
    fn sum(&self, of: impl Fn(&Reregistration) -> u64) -> u64 {
        self.all.iter().map(|(_, found)| of(found)).sum()
    }

    fn queued(&self) -> u64 {
        self.sum(|found| found.queued)
    }

    fn nobody(&self) -> u64 {
        self.sum(|found| found.nobody_notices)
    }

    fn users(&self) -> u64 {
        self.sum(|found| found.users_sign_in_again)
    }

    fn clients(&self) -> u64 {
        self.sum(|found| found.may_leave_client)
    }

    fn hurts(&self) -> bool {
        self.users() + self.clients() > 0
    }

    /// The integrations that have some.
    fn parts(&self) -> impl Iterator<Item = &(Integration, Reregistration)> {
        self.all.iter().filter(|(_, found)| found.queued > 0)
    }

    /// What the page shows of it, so that nothing else is agreed to.
    fn seen(&self) -> String {
        let counts = [self.queued(), self.users(), self.clients()];
        format!("{}:{}", self.which.word(), counts.map(|count| count.to_string()).join(":"))
    }
}

#[derive(Template)]
#[template(path = "pages/reregister.html")]
struct Page {
    shell: Shell,
    integrations: Vec<Integration>,
    groups: Vec<Group>,
    /// Integrations of which nothing is registered, each with the reason.
    refused: Vec<(String, String)>,
    /// Why the page is shown again.
    problem: Option<&'static str>,
    /// Where the form goes.
    action: String,
    /// Where one goes back to.
    back: String,
}

impl Page {
    fn nothing(&self) -> bool {
        self.groups.iter().all(|group| group.queued() == 0)
    }

    fn of(&self) -> String {
        match self.integrations.as_slice() {
            [one] => one.name.clone(),
            several => format!("{} integrations", several.len()),
        }
    }
}

/// Where a form came from and goes.
pub(super) struct Way {
    /// Where it is sent.
    pub(super) action: String,
    /// Where one goes back to.
    pub(super) back: String,
}

#[get("/integrations/{integration}/re-register")]
async fn confirm(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let one = signed_in.registry.integrations().get(&signed_in.actor, &Reference::parse(&path)).await?;
    let way = Way::of(&one);
    ask(&request, &signed_in, (vec![one], Vec::new()), &Form::failed(), way).await
}

#[post("/integrations/{integration}/re-register")]
async fn submit(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    pairs: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let form = Form::read(&pairs)?;
    // Without a word about which: the button that says "failed".
    let form = if form.which.is_empty() && !form.sure { Form::failed() } else { form };
    let one = signed_in.registry.integrations().get(&signed_in.actor, &Reference::parse(&path)).await?;
    let way = Way::of(&one);
    act(&request, &signed_in, (vec![one], Vec::new()), &form, way).await
}

impl Way {
    fn of(one: &Integration) -> Self {
        let back = format!("/ui/integrations/{}", one.slug);
        Self { action: format!("{back}/re-register"), back }
    }

    /// The list as it was.
    pub(super) fn of_list(list: &Query) -> Self {
        Self { action: "/ui/integrations".to_owned(), back: list.here() }
    }

    fn after(&self, done: &str) -> String {
        let mark = if self.back.contains('?') { '&' } else { '?' };
        format!("{}{mark}done={done}", self.back)
    }
}

/// Integrations, and names of those that are no more, each with the reason.
type Chosen = (Vec<Integration>, Vec<(String, String)>);

/// Shows what each choice costs.
pub(super) async fn ask(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    chosen: Chosen,
    form: &Form,
    way: Way,
) -> Result<HttpResponse, Failure> {
    let weighed = weigh(signed_in, chosen, form).await?;
    page(request, signed_in, weighed, way, None)
}

/// What was chosen, with what each choice costs.
struct Weighed {
    integrations: Vec<Integration>,
    groups: Vec<Group>,
    refused: Vec<(String, String)>,
}

async fn weigh(
    signed_in: &SignedInUser,
    (chosen, mut refused): Chosen,
    form: &Form,
) -> Result<Weighed, Failure> {
    signed_in.actor.require(Permission::OperateRegistrations)?;
    let group = |which| Group { which, ticked: form.which.contains(&which), all: Vec::new() };
    let mut groups = Which::ALL.map(group).to_vec();
    'integrations: for one in &chosen {
        for group in &mut groups {
            let found = signed_in
                .registry
                .registrations()
                .dry_run_reregistration(&signed_in.actor, &one.id.into(), group.which.scope())
                .await;
            match found {
                Ok(found) => group.all.push((one.clone(), found)),
                Err(error @ (Error::Conflict { .. } | Error::NotFound { .. })) => {
                    refused.push((one.name.clone(), error.to_string()));
                    continue 'integrations;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(Weighed { integrations: chosen, groups, refused })
}

fn page(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    weighed: Weighed,
    Way { action, back }: Way,
    problem: Option<(StatusCode, &'static str)>,
) -> Result<HttpResponse, Failure> {
    let (status, problem) = problem.map_or((StatusCode::OK, None), |(status, why)| (status, Some(why)));
    let title = if problem.is_some() { "Problem: re-register" } else { "Re-register" };
    let Weighed { integrations, groups, refused } = weighed;
    let shell = Shell::of(request, signed_in, "integrations", title);
    let page = Page { shell, integrations, groups, refused, problem, action, back };
    Ok(html(status, &page)?)
}

/// Does what was chosen. What makes users sign in again or may leave a client behind is asked about first, and asked again
/// when it is not what the page showed.
pub(super) async fn act(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    chosen: Chosen,
    form: &Form,
    way: Way,
) -> Result<HttpResponse, Failure> {
    let weighed = weigh(signed_in, chosen, form).await?;
    if form.sure && form.which.is_empty() {
        let problem =
            (StatusCode::UNPROCESSABLE_ENTITY, "Nothing is ticked. Tick what gets a new client, or go back.");
        return page(request, signed_in, weighed, way, Some(problem));
    }
    let ticked = || weighed.groups.iter().filter(|group| group.ticked);
    let is_seen = |group: &Group| form.seen.contains(&group.seen());
    if form.sure && !ticked().all(is_seen) {
        let problem = (
            StatusCode::CONFLICT,
            "The registrations changed since this page was shown. Nothing was done: look at the counts again.",
        );
        return page(request, signed_in, weighed, way, Some(problem));
    }
    if !form.sure && (ticked().any(Group::hurts) || !weighed.refused.is_empty()) {
        return page(request, signed_in, weighed, way, None);
    }
    let mut queued = 0;
    let mut refused = weighed.refused.clone();
    for group in ticked() {
        for (one, found) in group.parts() {
            let confirmed = Some(found.to_confirm());
            let done = signed_in
                .registry
                .registrations()
                .reregister_integration(&signed_in.actor, &one.id.into(), group.which.scope(), confirmed)
                .await;
            match done {
                Ok(done) => queued += done.queued,
                Err(error @ (Error::Internal(_) | Error::Unauthenticated(_))) => return Err(error.into()),
                Err(error) => refused.push((one.name.clone(), error.to_string())),
            }
        }
    }
    if refused.is_empty() {
        return Ok(go(way.after(&format!("queued-{queued}"))));
    }
    let done = weighed.integrations.iter().filter(|one| refused.iter().all(|(name, _)| *name != one.name));
    let done = done.cloned().collect();
    super::done::done_page(request, signed_in, "Re-register integrations", done, refused, way.back)
}
