//! Rows of encrypted secrets: inserting, moving to another owner, deleting.

use crate::secrets::envelope::SealPermit;
use crate::secrets::rotation::known_keys;
use crate::storage::columns::millis;
use crate::storage::entity::sealed_value;
use crate::storage::write::Write;
use crate::{Registry, Result};
use registry_core::id::SealedId;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

/// Rows that one statement inserts: `SQLite` allows 32,766 parameters.
const MAX_ROWS_PER_STATEMENT: usize = 1_000;

/// A secret that was encrypted before the write began. [`Write::insert_sealed`] checks whether this process may
/// encrypt.
pub(crate) struct SealedRow(sealed_value::ActiveModel);

impl Registry {
    /// The row of `secret`, encrypted. Needs no write, so that many can be encrypted before one begins.
    pub(crate) fn sealed_row(
        &self,
        id: SealedId,
        owner: (&'static str, Uuid),
        pointer: &str,
        secret: &str,
    ) -> Result<SealedRow> {
        let sealed = self.ring().seal_ahead(id, secret)?;
        Ok(SealedRow(sealed_value::ActiveModel {
            id: Set(id.0),
            owner_kind: Set(owner.0.to_owned()),
            owner_id: Set(owner.1),
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
    /// Permission to encrypt. Check it before a request whose answer must be encrypted.
    pub(crate) fn permit(&self) -> Result<SealPermit<'_>> {
        let rows = self.deployment.iter().filter(|row| row.key.starts_with("sealing."));
        let recorded = rows.map(|row| Ok((row.key.clone(), serde_json::from_str(&row.value)?)));
        self.registry.ring().permit(&known_keys(&recorded.collect::<Result<_>>()?))
    }

    /// Encrypts `secret` and inserts its row.
    pub(crate) async fn seal(
        &mut self,
        id: SealedId,
        owner: (&'static str, Uuid),
        pointer: &str,
        secret: &str,
    ) -> Result<()> {
        let row = self.registry.sealed_row(id, owner, pointer, secret)?;
        self.insert_sealed([row]).await
    }

    /// Inserts encrypted secrets, if this process may encrypt.
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

    /// Moves sealed values to another owner.
    pub(crate) async fn change_sealed_owner(
        &self,
        from: (&'static str, Uuid),
        to: (&'static str, Uuid),
    ) -> Result<()> {
        sealed_value::Entity::update_many()
            .col_expr(sealed_value::Column::OwnerKind, Expr::value(to.0))
            .col_expr(sealed_value::Column::OwnerId, Expr::value(to.1))
            .filter(sealed_value::Column::OwnerKind.eq(from.0))
            .filter(sealed_value::Column::OwnerId.eq(from.1))
            .exec(&self.txn)
            .await?;
        Ok(())
    }

    /// Deletes sealed values.
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
