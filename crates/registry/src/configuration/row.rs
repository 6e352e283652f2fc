//! The row that stores the configuration of one layer: organisation, integration, workspace access or server.

use crate::configuration::scope::LayerScope;
use crate::configuration::{Configurations, access_rows};
use crate::lookup::servers::ServerRef;
use crate::lookup::{integrations, servers};
use crate::storage::columns::moment;
use crate::storage::entity::{access, integration, organisation, server};
use crate::storage::owner::{Owner, OwnerKind};
use crate::storage::write::Write;
use crate::{Actor, Error, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{IntegrationId, ServerId, WorkspaceId};
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel};

/// The row that stores the configuration of one layer.
pub(crate) enum ConfigurationRow {
    Organisation(organisation::Model),
    Integration(integration::Model),
    Access(access::Model),
    Server(server::Model),
}

impl ConfigurationRow {
    /// The row as the owner of sealed values, revisions and mapped secrets.
    pub(crate) fn owner(&self) -> Owner {
        match self {
            Self::Organisation(row) => OwnerKind::Organisation.with_id(row.id),
            Self::Integration(row) => OwnerKind::Integration.with_id(row.id),
            Self::Access(row) => OwnerKind::Access.with_id(row.id),
            Self::Server(row) => OwnerKind::Server.with_id(row.id),
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Organisation(row) => row.configuration.as_deref(),
            Self::Integration(row) => row.configuration.as_deref(),
            Self::Access(row) => row.configuration.as_deref(),
            Self::Server(row) => row.configuration.as_deref(),
        }
    }

    pub(crate) fn version(&self) -> i64 {
        match self {
            Self::Organisation(row) => row.version,
            Self::Integration(row) => row.version,
            Self::Access(row) => row.version,
            Self::Server(row) => row.version,
        }
    }

    pub(crate) fn updated(&self) -> (i64, &str) {
        match self {
            Self::Organisation(row) => (row.updated_at, &row.updated_by),
            Self::Integration(row) => (row.updated_at, &row.updated_by),
            Self::Access(row) => (row.updated_at, &row.updated_by),
            Self::Server(row) => (row.updated_at, &row.updated_by),
        }
    }

    /// The servers this layer lies under.
    pub(crate) fn scope(&self) -> LayerScope {
        match self {
            Self::Organisation(_) => LayerScope::Organisation,
            Self::Integration(row) => LayerScope::Integration(IntegrationId(row.id)),
            Self::Access(row) => {
                LayerScope::Access(IntegrationId(row.integration_id), vec![row.workspace_id])
            }
            Self::Server(row) => LayerScope::Server(ServerId(row.id)),
        }
    }

    pub(crate) fn workspace(&self) -> Option<WorkspaceId> {
        match self {
            Self::Organisation(_) => None,
            Self::Integration(row) => row.workspace_id.map(WorkspaceId),
            Self::Access(row) => Some(WorkspaceId(row.workspace_id)),
            Self::Server(row) => Some(WorkspaceId(row.workspace_id)),
        }
    }

    /// Number of the newest revision of the text; 0: never saved.
    pub(crate) fn revision(&self) -> i64 {
        match self {
            Self::Organisation(row) => row.configuration_revision,
            Self::Integration(row) => row.configuration_revision,
            Self::Access(row) => row.configuration_revision,
            Self::Server(row) => row.configuration_revision,
        }
    }

