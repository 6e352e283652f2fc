//! Members of Advanced Configurations that come from where the operator keeps secrets.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("secret_mapping")
            .col(text("owner_kind"))
            .col(uuid("owner_id"))
            .col(text("target"))
            .col(text("reference"))
            .col(text_null("secret_key"))
            .col(text_null("value_format"))
            // What was read, its secrets sealed like those of configurations.
            .col(text("value"))
            .col(big_integer("read_at"))
            .col(text_null("problem"))
            .primary_key(Index::create().col("owner_id").col("target"))
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("secret_mapping").to_owned()).await
    }
}
