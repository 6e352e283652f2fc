//! Registrations as people see them, and what they can do about them.

use crate::entity::{attempt, integration, oauth_client, registration, server, workspace};
use crate::integrations;
use crate::page::{Page, PageRequest};
use crate::servers::{IntegrationRef, RegistrationBrief, ServerRef, integration_ref};
use crate::stored::{contains, json, moment, word};
use crate::workspaces::{self, WorkspaceRef, stored_slug};
use crate::{Actor, Error, Registry, Result, servers};
use registry_core::clock::Timestamp;
use registry_core::id::{AttemptId, OauthClientId, RegistrationId, ServerId, WorkspaceId};
use registry_core::oauth::{Adjustment, Exchange};
use registry_core::permission::Permission;
use registry_core::registration::{ClientStatus, Doubt, RegistrationMethod, State};
use registry_core::slug::{Reference, Slug};
use sea_orm::sea_query::Query;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, RelationTrait, Select,
};
use serde_json::{Map, Value};
use std::collections::HashMap;
use uuid::Uuid;

/// The standing effort to have a client for one server.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its id.
    pub id: RegistrationId,
    /// The server.
    pub server: ServerId,
    /// The server's slug.
    pub server_slug: Slug,
    /// The server's name for people.
    pub server_name: String,
    /// The server's workspace.
    pub workspace: WorkspaceRef,
    /// The integration.
    pub integration: IntegrationRef,
    /// Whether the server was deleted.
    pub server_deleted: bool,
    /// Where the effort stands.
    pub state: State,
    /// Whether there is an active, unexpired client.
    pub usable: bool,
    /// How the active client came to be.
    pub method: Option<RegistrationMethod>,
    /// Stable code of the last failure (`docs/problems.md`).
    pub reason: Option<String>,
    /// What happened and what to do, a sentence for people.
    pub detail: Option<String>,
    /// The authorization server's own error code.
    pub error: Option<String>,
    /// The authorization server's own words, control characters removed.
    pub error_description: Option<String>,
    /// Issuer the active client belongs to.
    pub issuer: Option<String>,
    /// The active client's id.
    pub client_id: Option<String>,
    /// The active client's generation.
    pub generation: Option<i64>,
    /// Failures in a row.
    pub failures: i64,
    /// Nothing is sent before this moment.
    pub not_before: Option<Timestamp>,
    /// When something was last tried.
    pub last_attempt_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Which registrations to list.
#[derive(Clone, Debug, Default)]
pub struct RegistrationFilter {
    /// Only these states; empty: all that are not withdrawn.
    pub states: Vec<State>,
    /// Of this workspace.
    pub workspace: Option<Reference>,
    /// Of this integration.
    pub integration: Option<Reference>,
    /// Of this server.
    pub server: Option<ServerRef>,
    /// Whose active client belongs to this issuer, exactly.
    pub issuer: Option<String>,
    /// Part of server name or slug, or exactly a `client_id`.
    pub search: Option<String>,
}

/// A registration with what was tried and what came of it.
#[derive(Clone, Debug)]
pub struct RegistrationDetail {
    /// The registration.
    pub registration: Registration,
    /// Newest first, at most 50.
    pub attempts: Vec<Attempt>,
    /// Newest generation first.
    pub clients: Vec<OAuthClient>,
    /// The gateway callbacks, needed to register a client by hand.
    pub callback_urls: Vec<String>,
}

/// One thing tried against an upstream.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// 1 for the first.
    pub number: i64,
    /// `discover`, `publish`, `register`, `adopt`, `update`, `verify` or `withdraw`.
    pub step: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When its outcome was recorded.
    pub finished_at: Option<Timestamp>,
    /// `pending`, `succeeded`, `failed` or `lost` (sent, answer unknown).
    pub outcome: String,
    /// Stable code of the failure.
    pub reason: Option<String>,
    /// A sentence for people.
    pub detail: Option<String>,
    /// The authorization server's own error code.
    pub error: Option<String>,
    /// The authorization server's own words.
    pub error_description: Option<String>,
    /// The body that was sent.
    pub request: Option<Value>,
    /// How it differs from the effective metadata.
    pub adjustments: Vec<Adjustment>,
    /// The answer, without secrets.
    pub response: Option<Value>,
    /// Every HTTP exchange of it.
    pub exchanges: Vec<Exchange>,
}

