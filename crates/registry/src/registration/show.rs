//! From rows to registrations as users see them, for a whole page with a fixed number of queries.

use crate::lookup::clients::{active_clients, method, usable};
use crate::lookup::integrations::integration_ref;
use crate::lookup::slugs::stored_slug;
use crate::lookup::workspaces;
use crate::registration::Registrations;
use crate::registration::brief::by_id;
use crate::registration::list::{LastAnswer, Registration};
use crate::registration::orphans::issuer_of;
use crate::storage::columns::{json, moment, word};
use crate::storage::entity::{attempt, integration, oauth_client, registration, revision, server, workspace};
use crate::{Error, Result};
use registry_core::id::{RegistrationId, ServerId};
use registry_core::oauth::Exchange;
use registry_core::registration::{AttemptOutcome, AttemptStep, ClientStatus};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, RelationTrait};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

impl Registrations<'_> {
    pub(crate) async fn show(
        self,
        db: &impl ConnectionTrait,
        rows: Vec<registration::Model>,
    ) -> Result<Vec<Registration>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let around = Around::of(db, &rows).await?;
        let now = self.registry.now();
        rows.into_iter()
            .map(|row| {
                let missing = || Error::corrupt("registration", "server_id", row.id);
                let server = around.servers.get(&row.server_id).ok_or_else(missing)?;
                let integration = around.integrations.get(&server.integration_id).ok_or_else(missing)?;
                let workspace = around.workspaces.get(&server.workspace_id).ok_or_else(missing)?;
                let client = around.clients.get(&row.id);
                let not_before = row.next_try();
                let last = around.last.get(&row.id);
                let discovered = row.discovery.as_deref().filter(|_| client.is_none());
                Ok(Registration {
                    id: RegistrationId(row.id),
                    server: ServerId(server.id),
                    server_slug: stored_slug(&server.slug, "server", server.id)?,
                    server_name: server.name.clone(),
                    server_deleted: server.deleted_at.is_some()
                        || integration.deleted_at.is_some()
                        || workspace.deleted_at.is_some(),
                    workspace: workspaces::as_ref(workspace)?,
                    integration: integration_ref(integration)?,
                    state: row.state()?,
                    usable: client.is_some_and(|client| usable(client, now)),
                    method: client.map(method).transpose()?,
                    reason: row.reason,
                    detail: row.detail,
                    error: row.error,
                    error_description: row.error_description,
                    issuer: client.map(|client| client.issuer.clone()),
                    discovered_issuer: issuer_of(discovered, row.id)?,
                    client_id: client.map(|client| client.client_id.clone()),
                    generation: client.map(|client| client.generation),
                    failures: row.failures,
                    not_before,
                    last_attempt_at: last.map(|last| moment(last.started_at)),
                    last_answer: last.map(|last| last.answer.clone()),
                    metadata_used: around.used.get(&row.id).copied(),
                    metadata_newest: integration.configuration_revision,
                    created_at: moment(row.created_at),
                    updated_at: moment(row.updated_at),
                })
            })
            .collect()
    }
}

/// What stands around some registrations, by id.
struct Around {
    servers: HashMap<Uuid, server::Model>,
    integrations: HashMap<Uuid, integration::Model>,
    workspaces: HashMap<Uuid, workspace::Model>,
    /// The active client of each registration.
    clients: HashMap<Uuid, oauth_client::Model>,
    /// The newest attempt of each registration.
    last: HashMap<Uuid, Last>,
    /// The version of the integration's configuration that the active client was made with, by registration.
    used: HashMap<Uuid, i64>,
}

struct Last {
    started_at: i64,
    answer: LastAnswer,
}

