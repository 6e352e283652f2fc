//! What can be done to several integrations at once: those that are ticked in the list.

use super::copies::file;
use super::query::Query;
use crate::failure::Failure;
use crate::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, post, web};
use askama::Template;
use registry::{Error, Integration, IntegrationChange, Which};
use registry_core::permission::Permission;
use registry_core::slug::Reference;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(act);
}

/// What is done to each.
#[derive(Clone, Copy)]
enum Deed {
    Reregister,
    Enable,
    Disable,
}

#[derive(Template)]
#[template(path = "pages/integrations_disable.html")]
struct DisablePage {
    shell: Shell,
    integrations: Vec<Integration>,
    /// Those of them that are no more, each with the reason.
    refused: Vec<(String, String)>,
    /// Days until the clients of a disabled integration are withdrawn.
    kept: i64,
    /// The address of the list they were ticked in.
    list: String,
}

impl DisablePage {
    fn servers(&self) -> u64 {
        self.integrations.iter().map(|one| one.counts.servers).sum()
    }
}

#[derive(Template)]
#[template(path = "pages/integrations_done.html")]
struct DonePage {
    shell: Shell,
    heading: &'static str,
    done: Vec<Integration>,
    /// Their names, each with the reason.
    refused: Vec<(String, String)>,
    /// The address of the list they were ticked in.
    list: String,
}

/// The most integrations that one form is about: as many as one list shows.
const MOST: usize = 1_000;
const TOO_MANY: &str = "These are more than 1,000 integrations. Choose fewer.";

#[post("/integrations")]
async fn act(
    request: HttpRequest,
    visitor: Visitor,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&visitor.registry, &visitor.actor);
    let value = |wanted: &str| form.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let list = Query::of_address(value("list").unwrap_or_default());
    if form.iter().filter(|(name, _)| name == "one").count() > MOST {
        return Err(Failure::Request(StatusCode::UNPROCESSABLE_ENTITY, TOO_MANY));
    }
    let mut chosen = Vec::new();
    let mut refused = Vec::new();
    for (_, slug) in form.iter().filter(|(name, _)| name == "one") {
        match registry.integration(actor, &Reference::parse(slug)).await {
            Ok(one) => chosen.push(one),
            // Deleted since the list was shown.
            Err(error @ Error::NotFound { .. }) => refused.push((slug.clone(), error.to_string())),
            Err(error) => return Err(error.into()),
        }
    }
    let deed = match value("intent") {
        _ if chosen.is_empty() && refused.is_empty() => return Ok(go(list.after("nothing"))),
        Some("export") => {
            let these: Vec<Reference> = chosen.iter().map(|one| one.id.into()).collect();
            return Ok(file("integrations", registry.export_these_integrations(actor, &these).await?));
        }
        Some("disable") if value("sure").is_none() => {
            actor.require(Permission::UpdateIntegrations)?;
            let page = DisablePage {
                shell: Shell::of(&request, &visitor, "integrations", "Disable integrations"),
                integrations: chosen,
                refused,
                kept: registry.settings().life.withdraw_after.num_days(),
                list: list.here(),
            };
            return Ok(html(StatusCode::OK, &page)?);
        }
        Some("disable") => Deed::Disable,
        Some("enable") => Deed::Enable,
        Some("reregister") => Deed::Reregister,
        _ => return Ok(go(list.after("nothing"))),
    };
    carry_out(&request, &visitor, deed, (chosen, refused), &list).await
}

/// Does it to each that it makes a difference for; one that is refused does not keep it from the others.
async fn carry_out(
    request: &HttpRequest,
    visitor: &Visitor,
    deed: Deed,
    (chosen, mut refused): (Vec<Integration>, Vec<(String, String)>),
    list: &Query,
) -> Result<HttpResponse, Failure> {
    visitor.actor.require(Permission::UpdateIntegrations)?;
    let (mut done, mut changed) = (Vec::new(), 0);
    for one in chosen {
        let outcome = match deed {
            Deed::Reregister if one.enabled && one.counts.attention > 0 => {
                visitor.registry.reregister_integration(&visitor.actor, &one.id.into(), Which::Troubled).await
            }
            Deed::Reregister => Ok(0),
            Deed::Enable | Deed::Disable => switch(visitor, &one, matches!(deed, Deed::Enable)).await,
        };
        match outcome {
            Ok(count) => {
                changed += count;
                done.push(one);
            }
            // Nothing else will fare better than this one.
            Err(error @ (Error::Internal(_) | Error::Unauthenticated(_))) => return Err(error.into()),
            Err(error) => refused.push((one.name, error.to_string())),
        }
    }
    let (word, heading) = match deed {
        Deed::Reregister => ("queued", "Re-register integrations"),
        Deed::Enable => ("enabled", "Enable integrations"),
        Deed::Disable => ("disabled", "Disable integrations"),
    };
    if refused.is_empty() {
        return Ok(go(list.after(&format!("{word}-{changed}"))));
    }
    let shell = Shell::of(request, visitor, "integrations", format!("Problem: {}", heading.to_lowercase()));
    let list = list.here();
    Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &DonePage { shell, heading, done, refused, list })?)
}

/// Switches an integration on or off and says how many that changed: 0 or 1.
pub(super) async fn switch(visitor: &Visitor, one: &Integration, enabled: bool) -> Result<u64, Error> {
    visitor.actor.require(Permission::UpdateIntegrations)?;
    if one.enabled == enabled {
        return Ok(0);
    }
    let change = IntegrationChange { enabled: Some(enabled), ..IntegrationChange::default() };
    visitor.registry.update_integration(&visitor.actor, &one.id.into(), change, None).await?;
    Ok(1)
}