/// One generation of a client.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    /// Our id of it.
    pub id: OauthClientId,
    /// 1 for the first.
    pub generation: i64,
    /// What it is good for.
    pub status: ClientStatus,
    /// How it came to be.
    pub method: RegistrationMethod,
    /// The issuer it belongs to, verbatim from its metadata document.
    pub issuer: String,
    /// The id the authorization server knows it by.
    pub client_id: String,
    /// Whether it has a secret.
    pub has_secret: bool,
    /// Whether it can be read, changed and deleted upstream (RFC 7592).
    pub manageable: bool,
    /// How it authenticates at the token endpoint.
    pub token_endpoint_auth_method: String,
    /// When its secret expires.
    pub client_secret_expires_at: Option<Timestamp>,
    /// The answer that brought it, without secrets.
    pub response: Map<String, Value>,
    /// What was odd about that answer.
    pub warnings: Vec<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it stopped being active.
    pub ended_at: Option<Timestamp>,
    /// When it was last updated upstream (RFC 7592 §2.2).
    pub updated_at: Option<Timestamp>,
    /// When it was last read upstream and found well (RFC 7592 §2.1).
    pub verified_at: Option<Timestamp>,
    /// When a gateway first fetched it.
    pub fetched_at: Option<Timestamp>,
    /// Why it may not be known upstream any more: `update_lost`, `reported`, `forgotten`.
    pub doubt: Option<String>,
    /// How it ended: `deleted`, `unpublished`, `entered` (by hand, so not ours to delete), `shared` (its id serves another
    /// server), `forgotten` (gone upstream before), `not_possible` (see the orphan ledger).
    pub withdrawal: Option<String>,
    /// What came of its last deletion, a sentence for people.
    pub withdrawal_detail: Option<String>,
}

impl Registry {
    /// Registrations, those that changed last first.
    pub async fn registrations(
        &self,
        actor: &Actor,
        filter: RegistrationFilter,
        request: PageRequest,
    ) -> Result<Page<Registration>> {
        actor.require(Permission::ReadRegistrations)?;
        let select = self
            .select_registrations(actor, &filter)
            .await?
            .order_by_desc(registration::Column::UpdatedAt)
            .order_by_asc(registration::Column::Id);
        let page = crate::page::fetch(self.db(), select, request).await?;
        Ok(Page { items: self.show_registrations(self.db(), page.items).await?, total: page.total })
    }

    /// How many registrations are in each state, whatever states the filter names.
    pub async fn registration_counts(
        &self,
        actor: &Actor,
        mut filter: RegistrationFilter,
    ) -> Result<Vec<(State, u64)>> {
        actor.require(Permission::ReadRegistrations)?;
        filter.states = State::ALL.to_vec();
        let rows: Vec<(String, i64)> = self
            .select_registrations(actor, &filter)
            .await?
            .select_only()
            .column(registration::Column::State)
            .column_as(registration::Column::Id.count(), "count")
            .group_by(registration::Column::State)
            .into_tuple()
            .all(self.db())
            .await?;
        let counted: HashMap<String, i64> = rows.into_iter().collect();
        Ok(State::ALL
            .iter()
            .map(|state| {
                let count = counted.get(state.as_str()).copied().unwrap_or(0);
                (*state, u64::try_from(count).unwrap_or_default())
            })
            .collect())
    }

    /// One registration with its attempts and clients.
    pub async fn registration(&self, actor: &Actor, id: RegistrationId) -> Result<RegistrationDetail> {
        actor.require(Permission::ReadRegistrations)?;
        let registration = self.find_registration(self.db(), actor, id).await?;
        let attempts = attempt::Entity::find()
            .filter(attempt::Column::RegistrationId.eq(id.0))
            .order_by_desc(attempt::Column::Number)
            .limit(50)
            .all(self.db())
            .await?;
        let clients = oauth_client::Entity::find()
            .filter(oauth_client::Column::RegistrationId.eq(id.0))
            .order_by_desc(oauth_client::Column::Generation)
            .all(self.db())
            .await?;
        Ok(RegistrationDetail {
            registration,
            attempts: attempts.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
            clients: clients.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
            callback_urls: self.settings().callbacks(),
        })
    }

    pub(crate) async fn find_registration(
        &self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        id: RegistrationId,
    ) -> Result<Registration> {
        let missing = || Error::not_found("registration", id);
        let row = registration::Entity::find_by_id(id.0).one(db).await?.ok_or_else(missing)?;
        let shown = self.show_registrations(db, vec![row]).await?.pop().ok_or_else(missing)?;
        if actor.sees(shown.workspace.id) { Ok(shown) } else { Err(missing()) }
    }

