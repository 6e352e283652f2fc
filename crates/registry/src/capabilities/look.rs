//! The registry's own look at the MCP servers of integrations that need no user: what they say about themselves and offer.

use crate::capabilities::Capabilities;
use crate::capabilities::info::{KnownServerInfo, known};
use crate::lookup::integrations::find;
use crate::ports::upstream::{Look, UNREACHABLE};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::millis;
use crate::storage::entity::{integration, server_info};
use crate::storage::write::{Event, Write};
use crate::{Actor, ConflictCode, Error, Result};
use registry_core::capability::Capability;
use registry_core::id::WorkspaceId;
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, Transport};
use registry_core::server_info::{ServerInfo, SyncStatus};
use registry_core::slug::Reference;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// What is said where the server answers users only.
const NEEDS_USER: &str = "It answers only to users who signed in, so the registry cannot look by itself. Gateways report what they see.";
/// What is said of integrations that authenticate by OAuth.
const OAUTH: &str =
    "Its users sign in one by one, so the registry does not look by itself. Gateways report what they see.";
/// What is said of the older transport.
const OLDER_TRANSPORT: &str =
    "The registry looks at servers with the transport Streamable HTTP only. Gateways report what they see.";

/// How long a test of the connection waits for the look after it.
const MAX_LOOK_AFTER_TEST: Duration = Duration::from_secs(10);

/// What a look came to.
enum Outcome {
    Seen(Box<ServerInfo>, Vec<Capability>),
    /// Nothing can be seen without a user.
    Pending(&'static str),
    Failed(String),
}

impl Capabilities<'_> {
    /// Asks the MCP server of an integration what it is and what it offers, with the headers that the organisation and the
    /// integration configure, and stores the answer. The call takes up to 30 seconds. Servers that need a user are not asked,
    /// or answer so: the status is `pending` then, with the reason.
    pub async fn look(self, actor: &Actor, reference: &Reference) -> Result<KnownServerInfo> {
        actor.require(Permission::UpdateIntegrations)?;
        let model = find(self.registry.db(), actor, reference).await?;
        if !model.enabled {
            return Err(Error::Conflict {
                code: ConflictCode::IntegrationDisabled,
                message: "This integration is disabled, so nothing is sent to its server. Enable it first."
                    .to_owned(),
                pointer: None,
            });
        }
        let id = model.id;
        self.look_at(actor, model, true).await?;
        let found = known(self.registry.db(), [id]).await?.remove(&id);
        Ok(found.unwrap_or_else(KnownServerInfo::pending))
    }

