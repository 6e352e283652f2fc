//! Loads registrations with everything that their plan looks at, many in few statements: one for the rows and layers, one for
//! the organisation's layer, and one each for mapped secrets and clients where there are any.

use crate::configuration::layers::{LayersAbove, ServerLayers, organisation_layers, parse_layer};
use crate::configuration::mapped_secrets::members_of;
use crate::registration::context::{deployment_at, deployment_values};
use crate::storage::entity::{
    access, attempt, deployment, integration, oauth_client, registration, secret_mapping, server, workspace,
};
use crate::storage::joined::columns;
use crate::{Error, Registry, Result};
use registry_core::metadata::AdvancedConfiguration;
use registry_core::registration::ClientStatus;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryResult};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// A registration with everything that its plan looks at.
pub(crate) struct LoadedRegistration {
    pub(crate) row: registration::Model,
    /// What its server's metadata are resolved from; an error if something of it cannot be read.
    pub(crate) layers: Result<ServerLayers>,
    /// Its active client, and those that are still to be withdrawn.
    pub(crate) clients: Vec<oauth_client::Model>,
    /// The generation of its newest client; 0: it never had one.
    pub(crate) newest_generation: i64,
    /// Whether an attempt of it has no outcome yet.
    pub(crate) is_open: bool,
}

/// What was loaded, and the rows of `deployment` that a write of a worker needs.
pub(crate) struct Loaded {
    pub(crate) situations: Vec<LoadedRegistration>,
    pub(crate) deployment: Vec<deployment::Model>,
}

/// The rows of one situation.
struct Rows {
    row: registration::Model,
    server: server::Model,
    integration: integration::Model,
    workspace: workspace::Model,
    access: Option<access::Model>,
    newest_generation: i64,
    is_open: bool,
    is_mapped: bool,
}

/// The registrations `ids` with everything that their plans look at, in no order. Those that do not exist are left out.
pub(crate) async fn load_situations(
    registry: &Registry,
    db: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<Loaded> {
    let found = db.query_all(&statement(ids)).await?;
    let deployment = found.first().map(|row| deployment_at(row, 0)).transpose()?.unwrap_or_default();
    registry.apply_recorded_settings(&deployment)?;
    let rows = found.iter().map(read).collect::<Result<Vec<_>, DbErr>>()?;
    if rows.is_empty() {
        return Ok(Loaded { situations: Vec::new(), deployment });
    }
    let mapped_owners: Vec<Uuid> =
        rows.iter().filter(|one| one.is_mapped).flat_map(|one| [one.server.id, one.integration.id]).collect();
    let mapped =
        if mapped_owners.is_empty() { HashMap::new() } else { members_of(db, mapped_owners).await? };
    let with_clients = rows.iter().filter(|one| one.newest_generation > 0).map(|one| one.row.id);
    let mut clients = clients_of(db, with_clients).await?;
    let mut assembly = Assembly {
        organisation: organisation_layers(db, rows.iter().map(|one| &one.server)).await?,
        mapped: mapped.into_iter().map(|(id, members)| (id, Arc::new(members))).collect(),
        integrations: HashMap::new(),
        registry,
    };
    let situations = rows.into_iter().map(|rows| LoadedRegistration {
        clients: clients.remove(&rows.row.id).unwrap_or_default(),
        newest_generation: rows.newest_generation,
        is_open: rows.is_open,
        row: rows.row.clone(),
        layers: assembly.layers(rows),
    });
    Ok(Loaded { situations: situations.collect(), deployment })
}

/// The active clients of registrations, and those that are still to be withdrawn, by registration.
pub(crate) async fn clients_of(
    db: &impl ConnectionTrait,
    registrations: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Vec<oauth_client::Model>>> {
    let registrations: Vec<_> = registrations.into_iter().collect();
    let mut found: HashMap<Uuid, Vec<_>> = HashMap::new();
    if registrations.is_empty() {
        return Ok(found);
    }
    let kept = [ClientStatus::Active, ClientStatus::Draining, ClientStatus::Unusable];
    let rows = oauth_client::Entity::find()
        .filter(oauth_client::Column::RegistrationId.is_in(registrations))
        .filter(oauth_client::Column::Status.is_in(kept.map(ClientStatus::as_str)))
        .all(db)
        .await?;
    for row in rows {
        found.entry(row.registration_id).or_default().push(row);
    }
    Ok(found)
}

/// Puts the layers of servers together, and parses what several of them share once.
struct Assembly<'a> {
    registry: &'a Registry,
    /// The revisions of the organisation's layer that the servers have.
    organisation: HashMap<i64, Arc<AdvancedConfiguration>>,
    mapped: HashMap<Uuid, Arc<Map<String, Value>>>,
    integrations: HashMap<Uuid, (Arc<integration::Model>, Arc<AdvancedConfiguration>)>,
}

impl Assembly<'_> {
    fn layers(&mut self, rows: Rows) -> Result<ServerLayers> {
        let Rows { server, integration, workspace, access, .. } = rows;
        let (integration, integration_layer) = if let Some(known) = self.integrations.get(&integration.id) {
            known.clone()
        } else {
            let layer = parse_layer(integration.configuration.as_deref(), "integration", integration.id)?;
            let new = (Arc::new(integration), Arc::new(layer));
            self.integrations.insert(new.0.id, new.clone());
            new
        };
        let organisation_layer = self
            .organisation
            .get(&server.organisation_revision)
            .cloned()
            .ok_or_else(|| Error::corrupt("server", "organisation_revision", server.id))?;
        let above = LayersAbove {
            access: access.as_ref(),
            integration_mapped: self.mapped.get(&integration.id).cloned().unwrap_or_default(),
            integration,
            integration_layer,
            workspace: Arc::new(workspace),
            organisation_layer,
            in_force: self.registry.in_force(),
        };
        let server_mapped = self.mapped.get(&server.id).cloned().unwrap_or_default();
        ServerLayers::of(server, server_mapped, above)
    }
}

