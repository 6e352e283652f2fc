//! Capabilities of a server, which can only narrow those of its integration.

use super::form::{Form, Unseen};
use super::page::{Listed, Owner, Page};
use super::query::Query;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::problems;
use crate::view::{Shell, go};
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use registry::ServerRef;
use registry_core::finding::Finding;
use registry_core::permission::Permission;
use registry_core::slug::Reference;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(save).service(switch_unseen_off);
}

type Path = web::Path<(String, String)>;

fn reference(path: &Path) -> ServerRef {
    ServerRef { server: Reference::parse(&path.1), workspace: Some(Reference::parse(&path.0)) }
}

async fn listed(signed_in: &SignedInUser, reference: &ServerRef, query: &Query) -> Result<Listed, Failure> {
    let capabilities = signed_in.registry.capabilities();
    let found = capabilities.of_server(&signed_in.actor, reference, query.chosen(), None).await?;
    Ok(Listed { counts: found.counts, items: found.page.items })
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    reference: &ServerRef,
    query: Query,
    refused: Option<(Unseen, Vec<Finding>)>,
) -> Result<HttpResponse, Failure> {
    query.check()?;
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let server = registry.servers().get(actor, reference).await?;
    let listed = listed(signed_in, reference, &query).await?;
    let title = format!("Capabilities of {} / {}", server.workspace.slug, server.slug);
    let owner = Owner::Server(Box::new(server));
    let shell = Shell::of(request, signed_in, owner.section(), title);
    let may_change = actor.can(Permission::UpdateServers);
    Page::new(shell, owner, query, listed, registry.now()).with_switches(may_change).answer(refused)
}

#[get("/workspaces/{workspace}/servers/{server}/capabilities")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: Path,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, &reference(&path), query.into_inner(), None).await
}

#[post("/workspaces/{workspace}/servers/{server}/capabilities")]
async fn save(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: Path,
    query: web::Query<Query>,
    fields: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let switches = Form::read(&fields)?.switches();
    actor.require(Permission::UpdateServers)?;
    let reference = reference(&path);
    let server = registry.servers().get(actor, &reference).await?;
    let count = switches.len();
    if count > 0 {
        let saved = registry.capabilities().switch_of_server(actor, &reference, switches).await;
        if let Err(error) = saved {
            let refused = Some((Unseen::default(), problems(error)?));
            return render(&request, &signed_in, &reference, query.into_inner(), refused).await;
        }
    }
    let place = format!("/ui/workspaces/{}/servers/{}/capabilities", server.workspace.slug, server.slug);
    Ok(go(query.marked("").link(&place, Some(&format!("switched-{count}")))))
}

#[post("/workspaces/{workspace}/servers/{server}/capabilities/off")]
async fn switch_unseen_off(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: Path,
    form: web::Form<Unseen>,
) -> Result<HttpResponse, Failure> {
    let (registry, actor) = (&signed_in.registry, &signed_in.actor);
    let reference = reference(&path);
    let switches = vec![form.switch()?];
    let server = registry.servers().get(actor, &reference).await?;
    match registry.capabilities().switch_of_server(actor, &reference, switches).await {
        Ok(_) => {
            let (workspace, server) = (server.workspace.slug, server.slug);
            Ok(go(format!("/ui/workspaces/{workspace}/servers/{server}/capabilities?done=off")))
        }
        Err(error) => {
            let refused = Some((form.into_inner(), problems(error)?));
            render(&request, &signed_in, &reference, Query::default(), refused).await
        }
    }
}
