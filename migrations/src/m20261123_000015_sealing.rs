//! Envelope encryption: each sealed value has a data key of its own, which alone is sealed with the deployment's key.

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

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("sealed_value_key").table("sealed_value").to_owned()).await?;
        manager.alter_table(Table::alter().table("sealed_value").drop_column("data_key").to_owned()).await
    }
}
