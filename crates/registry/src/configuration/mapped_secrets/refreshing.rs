//! Mapped secrets are read again from time to time: what changed where the operator keeps it changes here.

use super::SecretMapping;
use super::judging::{Owner, is_allowed};
use super::reading::ReadMappings;
use super::storing::{forget, is_of, mapping, opened, rows_of, seal};
use crate::configuration::Configurations;
use crate::configuration::impact::Before;
use crate::configuration::layers::Scope;
use crate::secrets::rotation::is_key_abandoned;
use crate::storage::entity::{integration, sealed_value, secret_mapping, server};
use crate::storage::write::Write;
use crate::{Actor, Error, Result};
use registry_core::id::{IntegrationId, ServerId};
use registry_core::metadata::KnownSecrets;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The members of a mapping whose secret may not be used any more.
const NOTHING: &str = "{}";
const TAKEN_AWAY: &str = "The operator does not allow this secret here any more; it is not used.";

impl Configurations<'_> {
    /// Reads every mapped secret again. Where one changed, the servers concerned change with it; where one cannot be read
    /// or does not fit any more, the value of before stays. Answers how many things changed.
    ///
    /// During a rollout only processes that declare the secrets as they are in force do so: with the declarations of
    /// before others would take back what these took over.
    pub async fn refresh_mapped_secrets(self) -> Result<u64> {
        self.registry.settings_status().await?.require()?;
        if self.registry.settings().secrets != self.registry.shared_settings().secrets {
            return Ok(0);
        }
        let mut owners: BTreeMap<(String, Uuid), Vec<SecretMapping>> = BTreeMap::new();
        for row in secret_mapping::Entity::find().all(self.registry.db()).await? {
            owners.entry((row.owner_kind.clone(), row.owner_id)).or_default().push(mapping(row)?);
        }
        let mut changed = 0;
        for ((kind, id), mappings) in owners {
            let read = self.read_mappings(mappings).await;
            match self.refresh_owner(&kind, id, read).await {
                Ok(true) => changed += 1,
                Ok(false) => {}
                Err(error) => tracing::warn!(kind, %id, %error, "a changed secret could not be taken over"),
            }
        }
        Ok(changed)
    }

    async fn refresh_owner(self, kind: &str, id: Uuid, read: ReadMappings) -> Result<bool> {
        let actor = Actor::worker("secrets");
        let mut write = self.registry.begin_write(&actor).await?;
        write.lock_interactive_writes().await?;
        let before = match kind {
            "server" => Before::take(&write, Scope::Server(ServerId(id))).await?,
            _ => Before::take(&write, Scope::Integration(IntegrationId(id))).await?,
        };
        let Some((integration, server)) = things(&write.txn, kind, id).await? else { return Ok(false) };
        let owner = match &server {
            Some(server) => Owner::server(&write.txn, server, &integration).await?,
            None => Owner::integration(&write.txn, &integration).await?,
        };
        let known = rows_of(&write.txn, [id]).await?;
        let (mut took, mut noted) = (Vec::new(), false);
        for (mapping, value) in read.0 {
            let Some(row) = known.iter().find(|row| row.target == mapping.target_field) else { continue };
            if !is_of(row, &mapping) {
                continue;
            }
            let held = opened(&write, row).await;
            if let Err(error @ Error::KeyMissing(_)) = &held
                && !is_key_abandoned(&write.txn, error).await?
            {
                // Another process has the key.
                continue;
            }
            let sealed = match value {
                _ if !is_allowed(&write, &owner, &mapping) => Ok(Some(NOTHING.to_owned())),
                Ok(value) if held.is_ok_and(|known| known == value) => Ok(None),
                Ok(value) => seal(&mut write, (word_of(kind), id), &mapping, &value).await?.map(Some).map_err(|_| "What it holds does not fit the member any more; the value of before stays in use."),
                Err(_) => Err("It cannot be read; the value of before stays in use. The log says why."),
            };
            let mut changed = row.clone();
            match sealed {
                Ok(value) => {
                    changed.problem = None;
                    if let Some(value) = value {
                        let taken_away = value == NOTHING;
                        changed.problem = taken_away.then(|| TAKEN_AWAY.to_owned());
                        if value != row.value {
                            stay_bound(&write, &row.value, &value).await?;
                            forget(&write, row).await?;
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
            before.settle(&mut write, "/secret_mappings", "secret changed").await?;
            write.audit(owner.event("secret.changed").after(json!(took)));
        }
        if noted {
            write.commit().await?;
        }
        Ok(!took.is_empty())
    }
}

/// The integration with this id, or the server with this id and its integration.
async fn things(
    db: &impl ConnectionTrait,
    kind: &str,
    id: Uuid,
) -> Result<Option<(integration::Model, Option<server::Model>)>> {
    if kind != "server" {
        let found = integration::Entity::find_by_id(id).one(db).await?;
        return Ok(found.map(|integration| (integration, None)));
    }
    let Some(server) = server::Entity::find_by_id(id).one(db).await? else { return Ok(None) };
    let integration = integration::Entity::find_by_id(server.integration_id).one(db).await?;
    Ok(integration.map(|integration| (integration, Some(server))))
}

/// A token that is read anew belongs to the issuer that the one before belonged to.
async fn stay_bound(write: &Write<'_>, before: &str, after: &str) -> Result<()> {
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

fn word_of(kind: &str) -> &'static str {
    if kind == "server" { "server" } else { "integration" }
}
