//! From a filter to the rows it means, and their order: those that changed last first.
//!
//! A list reads one state after the other, each in the order of an index, and only as many rows as the page needs. So a page
//! costs what it shows, whatever the states, and for one workspace or integration as for all.

use crate::lookup::{integrations, servers, tally, workspaces};
use crate::pagination::{ListOrder, MAX_COUNTED, MAX_FOUND, Page, PageRequest, Total};
use crate::registration::Registrations;
use crate::registration::list::RegistrationFilter;
use crate::storage::columns::contains;
use crate::storage::entity::{integration, oauth_client, registration, server, workspace};
use crate::{Actor, Result};
use registry_core::registration::{ClientStatus, State};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, SimpleExpr, UnionType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoSimpleExpr, JoinType, Order, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, RelationTrait, Select,
};
use std::collections::HashMap;
use uuid::Uuid;

/// The state as an expression that no index has.
const STATE_TEXT: &str = r#""registration"."state" || ''"#;

/// The registrations that a filter means and an actor may know of.
pub(super) struct Chosen {
    /// Of every state.
    every: Select<registration::Entity>,
    states: Vec<State>,
    /// Whose counts are kept (see [`tally`]); `None`: they must be counted.
    scope: Option<Uuid>,
    /// Whether these are the registrations of a few servers, which are found before their states are looked at.
    few: bool,
    /// Whether texts are compared.
    searches: bool,
}

impl Registrations<'_> {
    /// The registrations that `filter` means and `actor` may know of.
    pub(super) async fn choose(self, actor: &Actor, filter: &RegistrationFilter) -> Result<Chosen> {
        let db = self.registry.db();
        let mut workspace = actor.workspace().map(|own| own.0);
        if let Some(reference) = &filter.workspace {
            workspace = Some(workspaces::find(db, actor, reference).await?.id);
        }
        let mut integration = None;
        if let Some(reference) = &filter.integration {
            integration = Some(integrations::find(db, actor, reference).await?.id);
        }
        let mut select = registration::Entity::find();
        let mut scope = workspace.or(integration).or(Some(tally::ORGANISATION));
        let mut few = false;
        if let (Some(workspace), Some(integration)) = (workspace, integration) {
            // A workspace has few servers of one integration, and many of all.
            (scope, few) = (None, true);
            select = select.filter(registration::Column::ServerId.in_subquery(pair(workspace, integration)));
        } else if let Some(id) = workspace {
            select = select.filter(registration::Column::WorkspaceId.eq(id));
        } else if let Some(id) = integration {
            select = select.filter(registration::Column::IntegrationId.eq(id));
        }
        if let Some(reference) = &filter.server {
            (scope, few) = (None, true);
            let server = servers::find(db, actor, reference).await?;
            select = select.filter(registration::Column::ServerId.eq(server.id));
        }
        if let Some(issuer) = &filter.issuer {
            scope = None;
            select = select.filter(registration::Column::ClientIssuer.eq(issuer));
        }
        if let Some(method) = filter.method {
            scope = None;
            select = select.filter(registration::Column::ClientMethod.eq(method.as_str()));
        }
        let text = filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty());
        if let Some(text) = text {
            scope = None;
            select = select
                .join(JoinType::InnerJoin, registration::Relation::Server.def())
                .join(JoinType::InnerJoin, server::Relation::Workspace.def())
                .join(JoinType::InnerJoin, server::Relation::Integration.def())
                .filter(matches(text));
        }
        let mut states = filter.states.clone();
        if states.is_empty() {
            states = State::ALL.iter().copied().filter(|state| *state != State::Withdrawn).collect();
        }
        states.sort_unstable_by_key(|state| state.as_str());
        states.dedup();
        Ok(Chosen { every: select, states, scope, few, searches: text.is_some() })
    }
}

impl Chosen {
    /// All rows, in no order.
    pub(super) fn select(self) -> Select<registration::Entity> {
        let states = self.in_states();
        self.every.filter(states)
    }

