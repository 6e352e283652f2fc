//! Tests of the connection to an upstream MCP server.

use crate::configuration::layers::{ServerScope, auth_type};
use crate::integrations::Integrations;
use crate::integrations::preflight::redact_network_errors;
use crate::lookup::servers::ServerRef;
use crate::lookup::{integrations, servers};
use crate::ports::upstream::ProbeTarget;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::integration;
use crate::storage::write::Event;
use crate::{Actor, Error, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{ServerId, WorkspaceId};
use registry_core::permission::Permission;
use registry_core::preflight::connection_problem;
use registry_core::slug::Reference;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Result of a connection test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionTest {
    /// Name of the integration or server that was tested.
    pub name: String,
    /// The MCP address.
    pub url: String,
    /// HTTP status; `None`: it could not be reached.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The problem, one sentence; `None`: the test passed.
    pub problem: Option<String>,
}

/// The last connection test of an integration, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTest {
    /// When.
    pub at: Timestamp,
    /// HTTP status; `None`: it could not be reached.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The problem, one sentence; `None`: the test passed.
    pub problem: Option<String>,
}

impl ConnectionTest {
    /// What the audit log records.
    fn recorded(&self) -> Value {
        json!({ "url": self.url, "status": self.status })
    }
}

impl Integrations<'_> {
    /// Asks an integration's MCP server once, with the headers that the organisation and the integration configure, and
    /// remembers what that showed. Where it answers, the registry looks at what it offers too
    /// ([`crate::Capabilities::look`]).
    pub async fn test_connection(self, actor: &Actor, reference: &Reference) -> Result<ConnectionTest> {
        actor.require(Permission::UpdateIntegrations)?;
        let read = self.registry.begin_read().await?;
        let model = integrations::find(&read, actor, reference).await?;
        let target = self.registry.configurations().target_of_integration(&read, &model).await?;
        read.commit().await?;
        let test = self.probe(model.name.clone(), &model, target).await?;
        self.save_last_test(actor, &model, &test).await?;
        if test.status.is_some() {
            self.registry.capabilities().look_after_test(actor, model).await;
        }
        Ok(test)
    }

    /// Stores the result of a test, unless the address has changed meanwhile. An observation is not a change, so the
    /// version stays. The audit log records that secrets were sent.
    async fn save_last_test(
        self,
        actor: &Actor,
        model: &integration::Model,
        test: &ConnectionTest,
    ) -> Result<()> {
        let last = LastTest {
            at: self.registry.now(),
            status: test.status,
            duration_ms: test.duration_ms,
            problem: test.problem.clone(),
        };
        let mut write = self.registry.begin_write(actor).await?;
        integration::Entity::update_many()
            .col_expr(integration::Column::LastTest, Expr::value(serde_json::to_string(&last)?))
            .col_expr(integration::Column::Unreachable, Expr::value(test.status.is_none()))
            .filter(integration::Column::Id.eq(model.id))
            .filter(integration::Column::Url.eq(&model.url))
            .exec(&write.txn)
            .await?;
        let event = Event::new(AuditAction::IntegrationTested, "integration", model.id).named(&model.slug);
        write.audit(event.in_workspace(model.workspace_id.map(WorkspaceId)).after(test.recorded()));
        write.commit().await
    }

    /// Asks a server's MCP server once, with the headers that gateways would send.
    pub async fn test_connection_of_server(
        self,
        actor: &Actor,
        reference: &ServerRef,
    ) -> Result<ConnectionTest> {
        actor.require(Permission::UpdateServers)?;
        let read = self.registry.begin_read().await?;
        let model = servers::find(&read, actor, reference).await?;
        let layers = self
            .registry
            .configurations()
            .load(&read, ServerScope::Server(ServerId(model.id)), false)
            .await?
            .pop();
        let layers = layers.ok_or_else(|| Error::not_found("server", model.id))?;
        let effective = layers.resolution().effective;
        let target = self.registry.configurations().target(&read, &layers.integration, &effective).await?;
        read.commit().await?;
        let test = self.probe(model.name, &layers.integration, target).await?;
        let mut write = self.registry.begin_write(actor).await?;
        let event = Event::new(AuditAction::ServerTested, "server", model.id).named(&model.slug);
        write.audit(event.in_workspace(Some(WorkspaceId(model.workspace_id))).after(test.recorded()));
        write.commit().await?;
        Ok(test)
    }

    async fn probe(
        self,
        name: String,
        integration: &integration::Model,
        target: ProbeTarget,
    ) -> Result<ConnectionTest> {
        let auth_type = auth_type(integration)?;
        let mut probed = self.registry.upstream().probe(target).await;
        redact_network_errors(&mut probed.exchange);
        let problem = match probed.exchange.status {
            Some(status) => connection_problem(auth_type, status, probed.speaks),
            None => Some(probed.exchange.note),
        };
        Ok(ConnectionTest {
            name,
            url: integration.url.clone(),
            status: probed.exchange.status,
            duration_ms: probed.exchange.duration_ms,
            problem,
        })
    }
}
