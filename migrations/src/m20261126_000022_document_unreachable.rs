//! The column that says when a published document was last found unreachable gets the name that the code uses for it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const OLD: &str = "cimd_refused_at";
const NEW: &str = "document_unreachable_at";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("registration").rename_column(OLD, NEW).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("registration").rename_column(NEW, OLD).to_owned()).await
    }
}