impl Around {
    async fn of(db: &impl ConnectionTrait, rows: &[registration::Model]) -> Result<Self> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let servers = server::Entity::find()
            .filter(server::Column::Id.is_in(rows.iter().map(|row| row.server_id)))
            .all(db)
            .await?;
        let integrations: BTreeSet<Uuid> = servers.iter().map(|server| server.integration_id).collect();
        let workspaces: BTreeSet<Uuid> = servers.iter().map(|server| server.workspace_id).collect();
        Ok(Self {
            clients: by_id(active_clients(db, ids.clone()).await?, |row| row.registration_id),
            used: used_versions(db, &ids).await?,
            last: last_attempts(db, ids).await?,
            integrations: by_id(
                integration::Entity::find()
                    .filter(integration::Column::Id.is_in(integrations))
                    .all(db)
                    .await?,
                |row| row.id,
            ),
            workspaces: by_id(
                workspace::Entity::find().filter(workspace::Column::Id.is_in(workspaces)).all(db).await?,
                |row| row.id,
            ),
            servers: by_id(servers, |row| row.id),
        })
    }
}

async fn last_attempts(db: &impl ConnectionTrait, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Last>> {
    let other = Alias::new("other");
    let newest = Query::select()
        .expr(Expr::col((other.clone(), attempt::Column::Number)).max())
        .from_as(attempt::Entity, other.clone())
        .and_where(
            Expr::col((other, attempt::Column::RegistrationId))
                .equals((attempt::Entity, attempt::Column::RegistrationId)),
        )
        .to_owned();
    let rows: Vec<(Uuid, Uuid, i64, String, String, String)> = attempt::Entity::find()
        .select_only()
        .column(attempt::Column::Id)
        .column(attempt::Column::RegistrationId)
        .column(attempt::Column::StartedAt)
        .column(attempt::Column::Step)
        .column(attempt::Column::Outcome)
        .column(attempt::Column::Exchanges)
        .filter(attempt::Column::RegistrationId.is_in(ids))
        .filter(attempt::Column::Number.in_subquery(newest))
        .into_tuple()
        .all(db)
        .await?;
    rows.into_iter()
        .map(|(id, registration, started_at, step, outcome, exchanges)| {
            let exchanges: Vec<Exchange> = json(&exchanges, "attempt", "exchanges", id)?;
            let status = exchanges.last().and_then(|exchange| exchange.status);
            Ok((
                registration,
                Last {
                    started_at,
                    answer: LastAnswer {
                        step: word(AttemptStep::parse, &step, "attempt", "step", id)?,
                        outcome: word(AttemptOutcome::parse, &outcome, "attempt", "outcome", id)?,
                        status,
                    },
                },
            ))
        })
        .collect()
}

/// The newest version when the client was made or last updated.
async fn used_versions(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
    let made = Func::coalesce([
        Expr::col((oauth_client::Entity, oauth_client::Column::UpdatedAt)),
        Expr::col((oauth_client::Entity, oauth_client::Column::CreatedAt)),
    ]);
    let version = Query::select()
        .expr(Expr::col((revision::Entity, revision::Column::Number)).max())
        .from(revision::Entity)
        .and_where(Expr::col((revision::Entity, revision::Column::SubjectKind)).eq("integration"))
        .and_where(
            Expr::col((revision::Entity, revision::Column::SubjectId))
                .equals((server::Entity, server::Column::IntegrationId)),
        )
        .and_where(Expr::col((revision::Entity, revision::Column::CreatedAt)).lte(made))
        .to_owned();
    let rows: Vec<(Uuid, Option<i64>)> = oauth_client::Entity::find()
        .select_only()
        .column(oauth_client::Column::RegistrationId)
        .expr_as(Expr::SubQuery(None, Box::new(version.into())), "version")
        .join(JoinType::InnerJoin, oauth_client::Relation::Registration.def())
        .join(JoinType::InnerJoin, registration::Relation::Server.def())
        .filter(oauth_client::Column::RegistrationId.is_in(ids.iter().copied()))
        .filter(oauth_client::Column::Status.eq(ClientStatus::Active.as_str()))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(id, version)| (id, version.unwrap_or(0))).collect())
}
