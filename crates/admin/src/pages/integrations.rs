//! The list of integrations, one integration, and its end.

use crate::failure::Failure;
use crate::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{
    AccessList, Integration, IntegrationFilter, NewServer, OwnerFilter, PageRequest, Server, ServerFilter,
    Workspace, WorkspaceFilter,
};
use registry_core::clock::Timestamp;
use registry_core::metadata::AdvancedConfiguration;
use registry_core::registration::AuthType;
use registry_core::slug::Reference;
use serde::Deserialize;

/// Its addresses.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(home)
        .service(list)
        .service(confirm_delete)
        .service(delete)
        .service(add_server)
        .service(show);
}

/// Rows on one page.
const SIZE: u64 = 25;

#[derive(Template)]
#[template(path = "pages/integrations.html")]
struct ListPage {
    shell: Shell,
    query: Query,
    items: Vec<Integration>,
    workspaces: Vec<Workspace>,
    total: u64,
    views: Views,
    /// Number of the first row.
    first: u64,
    now: Timestamp,
    previous: Option<String>,
    next: Option<String>,
    filtered: bool,
    /// How many integrations the visitor is about to add; counted where there is none yet.
    drafts: u64,
}

/// How many integrations each view has.
struct Views {
    all: u64,
    attention: u64,
    custom: u64,
}

impl Views {
    async fn count(visitor: &Visitor) -> Result<Self, Failure> {
        let count = async |attention, custom_metadata| {
            let filter = IntegrationFilter { attention, custom_metadata, ..IntegrationFilter::default() };
            visitor.registry.integrations(&visitor.actor, filter, PageRequest::new(0, 1)).await
        };
        Ok(Self {
            all: count(false, false).await?.total,
            attention: count(true, false).await?.total,
            custom: count(false, true).await?.total,
        })
    }
}

/// Width of the bar of registrations, in its own units.
const BAR: u64 = 76;

impl ListPage {
    /// What the rows of this page are, "26–50".
    fn range(&self) -> String {
        let last = self.first + u64::try_from(self.items.len()).unwrap_or_default() - 1;
        if last > self.first { format!("{}–{last}", self.first) } else { self.first.to_string() }
    }

    /// Registered and troubled parts of the bar, in its units.
    #[expect(clippy::unused_self, reason = "called from the template")]
    fn bar(&self, integration: &Integration) -> (u64, u64) {
        let counts = integration.counts;
        let servers = counts.servers.max(1);
        let registered = (counts.registered * BAR / servers).min(BAR);
        (registered, (counts.attention * BAR / servers).min(BAR - registered))
    }

