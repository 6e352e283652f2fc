//! Search by name, slug, URL or id over all kinds of objects; one bounded query for each kind.

use crate::dashboard::Dashboard;
use crate::integrations::list::visible;
use crate::lookup::servers::is_live;
use crate::lookup::slugs::stored_slug;
use crate::storage::columns::{MAX_SEARCH, contains};
use crate::storage::entity::{integration, oauth_client, registration, server, workspace};
use crate::{Actor, Result};
use registry_core::id::RegistrationId;
use registry_core::permission::Permission;
use registry_core::slug::Slug;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Func, IntoColumnRef, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, Order, QueryFilter, QueryOrder, QuerySelect, RelationTrait,
};
use uuid::Uuid;

/// Hits of each kind, at most.
const MAX_HITS: usize = 10;

/// Entries of a picker, at most.
const MAX_CHOICES: u64 = 1000;

/// Hits of each kind, best first; at most [`MAX_HITS`] of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// By name, slug, URL or id.
    pub integrations: Vec<Hit>,
    /// By name, slug, id or `workspace/server`.
    pub servers: Vec<Hit>,
    /// By name, slug or id.
    pub workspaces: Vec<Hit>,
    /// By id, or by the `client_id` of any of their clients.
    pub registrations: Vec<Hit>,
    /// Whether there are more hits of some kind.
    pub more: bool,
}

/// A hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The object.
    pub target: Target,
    /// Name for display; of a registration the `client_id`, or its id.
    pub name: String,
    /// Whether the text equals id, slug, name or `client_id`, ignoring case.
    pub exact: bool,
}

/// The object that a hit leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An integration.
    Integration(Slug),
    /// A workspace.
    Workspace(Slug),
    /// A server.
    Server {
        /// Slug of its workspace.
        workspace: Slug,
        /// Slug of the server.
        server: Slug,
    },
    /// A registration.
    Registration {
        /// Id of the registration.
        id: RegistrationId,
        /// Slug of the workspace.
        workspace: Slug,
        /// Slug of the server.
        server: Slug,
    },
}

impl Found {
    /// All hits.
    pub fn all(&self) -> impl Iterator<Item = &Hit> {
        self.integrations.iter().chain(&self.servers).chain(&self.workspaces).chain(&self.registrations)
    }

    /// The object that is clearly meant: the only exact hit (an exact server is ignored if another kind has an exact
    /// hit); else the only hit.
    pub fn only(&self) -> Option<&Hit> {
        let exact: Vec<&Hit> = self.all().filter(|hit| hit.exact).collect();
        let is_server = |hit: &&Hit| matches!(hit.target, Target::Server { .. });
        let named: Vec<&Hit> = exact.iter().copied().filter(|hit| !is_server(hit)).collect();
        let best = [named, exact, self.all().collect()].into_iter().find(|hits| !hits.is_empty())?;
        if best.len() == 1 { best.first().copied() } else { None }
    }
}

