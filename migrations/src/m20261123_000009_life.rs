//! The whole life of a registration: published documents, updates, doubts, withdrawal, the orphan ledger, and the budget
//! of each authorization server.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns added to a table; SQLite takes one in each statement.
const REGISTRATION: [&str; 6] =
    ["rediscover_at", "unwanted_since", "stopped_at", "cimd_refused_at", "replaced_at", "slot_at"];
const REGISTRATION_TEXT: [&str; 5] = ["failed_step", "skipped", "upstream", "document_id", "document"];
const CLIENT: [&str; 5] =
    ["secret_issued_at", "updated_at", "verified_at", "reported_at", "withdraw_not_before"];
const CLIENT_TEXT: [&str; 6] =
    ["request", "doubt", "reported_by", "update_refused", "withdrawal", "withdrawal_detail"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in REGISTRATION {
            add(manager, "registration", big_integer_null(name)).await?;
        }
        for name in REGISTRATION_TEXT {
            add(manager, "registration", text_null(name)).await?;
        }
        for name in CLIENT {
            add(manager, "oauth_client", big_integer_null(name)).await?;
        }
        for name in CLIENT_TEXT {
            add(manager, "oauth_client", text_null(name)).await?;
        }
        let counted = big_integer("withdraw_failures").default(0).take();
        add(manager, "oauth_client", counted).await?;
        manager
            .create_index(
                Index::create()
                    .name("registration_document")
                    .table("registration")
                    .col("document_id")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("orphan")
                    .col(uuid("id").primary_key())
                    .col(text("kind"))
                    .col(uuid("registration_id"))
                    .col(uuid("workspace_id"))
                    .col(uuid_null("attempt_id"))
                    .col(uuid_null("oauth_client_id"))
                    .col(text("server"))
                    .col(text_null("issuer"))
                    .col(text_null("client_id"))
                    .col(text_null("client_name"))
                    .col(text_null("registration_client_uri"))
                    .col(text("reason"))
                    .col(text("detail"))
                    .col(text("contacts"))
                    .col(big_integer("since"))
                    .col(big_integer_null("resolved_at"))
                    .col(text_null("resolved_by"))
                    .col(text_null("note"))
                    .foreign_key(
                        ForeignKey::create().from("orphan", "registration_id").to("registration", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        for (name, column) in [("orphan_attempt", "attempt_id"), ("orphan_client", "oauth_client_id")] {
            manager
                .create_index(Index::create().name(name).table("orphan").col(column).unique().to_owned())
                .await?;
        }
        manager
            .create_index(Index::create().name("orphan_since").table("orphan").col("since").to_owned())
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("issuer_budget")
                    .col(text("origin").primary_key())
                    .col(big_integer("next_at"))
                    .col(big_integer("slowdown"))
                    .col(big_integer("slowed_until"))
                    .col(big_integer("paused_until"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("issuer_budget").to_owned()).await?;
        manager.drop_table(Table::drop().table("orphan").to_owned()).await?;
        manager
            .drop_index(Index::drop().name("registration_document").table("registration").to_owned())
            .await?;
        drop_column(manager, "oauth_client", "withdraw_failures").await?;
        for name in CLIENT_TEXT.into_iter().chain(CLIENT) {
            drop_column(manager, "oauth_client", name).await?;
        }
        for name in REGISTRATION_TEXT.into_iter().chain(REGISTRATION) {
            drop_column(manager, "registration", name).await?;
        }
        Ok(())
    }
}

async fn add(manager: &SchemaManager<'_>, table: &'static str, column: ColumnDef) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await
}

async fn drop_column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: &'static str,
) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).drop_column(column).to_owned()).await
}