    /// Of few registrations the state is an expression: no index of states may be taken for them.
    fn in_states(&self) -> Expr {
        let states = self.states.iter().map(|state| state.as_str());
        if self.few {
            Expr::cust(STATE_TEXT).is_in(states)
        } else {
            registration::Column::State.is_in(states)
        }
    }

    /// One page, without what stands around the rows.
    pub(super) async fn page(
        self,
        db: &impl ConnectionTrait,
        request: PageRequest,
    ) -> Result<Page<registration::Model>> {
        let order = by_change();
        let mut chosen = self;
        let found = if chosen.searches { Some(chosen.search(db).await?) } else { None };
        chosen.read(db, &order, request, found).await
    }

    /// Counts what a search finds, up to one more than [`MAX_FOUND`]. Not more than that are read by their ids from then on, so
    /// that texts are compared once.
    async fn search(&mut self, db: &impl ConnectionTrait) -> Result<u64> {
        let all = self.every.clone().filter(self.in_states()).select_only().column(registration::Column::Id);
        let ids: Vec<Uuid> = all.limit(MAX_FOUND + 1).into_tuple().all(db).await?;
        let found = ids.len() as u64;
        if found <= MAX_FOUND {
            self.every = registration::Entity::find().filter(registration::Column::Id.is_in(ids));
            self.few = true;
        }
        Ok(found)
    }

    async fn read(
        self,
        db: &impl ConnectionTrait,
        order: &ListOrder<registration::Model>,
        request: PageRequest,
        found: Option<u64>,
    ) -> Result<Page<registration::Model>> {
        let mut rows = if self.few {
            let rows = self.every.clone().filter(self.in_states());
            let rows = rows.limit(request.size + 1).offset(request.offset());
            match request.cursor {
                Some(cursor) => {
                    rows.filter(order.beyond(request, &[cursor.key().into(), cursor.id().into()]))
                }
                None => rows,
            }
        } else {
            let newest = self.newest(order, request);
            registration::Entity::find().filter(registration::Column::Id.in_subquery(newest))
        };
        for (term, direction) in order.directed(request) {
            rows = rows.order_by(term, direction);
        }
        let page = order.page(rows.all(db).await?, request);
        let total = match (found, self.scope) {
            (Some(found), _) if found > MAX_FOUND => {
                return Ok(Page { total: Ord::max(page.total, MAX_FOUND), total_is_exact: false, ..page });
            }
            (Some(found), _) => Total::Known(found),
            (None, None) => Total::Found,
            (None, Some(scope)) => {
                let kept = tally::one(db, scope).await?;
                Total::Known(self.states.iter().map(|state| kept.all(*state)).sum())
            }
        };
        page.counted(db, total, self.select()).await
    }

    /// The ids on the page, and one more: the first of those that each state has first from the cursor on.
    fn newest(&self, order: &ListOrder<registration::Model>, request: PageRequest) -> SelectStatement {
        let mut all = Query::select();
        for (number, state) in self.states.iter().enumerate() {
            let mut select = self.every.clone().filter(registration::Column::State.eq(state.as_str()));
            if let Some(cursor) = request.cursor {
                let values = [cursor.key().into(), cursor.id().into()];
                select = select.filter(order.beyond(request, &values));
            }
            for (term, direction) in order.directed(request) {
                select = select.order_by(term, direction);
            }
            let rows = select
                .select_only()
                .column(registration::Column::Id)
                .column(registration::Column::UpdatedAt)
                .limit(request.offset().saturating_add(request.size).saturating_add(1))
                .into_query();
            let mut of_state = Query::select();
            of_state
                .columns([registration::Column::Id, registration::Column::UpdatedAt])
                .from_subquery(rows, Alias::new(format!("of_state_{number}")));
            if number == 0 {
                all = of_state;
            } else {
                all.union(UnionType::All, of_state);
            }
        }
        let mut newest = Query::select();
        newest.column(registration::Column::Id).from_subquery(all, "newest");
        // The terms as the union names them.
        let columns = [registration::Column::UpdatedAt, registration::Column::Id];
        for (column, (_, direction)) in columns.into_iter().zip(order.directed(request)) {
            newest.order_by(column, direction);
        }
        newest.limit(request.size + 1).offset(request.offset()).to_owned()
    }

