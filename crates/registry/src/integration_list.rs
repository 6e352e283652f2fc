//! Lists of integrations: filtered, ordered and counted in the database, over all rows.

use crate::entity::{access, integration, oauth_client, registration, server, workspace};
use crate::integrations::{Integration, into_integration};
use crate::page::{self, Page, PageRequest};
use crate::stored::{contains, word};
use crate::workspaces::{self, WorkspaceRef};
use crate::{Actor, Registry, Result};
use registry_core::id::WorkspaceId;
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, ClientStatus, RegistrationMethod, State};
use registry_core::slug::Reference;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, JoinType, Order, QueryFilter, QueryOrder,
    QuerySelect, RelationTrait, Select,
};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// How an integration is used, as far as the caller may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegrationCounts {
    /// Workspaces with at least one server of it.
    pub workspaces: u64,
    /// Servers.
    pub servers: u64,
    /// Registrations that are on their way to their first or next client.
    pub registering: u64,
    /// Registrations in state `registered`.
    pub registered: u64,
    /// Registrations that need attention: retrying, unconfirmed, outdated or failed.
    pub attention: u64,
    /// Of these: those that will be tried again.
    pub retrying: u64,
    /// Of the retrying ones: those whose upstream could not be reached.
    pub unreachable: u64,
    /// Of those that need attention: those whose answer was lost.
    pub unconfirmed: u64,
    /// Of those that need attention: those that wait for a person's agreement.
    pub outdated: u64,
    /// Of those that need attention: those that will not change by themselves.
    pub failed: u64,
    /// How most of the active clients came to be; `None`: there is none.
    pub method: Option<RegistrationMethod>,
}

/// How an integration fares: the worst of what can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is switched off.
    Disabled,
    /// So many registrations will not change by themselves.
    Failed(u64),
    /// Nobody answers at its address.
    Unreachable,
    /// So many registrations were sent without an answer.
    Unconfirmed(u64),
    /// So many registrations will be tried again.
    Retrying(u64),
    /// So many clients wait for a person's agreement.
    Outdated(u64),
    /// So many registrations are on their way.
    Registering(u64),
    /// No workspace uses it.
    Unused,
    /// Nothing is wrong.
    Healthy,
}

impl Integration {
    /// How it fares, as far as the caller may see.
    pub fn health(&self) -> Health {
        let counts = &self.counts;
        match () {
            () if !self.enabled => Health::Disabled,
            () if counts.failed > 0 => Health::Failed(counts.failed),
            () if self.unreachable => Health::Unreachable,
            () if counts.unreachable > 0 && counts.unreachable == counts.retrying => Health::Unreachable,
            () if counts.unconfirmed > 0 => Health::Unconfirmed(counts.unconfirmed),
            () if counts.retrying > 0 => Health::Retrying(counts.retrying),
            () if counts.outdated > 0 => Health::Outdated(counts.outdated),
            () if counts.servers == 0 => Health::Unused,
            () if counts.registering > 0 => Health::Registering(counts.registering),
            () => Health::Healthy,
        }
    }
}

/// Whose integrations to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnerFilter {
    /// Everybody's.
    #[default]
    All,
    /// Those that belong to a workspace.
    Workspace,
    /// Those that belong to the organisation.
    Organisation,
}

/// In which order to list integrations; what is equal in it comes by slug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntegrationSort {
    /// By slug.
    #[default]
    Slug,
    /// By name, A first.
    Name,
    /// By name, Z first.
    NameDescending,
    /// Longest unchanged first.
    Changed,
    /// Most recently changed first.
    ChangedDescending,
    /// Fewest failing registrations first.
    Failures,
    /// Most failing registrations first.
    FailuresDescending,
}

/// Which integrations to list, and in which order.
#[derive(Clone, Debug, Default)]
pub struct IntegrationFilter {
    /// Part of name, slug or URL, ignoring case, or a whole recorded `client_id`.
    pub search: Option<String>,
    /// Whose.
    pub owner: OwnerFilter,
    /// Those this workspace may use.
    pub workspace: Option<Reference>,
    /// Only this authentication.
    pub auth_type: Option<AuthType>,
    /// Only enabled ones with a registration that needs attention, or whose address did not answer when last tested.
    pub attention: bool,
    /// Only those that set client metadata themselves.
    pub custom_metadata: bool,
    /// Only those with a client that was registered by hand.
    pub pre_registered: bool,
    /// Only those that are enabled, or disabled.
    pub enabled: Option<bool>,
    /// In which order.
    pub sort: IntegrationSort,
}

