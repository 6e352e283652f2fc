//! Sealed values as rows: sealed before or inside a write, handed over, forgotten.

use crate::secrets::envelope::SealPermit;
use crate::secrets::rotation::known_keys;
use crate::storage::columns::millis;
use crate::storage::entity::sealed_value;
use crate::storage::owner::Owner;
use crate::storage::write::{MAX_ROWS_PER_STATEMENT, Write};
use crate::{Registry, Result};
use registry_core::id::SealedId;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

/// A secret that was sealed before the write began. [`Write::insert_sealed`] asks whether this process may seal.
pub(crate) struct SealedRow(sealed_value::ActiveModel);

impl Registry {
    /// The row of `secret`, sealed ahead: takes no write, so that many can be sealed before one begins.
    pub(crate) fn sealed_row(
        &self,
        id: SealedId,
        owner: Owner,
        pointer: &str,
        secret: &str,
    ) -> Result<SealedRow> {
        let sealed = self.ring().seal_ahead(id, secret)?;
        Ok(SealedRow(sealed_value::ActiveModel {
            id: Set(id.0),
            owner_kind: Set(owner.kind.as_str().to_owned()),
            owner_id: Set(owner.id),
            pointer: Set(pointer.to_owned()),
            key_id: Set(sealed.key_id),
            data_key: Set(sealed.data_key),
            nonce: Set(sealed.nonce),
            ciphertext: Set(sealed.ciphertext),
            bound_to: Set(None),
            created_at: Set(millis(self.now())),
        }))
    }
}

impl Write<'_> {
    /// Leave to seal. To be asked before something is sent whose answer will have to be sealed.
    pub(crate) fn permit(&self) -> Result<SealPermit<'_>> {
        let rows = self.deployment.iter().filter(|row| row.key.starts_with("sealing."));
        let recorded = rows.map(|row| Ok((row.key.clone(), serde_json::from_str(&row.value)?)));
        self.registry.ring().permit(&known_keys(&recorded.collect::<Result<_>>()?))
    }

    /// Seals `secret` in a row of its own.
    pub(crate) async fn seal(
        &mut self,
        id: SealedId,
        owner: Owner,
        pointer: &str,
        secret: &str,
    ) -> Result<()> {
        let row = self.registry.sealed_row(id, owner, pointer, secret)?;
        self.insert_sealed([row]).await
    }

    /// Puts secrets in that were sealed ahead, where this process may seal at all.
    pub(crate) async fn insert_sealed(&self, rows: impl IntoIterator<Item = SealedRow>) -> Result<()> {
        let rows: Vec<_> = rows.into_iter().map(|SealedRow(row)| row).collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.permit()?;
        for chunk in rows.chunks(MAX_ROWS_PER_STATEMENT) {
            let created = chunk.iter().cloned().map(|mut row| {
                row.created_at = Set(self.millis());
                row
            });
            sealed_value::Entity::insert_many(created).exec_without_returning(&self.txn).await?;
        }
        Ok(())
    }

    /// Gives sealed values to another owner.
    pub(crate) async fn change_sealed_owner(&self, from: Owner, to: Owner) -> Result<()> {
        sealed_value::Entity::update_many()
            .col_expr(sealed_value::Column::OwnerKind, Expr::value(to.kind.as_str()))
            .col_expr(sealed_value::Column::OwnerId, Expr::value(to.id))
            .filter(sealed_value::Column::OwnerKind.eq(from.kind.as_str()))
            .filter(sealed_value::Column::OwnerId.eq(from.id))
            .exec(&self.txn)
            .await?;
        Ok(())
    }

    /// Forgets sealed values.
    pub(crate) async fn delete_sealed(&self, ids: impl IntoIterator<Item = SealedId>) -> Result<()> {
        let ids: Vec<Uuid> = ids.into_iter().map(|id| id.0).collect();
        if !ids.is_empty() {
            sealed_value::Entity::delete_many()
                .filter(sealed_value::Column::Id.is_in(ids))
                .exec(&self.txn)
                .await?;
        }
        Ok(())
    }
}
