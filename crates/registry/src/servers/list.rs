//! The list of servers.

use crate::lookup::servers::is_live;
use crate::lookup::{integrations, tally, workspaces};
use crate::pagination::{self, ListOrder, Page, PageRequest, Total};
use crate::servers::Servers;
use crate::servers::crud::Server;
use crate::storage::columns::contains;
use crate::storage::entity::server;
use crate::{Actor, Result};
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoSimpleExpr, Order, QueryFilter, QuerySelect, Value};

/// Which servers to list.
#[derive(Clone, Debug, Default)]
pub struct ServerFilter {
    /// Of this workspace.
    pub workspace: Option<Reference>,
    /// Of this integration.
    pub integration: Option<Reference>,
    /// Part of name or slug, ignoring case.
    pub search: Option<String>,
    /// Only these; empty: all.
    pub ids: Vec<Reference>,
}

impl Servers<'_> {
    /// Servers by slug. A page costs what it shows; only a search reads on until it is full, over all servers if need be.
    /// While a rollout deletes servers, `total` may still count them.
    pub async fn list(
        self,
        actor: &Actor,
        filter: ServerFilter,
        request: PageRequest,
    ) -> Result<Page<Server>> {
        actor.require(Permission::ListServers)?;
        let db = self.registry.db();
        let mut select = server::Entity::find().filter(is_live());
        let mut workspace = actor.workspace().map(|own| own.0);
        if let Some(reference) = &filter.workspace {
            workspace = Some(workspaces::find(db, actor, reference).await?.id);
        }
        if let Some(id) = workspace {
            select = select.filter(server::Column::WorkspaceId.eq(id));
        }
        let mut integration = None;
        if let Some(reference) = &filter.integration {
            integration = Some(integrations::find(db, actor, reference).await?.id);
        }
        if let Some(id) = integration {
            select = select.filter(server::Column::IntegrationId.eq(id));
        }
        let mut total = match (workspace, integration) {
            (Some(_), Some(_)) => Total::Counted,
            (one, other) => {
                let scope = one.or(other).unwrap_or(tally::ORGANISATION);
                Total::Known(tally::one(&self.registry.list_db(actor), scope).await?.servers)
            }
        };
        if let Some(text) = filter.search.filter(|text| !text.is_empty()) {
            total = Total::Found;
            select = select.filter(
                Condition::any()
                    .add(contains(server::Column::Name, &text))
                    .add(contains(server::Column::Slug, &text)),
            );
        }
        if !filter.ids.is_empty() {
            total = Total::Counted;
            // Two lists, not a term for each: expressions are walked and dropped recursively.
            let (mut ids, mut keys) = (Vec::new(), Vec::new());
            for reference in filter.ids {
                match reference {
                    Reference::Id(id) => ids.push(id),
                    Reference::Slug(key) => keys.push(key),
                }
            }
            let any = Condition::any().add(server::Column::Id.is_in(ids));
            select = select.filter(any.add(server::Column::SlugKey.is_in(keys)));
        }
        let (order, place) = (by_slug(), self.place(request).await?);
        let db = &self.registry.list_db(actor);
        let found = pagination::fetch_ordered(db, select, &order, place, request, total).await?;
        self.show(db, found).await
    }

    /// The values of the order at the cursor of `request`.
    async fn place(self, request: PageRequest) -> Result<Option<Vec<Value>>> {
        let Some(cursor) = request.cursor else { return Ok(None) };
        let key: Option<String> = server::Entity::find_by_id(cursor.id())
            .select_only()
            .column(server::Column::SlugKey)
            .into_tuple()
            .one(self.registry.db())
            .await?;
        Ok(Some(vec![key.ok_or_else(|| cursor.unknown())?.into(), cursor.id().into()]))
    }
}

fn by_slug() -> ListOrder<server::Model> {
    let term = |column: server::Column| -> (Expr, Order) { (column.into_simple_expr(), Order::Asc) };
    ListOrder {
        terms: vec![term(server::Column::SlugKey), term(server::Column::Id)],
        place: |row| (0, row.id),
    }
}