    /// How many there are in each state.
    pub(super) async fn counts(self, db: &impl ConnectionTrait) -> Result<Vec<(State, u64)>> {
        if let Some(scope) = self.scope {
            let kept = tally::one(db, scope).await?;
            return Ok(State::ALL.iter().map(|state| (*state, kept.all(*state))).collect());
        }
        // One pass, which ends when it has read as many rows as a list counts at most.
        let mut rows = self.every.select_only().column(registration::Column::State).into_query();
        rows.limit(MAX_COUNTED);
        let counts = Query::select()
            .column(registration::Column::State)
            .expr_as(Expr::cust("COUNT(*)"), "count")
            .from_subquery(rows, "counted")
            .group_by_col(registration::Column::State)
            .to_owned();
        let mut counted = HashMap::new();
        for row in db.query_all(&counts).await? {
            let (state, count): (String, i64) = (row.try_get("", "state")?, row.try_get("", "count")?);
            counted.insert(state, count.unsigned_abs());
        }
        let of = |state: State| counted.get(state.as_str()).copied().unwrap_or(0);
        Ok(State::ALL.iter().map(|state| (*state, of(*state))).collect())
    }
}

fn by_change() -> ListOrder<registration::Model> {
    ListOrder {
        terms: vec![
            (registration::Column::UpdatedAt.into_simple_expr(), Order::Desc),
            (registration::Column::Id.into_simple_expr(), Order::Asc),
        ],
        place: |row| (row.updated_at, row.id),
    }
}

/// The servers of one integration in one workspace, deleted ones too.
fn pair(workspace: Uuid, integration: Uuid) -> SelectStatement {
    Query::select()
        .column(server::Column::Id)
        .from(server::Entity)
        .and_where(server::Column::WorkspaceId.eq(workspace))
        .and_where(server::Column::IntegrationId.eq(integration))
        .to_owned()
}

/// The registrations whose active client is such a one.
fn active(condition: SimpleExpr) -> SelectStatement {
    Query::select()
        .column(oauth_client::Column::RegistrationId)
        .from(oauth_client::Entity)
        .and_where(oauth_client::Column::Status.eq(ClientStatus::Active.as_str()))
        .and_where(condition)
        .to_owned()
}

/// Where `text` may stand: in a name, in what was answered, in the client's id.
fn matches(text: &str) -> Condition {
    let server = |text: &str| {
        Condition::any()
            .add(contains((server::Entity, server::Column::Name), text))
            .add(contains((server::Entity, server::Column::Slug), text))
    };
    let workspace = |text: &str| {
        Condition::any()
            .add(contains((workspace::Entity, workspace::Column::Name), text))
            .add(contains((workspace::Entity, workspace::Column::Slug), text))
    };
    let mut any = Condition::any()
        .add(server(text))
        .add(workspace(text))
        .add(contains((integration::Entity, integration::Column::Name), text))
        .add(contains((integration::Entity, integration::Column::Slug), text))
        .add(contains((registration::Entity, registration::Column::Error), text))
        .add(contains((registration::Entity, registration::Column::ErrorDescription), text))
        .add(contains((registration::Entity, registration::Column::Reason), text))
        .add(registration::Column::Id.in_subquery(active(contains(oauth_client::Column::ClientId, text))));
    if let Some((team, name)) = text.split_once('/') {
        any = any.add(Condition::all().add(workspace(team.trim())).add(server(name.trim())));
    }
    any
}
