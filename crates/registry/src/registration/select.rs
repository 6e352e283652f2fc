//! From a filter to the rows it means.

use crate::lookup::{integrations, servers, workspaces};
use crate::registration::Registrations;
use crate::registration::list::RegistrationFilter;
use crate::storage::columns::contains;
use crate::storage::entity::{integration, oauth_client, registration, server, workspace};
use crate::{Actor, Result};
use registry_core::registration::{ClientStatus, State};
use sea_orm::sea_query::{Query, SelectStatement, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, QueryFilter, QuerySelect, RelationTrait, Select,
};

impl Registrations<'_> {
    /// The registrations that `filter` means and `actor` may know of; joined with their servers.
    pub(super) async fn select(
        self,
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
            let workspace = workspaces::find(self.registry.db(), actor, reference).await?;
            select = select.filter(server::Column::WorkspaceId.eq(workspace.id));
        }
        if let Some(reference) = &filter.integration {
            let integration = integrations::find(self.registry.db(), actor, reference).await?;
            select = select.filter(server::Column::IntegrationId.eq(integration.id));
        }
        if let Some(reference) = &filter.server {
            let server = servers::find(self.registry.db(), actor, reference).await?;
            select = select.filter(server::Column::Id.eq(server.id));
        }
        if let Some(issuer) = &filter.issuer {
            let sub = active(oauth_client::Column::Issuer.eq(issuer));
            select = select.filter(registration::Column::Id.in_subquery(sub));
        }
        if let Some(method) = filter.method {
            let sub = active(oauth_client::Column::Method.eq(method.as_str()));
            select = select.filter(registration::Column::Id.in_subquery(sub));
        }
        let text = filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty());
        Ok(match text {
            Some(text) => select
                .join(JoinType::InnerJoin, server::Relation::Workspace.def())
                .join(JoinType::InnerJoin, server::Relation::Integration.def())
                .filter(matches(text)),
            None => select,
        })
    }
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
