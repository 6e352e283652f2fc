//! Servers: integrations made available in one workspace.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("server")
                    .col(uuid("id").primary_key())
                    .col(uuid("integration_id"))
                    .col(uuid("workspace_id"))
                    .col(text("slug"))
                    .col(text("slug_key"))
                    .col(text("name"))
                    .col(text_null("description"))
                    .col(text_null("configuration"))
                    .col(big_integer("version"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .col(text("created_by"))
                    .col(text("updated_by"))
                    .col(big_integer_null("deleted_at"))
                    .foreign_key(
                        ForeignKey::create().from("server", "integration_id").to("integration", "id"),
                    )
                    .foreign_key(ForeignKey::create().from("server", "workspace_id").to("workspace", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("server_slug")
                    .table("server")
                    .col("workspace_id")
                    .col("slug_key")
                    .unique()
                    .and_where(Expr::col("deleted_at").is_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("server_integration").table("server").col("integration_id").to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("server").to_owned()).await?;
        Ok(())
    }
}
