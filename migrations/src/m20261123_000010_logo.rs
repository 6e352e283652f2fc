//! Logos that the server fetched, to be shown from our own origin.

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
                    .table("logo")
                    // SHA-256 of the URL, in hex: a local URL that does not reveal the source of the image.
                    .col(text("id").primary_key())
                    .col(text("url"))
                    // When it is to be fetched; none: it is not wanted now.
                    .col(big_integer_null("due_at"))
                    .col(big_integer_null("fetched_at"))
                    .col(text_null("media_type"))
                    .col(text_null("labelled"))
                    .col(integer_null("width"))
                    .col(integer_null("height"))
                    .col(integer_null("size"))
                    .col(binary_null("bytes"))
                    // SHA-256 of the bytes, in hex.
                    .col(text_null("digest"))
                    .col(text_null("problem_code"))
                    .col(text_null("problem"))
                    .to_owned(),
            )
            .await?;
        for column in ["due_at", "fetched_at", "digest"] {
            let name = format!("logo_{column}");
            manager.create_index(Index::create().name(name).table("logo").col(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("logo").to_owned()).await
    }
}