    /// Stores `text` as the next revision; the caller adds the revision itself.
    pub(crate) async fn save(self, write: &Write<'_>, text: Option<String>) -> Result<Self> {
        // An access row is made when it has something to say.
        let is_new = matches!(&self, Self::Access(row) if row.version == 0);
        macro_rules! save {
            ($row:expr, $variant:ident) => {{
                let mut row = $row;
                row.configuration = text;
                save!(touched row, $variant)
            }};
            (touched $row:ident, $variant:ident) => {{
                let mut row = $row;
                row.version += 1;
                row.configuration_revision += 1;
                row.updated_at = write.millis();
                row.updated_by = write.actor_name();
                let stored = row.clone().into_active_model().reset_all();
                if is_new { stored.insert(&write.txn).await? } else { stored.update(&write.txn).await? };
                Self::$variant(row)
            }};
        }
        Ok(match self {
            Self::Organisation(row) => save!(row, Organisation),
            Self::Integration(mut row) => {
                row.set_configuration(text);
                save!(touched row, Integration)
            }
            Self::Access(row) => save!(row, Access),
            Self::Server(row) => save!(row, Server),
        })
    }
}
impl Configurations<'_> {
    /// The row behind `subject`, if `actor` may read (or, with `writing`, change) it.
    pub(crate) async fn row(
        self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        scope: &ConfigurationScope,
        writing: bool,
    ) -> Result<ConfigurationRow> {
        match scope {
            ConfigurationScope::Organisation => {
                if writing {
                    actor.require_organisation(Permission::WriteOrganisation)?;
                } else {
                    actor.require_organisation(Permission::ReadOrganisation)?;
                }
                let row = organisation::Entity::find().one(db).await?;
                Ok(ConfigurationRow::Organisation(row.ok_or_else(|| Error::not_found("organisation", ""))?))
            }
            ConfigurationScope::Integration(reference) => {
                actor.require(if writing {
                    Permission::UpdateIntegrations
                } else {
                    Permission::ReadIntegrations
                })?;
                let row = integrations::find(db, actor, reference).await?;
                if writing {
                    integrations::require_owner(actor, &row)?;
                }
                Ok(ConfigurationRow::Integration(row))
            }
            ConfigurationScope::Access { integration, workspace } => {
                actor.require(if writing {
                    Permission::UpdateIntegrations
                } else {
                    Permission::ReadIntegrations
                })?;
                Ok(ConfigurationRow::Access(
                    access_rows::find(self.registry, db, actor, integration, workspace).await?,
                ))
            }
            ConfigurationScope::Server(reference) => {
                actor.require(if writing { Permission::UpdateServers } else { Permission::ReadServers })?;
                Ok(ConfigurationRow::Server(servers::find(db, actor, reference).await?))
            }
        }
    }

    /// As [`Self::row`] for writing.
    pub(crate) async fn writable_row(
        self,
        write: &Write<'_>,
        actor: &Actor,
        scope: &ConfigurationScope,
    ) -> Result<ConfigurationRow> {
        let layer_row = self.row(&write.txn, actor, scope, true).await?;
        Ok(match layer_row {
            ConfigurationRow::Access(row) if row.version == 0 => {
                ConfigurationRow::Access(access::Model { created_by: write.actor_name(), ..row })
            }
            layer_row => layer_row,
        })
    }

    pub(crate) fn show(layer_row: &ConfigurationRow) -> Configuration {
        let (updated_at, updated_by) = layer_row.updated();
        Configuration {
            text: layer_row.text().map(str::to_owned),
            version: layer_row.version(),
            updated_at: moment(updated_at),
            updated_by: updated_by.to_owned(),
            revision: layer_row.revision(),
        }
    }
}

/// The layer whose configuration a request names.
#[derive(Clone, Debug)]
pub enum ConfigurationScope {
    /// The organisation's.
    Organisation,
    /// An integration's.
    Integration(Reference),
    /// The workspace layer of an integration: its access row.
    Access {
        /// The integration.
        integration: Reference,
        /// The workspace.
        workspace: Reference,
    },
    /// A server's.
    Server(ServerRef),
}

/// One level's configuration.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// As the user wrote it, secrets replaced by markers; `None` when nothing is set.
    pub text: Option<String>,
    /// Version of the row that carries it, for `If-Match`.
    pub version: i64,
    /// When that row was last changed.
    pub updated_at: Timestamp,
    /// Who changed it.
    pub updated_by: String,
    /// Number of the newest revision; 0 when never saved.
    pub revision: i64,
}