/// How many integrations there are of each kind, as far as the caller may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegrationViews {
    /// All.
    pub all: u64,
    /// Those that need attention.
    pub attention: u64,
    /// Those that set client metadata themselves.
    pub custom_metadata: u64,
    /// Those with a client that was registered by hand.
    pub pre_registered: u64,
    /// Those that are disabled.
    pub disabled: u64,
}

/// The sum over no row is NULL.
type Sum = Option<i64>;
/// Integration, state, reason, method, and how many.
type Standing = (Uuid, String, Option<String>, Option<String>, i64);

impl Registry {
    /// Integrations, filtered and ordered.
    pub async fn integrations(
        &self,
        actor: &Actor,
        filter: IntegrationFilter,
        request: PageRequest,
    ) -> Result<Page<Integration>> {
        actor.require(Permission::ReadIntegrations)?;
        let mut select = visible(actor);
        if let Some(reference) = &filter.workspace {
            let workspace = workspaces::find(self.db(), actor, reference).await?;
            select = select.filter(usable_in(WorkspaceId(workspace.id)));
        }
        let found =
            page::fetch(self.db(), ordered(narrowed(select, actor, &filter), actor, filter.sort), request);
        let found = found.await?;
        let counts = counts_of(self.db(), actor, found.items.iter().map(|model| model.id)).await?;
        let owners = owners_of(self.db(), &found.items).await?;
        found.try_map(|model| {
            let counts = counts.get(&model.id).copied().unwrap_or_default();
            let owner = model.workspace_id.and_then(|id| owners.get(&id).cloned());
            into_integration(model, owner, counts)
        })
    }

    /// How many integrations there are of each kind.
    pub async fn integration_views(&self, actor: &Actor) -> Result<IntegrationViews> {
        actor.require(Permission::ReadIntegrations)?;
        let count = |condition: Condition| Expr::expr(Expr::case(condition, 1).finally(0)).sum();
        let row: Option<(i64, Sum, Sum, Sum, Sum)> = visible(actor)
            .select_only()
            .column_as(integration::Column::Id.count(), "all")
            .expr_as(count(needs_attention(actor)), "attention")
            .expr_as(count(Condition::all().add(integration::Column::CustomMetadata.eq(true))), "custom")
            .expr_as(count(is_pre_registered(actor)), "by_hand")
            .expr_as(count(Condition::all().add(integration::Column::Enabled.eq(false))), "disabled")
            .into_tuple()
            .one(self.db())
            .await?;
        let (all, attention, custom_metadata, pre_registered, disabled) = row.unwrap_or_default();
        let whole = |number: Option<i64>| u64::try_from(number.unwrap_or_default()).unwrap_or_default();
        Ok(IntegrationViews {
            all: whole(Some(all)),
            attention: whole(attention),
            custom_metadata: whole(custom_metadata),
            pre_registered: whole(pre_registered),
            disabled: whole(disabled),
        })
    }
}

/// The live integrations that `actor` may know of.
pub(crate) fn visible(actor: &Actor) -> Select<integration::Entity> {
    let select = integration::Entity::find().filter(integration::Column::DeletedAt.is_null());
    match actor.workspace() {
        Some(own) => select.filter(usable_in(own)),
        None => select,
    }
}

fn narrowed(
    mut select: Select<integration::Entity>,
    actor: &Actor,
    filter: &IntegrationFilter,
) -> Select<integration::Entity> {
    match filter.owner {
        OwnerFilter::All => {}
        OwnerFilter::Workspace => select = select.filter(integration::Column::WorkspaceId.is_not_null()),
        OwnerFilter::Organisation => select = select.filter(integration::Column::WorkspaceId.is_null()),
    }
    if let Some(auth_type) = filter.auth_type {
        select = select.filter(integration::Column::AuthType.eq(auth_type.as_str()));
    }
    if let Some(enabled) = filter.enabled {
        select = select.filter(integration::Column::Enabled.eq(enabled));
    }
    if filter.custom_metadata {
        select = select.filter(integration::Column::CustomMetadata.eq(true));
    }
    if filter.pre_registered {
        select = select.filter(is_pre_registered(actor));
    }
    if filter.attention {
        select = select.filter(needs_attention(actor));
    }
    let Some(text) = filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
        return select;
    };
    let clients = clients(actor).and_where(oauth_client::Column::ClientId.eq(text)).to_owned();
    select.filter(
        Condition::any()
            .add(contains(integration::Column::Name, text))
            .add(contains(integration::Column::Slug, text))
            .add(contains(integration::Column::Url, text))
            .add(integration::Column::Id.in_subquery(clients)),
    )
}

