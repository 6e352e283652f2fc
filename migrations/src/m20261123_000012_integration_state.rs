//! Integrations that are switched off, what their own layer sets, and what the last test of their connection showed.

use sea_orm_migration::sea_orm::ConnectionTrait;
use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns added to `integration`, each false unless said otherwise; SQLite takes one in each statement.
const FLAGS: [(&str, bool); 4] =
    [("enabled", true), ("custom_metadata", false), ("pre_registered", false), ("unreachable", false)];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, default) in FLAGS {
            let column = boolean(name).default(default).take();
            manager.alter_table(Table::alter().table("integration").add_column(column).to_owned()).await?;
        }
        let column = text_null("last_test");
        manager.alter_table(Table::alter().table("integration").add_column(column).to_owned()).await?;
        // What a save sets from now on, for what was saved before: a member named in the text is taken to be set.
        let database = manager.get_connection();
        database
            .execute_unprepared(
                "UPDATE integration SET custom_metadata = TRUE WHERE configuration LIKE '%\"oauth_client_metadata\"%' \
                 OR configuration LIKE '%\"oauth_metadata\"%'",
            )
            .await?;
        database
            .execute_unprepared(
                "UPDATE integration SET pre_registered = TRUE WHERE custom_metadata = TRUE \
                 AND configuration LIKE '%\"client_id\"%'",
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("oauth_client_client_id")
                    .table("oauth_client")
                    .col("client_id")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_index(Index::drop().name("oauth_client_client_id").table("oauth_client").to_owned())
            .await?;
        let flags = FLAGS.into_iter().map(|(name, _)| name);
        for name in flags.chain(["last_test"]) {
            manager.alter_table(Table::alter().table("integration").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