/// The prefixes of the columns of each table.
const REGISTRATION: &str = "r_";
const SERVER: &str = "s_";
const INTEGRATION: &str = "i_";
const WORKSPACE: &str = "w_";
const ACCESS: &str = "a_";

pub(crate) fn statement(ids: &[Uuid]) -> SelectStatement {
    use {access::Column as A, integration::Column as I, registration::Column as R, server::Column as S};
    let of_integration = Expr::col(I::Id.as_column_ref()).eq(Expr::col(S::IntegrationId.as_column_ref()));
    let of_workspace =
        Expr::col(workspace::Column::Id.as_column_ref()).eq(Expr::col(S::WorkspaceId.as_column_ref()));
    let of_both = Expr::col(A::IntegrationId.as_column_ref())
        .eq(Expr::col(S::IntegrationId.as_column_ref()))
        .and(Expr::col(A::WorkspaceId.as_column_ref()).eq(Expr::col(S::WorkspaceId.as_column_ref())));
    let mut select = Query::select();
    for (index, value) in deployment_values().enumerate() {
        select.expr_as(value, format!("deployment_{index}"));
    }
    for (name, query) in
        [("newest_generation", newest()), ("open_attempts", open()), ("mappings", mappings())]
    {
        select.expr_as(SimpleExpr::SubQuery(None, Box::new(query.into())), name);
    }
    columns::<registration::Entity>(&mut select, REGISTRATION);
    columns::<server::Entity>(&mut select, SERVER);
    columns::<integration::Entity>(&mut select, INTEGRATION);
    columns::<workspace::Entity>(&mut select, WORKSPACE);
    columns::<access::Entity>(&mut select, ACCESS);
    select
        .from(registration::Entity)
        .inner_join(
            server::Entity,
            Expr::col(S::Id.as_column_ref()).eq(Expr::col(R::ServerId.as_column_ref())),
        )
        .inner_join(integration::Entity, of_integration)
        .inner_join(workspace::Entity, of_workspace)
        .left_join(access::Entity, of_both)
        .and_where(Expr::col(R::Id.as_column_ref()).is_in(ids.iter().copied()));
    select
}

/// The generation of the newest client of a registration.
fn newest() -> SelectStatement {
    use oauth_client::Column as C;
    let of =
        Expr::col(C::RegistrationId.as_column_ref()).eq(Expr::col(registration::Column::Id.as_column_ref()));
    Query::select()
        .expr(Expr::col(C::Generation.as_column_ref()).max())
        .from(oauth_client::Entity)
        .and_where(of)
        .take()
}

/// How many attempts of a registration have no outcome.
fn open() -> SelectStatement {
    use attempt::Column as C;
    let of =
        Expr::col(C::RegistrationId.as_column_ref()).eq(Expr::col(registration::Column::Id.as_column_ref()));
    let pending = Expr::col(C::FinishedAt.as_column_ref()).is_null();
    let count = Expr::col(C::Id.as_column_ref()).count();
    Query::select().expr(count).from(attempt::Entity).and_where(of).and_where(pending).take()
}

/// How many members of the configurations of a server and its integration come from the operator's secrets.
fn mappings() -> SelectStatement {
    use secret_mapping::Column as C;
    let owner = || Expr::col(C::OwnerId.as_column_ref());
    let of_server = owner().eq(Expr::col(server::Column::Id.as_column_ref()));
    let of_integration = owner().eq(Expr::col(integration::Column::Id.as_column_ref()));
    let count = owner().count();
    Query::select().expr(count).from(secret_mapping::Entity).and_where(of_server.or(of_integration)).take()
}

fn read(row: &QueryResult) -> Result<Rows, DbErr> {
    let counted = |name| -> Result<bool, DbErr> { Ok(row.try_get::<i64>("", name)? > 0) };
    let access: Option<Uuid> = row.try_get(ACCESS, "id")?;
    Ok(Rows {
        row: registration::Model::from_query_result(row, REGISTRATION)?,
        server: server::Model::from_query_result(row, SERVER)?,
        integration: integration::Model::from_query_result(row, INTEGRATION)?,
        workspace: workspace::Model::from_query_result(row, WORKSPACE)?,
        access: access.map(|_| access::Model::from_query_result(row, ACCESS)).transpose()?,
        newest_generation: row.try_get::<Option<i64>>("", "newest_generation")?.unwrap_or(0),
        is_open: counted("open_attempts")?,
        is_mapped: counted("mappings")?,
    })
}