    async fn select_registrations(
        &self,
        actor: &Actor,
        filter: &RegistrationFilter,
    ) -> Result<Select<registration::Entity>> {
        let mut select =
            registration::Entity::find().join(JoinType::InnerJoin, registration::Relation::Server.def());
        if filter.states.is_empty() {
            select = select.filter(registration::Column::State.ne(State::Withdrawn.as_str()));
        } else {
            select = select
                .filter(registration::Column::State.is_in(filter.states.iter().map(|state| state.as_str())));
        }
        if let Some(own) = actor.workspace() {
            select = select.filter(server::Column::WorkspaceId.eq(own.0));
        }
        if let Some(reference) = &filter.workspace {
            let workspace = workspaces::find(self.db(), actor, reference).await?;
            select = select.filter(server::Column::WorkspaceId.eq(workspace.id));
        }
        if let Some(reference) = &filter.integration {
            let integration = integrations::find(self.db(), actor, reference).await?;
            select = select.filter(server::Column::IntegrationId.eq(integration.id));
        }
        if let Some(reference) = &filter.server {
            let server = servers::find(self.db(), actor, reference).await?;
            select = select.filter(server::Column::Id.eq(server.id));
        }
        let clients = |condition: sea_orm::sea_query::SimpleExpr| {
            Query::select()
                .column(oauth_client::Column::RegistrationId)
                .from(oauth_client::Entity)
                .and_where(oauth_client::Column::Status.eq(ClientStatus::Active.as_str()))
                .and_where(condition)
                .to_owned()
        };
        if let Some(issuer) = &filter.issuer {
            let sub = clients(oauth_client::Column::Issuer.eq(issuer));
            select = select.filter(registration::Column::Id.in_subquery(sub));
        }
        if let Some(text) = filter.search.as_ref().filter(|text| !text.is_empty()) {
            let sub = clients(oauth_client::Column::ClientId.eq(text.trim()));
            select = select.filter(
                Condition::any()
                    .add(contains((server::Entity, server::Column::Name), text))
                    .add(contains((server::Entity, server::Column::Slug), text))
                    .add(registration::Column::Id.in_subquery(sub)),
            );
        }
        Ok(select)
    }

    async fn show_registrations(
        &self,
        db: &impl ConnectionTrait,
        rows: Vec<registration::Model>,
    ) -> Result<Vec<Registration>> {
        let server_ids: Vec<Uuid> = rows.iter().map(|row| row.server_id).collect();
        let servers: HashMap<_, _> = by_id(
            server::Entity::find().filter(server::Column::Id.is_in(server_ids)).all(db).await?,
            |row| row.id,
        );
        let integrations: HashMap<_, _> = by_id(
            integration::Entity::find()
                .filter(integration::Column::Id.is_in(servers.values().map(|row| row.integration_id)))
                .all(db)
                .await?,
            |row| row.id,
        );
        let workspaces: HashMap<_, _> = by_id(
            workspace::Entity::find()
                .filter(workspace::Column::Id.is_in(servers.values().map(|row| row.workspace_id)))
                .all(db)
                .await?,
            |row| row.id,
        );
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let clients: HashMap<_, _> = by_id(active_clients(db, ids.clone()).await?, |row| row.registration_id);
        let last: Vec<(Uuid, i64)> = attempt::Entity::find()
            .select_only()
            .column(attempt::Column::RegistrationId)
            .column_as(attempt::Column::StartedAt.max(), "last")
            .filter(attempt::Column::RegistrationId.is_in(ids))
            .group_by(attempt::Column::RegistrationId)
            .into_tuple()
            .all(db)
            .await?;
        let last: HashMap<_, _> = last.into_iter().collect();
        let now = self.now();
        rows.into_iter()
            .map(|row| {
                let missing = || Error::corrupt("registration", "server_id", row.id);
                let server = servers.get(&row.server_id).ok_or_else(missing)?;
                let integration = integrations.get(&server.integration_id).ok_or_else(missing)?;
                let workspace = workspaces.get(&server.workspace_id).ok_or_else(missing)?;
                let client = clients.get(&row.id);
                Ok(Registration {
                    id: RegistrationId(row.id),
                    server: ServerId(server.id),
                    server_slug: stored_slug(&server.slug, "server", server.id)?,
                    server_name: server.name.clone(),
                    server_deleted: server.deleted_at.is_some(),
                    workspace: workspaces::as_ref(workspace)?,
                    integration: integration_ref(integration)?,
                    state: word(State::parse, &row.state, "registration", "state", row.id)?,
                    usable: client.is_some_and(|client| usable(client, now)),
                    method: client.map(method).transpose()?,
                    reason: row.reason,
                    detail: row.detail,
                    error: row.error,
                    error_description: row.error_description,
                    issuer: client.map(|client| client.issuer.clone()),
                    client_id: client.map(|client| client.client_id.clone()),
                    generation: client.map(|client| client.generation),
                    failures: row.failures,
                    not_before: row.not_before.map(moment),
                    last_attempt_at: last.get(&row.id).copied().map(moment),
                    created_at: moment(row.created_at),
                    updated_at: moment(row.updated_at),
                })
            })
            .collect()
    }
}

