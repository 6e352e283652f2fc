//! A registration stores for which desired state its client may be replaced only with approval.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let held = Table::alter().table("registration").add_column(text_null("held")).to_owned();
        manager.alter_table(held).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("registration").drop_column("held").to_owned()).await
    }
}