impl Dashboard<'_> {
    /// The hits for `text`, as far as the actor may see them.
    pub async fn search(self, actor: &Actor, text: &str) -> Result<Found> {
        let text: String = text.trim().chars().take(MAX_SEARCH).collect();
        if text.is_empty() {
            return Ok(Found::default());
        }
        let mut found = Found::default();
        if actor.can(Permission::ReadIntegrations) {
            found.integrations = self.find_integrations(actor, &text).await?;
        }
        if actor.can(Permission::ReadServers) {
            found.servers = self.find_servers(actor, &text).await?;
        }
        if actor.can(Permission::ReadWorkspaces) {
            found.workspaces = self.find_workspaces(actor, &text).await?;
        }
        if actor.can(Permission::ReadRegistrations) {
            found.registrations = self.find_registrations(actor, &text).await?;
        }
        for hits in
            [&mut found.integrations, &mut found.servers, &mut found.workspaces, &mut found.registrations]
        {
            found.more |= hits.len() > MAX_HITS;
            hits.truncate(MAX_HITS);
        }
        Ok(found)
    }

    /// Slug and name of the integrations that the actor may see, sorted by slug, for pickers; at most [`MAX_CHOICES`].
    pub async fn integration_names(self, actor: &Actor) -> Result<Vec<(Slug, String)>> {
        actor.require(Permission::ListIntegrations)?;
        let rows: Vec<(Uuid, String, String)> = visible(actor)
            .select_only()
            .column(integration::Column::Id)
            .column(integration::Column::Slug)
            .column(integration::Column::Name)
            .order_by_asc(integration::Column::SlugKey)
            .limit(MAX_CHOICES)
            .into_tuple()
            .all(self.registry.db())
            .await?;
        rows.into_iter().map(|(id, slug, name)| Ok((stored_slug(&slug, "integration", id)?, name))).collect()
    }

    async fn find_integrations(self, actor: &Actor, text: &str) -> Result<Vec<Hit>> {
        let exact = Condition::any()
            .add(integration::Column::SlugKey.eq(text.to_lowercase()))
            .add(is(integration::Column::Name, text))
            .add_option(id(text).map(|id| integration::Column::Id.eq(id)));
        let mut select = integration::Entity::find().filter(integration::Column::DeletedAt.is_null()).filter(
            exact
                .clone()
                .add(contains(integration::Column::Name, text))
                .add(contains(integration::Column::Slug, text))
                .add(contains(integration::Column::Url, text)),
        );
        if let Some(own) = actor.workspace() {
            select = select.filter(crate::integrations::list::usable_in(own));
        }
        let rows: Vec<(Uuid, String, String, i32)> = select
            .select_only()
            .column(integration::Column::Id)
            .column(integration::Column::Slug)
            .column(integration::Column::Name)
            .expr_as(rank(exact), "rank")
            .order_by(Expr::cust("rank"), Order::Asc)
            .order_by_asc(integration::Column::SlugKey)
            .limit(MAX_HITS as u64 + 1)
            .into_tuple()
            .all(self.registry.db())
            .await?;
        rows.into_iter()
            .map(|(id, slug, name, rank)| {
                let target = Target::Integration(stored_slug(&slug, "integration", id)?);
                Ok(Hit { target, name, exact: rank == 0 })
            })
            .collect()
    }

    async fn find_workspaces(self, actor: &Actor, text: &str) -> Result<Vec<Hit>> {
        let exact = Condition::any()
            .add(workspace::Column::SlugKey.eq(text.to_lowercase()))
            .add(is(workspace::Column::Name, text))
            .add_option(id(text).map(|id| workspace::Column::Id.eq(id)));
        let mut select = workspace::Entity::find().filter(workspace::Column::DeletedAt.is_null()).filter(
            exact
                .clone()
                .add(contains(workspace::Column::Name, text))
                .add(contains(workspace::Column::Slug, text)),
        );
        if let Some(own) = actor.workspace() {
            select = select.filter(workspace::Column::Id.eq(own.0));
        }
        let rows: Vec<(Uuid, String, String, i32)> = select
            .select_only()
            .column(workspace::Column::Id)
            .column(workspace::Column::Slug)
            .column(workspace::Column::Name)
            .expr_as(rank(exact), "rank")
            .order_by(Expr::cust("rank"), Order::Asc)
            .order_by_asc(workspace::Column::SlugKey)
            .limit(MAX_HITS as u64 + 1)
            .into_tuple()
            .all(self.registry.db())
            .await?;
        rows.into_iter()
            .map(|(id, slug, name, rank)| {
                let target = Target::Workspace(stored_slug(&slug, "workspace", id)?);
                Ok(Hit { target, name, exact: rank == 0 })
            })
            .collect()
    }

    async fn find_servers(self, actor: &Actor, text: &str) -> Result<Vec<Hit>> {
        let name = (server::Entity, server::Column::Name);
        let key = (server::Entity, server::Column::SlugKey);
        let mut exact = Condition::any()
            .add(server::Column::SlugKey.eq(text.to_lowercase()))
            .add(is(name, text))
            .add_option(id(text).map(|id| server::Column::Id.eq(id)));
        let mut any = Condition::any().add(contains(name, text)).add(contains(key, text));
        if let Some((team, of_team)) = text.split_once('/') {
            let (team, of_team) = (team.trim(), of_team.trim());
            let both = Condition::all()
                .add(workspace::Column::SlugKey.eq(team.to_lowercase()))
                .add(server::Column::SlugKey.eq(of_team.to_lowercase()));
            exact = exact.add(both);
            let parts = Condition::all()
                .add(contains((workspace::Entity, workspace::Column::SlugKey), team))
                .add(contains(key, of_team));
            any = any.add(parts);
        }
        let mut select = server::Entity::find()
            .join(JoinType::InnerJoin, server::Relation::Workspace.def())
            .filter(is_live())
            .filter(any.add(exact.clone()));
        if let Some(own) = actor.workspace() {
            select = select.filter(server::Column::WorkspaceId.eq(own.0));
        }
        let rows: Vec<(Uuid, String, String, String, i32)> = select
            .select_only()
            .column(server::Column::Id)
            .column_as(workspace::Column::Slug, "team")
            .column(server::Column::Slug)
            .column(server::Column::Name)
            .expr_as(rank(exact), "rank")
            .order_by(Expr::cust("rank"), Order::Asc)
            .order_by_asc(server::Column::SlugKey)
            .order_by_asc(workspace::Column::SlugKey)
            .limit(MAX_HITS as u64 + 1)
            .into_tuple()
            .all(self.registry.db())
            .await?;
        rows.into_iter()
            .map(|(id, team, slug, name, rank)| {
                let workspace = stored_slug(&team, "workspace", id)?;
                let target = Target::Server { workspace, server: stored_slug(&slug, "server", id)? };
                Ok(Hit { target, name, exact: rank == 0 })
            })
            .collect()
    }

    async fn find_registrations(self, actor: &Actor, text: &str) -> Result<Vec<Hit>> {
        let client_id = (oauth_client::Entity, oauth_client::Column::ClientId);
        let exact = Condition::any()
            .add(oauth_client::Column::ClientId.eq(text))
            .add_option(id(text).map(|id| registration::Column::Id.eq(id)));
        let mut select = registration::Entity::find()
            .join(JoinType::InnerJoin, registration::Relation::Server.def())
            .join(JoinType::InnerJoin, server::Relation::Workspace.def())
            .join_rev(JoinType::LeftJoin, oauth_client::Relation::Registration.def())
            .filter(exact.clone().add(contains(client_id, text)));
        if let Some(own) = actor.workspace() {
            select = select.filter(server::Column::WorkspaceId.eq(own.0));
        }
        let rows: Vec<(Uuid, String, String, Option<String>, i32)> = select
            .select_only()
            .column(registration::Column::Id)
            .column_as(workspace::Column::Slug, "team")
            .column_as(server::Column::Slug, "server")
            .column(oauth_client::Column::ClientId)
            .expr_as(rank(exact), "rank")
            .order_by(Expr::cust("rank"), Order::Asc)
            .order_by_desc(oauth_client::Column::CreatedAt)
            .limit(MAX_HITS as u64 + 1)
            .into_tuple()
            .all(self.registry.db())
            .await?;
        let mut hits: Vec<Hit> = Vec::new();
        for (id, team, slug, client_id, rank) in rows {
            let target = Target::Registration {
                id: RegistrationId(id),
                workspace: stored_slug(&team, "workspace", id)?,
                server: stored_slug(&slug, "server", id)?,
            };
            // Several generations of a client belong to the same registration.
            if !hits.iter().any(|hit| hit.target == target) {
                hits.push(Hit {
                    target,
                    name: client_id.unwrap_or_else(|| id.to_string()),
                    exact: rank == 0,
                });
            }
        }
        Ok(hits)
    }
}

fn id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok()
}

/// `column` is `text`, ignoring case.
fn is(column: impl IntoColumnRef, text: &str) -> SimpleExpr {
    Expr::expr(Func::lower(Expr::col(column))).eq(text.to_lowercase())
}

/// 0 for exact hits, so that they come first and are never cut off.
fn rank(exact: Condition) -> CaseStatement {
    CaseStatement::new().case(exact, 0).finally(1)
}
