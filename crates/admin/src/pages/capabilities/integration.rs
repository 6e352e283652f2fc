//! Capabilities of an integration, for all its servers.

use super::form::{Form, Unseen};
use super::page::{Listed, Owner, Page};
use super::query::Query;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::problems;
use crate::view::{Shell, go};
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use registry::{ConfigurationScope, Integration};
use registry_core::finding::Finding;
use registry_core::permission::Permission;
use registry_core::slug::Reference;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(save).service(switch_unseen_off);
}

/// Whether the user may switch: integrations of the organisation are not changed from within a workspace.
fn may_change(signed_in: &SignedInUser, integration: &Integration) -> bool {
    let own = signed_in.actor.workspace();
    signed_in.actor.can(Permission::UpdateIntegrations)
        && own.is_none_or(|own| integration.workspace.as_ref().is_some_and(|workspace| workspace.id == own))
}

async fn listed(signed_in: &SignedInUser, reference: &Reference, query: &Query) -> Result<Listed, Failure> {
    let capabilities = signed_in.registry.capabilities();
    let found = capabilities.of_integration(&signed_in.actor, reference, query.chosen(), None).await?;
    Ok(Listed { counts: found.counts, items: found.page.items })
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    slug: &str,
    query: Query,
    refused: Option<(Unseen, Vec<Finding>)>,
) -> Result<HttpResponse, Failure> {
    query.check()?;
    let reference = Reference::parse(slug);
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let integration = registry.integrations().get(actor, &reference).await?;
    let listed = listed(signed_in, &reference, &query).await?;
    let scope = ConfigurationScope::Integration(reference);
    let revision = registry.configurations().get(actor, &scope).await?.revision;
    let may_change = may_change(signed_in, &integration);
    let title = format!("Capabilities of {}", integration.name);
    let owner = Owner::Integration { integration: Box::new(integration), revision };
    let shell = Shell::of(request, signed_in, owner.section(), title);
    Page::new(shell, owner, query, listed, registry.now()).with_switches(may_change).answer(refused)
}

#[get("/integrations/{integration}/capabilities")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, &path, query.into_inner(), None).await
}

#[post("/integrations/{integration}/capabilities")]
async fn save(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    query: web::Query<Query>,
    fields: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let switches = Form::read(&fields)?.switches();
    actor.require(Permission::UpdateIntegrations)?;
    let reference = Reference::parse(&path);
    let integration = registry.integrations().get(actor, &reference).await?;
    let count = switches.len();
    if count > 0 {
        let saved = registry.capabilities().switch_of_integration(actor, &reference, switches).await;
        if let Err(error) = saved {
            let refused = Some((Unseen::default(), problems(error)?));
            return render(&request, &signed_in, &path, query.into_inner(), refused).await;
        }
    }
    let place = format!("/ui/integrations/{}/capabilities", integration.slug);
    Ok(go(query.marked("").link(&place, Some(&format!("switched-{count}")))))
}

#[post("/integrations/{integration}/capabilities/off")]
async fn switch_unseen_off(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<String>,
    form: web::Form<Unseen>,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let reference = Reference::parse(&path);
    let switches = vec![form.switch()?];
    let integration = registry.integrations().get(actor, &reference).await?;
    match registry.capabilities().switch_of_integration(actor, &reference, switches).await {
        Ok(_) => Ok(go(format!("/ui/integrations/{}/capabilities?done=off", integration.slug))),
        Err(error) => {
            let refused = Some((form.into_inner(), problems(error)?));
            render(&request, &signed_in, &path, Query::default(), refused).await
        }
    }
}
