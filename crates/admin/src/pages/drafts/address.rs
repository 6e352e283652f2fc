//! Step 1: the URL of the server, and its name here. Also the list of the user's drafts.

use super::{Problem, Wizard, host, onwards, open, step_page};
use crate::http::choice::known;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Draft, DraftAddress, DraftStep, Error, PageRequest};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use registry_core::id::DraftId;
use registry_core::registration::Transport;
use registry_core::slug::Reference;
use serde::Deserialize;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(begin).service(create).service(show).service(submit);
}

#[derive(Template)]
#[template(path = "pages/drafts/address.html")]
struct Page {
    shell: Shell,
    wizard: Wizard,
    form: Form,
    /// The name and slug that are used when the fields are empty.
    proposed: Option<(String, String)>,
    /// The signed-in user's other drafts.
    drafts: Vec<Draft>,
    now: Timestamp,
}

impl Page {
    /// The URL that the form is sent to.
    fn action(&self) -> String {
        if self.wizard.base.is_some() { self.wizard.link("url") } else { "/ui/integrations/new".to_owned() }
    }

    #[expect(clippy::unused_self, reason = "called from the template")]
    fn host(&self, draft: &Draft) -> String {
        host(&draft.url)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    url: String,
    name: String,
    slug: String,
    transport: String,
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
    /// Uses the URL that the server itself names.
    Use,
}

impl Form {
    fn of(draft: &Draft) -> Self {
        Self {
            url: draft.url.clone(),
            name: draft.name.clone(),
            slug: draft.slug.to_string(),
            transport: draft.transport.as_str().to_owned(),
            intent: Intent::Go,
        }
    }

    fn address(&self) -> Result<DraftAddress, Failure> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        // A form without this field means the default.
        let transport = match self.transport.trim() {
            "" => Transport::Http,
            word => known("transport", Transport::parse(word))?,
        };
        Ok(DraftAddress {
            url: self.url.trim().to_owned(),
            name: given(&self.name),
            slug: given(&self.slug),
            transport,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    url: String,
}

#[get("/integrations/new")]
async fn begin(
    request: HttpRequest,
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let form = Form { url: query.into_inner().url, ..Form::default() };
    render(&request, &signed_in, None, form, Vec::new()).await
}

#[post("/integrations/new")]
async fn create(
    request: HttpRequest,
    signed_in: SignedInUser,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let form = form.into_inner();
    let draft = match signed_in.registry.drafts().create(&signed_in.actor, form.address()?).await {
        Ok(draft) => draft,
        Err(error) => {
            let problems = problems(&signed_in, &form, error).await?;
            return render(&request, &signed_in, None, form, problems).await;
        }
    };
    if form.intent != Intent::Draft {
        check(&signed_in, draft.id).await?;
    }
    Ok(onwards(form.intent == Intent::Draft, draft.id, DraftStep::Check))
}

#[get("/drafts/{draft}/url")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<DraftId>,
) -> Result<HttpResponse, Failure> {
    match open(&signed_in, &path).await? {
        Ok(draft) => {
            let form = Form::of(&draft);
            render(&request, &signed_in, Some(&draft), form, Vec::new()).await
        }
        Err(elsewhere) => Ok(elsewhere),
    }
}

#[post("/drafts/{draft}/url")]
async fn submit(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<DraftId>,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let draft = match open(&signed_in, &path).await? {
        Ok(draft) => draft,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let mut form = form.into_inner();
    if form.intent == Intent::Use {
        // Uses the URL that the server itself names; everything else stays.
        form = Form { url: form.url, ..Form::of(&draft) };
    }
    // The slug of the draft itself is not taken.
    let kept =
        match signed_in.registry.drafts().set_address(&signed_in.actor, draft.id, form.address()?).await {
            Ok(kept) => kept,
            Err(error) => {
                let problems = problems(&signed_in, &form, error).await?;
                return render(&request, &signed_in, Some(&draft), form, problems).await;
            }
        };
    if form.intent != Intent::Draft && kept.draft.examination.is_none() {
        check(&signed_in, draft.id).await?;
    }
    if !kept.findings.is_empty() && form.intent != Intent::Draft {
        return Ok(go(format!("{}?done=forgotten", step_page(draft.id, DraftStep::Check))));
    }
    Ok(onwards(form.intent == Intent::Draft, draft.id, DraftStep::Check))
}

/// Checks the server. The rate limit of checks is no reason to stay here: the next page shows that nothing is known yet.
async fn check(signed_in: &SignedInUser, id: DraftId) -> Result<(), Failure> {
    match signed_in.registry.drafts().probe(&signed_in.actor, id).await {
        Ok(_) | Err(Error::TooSoon { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The refusals by field; any other error is a failure.
async fn problems(signed_in: &SignedInUser, form: &Form, error: Error) -> Result<Vec<Problem>, Failure> {
    let field = |pointer: &str| pointer.trim_start_matches('/').to_owned();
    let findings = match error {
        Error::Invalid(findings) => findings.0,
        Error::Conflict { code, message, pointer } => {
            let mut problem = Problem::of(Finding::error(pointer.unwrap_or("/slug"), code, message), field);
            let taken = signed_in
                .registry
                .integrations()
                .get(&signed_in.actor, &Reference::parse(form.slug.trim()))
                .await;
            problem.more = taken
                .ok()
                .map(|one| (format!("/ui/integrations/{}", one.slug), "Open the integration that has it"));
            return Ok(vec![problem]);
        }
        other => return Err(other.into()),
    };
    Ok(findings.into_iter().map(|finding| Problem::of(finding, field)).collect())
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    draft: Option<&Draft>,
    form: Form,
    problems: Vec<Problem>,
) -> Result<HttpResponse, Failure> {
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let wizard = match draft {
        Some(draft) => Wizard::of(draft, DraftStep::Url, problems),
        None => Wizard::empty(problems),
    };
    let proposed = registry.drafts().propose_names(actor, &form.url).await?;
    let drafts = match draft {
        Some(_) => Vec::new(),
        None => registry.drafts().list(actor, PageRequest::new(0, 20)).await?.items,
    };
    let page = Page {
        shell: Shell::of(request, signed_in, "integrations", wizard.title("server URL")),
        wizard,
        proposed: proposed.map(|(name, slug)| (name, slug.to_string())),
        drafts,
        now: registry.now(),
        form,
    };
    Ok(html(status, &page)?)
}