fn ordered(
    select: Select<integration::Entity>,
    actor: &Actor,
    sort: IntegrationSort,
) -> Select<integration::Entity> {
    use IntegrationSort as S;
    let name = || Expr::expr(Func::lower(Expr::col((integration::Entity, integration::Column::Name))));
    let select = match sort {
        S::Slug => select,
        S::Name => select.order_by(name(), Order::Asc),
        S::NameDescending => select.order_by(name(), Order::Desc),
        S::Changed => select.order_by_asc(integration::Column::UpdatedAt),
        S::ChangedDescending => select.order_by_desc(integration::Column::UpdatedAt),
        S::Failures => select.order_by(failures(actor), Order::Asc),
        S::FailuresDescending => select.order_by(failures(actor), Order::Desc),
    };
    select.order_by_asc(integration::Column::SlugKey)
}

/// States a person should look at.
pub(crate) const ATTENTION: [State; 4] =
    [State::Retrying, State::Unconfirmed, State::Outdated, State::Failed];

/// States in which there is trouble now; an outdated client still serves.
const FAILING: [State; 3] = [State::Retrying, State::Unconfirmed, State::Failed];

/// What a registration says when its upstream could not be spoken with.
const SILENT: [&str; 5] =
    ["timeout", "name_not_found", "connection_failed", "connection_lost", "certificate_not_trusted"];

/// Ids of integrations, one for each live server in one of `states` that `actor` may see.
fn servers_in(actor: &Actor, states: &[State]) -> SelectStatement {
    let mut select = Query::select();
    select
        .column((server::Entity, server::Column::IntegrationId))
        .from(server::Entity)
        .inner_join(
            registration::Entity,
            Expr::col((registration::Entity, registration::Column::ServerId))
                .equals((server::Entity, server::Column::Id)),
        )
        .and_where(server::Column::DeletedAt.is_null())
        .and_where(registration::Column::State.is_in(states.iter().map(|state| state.as_str())));
    if let Some(own) = actor.workspace() {
        select.and_where(server::Column::WorkspaceId.eq(own.0));
    }
    select
}

fn needs_attention(actor: &Actor) -> Condition {
    Condition::all().add(integration::Column::Enabled.eq(true)).add(
        Condition::any()
            .add(integration::Column::Unreachable.eq(true))
            .add(integration::Column::Id.in_subquery(servers_in(actor, &ATTENTION))),
    )
}

fn is_pre_registered(actor: &Actor) -> Condition {
    let by_hand = clients(actor)
        .and_where(oauth_client::Column::Status.eq(ClientStatus::Active.as_str()))
        .and_where(oauth_client::Column::Method.eq(RegistrationMethod::PreRegistered.as_str()))
        .to_owned();
    Condition::any()
        .add(integration::Column::PreRegistered.eq(true))
        .add(integration::Column::Id.in_subquery(by_hand))
}

/// How many registrations of an integration are in trouble.
fn failures(actor: &Actor) -> Expr {
    let mut select = servers_in(actor, &FAILING);
    select.clear_selects().expr(Expr::col((server::Entity, server::Column::Id)).count()).and_where(
        Expr::col((server::Entity, server::Column::IntegrationId))
            .equals((integration::Entity, integration::Column::Id)),
    );
    Expr::SubQuery(None, Box::new(select.into()))
}

/// Ids of integrations, one for each client of a live server that `actor` may see.
fn clients(actor: &Actor) -> SelectStatement {
    let mut select = Query::select();
    select
        .column((server::Entity, server::Column::IntegrationId))
        .from(oauth_client::Entity)
        .inner_join(
            registration::Entity,
            Expr::col((registration::Entity, registration::Column::Id))
                .equals((oauth_client::Entity, oauth_client::Column::RegistrationId)),
        )
        .inner_join(
            server::Entity,
            Expr::col((server::Entity, server::Column::Id))
                .equals((registration::Entity, registration::Column::ServerId)),
        )
        .and_where(server::Column::DeletedAt.is_null())
        .and_where(oauth_client::Column::Status.ne(ClientStatus::Withdrawn.as_str()));
    if let Some(own) = actor.workspace() {
        select.and_where(server::Column::WorkspaceId.eq(own.0));
    }
    select
}

/// The integrations a workspace may use.
pub(crate) fn usable_in(workspace: WorkspaceId) -> Condition {
    let row = |enabled: bool| {
        Query::select()
            .column(access::Column::IntegrationId)
            .from(access::Entity)
            .and_where(access::Column::WorkspaceId.eq(workspace.0))
            .and_where(access::Column::Enabled.eq(enabled))
            .to_owned()
    };
    Condition::any().add(integration::Column::WorkspaceId.eq(workspace.0)).add(
        Condition::all().add(integration::Column::WorkspaceId.is_null()).add(
            Condition::any().add(integration::Column::Id.in_subquery(row(true))).add(
                Condition::all()
                    .add(integration::Column::GlobalAccess.eq(true))
                    .add(integration::Column::Id.not_in_subquery(row(false))),
            ),
        ),
    )
}

