//! A client remembers with which generation of the settings that all processes share it was asked for.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let generation = big_integer_null("settings_generation");
        manager.alter_table(Table::alter().table("oauth_client").add_column(generation).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter().table("oauth_client").drop_column("settings_generation").to_owned();
        manager.alter_table(table).await
    }
}
