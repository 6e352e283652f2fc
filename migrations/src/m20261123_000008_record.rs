//! What happened (audit, a hash chain) and what gateways must notice (changes).

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
                    .table("audit_event")
                    .col(big_integer("number").primary_key())
                    .col(uuid("id"))
                    .col(big_integer("at"))
                    .col(text("actor_kind"))
                    .col(text_null("actor_id"))
                    .col(text("actor_name"))
                    .col(text("door"))
                    .col(text("action"))
                    .col(text("subject_kind"))
                    .col(text_null("subject_id"))
                    .col(text_null("subject_name"))
                    .col(uuid_null("workspace_id"))
                    .col(text_null("request_id"))
                    .col(text_null("address"))
                    .col(text_null("before"))
                    .col(text_null("after"))
                    .col(text("previous_hash"))
                    .col(text("hash"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("audit_event_subject")
                    .table("audit_event")
                    .col("subject_kind")
                    .col("subject_id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("change")
                    .col(big_integer("revision").primary_key())
                    .col(text("kind"))
                    .col(uuid_null("workspace_id"))
                    .col(uuid_null("server_id"))
                    .col(big_integer("at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("change_server")
                    .table("change")
                    .col("server_id")
                    .col("revision")
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("change").to_owned()).await?;
        manager.drop_table(Table::drop().table("audit_event").to_owned()).await?;
        Ok(())
    }
}