/// How some integrations are used: two queries, whose answers do not grow with the number of servers.
pub(crate) async fn counts_of(
    db: &impl ConnectionTrait,
    actor: &Actor,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, IntegrationCounts>> {
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let of_these = |select: Select<server::Entity>| {
        let select = select
            .filter(server::Column::IntegrationId.is_in(ids.iter().copied()))
            .filter(server::Column::DeletedAt.is_null());
        match actor.workspace() {
            Some(own) => select.filter(server::Column::WorkspaceId.eq(own.0)),
            None => select,
        }
    };
    let used: Vec<(Uuid, i64, i64)> = of_these(server::Entity::find())
        .select_only()
        .column(server::Column::IntegrationId)
        .column_as(server::Column::Id.count(), "servers")
        .expr_as(Func::count_distinct(Expr::col((server::Entity, server::Column::WorkspaceId))), "workspaces")
        .group_by(server::Column::IntegrationId)
        .into_tuple()
        .all(db)
        .await?;
    let active = Condition::all()
        .add(
            Expr::col((oauth_client::Entity, oauth_client::Column::RegistrationId))
                .equals((registration::Entity, registration::Column::Id)),
        )
        .add(oauth_client::Column::Status.eq(ClientStatus::Active.as_str()));
    let mut standing = of_these(server::Entity::find())
        .select_only()
        .column(server::Column::IntegrationId)
        .column(registration::Column::State)
        .column(registration::Column::Reason)
        .column(oauth_client::Column::Method)
        .column_as(server::Column::Id.count(), "count")
        .join_rev(JoinType::InnerJoin, registration::Relation::Server.def())
        .group_by(server::Column::IntegrationId)
        .group_by(registration::Column::State)
        .group_by(registration::Column::Reason)
        .group_by(oauth_client::Column::Method);
    QuerySelect::query(&mut standing).left_join(oauth_client::Entity, active);
    let standing: Vec<Standing> = standing.into_tuple().all(db).await?;

    let whole = |number: i64| u64::try_from(number).unwrap_or_default();
    let mut counts: HashMap<Uuid, IntegrationCounts> = HashMap::new();
    for (id, servers, workspaces) in used {
        let counted = counts.entry(id).or_default();
        (counted.servers, counted.workspaces) = (whole(servers), whole(workspaces));
    }
    let mut methods: HashMap<Uuid, HashMap<RegistrationMethod, u64>> = HashMap::new();
    for (id, state, reason, method, count) in standing {
        let state = word(State::parse, &state, "registration", "state", id)?;
        counts.entry(id).or_default().add(state, reason.as_deref(), whole(count));
        if let Some(method) = method {
            let method = word(RegistrationMethod::parse, &method, "oauth_client", "method", id)?;
            *methods.entry(id).or_default().entry(method).or_default() += whole(count);
        }
    }
    for (id, methods) in methods {
        let most = methods.into_iter().max_by_key(|(method, count)| (*count, method.as_str()));
        counts.entry(id).or_default().method = most.map(|(method, _)| method);
    }
    Ok(counts)
}

impl IntegrationCounts {
    fn add(&mut self, state: State, reason: Option<&str>, count: u64) {
        match state {
            State::Registered => self.registered += count,
            State::Retrying => {
                self.retrying += count;
                if reason.is_some_and(|reason| SILENT.contains(&reason)) {
                    self.unreachable += count;
                }
            }
            State::Unconfirmed => self.unconfirmed += count,
            State::Outdated => self.outdated += count,
            State::Failed => self.failed += count,
            State::Queued | State::Registering => self.registering += count,
            State::Withdrawing | State::Withdrawn => {}
        }
        if ATTENTION.contains(&state) {
            self.attention += count;
        }
    }
}

pub(crate) async fn owners_of(
    db: &impl ConnectionTrait,
    models: &[integration::Model],
) -> Result<HashMap<Uuid, WorkspaceRef>> {
    let ids: BTreeSet<_> = models.iter().filter_map(|model| model.workspace_id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    workspace::Entity::find()
        .filter(workspace::Column::Id.is_in(ids))
        .all(db)
        .await?
        .iter()
        .map(|model| Ok((model.id, workspaces::as_ref(model)?)))
        .collect()
}
