//! Periodic refresh of mapped secrets: a secret that changed in the external store is taken over.

use super::SecretMapping;
use super::read::ReadMappings;
use super::rows::{delete_sealed, is_of, mapping, open_value, rows_of, seal};
use super::validate::{MappingOwner, is_allowed};
use crate::configuration::Configurations;
use crate::configuration::impact::ImpactTracker;
use crate::configuration::scope::LayerScope;
use crate::secrets::rotation::is_key_abandoned;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::word;
use crate::storage::entity::{integration, sealed_value, secret_mapping, server};
use crate::storage::owner::{Owner, OwnerKind};
use crate::storage::write::Write;
use crate::{Actor, Error, Result};
use registry_core::id::{IntegrationId, ServerId};
use registry_core::metadata::KnownSecrets;
use registry_core::secret::same_value;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::json;
use std::collections::BTreeMap;

/// The members of a mapping whose secret is no longer allowed.
const NO_MEMBERS: &str = "{}";
const NOT_ALLOWED: &str = "The operator no longer allows this secret here; it is not used.";

impl Configurations<'_> {
    /// Reads every mapped secret again. Where one changed, the servers concerned change with it; where one cannot be read
    /// or no longer fits, the value read before stays in use. Returns how many owners changed.
    ///
    /// During a rollout only processes that declare the secrets as they are in force do so: with the declarations of
    /// before others would take back what these took over.
    pub async fn refresh_mapped_secrets(self) -> Result<u64> {
        self.registry.settings_status().await?.require()?;
        if self.registry.settings().secrets != self.registry.shared_settings().secrets {
            return Ok(0);
        }
        let mut owners: BTreeMap<Owner, Vec<SecretMapping>> = BTreeMap::new();
        for row in secret_mapping::Entity::find().all(self.registry.db()).await? {
            let kind = word(OwnerKind::parse, &row.owner_kind, "secret_mapping", "owner_kind", row.owner_id)?;
            owners.entry(kind.with_id(row.owner_id)).or_default().push(mapping(row)?);
        }
        let mut changed = 0;
        for (owner, mappings) in owners {
            let read = self.read_mappings(mappings).await;
            match self.refresh_owner(owner, read).await {
                Ok(true) => changed += 1,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(kind = owner.kind.as_str(), id = %owner.id, %error, "refresh of a mapped secret failed");
                }
            }
        }
        Ok(changed)
    }

    async fn refresh_owner(self, of: Owner, read: ReadMappings) -> Result<bool> {
        let actor = Actor::worker("secrets");
        let mut write = self.registry.begin_write(&actor).await?;
        write.lock_interactive_writes().await?;
        let scope = match of.kind {
            OwnerKind::Server => LayerScope::Server(ServerId(of.id)),
            _ => LayerScope::Integration(IntegrationId(of.id)),
        };
        let before = ImpactTracker::capture(&write, scope).await?;
        let Some((integration, server)) = load_owner(&write.txn, of).await? else { return Ok(false) };
        let owner = match &server {
            Some(server) => MappingOwner::server(&write.txn, server, &integration).await?,
            None => MappingOwner::integration(&write.txn, &integration).await?,
        };
        let known = rows_of(&write.txn, [of.id]).await?;
        let (mut took, mut noted) = (Vec::new(), false);
        for (mapping, value) in read.0 {
            let Some(row) = known.iter().find(|row| row.target == mapping.target_field) else { continue };
            if !is_of(row, &mapping) {
                continue;
            }
            let held = open_value(&write, row).await;
            if let Err(error @ Error::KeyMissing(_)) = &held
                && !is_key_abandoned(&write.txn, error).await?
            {
                // Another process has the key.
                continue;
            }
            let sealed = match value {
                _ if !is_allowed(&write, &owner, &mapping) => Ok(Some(NO_MEMBERS.to_owned())),
                Ok(value) if held.is_ok_and(|known| same_value(&known, &value)) => Ok(None),
                Ok(value) => seal(&mut write, of, &mapping, &value)
                    .await?
                    .map(Some)
                    .map_err(|_| "The secret no longer fits the member; the previous value stays in use."),
                Err(_) => Err(
                    "The secret cannot be read; the previous value stays in use. The server log says why.",
                ),
            };
            let mut changed = row.clone();
            match sealed {
                Ok(value) => {
                    changed.problem = None;
                    if let Some(value) = value {
                        let taken_away = value == NO_MEMBERS;
                        changed.problem = taken_away.then(|| NOT_ALLOWED.to_owned());
                        if value != row.value {
                            keep_issuer_binding(&write, &row.value, &value).await?;
                            delete_sealed(&write, row).await?;
                            changed.value = value;
                            changed.read_at = write.millis();
                            took.push(
                                json!({ "target_field": row.target, "secret_reference_id": row.reference,
                                "taken_away": taken_away }),
                            );
                        }
                    }
                }
                Err(problem) => changed.problem = Some(problem.to_owned()),
            }
            if changed != *row {
                noted = true;
                changed.into_active_model().reset_all().update(&write.txn).await?;
            }
        }
        if !took.is_empty() {
            before.apply(&mut write, "/secret_mappings", "secret changed").await?;
            write.audit(owner.event(AuditAction::SecretChanged).after(json!(took)));
        }
        if noted {
            write.commit().await?;
        }
        Ok(!took.is_empty())
    }
}

/// The integration with this id, or the server with this id and its integration.
async fn load_owner(
    db: &impl ConnectionTrait,
    owner: Owner,
) -> Result<Option<(integration::Model, Option<server::Model>)>> {
    if owner.kind != OwnerKind::Server {
        let found = integration::Entity::find_by_id(owner.id).one(db).await?;
        return Ok(found.map(|integration| (integration, None)));
    }
    let Some(server) = server::Entity::find_by_id(owner.id).one(db).await? else { return Ok(None) };
    let integration = integration::Entity::find_by_id(server.integration_id).one(db).await?;
    Ok(integration.map(|integration| (integration, Some(server))))
}

/// A token that was read again stays bound to the issuer of its previous value.
async fn keep_issuer_binding(write: &Write<'_>, before: &str, after: &str) -> Result<()> {
    let after = KnownSecrets::of(after).0;
    for (pointer, old) in KnownSecrets::of(before).0 {
        let old = sealed_value::Entity::find_by_id(old.0).one(&write.txn).await?;
        if let (Some(new), Some(issuer)) = (after.get(&pointer), old.and_then(|row| row.bound_to)) {
            sealed_value::Entity::update_many()
                .col_expr(sealed_value::Column::BoundTo, Expr::value(issuer))
                .filter(sealed_value::Column::Id.eq(new.0))
                .exec(&write.txn)
                .await?;
        }
    }
    Ok(())
}
