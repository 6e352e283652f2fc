//! Integrations and their workspace access.

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
                    .table("integration")
                    .col(uuid("id").primary_key())
                    .col(uuid_null("workspace_id"))
                    .col(text("slug"))
                    .col(text("slug_key"))
                    .col(text("name"))
                    .col(text_null("description"))
                    .col(text("url"))
                    .col(text("auth_type"))
                    .col(text("transport"))
                    .col(boolean("global_access"))
                    .col(text_null("configuration"))
                    .col(big_integer("version"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .col(text("created_by"))
                    .col(text("updated_by"))
                    .col(big_integer_null("deleted_at"))
                    .foreign_key(
                        ForeignKey::create().from("integration", "workspace_id").to("workspace", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("integration_slug")
                    .table("integration")
                    .col("slug_key")
                    .unique()
                    .and_where(Expr::col("deleted_at").is_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("integration_workspace")
                    .table("integration")
                    .col("workspace_id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("access")
                    .col(uuid("id").primary_key())
                    .col(uuid("integration_id"))
                    .col(uuid("workspace_id"))
                    .col(boolean_null("enabled"))
                    .col(text_null("configuration"))
                    .col(big_integer("version"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .col(text("created_by"))
                    .col(text("updated_by"))
                    .foreign_key(
                        ForeignKey::create().from("access", "integration_id").to("integration", "id"),
                    )
                    .foreign_key(ForeignKey::create().from("access", "workspace_id").to("workspace", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("access_pair")
                    .table("access")
                    .col("integration_id")
                    .col("workspace_id")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("access_workspace").table("access").col("workspace_id").to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("access").to_owned()).await?;
        manager.drop_table(Table::drop().table("integration").to_owned()).await?;
        Ok(())
    }
}
