//! Users, their sessions and one-time links, and API keys.

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
                    .table("user")
                    .col(uuid("id").primary_key())
                    .col(text("email"))
                    .col(text("email_key"))
                    .col(text("name"))
                    .col(text("role"))
                    .col(uuid_null("workspace_id"))
                    .col(text_null("password_hash"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .col(big_integer_null("last_sign_in_at"))
                    .foreign_key(ForeignKey::create().from("user", "workspace_id").to("workspace", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("user_email").table("user").col("email_key").unique().to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("session")
                    .col(uuid("id").primary_key())
                    .col(uuid("user_id"))
                    .col(binary("token_hash"))
                    .col(big_integer("created_at"))
                    .col(big_integer("last_seen_at"))
                    .col(big_integer("expires_at"))
                    .col(text_null("address"))
                    .foreign_key(ForeignKey::create().from("session", "user_id").to("user", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("session_token").table("session").col("token_hash").unique().to_owned(),
            )
            .await?;
        manager
            .create_index(Index::create().name("session_user").table("session").col("user_id").to_owned())
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("sign_in_link")
                    .col(uuid("id").primary_key())
                    .col(uuid("user_id"))
                    .col(binary("token_hash"))
                    .col(big_integer("created_at"))
                    .col(big_integer("expires_at"))
                    .col(big_integer_null("used_at"))
                    .foreign_key(ForeignKey::create().from("sign_in_link", "user_id").to("user", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("sign_in_link_token")
                    .table("sign_in_link")
                    .col("token_hash")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("api_key")
                    .col(uuid("id").primary_key())
                    .col(text("name"))
                    .col(text("prefix"))
                    .col(binary("key_hash"))
                    .col(text("role"))
                    .col(text("scopes"))
                    .col(uuid_null("workspace_id"))
                    .col(big_integer_null("expires_at"))
                    .col(big_integer_null("last_used_at"))
                    .col(text("created_by"))
                    .col(big_integer("created_at"))
                    .col(big_integer_null("revoked_at"))
                    .foreign_key(ForeignKey::create().from("api_key", "workspace_id").to("workspace", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("api_key_hash").table("api_key").col("key_hash").unique().to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("api_key").to_owned()).await?;
        manager.drop_table(Table::drop().table("sign_in_link").to_owned()).await?;
        manager.drop_table(Table::drop().table("session").to_owned()).await?;
        manager.drop_table(Table::drop().table("user").to_owned()).await?;
        Ok(())
    }
}
