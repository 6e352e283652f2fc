//! Envelope encryption: each encrypted value has its own data key, and only that key is encrypted with the deployment's key.

use sea_orm_migration::sea_orm::{ConnectionTrait, Statement};
use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Absent: sealed with the deployment's key itself, as before this step.
        let column = blob_null("data_key");
        manager.alter_table(Table::alter().table("sealed_value").add_column(column).to_owned()).await?;
        let index =
            Index::create().name("sealed_value_key").table("sealed_value").col("key_id").col("id").to_owned();
        manager.create_index(index).await
    }

    /// Refuses while it would lose secrets: without its data key nothing opens them.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let count = "SELECT COUNT(*) AS n FROM sealed_value WHERE data_key IS NOT NULL";
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), count)).await?;
        let lost: i64 = row.map(|row| row.try_get("", "n")).transpose()?.unwrap_or_default();
        if lost > 0 {
            return Err(DbErr::Migration(format!(
                "{lost} secrets are sealed with data keys of their own, which the release before cannot open. Restore a backup of before instead."
            )));
        }
        manager.drop_index(Index::drop().name("sealed_value_key").table("sealed_value").to_owned()).await?;
        manager.alter_table(Table::alter().table("sealed_value").drop_column("data_key").to_owned()).await
    }
}
