//! Every saved Advanced Configuration, and the secrets cut out of them.

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
                    .table("revision")
                    .col(uuid("id").primary_key())
                    .col(text("subject_kind"))
                    .col(uuid("subject_id"))
                    .col(big_integer("number"))
                    .col(text_null("text"))
                    .col(text("actor"))
                    .col(text("door"))
                    .col(text_null("note"))
                    .col(big_integer_null("restored_from"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("revision_number")
                    .table("revision")
                    .col("subject_kind")
                    .col("subject_id")
                    .col("number")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("sealed_value")
                    .col(uuid("id").primary_key())
                    .col(text("owner_kind"))
                    .col(uuid("owner_id"))
                    .col(text("pointer"))
                    .col(text("key_id"))
                    .col(binary("nonce"))
                    .col(binary("ciphertext"))
                    .col(text_null("bound_to"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("sealed_value_owner")
                    .table("sealed_value")
                    .col("owner_kind")
                    .col("owner_id")
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("sealed_value").to_owned()).await?;
        manager.drop_table(Table::drop().table("revision").to_owned()).await?;
        Ok(())
    }
}