fn by_id<T>(rows: Vec<T>, key: impl Fn(&T) -> Uuid) -> HashMap<Uuid, T> {
    rows.into_iter().map(|row| (key(&row), row)).collect()
}

/// The active clients of some registrations.
pub(crate) async fn active_clients(
    db: &impl ConnectionTrait,
    registrations: impl IntoIterator<Item = Uuid>,
) -> Result<Vec<oauth_client::Model>> {
    Ok(oauth_client::Entity::find()
        .filter(oauth_client::Column::RegistrationId.is_in(registrations))
        .filter(oauth_client::Column::Status.eq(ClientStatus::Active.as_str()))
        .all(db)
        .await?)
}

/// Whether gateways can use this client now.
pub(crate) fn usable(client: &oauth_client::Model, now: Timestamp) -> bool {
    client.doubt.as_deref() != Some(Doubt::Forgotten.as_str())
        && client.client_secret_expires_at.is_none_or(|expiry| moment(expiry) > now)
}

pub(crate) fn method(client: &oauth_client::Model) -> Result<RegistrationMethod> {
    word(RegistrationMethod::parse, &client.method, "oauth_client", "method", client.id)
}

/// How the registrations of some servers stand.
pub(crate) async fn briefs(
    db: &impl ConnectionTrait,
    servers: impl IntoIterator<Item = Uuid>,
    now: Timestamp,
) -> Result<HashMap<Uuid, RegistrationBrief>> {
    let rows =
        registration::Entity::find().filter(registration::Column::ServerId.is_in(servers)).all(db).await?;
    let clients = by_id(active_clients(db, rows.iter().map(|row| row.id)).await?, |row| row.registration_id);
    rows.into_iter()
        .map(|row| {
            let brief = RegistrationBrief {
                id: RegistrationId(row.id),
                state: word(State::parse, &row.state, "registration", "state", row.id)?,
                usable: clients.get(&row.id).is_some_and(|client| usable(client, now)),
            };
            Ok((row.server_id, brief))
        })
        .collect()
}

/// How many registrations there are in each state, for metrics.
pub(crate) async fn count_states(db: &impl ConnectionTrait) -> Result<Vec<(State, u64)>> {
    let mut counts = Vec::new();
    for state in State::ALL {
        let count = registration::Entity::find()
            .filter(registration::Column::State.eq(state.as_str()))
            .count(db)
            .await?;
        counts.push((*state, count));
    }
    Ok(counts)
}

impl TryFrom<attempt::Model> for Attempt {
    type Error = Error;
    fn try_from(row: attempt::Model) -> Result<Self> {
        let read = |text: &Option<String>, column| {
            text.as_deref().map(|text| json::<Value>(text, "attempt", column, row.id)).transpose()
        };
        Ok(Self {
            id: AttemptId(row.id),
            number: row.number,
            started_at: moment(row.started_at),
            finished_at: row.finished_at.map(moment),
            request: read(&row.request, "request")?,
            response: read(&row.response, "response")?,
            adjustments: json(&row.adjustments, "attempt", "adjustments", row.id)?,
            exchanges: json(&row.exchanges, "attempt", "exchanges", row.id)?,
            step: row.step,
            outcome: row.outcome,
            reason: row.reason,
            detail: row.detail,
            error: row.error,
            error_description: row.error_description,
        })
    }
}

impl TryFrom<oauth_client::Model> for OAuthClient {
    type Error = Error;
    fn try_from(row: oauth_client::Model) -> Result<Self> {
        Ok(Self {
            id: OauthClientId(row.id),
            generation: row.generation,
            status: word(ClientStatus::parse, &row.status, "oauth_client", "status", row.id)?,
            method: method(&row)?,
            has_secret: row.client_secret_id.is_some(),
            manageable: row.registration_client_uri.is_some() && row.registration_access_token_id.is_some(),
            client_secret_expires_at: row.client_secret_expires_at.map(moment),
            response: json(&row.response, "oauth_client", "response", row.id)?,
            warnings: json(&row.warnings, "oauth_client", "warnings", row.id)?,
            created_at: moment(row.created_at),
            ended_at: row.ended_at.map(moment),
            updated_at: row.updated_at.map(moment),
            verified_at: row.verified_at.map(moment),
            fetched_at: row.fetched_at.map(moment),
            doubt: row.doubt,
            withdrawal: row.withdrawal,
            withdrawal_detail: row.withdrawal_detail,
            issuer: row.issuer,
            client_id: row.client_id,
            token_endpoint_auth_method: row.auth_method,
        })
    }
}

/// The workspace of a registration, for events.
pub(crate) fn workspace_of(layers: &crate::layers::ServerLayers) -> WorkspaceId {
    WorkspaceId(layers.workspace.id)
}
