//! Lists of integrations: filtered, ordered and counted in the database, over all rows.

use crate::configuration::mapped_secrets::mappings_of;
use crate::integrations::Integrations;
use crate::integrations::counts::{NEEDS_ATTENTION, counts_of, has_live_server, owners_of};
use crate::integrations::crud::{Integration, into_integration};
use crate::lookup::{tally, workspaces};
use crate::pagination::{ListOrder, Page, PageRequest, Total};
use crate::storage::columns::contains;
use crate::storage::entity::{access, integration, oauth_client, registration, server};
use crate::{Actor, Result, pagination};
use registry_core::id::WorkspaceId;
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, ClientStatus, RegistrationMethod, State};
use registry_core::slug::Reference;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoSimpleExpr, Order, QueryFilter, QuerySelect,
    QueryTrait, Select, Value,
};

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

impl Integrations<'_> {
    /// Integrations, filtered and ordered.
    pub async fn list(
        self,
        actor: &Actor,
        filter: IntegrationFilter,
        request: PageRequest,
    ) -> Result<Page<Integration>> {
        actor.require(Permission::ListIntegrations)?;
        let mut select = visible(actor);
        if let Some(reference) = &filter.workspace {
            let workspace = workspaces::find(self.registry.db(), actor, reference).await?;
            select = select.filter(usable_in(WorkspaceId(workspace.id)));
        }
        let (db, order) = (&self.registry.list_db(actor), order(actor, filter.sort));
        let place = self.place(actor, filter.sort, request).await?;
        let select = narrowed(select, actor, &filter);
        let found = pagination::fetch_ordered(db, select, &order, place, request, Total::Counted).await?;
        let counts = counts_of(db, actor, found.items.iter().map(|model| model.id)).await?;
        let owners = owners_of(db, &found.items).await?;
        let mut mapped = mappings_of(db, found.items.iter().map(|model| model.id)).await?;
        found.try_map(|model| {
            let counts = counts.get(&model.id).copied().unwrap_or_default();
            let owner = model.workspace_id.and_then(|id| owners.get(&id).cloned());
            let mapped = mapped.remove(&model.id).unwrap_or_default();
            into_integration(model, owner, counts, mapped)
        })
    }

    /// The values of the order at the cursor of `request`: as they are now.
    async fn place(
        self,
        actor: &Actor,
        sort: IntegrationSort,
        request: PageRequest,
    ) -> Result<Option<Vec<Value>>> {
        let Some(cursor) = request.cursor else { return Ok(None) };
        let terms = order(actor, sort).terms;
        let mut select = integration::Entity::find_by_id(cursor.id()).select_only();
        for (number, (term, _)) in terms.iter().enumerate() {
            select = select.expr_as(term.clone(), format!("term_{number}"));
        }
        let row =
            self.registry.db().query_one(&select.into_query()).await?.ok_or_else(|| cursor.unknown())?;
        let slug = |column: &str| row.try_get::<String>("", column);
        Ok(Some(match sort {
            IntegrationSort::Slug => vec![slug("term_0")?.into()],
            IntegrationSort::Name | IntegrationSort::NameDescending => {
                vec![slug("term_0")?.into(), slug("term_1")?.into()]
            }
            _ => vec![row.try_get::<i64>("", "term_0")?.into(), slug("term_1")?.into()],
        }))
    }

    /// How many integrations there are of each kind.
    pub async fn views(self, actor: &Actor) -> Result<IntegrationViews> {
        actor.require(Permission::ListIntegrations)?;
        let count = |condition: Condition| Expr::expr(Expr::case(condition, 1).finally(0)).sum();
        let row: Option<(i64, Sum, Sum, Sum, Sum)> = visible(actor)
            .select_only()
            .column_as(integration::Column::Id.count(), "all")
            .expr_as(count(needs_attention(actor)), "attention")
            .expr_as(count(Condition::all().add(integration::Column::CustomMetadata.eq(true))), "custom")
            .expr_as(count(is_pre_registered(actor)), "by_hand")
            .expr_as(count(Condition::all().add(integration::Column::Enabled.eq(false))), "disabled")
            .into_tuple()
            .one(&self.registry.list_db(actor))
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

fn order(actor: &Actor, sort: IntegrationSort) -> ListOrder<integration::Model> {
    use IntegrationSort as S;
    let name = || Expr::expr(Func::lower(Expr::col((integration::Entity, integration::Column::Name))));
    let changed = || integration::Column::UpdatedAt.into_simple_expr();
    let first = match sort {
        S::Slug => None,
        S::Name => Some((name(), Order::Asc)),
        S::NameDescending => Some((name(), Order::Desc)),
        S::Changed => Some((changed(), Order::Asc)),
        S::ChangedDescending => Some((changed(), Order::Desc)),
        S::Failures => Some((failures(actor), Order::Asc)),
        S::FailuresDescending => Some((failures(actor), Order::Desc)),
    };
    let slug = (integration::Column::SlugKey.into_simple_expr(), Order::Asc);
    ListOrder { terms: first.into_iter().chain([slug]).collect(), place: |row| (0, row.id) }
}

/// States in which there is trouble now; an outdated client still serves.
const FAILING: [State; 3] = [State::Retrying, State::Unconfirmed, State::Failed];

/// Ids of integrations, one for each live server of `workspace` in one of `states`.
fn servers_in(workspace: WorkspaceId, states: &[State]) -> SelectStatement {
    Query::select()
        .column((registration::Entity, registration::Column::IntegrationId))
        .from(registration::Entity)
        .and_where(registration::Column::WorkspaceId.eq(workspace.0))
        .and_where(has_live_server())
        .and_where(registration::Column::State.is_in(states.iter().map(|state| state.as_str())))
        .to_owned()
}

fn needs_attention(actor: &Actor) -> Condition {
    Condition::all().add(integration::Column::Enabled.eq(true)).add(
        Condition::any().add(integration::Column::Unreachable.eq(true)).add(
            integration::Column::Id.in_subquery(match actor.workspace() {
                Some(own) => servers_in(own, &NEEDS_ATTENTION),
                None => tally::scopes_with_states(&NEEDS_ATTENTION),
            }),
        ),
    )
}

fn is_pre_registered(actor: &Actor) -> Condition {
    let by_hand = match actor.workspace() {
        None => tally::scopes_with_method(RegistrationMethod::PreRegistered),
        Some(_) => clients(actor)
            .and_where(oauth_client::Column::Status.eq(ClientStatus::Active.as_str()))
            .and_where(oauth_client::Column::Method.eq(RegistrationMethod::PreRegistered.as_str()))
            .to_owned(),
    };
    Condition::any()
        .add(integration::Column::PreRegistered.eq(true))
        .add(integration::Column::Id.in_subquery(by_hand))
}

/// How many registrations of an integration are in trouble.
fn failures(actor: &Actor) -> Expr {
    let id = (integration::Entity, integration::Column::Id);
    let select = match actor.workspace() {
        None => tally::count_in_states(Expr::col(id), &FAILING),
        // From its few servers of the integration on: the state is an expression, so that its index is not taken.
        Some(own) => Query::select()
            .expr(Expr::col((server::Entity, server::Column::Id)).count())
            .from(server::Entity)
            .inner_join(
                registration::Entity,
                Expr::col((registration::Entity, registration::Column::ServerId))
                    .equals((server::Entity, server::Column::Id)),
            )
            .and_where(Expr::col((server::Entity, server::Column::IntegrationId)).equals(id))
            .and_where(server::Column::WorkspaceId.eq(own.0))
            .and_where(server::Column::DeletedAt.is_null())
            .and_where(
                Expr::cust(r#""registration"."state" || ''"#)
                    .is_in(FAILING.map(registry_core::registration::State::as_str)),
            )
            .to_owned(),
    };
    Expr::SubQuery(None, Box::new(select.into()))
}

/// Ids of integrations, one for each client of a live server that `actor` may see.
fn clients(actor: &Actor) -> SelectStatement {
    let mut select = Query::select();
    select
        .column((registration::Entity, registration::Column::IntegrationId))
        .from(oauth_client::Entity)
        .inner_join(
            registration::Entity,
            Expr::col((registration::Entity, registration::Column::Id))
                .equals((oauth_client::Entity, oauth_client::Column::RegistrationId)),
        )
        .and_where(has_live_server())
        .and_where(
            oauth_client::Column::Status
                .is_not_in([ClientStatus::Withdrawn.as_str(), ClientStatus::Unusable.as_str()]),
        );
    if let Some(own) = actor.workspace() {
        select.and_where(registration::Column::WorkspaceId.eq(own.0));
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
