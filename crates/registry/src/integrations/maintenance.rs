//! The history of an integration and the impact of deleting it.

use crate::integrations::Integrations;
use crate::lookup::clients::method;
use crate::lookup::integrations;
use crate::lookup::integrations::require_owner;
use crate::lookup::servers::is_live;
use crate::storage::columns::moment;
use crate::storage::entity::{access, audit_event, oauth_client, registration, server};
use crate::{Actor, Result};
use registry_core::clock::Timestamp;
use registry_core::permission::Permission;
use registry_core::registration::{ClientStatus, RegistrationMethod};
use registry_core::slug::Reference;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    RelationTrait,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// An audit event of an integration, its access rows or its servers.
#[derive(Clone, Debug)]
pub struct IntegrationEvent {
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// `api`, `web`, `worker` or `cli`.
    pub door: String,
    /// What was done, e.g. `integration.updated`.
    pub action: String,
    /// Kind of the subject: `integration`, `access` or `server`.
    pub subject: String,
    /// Name of the subject at that time.
    pub name: Option<String>,
}

/// What deleting an integration takes along.
#[derive(Clone, Debug, Default)]
pub struct IntegrationDeletion {
    /// Names of the servers, `workspace/server`, by name.
    pub servers: Vec<String>,
    /// Names of the workspaces that may use it now, by slug.
    pub workspaces: Vec<String>,
    /// Its OAuth clients, by the authorization server they belong to.
    pub clients: Vec<ClientsAt>,
}

/// Clients at one authorization server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientsAt {
    /// Its issuer.
    pub issuer: String,
    /// Clients that are deleted there (RFC 7592 §2.3).
    pub deletable: u64,
    /// Clients without a management endpoint; they are recorded as orphaned clients.
    pub left: u64,
    /// Pre-registered clients, which stay there.
    pub pre_registered: u64,
    /// Published documents that are taken down; nothing was registered.
    pub published: u64,
}

impl IntegrationDeletion {
    /// Clients that this registry will forget.
    pub fn forgotten(&self) -> u64 {
        self.clients.iter().map(|at| at.deletable + at.left + at.pre_registered + at.published).sum()
    }
}

impl Integrations<'_> {
    /// What happened to an integration, its workspace access and its servers, as far as the actor may see them: the
    /// newest `most` events.
    pub async fn events(
        self,
        actor: &Actor,
        reference: &Reference,
        most: u64,
    ) -> Result<Vec<IntegrationEvent>> {
        actor.require(Permission::ReadIntegrations)?;
        let model = integrations::find(self.registry.db(), actor, reference).await?;
        let mut rows = access::Entity::find()
            .select_only()
            .column(access::Column::Id)
            .filter(access::Column::IntegrationId.eq(model.id));
        let mut servers = server::Entity::find()
            .select_only()
            .column(server::Column::Id)
            .filter(server::Column::IntegrationId.eq(model.id));
        if let Some(own) = actor.workspace() {
            rows = rows.filter(access::Column::WorkspaceId.eq(own.0));
            servers = servers.filter(server::Column::WorkspaceId.eq(own.0));
        }
        let rows: Vec<Uuid> = rows.into_tuple().all(self.registry.db()).await?;
        let servers: Vec<Uuid> = servers.into_tuple().all(self.registry.db()).await?;
        let one = |kind: &str, ids: Vec<Uuid>| {
            // `subject_id` is a text column.
            Condition::all()
                .add(audit_event::Column::SubjectKind.eq(kind))
                .add(audit_event::Column::SubjectId.is_in(ids.iter().map(ToString::to_string)))
        };
        let found = audit_event::Entity::find()
            .filter(
                Condition::any()
                    .add(one("integration", vec![model.id]))
                    .add(one("access", rows))
                    .add(one("server", servers)),
            )
            .order_by_desc(audit_event::Column::Number)
            .limit(most)
            .all(self.registry.db())
            .await?;
        Ok(found
            .into_iter()
            .map(|row| IntegrationEvent {
                at: moment(row.at),
                actor: row.actor_name,
                door: row.door,
                action: row.action,
                subject: row.subject_kind,
                name: row.subject_name,
            })
            .collect())
    }

    /// What deleting an integration would take along. Only for those who may delete it.
    pub async fn dry_run_delete(self, actor: &Actor, reference: &Reference) -> Result<IntegrationDeletion> {
        actor.require(Permission::DeleteIntegrations)?;
        let model = integrations::find(self.registry.db(), actor, reference).await?;
        require_owner(actor, &model)?;
        let access = crate::access::list::list(self.registry.db(), actor, &model).await?;
        let scope = crate::configuration::layers::ServerScope::Integration(registry_core::id::IntegrationId(
            model.id,
        ));
        let servers = self.registry.configurations().load(self.registry.db(), scope, false).await?;
        let live = server::Entity::find()
            .select_only()
            .column(server::Column::Id)
            .filter(server::Column::IntegrationId.eq(model.id))
            .filter(is_live())
            .into_query();
        let clients = oauth_client::Entity::find()
            .join(JoinType::InnerJoin, oauth_client::Relation::Registration.def())
            .filter(registration::Column::ServerId.in_subquery(live))
            .filter(oauth_client::Column::Status.ne(ClientStatus::Withdrawn.as_str()))
            .all(self.registry.db())
            .await?;
        let mut at: BTreeMap<String, ClientsAt> = BTreeMap::new();
        for client in clients {
            let manageable =
                client.registration_client_uri.is_some() && client.registration_access_token_id.is_some();
            let there = at.entry(client.issuer.clone()).or_default();
            there.issuer.clone_from(&client.issuer);
            *match method(&client)? {
                RegistrationMethod::PreRegistered => &mut there.pre_registered,
                RegistrationMethod::Cimd => &mut there.published,
                RegistrationMethod::Dcr if manageable => &mut there.deletable,
                RegistrationMethod::Dcr => &mut there.left,
            } += 1;
        }
        Ok(IntegrationDeletion {
            servers: servers
                .iter()
                .map(|layers| format!("{}/{}", layers.workspace.slug, layers.server.slug))
                .collect(),
            workspaces: access
                .workspaces
                .into_iter()
                .filter(|access| access.enabled)
                .map(|access| access.workspace.name)
                .collect(),
            clients: at.into_values().collect(),
        })
    }
}