    /// How many members of client metadata an integration sets.
    #[expect(clippy::unused_self, reason = "called from the template")]
    fn fields(&self, integration: &Integration) -> usize {
        integration
            .configuration
            .as_deref()
            .and_then(|text| AdvancedConfiguration::from_stored(text).ok())
            .map_or(0, |configuration| configuration.client_metadata_field_count())
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Query {
    #[serde(default)]
    q: String,
    #[serde(default)]
    view: String,
    #[serde(default)]
    auth: String,
    #[serde(default)]
    ws: String,
    #[serde(default)]
    page: u64,
}

impl Query {
    fn with_page(&self, page: u64) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("q", &self.q), ("view", &self.view), ("auth", &self.auth), ("ws", &self.ws)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if page > 0 {
            query.append_pair("page", &page.to_string());
        }
        format!("/ui/integrations?{}", query.finish())
    }
}

#[get("/")]
async fn home() -> HttpResponse {
    go("/ui/integrations")
}

#[get("/integrations")]
async fn list(
    request: HttpRequest,
    visitor: Visitor,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    let query = query.into_inner();
    let filter = IntegrationFilter {
        search: Some(query.q.clone()),
        owner: OwnerFilter::All,
        workspace: (!query.ws.is_empty()).then(|| Reference::parse(&query.ws)),
        auth_type: AuthType::parse(&query.auth),
        attention: query.view == "attention",
        custom_metadata: query.view == "custom",
        ..IntegrationFilter::default()
    };
    let wanted = PageRequest::new(query.page, SIZE);
    let found = visitor.registry.integrations(&visitor.actor, filter, wanted).await?;
    let workspaces = all_workspaces(&visitor).await?;
    let views = Views::count(&visitor).await?;
    let more = found.has_more(wanted);
    let shell = Shell::of(&request, &visitor, "integrations", "Integrations");
    let drafts = if found.total == 0 && shell.may_write() {
        visitor.registry.drafts(&visitor.actor, PageRequest::new(0, 1)).await?.total
    } else {
        0
    };
    let page = ListPage {
        drafts,
        shell,
        filtered: !(query.q.is_empty()
            && query.view.is_empty()
            && query.auth.is_empty()
            && query.ws.is_empty()),
        previous: query.page.checked_sub(1).map(|page| query.with_page(page)),
        next: more.then(|| query.with_page(query.page + 1)),
        items: found.items,
        total: found.total,
        first: query.page.saturating_mul(SIZE).saturating_add(1),
        views,
        now: visitor.registry.now(),
        workspaces,
        query,
    };
    Ok(html(StatusCode::OK, &page)?)
}

/// Workspaces for pickers.
pub(super) async fn all_workspaces(visitor: &Visitor) -> Result<Vec<Workspace>, Failure> {
    let all = PageRequest::new(0, 1000);
    Ok(visitor.registry.workspaces(&visitor.actor, WorkspaceFilter::default(), all).await?.items)
}

#[derive(Template)]
#[template(path = "pages/integration.html")]
struct IntegrationPage {
    shell: Shell,
    integration: Integration,
    servers: Vec<Server>,
    access: AccessList,
    workspaces: Vec<Workspace>,
    callbacks: Vec<String>,
    now: Timestamp,
}

#[get("/integrations/{integration}")]
async fn show(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let reference = Reference::parse(&path);
    let (registry, actor) = (&visitor.registry, &visitor.actor);
    let integration = registry.integration(actor, &reference).await?;
    let filter = ServerFilter { integration: Some(reference.clone()), ..ServerFilter::default() };
    let servers = registry.servers(actor, filter, PageRequest::new(0, 200)).await?.items;
    let access = registry.integration_access(actor, &reference).await?;
    let page = IntegrationPage {
        shell: Shell::of(&request, &visitor, "integrations", integration.name.clone()),
        callbacks: registry.organisation(actor).await?.callback_urls,
        workspaces: all_workspaces(&visitor).await?,
        now: registry.now(),
        integration,
        servers,
        access,
    };
    Ok(html(StatusCode::OK, &page)?)
}

#[derive(Deserialize)]
struct AddServer {
    workspace: String,
}

#[post("/integrations/{integration}/servers")]
async fn add_server(
    visitor: Visitor,
    path: web::Path<String>,
    form: web::Form<AddServer>,
) -> Result<HttpResponse, Failure> {
    let integration = visitor.registry.integration(&visitor.actor, &Reference::parse(&path)).await?;
    let new = NewServer {
        integration: integration.id.into(),
        workspace: Some(Reference::parse(&form.workspace)),
        name: integration.name,
        slug: None,
        description: None,
        configuration: None,
    };
    visitor.registry.create_server(&visitor.actor, new).await?;
    Ok(go(format!("/ui/integrations/{}?done=created", integration.slug)))
}

#[derive(Template)]
#[template(path = "pages/integration_delete.html")]
struct DeletePage {
    shell: Shell,
    integration: Integration,
    problem: bool,
}

#[get("/integrations/{integration}/delete")]
async fn confirm_delete(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let integration = visitor.registry.integration(&visitor.actor, &Reference::parse(&path)).await?;
    let shell = Shell::of(&request, &visitor, "integrations", format!("Delete {}", integration.name));
    Ok(html(StatusCode::OK, &DeletePage { shell, integration, problem: false })?)
}

#[derive(Deserialize)]
struct Delete {
    slug: String,
}

#[post("/integrations/{integration}/delete")]
async fn delete(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<String>,
    form: web::Form<Delete>,
) -> Result<HttpResponse, Failure> {
    let reference = Reference::parse(&path);
    let integration = visitor.registry.integration(&visitor.actor, &reference).await?;
    if form.slug.trim() != integration.slug.as_str() {
        let shell =
            Shell::of(&request, &visitor, "integrations", format!("Problem: delete {}", integration.name));
        return Ok(html(
            StatusCode::UNPROCESSABLE_ENTITY,
            &DeletePage { shell, integration, problem: true },
        )?);
    }
    let deleted = visitor.registry.delete_integration(&visitor.actor, &reference, None).await?;
    Ok(go(format!("/ui/integrations?done=deleted-{}", deleted.servers)))
}
