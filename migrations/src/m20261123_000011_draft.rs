//! Drafts: integrations that a user is about to add.

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
                    .table("draft")
                    .col(uuid("id").primary_key())
                    .col(text("owner_kind"))
                    .col(text("owner_id"))
                    .col(text("owner_name"))
                    .col(uuid_null("workspace_id"))
                    .col(text("url"))
                    .col(text("name"))
                    .col(text("slug"))
                    .col(text("transport"))
                    .col(text_null("approach"))
                    .col(text_null("configuration"))
                    .col(text("workspaces"))
                    .col(boolean("every_new"))
                    .col(text_null("examination"))
                    .col(big_integer_null("examined_at"))
                    .col(text("step"))
                    .col(uuid_null("integration_id"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .col(big_integer("expires_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("draft_owner")
                    .table("draft")
                    .col("owner_kind")
                    .col("owner_id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(Index::create().name("draft_expires").table("draft").col("expires_at").to_owned())
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Nothing else would ever forget the secrets entered in them.
        manager
            .get_connection()
            .execute_unprepared("DELETE FROM sealed_value WHERE owner_kind = 'draft'")
            .await?;
        manager.drop_table(Table::drop().table("draft").to_owned()).await
    }
}
