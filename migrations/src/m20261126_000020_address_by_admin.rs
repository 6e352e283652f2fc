//! Who chose the address of an integration: a user who may write the organisation's configuration, or not. What was saved
//! before counts as chosen by such a user, so that nothing stops working.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = boolean("address_by_admin").default(true).take();
        manager.alter_table(Table::alter().table("integration").add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(Table::alter().table("integration").drop_column("address_by_admin").to_owned())
            .await
    }
}
