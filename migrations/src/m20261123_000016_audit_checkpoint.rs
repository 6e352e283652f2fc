//! Signed checkpoints of the audit log's hash chain, from which the log can be verified after older events were removed.

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
            .table("audit_checkpoint")
            .col(big_integer("number").primary_key())
            .col(big_integer("at"))
            .col(text("hash"))
            .col(boolean("pruned"))
            .col(text("public_key"))
            .col(text("signature"))
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("audit_checkpoint").to_owned()).await
    }
}
