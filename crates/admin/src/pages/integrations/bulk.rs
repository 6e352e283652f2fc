//! What can be done to several integrations at once: those that are ticked in the list.

use super::copies::file;
use crate::failure::Failure;
use crate::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, post, web};
use askama::Template;
use registry::{Error, Integration, IntegrationChange, Which};
use registry_core::slug::Reference;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(act);
}

#[derive(Template)]
#[template(path = "pages/integrations_disable.html")]
struct DisablePage {
    shell: Shell,
    integrations: Vec<Integration>,
    /// Days until the clients of a disabled integration are withdrawn.
    kept: i64,
}

impl DisablePage {
    fn servers(&self) -> u64 {
        self.integrations.iter().map(|one| one.counts.servers).sum()
    }
}

#[post("/integrations")]
async fn act(
    request: HttpRequest,
    visitor: Visitor,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&visitor.registry, &visitor.actor);
    let value = |wanted: &str| form.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let mut chosen = Vec::new();
    for (_, slug) in form.iter().filter(|(name, _)| name == "one") {
        chosen.push(registry.integration(actor, &Reference::parse(slug)).await?);
    }
    if chosen.is_empty() {
        return Ok(go("/ui/integrations?done=nothing"));
    }
    match value("intent").unwrap_or_default() {
        "export" => {
            let slugs: Vec<Reference> = chosen.iter().map(|one| one.id.into()).collect();
            Ok(file("integrations", registry.export_these_integrations(actor, &slugs).await?))
        }
        "reregister" => {
            let mut queued = 0;
            for one in chosen.iter().filter(|one| one.enabled && one.counts.attention > 0) {
                queued += registry.reregister_integration(actor, &one.id.into(), Which::Troubled).await?;
            }
            Ok(go(format!("/ui/integrations?done=queued-{queued}")))
        }
        "enable" => {
            let changed = switch(&visitor, &chosen, true).await?;
            Ok(go(format!("/ui/integrations?done=enabled-{changed}")))
        }
        "disable" if value("sure").is_some() => {
            let changed = switch(&visitor, &chosen, false).await?;
            Ok(go(format!("/ui/integrations?done=disabled-{changed}")))
        }
        "disable" => {
            let page = DisablePage {
                shell: Shell::of(&request, &visitor, "integrations", "Disable integrations"),
                integrations: chosen,
                kept: registry.settings().life.withdraw_after.num_days(),
            };
            Ok(html(StatusCode::OK, &page)?)
        }
        _ => Ok(go("/ui/integrations?done=nothing")),
    }
}

/// Switches integrations on or off and says how many that changed. Each is a change of its own: when one is refused, those
/// before it stay changed.
pub(super) async fn switch(visitor: &Visitor, chosen: &[Integration], enabled: bool) -> Result<u64, Error> {
    let mut changed = 0;
    for one in chosen.iter().filter(|one| one.enabled != enabled) {
        let change = IntegrationChange { enabled: Some(enabled), ..IntegrationChange::default() };
        visitor.registry.update_integration(&visitor.actor, &one.id.into(), change, None).await?;
        changed += 1;
    }
    Ok(changed)
}