    /// The same after a test of the connection, which is recorded already. It fails neither because of the look nor waits long
    /// for it: a worker looks too.
    pub(crate) async fn look_after_test(self, actor: &Actor, model: integration::Model) {
        if !model.enabled || !matches!(cannot_look(&model), Ok(None)) {
            return;
        }
        match timeout(MAX_LOOK_AFTER_TEST, self.look_at(actor, model, false)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, source = ?std::error::Error::source(&error), "a look at an MCP server failed");
            }
            Err(_) => tracing::info!("a look at an MCP server took too long after a test of the connection"),
        }
    }

    /// Looks, outside of any transaction, and stores what that showed.
    pub(super) async fn look_at(
        self,
        actor: &Actor,
        model: integration::Model,
        is_asked: bool,
    ) -> Result<()> {
        let began = millis(self.registry.now());
        let outcome = if let Some(why) = cannot_look(&model)? {
            Outcome::Pending(why)
        } else {
            let read = self.registry.begin_read().await?;
            let current = integration::Entity::find_by_id(model.id).one(&read).await?;
            // Secrets that were entered for another address since are not sent to this one.
            let Some(current) = current.filter(|now| is_same(now, &model)) else { return Ok(()) };
            let target = self.registry.configurations().target_of_integration(&read, &current).await?;
            read.commit().await?;
            match self.registry.upstream().look(target).await {
                Look::Seen { info, capabilities } => Outcome::Seen(info, capabilities),
                Look::NeedsUser => Outcome::Pending(NEEDS_USER),
                Look::Failed(what) => Outcome::Failed(what),
                Look::Unanswered(why) => {
                    tracing::info!(url = %model.url, reason = %why, "an MCP server did not answer a look");
                    Outcome::Failed(UNREACHABLE.to_owned())
                }
            }
        };
        self.keep_look(actor, &model, began, outcome, is_asked).await
    }

    /// Stores what a look showed, unless the integration was pointed elsewhere meanwhile; then it is looked at again.
    async fn keep_look(
        self,
        actor: &Actor,
        model: &integration::Model,
        began: i64,
        outcome: Outcome,
        is_asked: bool,
    ) -> Result<()> {
        let current = integration::Entity::find_by_id(model.id).one(self.registry.db()).await?;
        if let Outcome::Seen(_, capabilities) = &outcome
            && current.is_some_and(|now| is_same(&now, model))
        {
            self.keep_for_integration(actor, model.id, capabilities.clone()).await?;
        }
        let mut write = self.registry.begin_record(actor).await?;
        let current = integration::Entity::find_by_id(model.id).one(&write.txn).await?;
        if !current.is_some_and(|now| is_same(&now, model)) {
            return Ok(());
        }
        let stored = server_info::Entity::find_by_id(model.id).one(&write.txn).await?;
        let row = row(&write, model, stored, began, &outcome)?;
        let columns = [
            server_info::Column::Info,
            server_info::Column::Status,
            server_info::Column::SyncedAt,
            server_info::Column::TriedAt,
            server_info::Column::Error,
        ];
        let conflict = OnConflict::column(server_info::Column::OwnerId).update_columns(columns).to_owned();
        let word = row.status.clone().take().unwrap_or_default();
        server_info::Entity::insert(row).on_conflict(conflict).exec_without_returning(&write.txn).await?;
        if is_asked {
            // Secrets may have been sent.
            let event =
                Event::new(AuditAction::IntegrationTested, "integration", model.id).named(&model.slug);
            let event = event.in_workspace(model.workspace_id.map(WorkspaceId));
            write.audit(event.after(json!({ "url": model.url, "look": word })));
        }
        write.commit().await
    }
}

/// Why an integration cannot be looked at, whatever its server answers.
fn cannot_look(model: &integration::Model) -> Result<Option<&'static str>> {
    let auth_type = model.auth_type()?;
    Ok(match (auth_type, model.transport()?) {
        (AuthType::OauthAuto | AuthType::OauthClientCredentials, _) => Some(OAUTH),
        (AuthType::None | AuthType::Headers, Transport::Sse) => Some(OLDER_TRANSPORT),
        (AuthType::None | AuthType::Headers, Transport::Http) => None,
    })
}

/// Whether the integration still leads to where the look went.
fn is_same(now: &integration::Model, then: &integration::Model) -> bool {
    now.deleted_at.is_none() && now.url == then.url && now.auth_type == then.auth_type
}

fn row(
    write: &Write<'_>,
    model: &integration::Model,
    stored: Option<server_info::Model>,
    began: i64,
    outcome: &Outcome,
) -> Result<server_info::ActiveModel> {
    let stored = stored.unwrap_or_else(|| unknown(model.id, began));
    let synced = SyncStatus::Synced.as_str();
    let (info, status, synced_at, error) = match outcome {
        Outcome::Seen(info, _) => {
            (serde_json::to_string(&(**info).clone().cleaned())?, synced, Some(write.millis()), None)
        }
        // What gateways report of such a server stays good.
        Outcome::Pending(_) if stored.status == synced => (stored.info, synced, stored.synced_at, None),
        Outcome::Pending(why) => {
            (stored.info, SyncStatus::Pending.as_str(), stored.synced_at, Some((*why).to_owned()))
        }
        Outcome::Failed(what) => {
            (stored.info, SyncStatus::Error.as_str(), stored.synced_at, Some(what.clone()))
        }
    };
    Ok(server_info::ActiveModel {
        owner_id: Set(model.id),
        info: Set(info),
        status: Set(status.to_owned()),
        synced_at: Set(synced_at),
        tried_at: Set(began),
        error: Set(error),
    })
}

/// The row of an integration that nobody has connected to.
pub(super) fn unknown(integration: uuid::Uuid, tried_at: i64) -> server_info::Model {
    server_info::Model {
        owner_id: integration,
        info: "{}".to_owned(),
        status: SyncStatus::Pending.as_str().to_owned(),
        synced_at: None,
        tried_at,
        error: None,
    }
}
