//! New clients for registrations of one or more integrations: the cost is shown first, and only what the button
//! names is done without a confirmation.

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

/// Groups of registrations that can be selected.
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

/// The form. Checkboxes of one name may occur several times.
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

    /// The button "failed": the group it names, without a confirmation.
    pub(super) fn failed() -> Self {
        Self { which: vec![Which::Failed], ..Self::default() }
    }

    pub(super) fn is_sure(&self) -> bool {
        self.sure
    }
}

/// One group with its cost, over all integrations.
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

    /// The integrations that have registrations in this group.
    fn parts(&self) -> impl Iterator<Item = &(Integration, Reregistration)> {
        self.all.iter().filter(|(_, found)| found.queued > 0)
    }

    /// The counts that the page showed, so that nothing else is confirmed.
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
    /// Integrations that cannot be re-registered, each with the reason.
    refused: Vec<(String, String)>,
    /// Why the page is shown again.
    problem: Option<&'static str>,
    /// The URL that the form is sent to.
    action: String,
    /// The URL of the previous page.
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

/// The URLs of a form.
pub(super) struct FormTarget {
    /// The URL that the form is sent to.
    pub(super) action: String,
    /// The URL of the previous page.
    pub(super) back: String,
}

#[get("/integrations/{integration}/re-register")]
async fn confirm(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let one = signed_in.registry.integrations().get(&signed_in.actor, &Reference::parse(&path)).await?;
    let target = FormTarget::of(&one);
    ask(&request, &signed_in, (vec![one], Vec::new()), &Form::failed(), target).await
}

#[post("/integrations/{integration}/re-register")]
async fn submit(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    pairs: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let form = Form::read(&pairs)?;
    // Without a group: the button "failed".
    let form = if form.which.is_empty() && !form.sure { Form::failed() } else { form };
    let one = signed_in.registry.integrations().get(&signed_in.actor, &Reference::parse(&path)).await?;
    let target = FormTarget::of(&one);
    act(&request, &signed_in, (vec![one], Vec::new()), &form, target).await
}

impl FormTarget {
    fn of(one: &Integration) -> Self {
        let back = format!("/ui/integrations/{}", one.slug);
        Self { action: format!("{back}/re-register"), back }
    }

    /// The list with its filters.
    pub(super) fn of_list(list: &Query) -> Self {
        Self { action: "/ui/integrations".to_owned(), back: list.here() }
    }

    fn after(&self, done: &str) -> String {
        let mark = if self.back.contains('?') { '&' } else { '?' };
        format!("{}{mark}done={done}", self.back)
    }
}

/// Integrations, and the names of deleted ones, each with the reason.
type Chosen = (Vec<Integration>, Vec<(String, String)>);

/// The page with the cost of each group.
pub(super) async fn ask(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    chosen: Chosen,
    form: &Form,
    target: FormTarget,
) -> Result<HttpResponse, Failure> {
    let preview = dry_run(signed_in, chosen, form).await?;
    page(request, signed_in, preview, target, None)
}

/// The selected integrations, with the cost of each group.
struct Preview {
    integrations: Vec<Integration>,
    groups: Vec<Group>,
    refused: Vec<(String, String)>,
}

async fn dry_run(
    signed_in: &SignedInUser,
    (chosen, mut refused): Chosen,
    form: &Form,
) -> Result<Preview, Failure> {
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
    Ok(Preview { integrations: chosen, groups, refused })
}

fn page(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    preview: Preview,
    FormTarget { action, back }: FormTarget,
    problem: Option<(StatusCode, &'static str)>,
) -> Result<HttpResponse, Failure> {
    let (status, problem) = problem.map_or((StatusCode::OK, None), |(status, why)| (status, Some(why)));
    let title = if problem.is_some() { "Problem: re-register" } else { "Re-register" };
    let Preview { integrations, groups, refused } = preview;
    let shell = Shell::of(request, signed_in, "integrations", title);
    let page = Page { shell, integrations, groups, refused, problem, action, back };
    Ok(html(status, &page)?)
}

/// Re-registers the selected groups. Registrations whose users must sign in again or that may orphan a client need
/// a confirmation, and a second one when the counts changed since the page was shown.
pub(super) async fn act(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    chosen: Chosen,
    form: &Form,
    target: FormTarget,
) -> Result<HttpResponse, Failure> {
    let preview = dry_run(signed_in, chosen, form).await?;
    if form.sure && form.which.is_empty() {
        let problem =
            (StatusCode::UNPROCESSABLE_ENTITY, "Nothing is ticked. Tick what gets a new client, or go back.");
        return page(request, signed_in, preview, target, Some(problem));
    }
    let ticked = || preview.groups.iter().filter(|group| group.ticked);
    let is_seen = |group: &Group| form.seen.contains(&group.seen());
    if form.sure && !ticked().all(is_seen) {
        let problem = (
            StatusCode::CONFLICT,
            "The registrations changed since this page was shown. Nothing was done: look at the counts again.",
        );
        return page(request, signed_in, preview, target, Some(problem));
    }
    if !form.sure && (ticked().any(Group::hurts) || !preview.refused.is_empty()) {
        return page(request, signed_in, preview, target, None);
    }
    let mut queued = 0;
    let mut refused = preview.refused.clone();
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
        return Ok(go(target.after(&format!("queued-{queued}"))));
    }
    let done = preview.integrations.iter().filter(|one| refused.iter().all(|(name, _)| *name != one.name));
    let done = done.cloned().collect();
    super::done::done_page(request, signed_in, "Re-register integrations", done, refused, target.back)
}
