//! Bulk actions on the integrations that are ticked in the list.

use super::copies::file;
use super::done::done_page;
use super::query::Query;
use super::reregister::{self, Form, FormTarget};
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, post, web};
use askama::Template;
use registry::{Error, Integration, IntegrationChange};
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::Deserialize;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(act);
}

/// The button.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Intent {
    Export,
    Enable,
    Disable,
    /// Re-registers those that failed; anything more is confirmed first.
    Reregister,
    /// Shows what a re-registration would replace, and changes nothing.
    #[serde(rename = "weigh")]
    DryRun,
}

#[derive(Template)]
#[template(path = "pages/integrations_disable.html")]
struct DisablePage {
    shell: Shell,
    integrations: Vec<Integration>,
    /// Deleted ones among them, each with the reason.
    refused: Vec<(String, String)>,
    /// Days until the clients of a disabled integration are withdrawn.
    kept: i64,
    /// The URL of the list.
    list: String,
}

impl DisablePage {
    fn servers(&self) -> u64 {
        self.integrations.iter().map(|one| one.counts.servers).sum()
    }
}

/// Maximum number of integrations in one form: the largest page of the list.
const MAX_INTEGRATIONS: usize = 1_000;
const TOO_MANY: &str = "These are more than 1,000 integrations. Choose fewer.";

#[post("/integrations")]
async fn act(
    request: HttpRequest,
    signed_in: SignedInUser,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let value = |wanted: &str| form.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let sure = value("sure").map_or(Ok(false), |word| crate::http::choice::ticked("sure", word))?;
    let intent: Intent = crate::http::choice::read("intent", value("intent").unwrap_or_default())?;
    let list = Query::of_address(value("list").unwrap_or_default());
    if form.iter().filter(|(name, _)| name == "one").count() > MAX_INTEGRATIONS {
        return Err(Failure::Request(StatusCode::UNPROCESSABLE_ENTITY, TOO_MANY));
    }
    let mut chosen = Vec::new();
    let mut refused = Vec::new();
    for (_, slug) in form.iter().filter(|(name, _)| name == "one") {
        match registry.integrations().get(actor, &Reference::parse(slug)).await {
            Ok(one) => chosen.push(one),
            // Deleted since the list was shown.
            Err(error @ Error::NotFound { .. }) => refused.push((slug.clone(), error.to_string())),
            Err(error) => return Err(error.into()),
        }
    }
    if chosen.is_empty() && refused.is_empty() {
        return Ok(go(list.after("nothing")));
    }
    match intent {
        Intent::Export => {
            let these: Vec<Reference> = chosen.iter().map(|one| one.id.into()).collect();
            Ok(file("integrations", registry.integrations().export_these(actor, &these).await?))
        }
        Intent::Disable if !sure => {
            actor.require(Permission::UpdateIntegrations)?;
            let page = DisablePage {
                shell: Shell::of(&request, &signed_in, "integrations", "Disable integrations"),
                integrations: chosen,
                refused,
                kept: registry.settings().life.withdraw_after.num_days(),
                list: list.here(),
            };
            Ok(html(StatusCode::OK, &page)?)
        }
        Intent::Enable => switch_all(&request, &signed_in, true, (chosen, refused), &list).await,
        Intent::Disable => switch_all(&request, &signed_in, false, (chosen, refused), &list).await,
        Intent::DryRun => {
            reregister::ask(
                &request,
                &signed_in,
                (chosen, refused),
                &Form::failed(),
                FormTarget::of_list(&list),
            )
            .await
        }
        Intent::Reregister => {
            let form = Form::read(&form)?;
            let form = if form.is_sure() { form } else { Form::failed() };
            reregister::act(&request, &signed_in, (chosen, refused), &form, FormTarget::of_list(&list)).await
        }
    }
}

/// Enables or disables each integration that is not so yet; a refusal of one does not stop the others.
async fn switch_all(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    enabled: bool,
    (chosen, mut refused): (Vec<Integration>, Vec<(String, String)>),
    list: &Query,
) -> Result<HttpResponse, Failure> {
    signed_in.actor.require(Permission::UpdateIntegrations)?;
    let (mut done, mut changed) = (Vec::new(), 0);
    for one in chosen {
        match switch(signed_in, &one, enabled).await {
            Ok(count) => {
                changed += count;
                done.push(one);
            }
            // No other integration would succeed either.
            Err(error @ (Error::Internal(_) | Error::Unauthenticated(_))) => return Err(error.into()),
            Err(error) => refused.push((one.name, error.to_string())),
        }
    }
    let (word, heading) =
        if enabled { ("enabled", "Enable integrations") } else { ("disabled", "Disable integrations") };
    if refused.is_empty() {
        return Ok(go(list.after(&format!("{word}-{changed}"))));
    }
    done_page(request, signed_in, heading, done, refused, list.here())
}

/// Enables or disables an integration and returns how many that changed: 0 or 1.
pub(super) async fn switch(signed_in: &SignedInUser, one: &Integration, enabled: bool) -> Result<u64, Error> {
    signed_in.actor.require(Permission::UpdateIntegrations)?;
    if one.enabled == enabled {
        return Ok(0);
    }
    let change = IntegrationChange { enabled: Some(enabled), ..IntegrationChange::default() };
    signed_in.registry.integrations().update(&signed_in.actor, &one.id.into(), change, None).await?;
    Ok(1)
}
