//! What gateways people run need beside documents: what upstream servers offer and say about themselves, which users may use
//! a server, and how far each configured gateway was told of changes.

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
                    .table("capability")
                    .col(uuid("integration_id"))
                    .col(text("kind"))
                    .col(text("key"))
                    .col(text("definition"))
                    .col(boolean("enabled"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .primary_key(Index::create().col("integration_id").col("kind").col("key"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("server_capability")
                    .col(uuid("server_id"))
                    .col(text("kind"))
                    .col(text("key"))
                    .col(text_null("definition"))
                    .col(boolean_null("enabled"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .primary_key(Index::create().col("server_id").col("kind").col("key"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("server_info")
                    .col(uuid("owner_id").primary_key())
                    .col(text("info"))
                    .col(text("status"))
                    .col(big_integer_null("synced_at"))
                    .col(big_integer("tried_at"))
                    .col(text_null("error"))
                    .to_owned(),
            )
            .await?;
        let allows = boolean("allows_users").default(true).to_owned();
        manager.alter_table(Table::alter().table("server").add_column(allows).to_owned()).await?;
        manager
            .create_table(
                Table::create()
                    .table("user_access")
                    .col(uuid("server_id"))
                    .col(text("user_id"))
                    .col(boolean("enabled"))
                    .col(big_integer("updated_at"))
                    .primary_key(Index::create().col("server_id").col("user_id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("known_user")
                    .col(text("id").primary_key())
                    .col(text("name"))
                    .col(uuid_null("workspace_id"))
                    .col(big_integer("seen_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("gateway_push")
                    .col(text("url").primary_key())
                    .col(big_integer("position"))
                    .col(text_null("lease_owner"))
                    .col(big_integer("lease_until"))
                    .col(big_integer_null("told_at"))
                    .col(big_integer_null("failing_since"))
                    .col(big_integer("tries"))
                    .col(big_integer("next_at"))
                    .col(text_null("error"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in
            ["gateway_push", "known_user", "user_access", "server_info", "server_capability", "capability"]
        {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        let allows = Table::alter().table("server").drop_column("allows_users").to_owned();
        manager.alter_table(allows).await
    }
}
