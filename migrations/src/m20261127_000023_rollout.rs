//! Rollouts: a change of a layer reaches its servers in batches. Each server names the revision of the organisation's layer
//! that it is resolved from; each row with a configuration names the revision of its text.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables whose rows have a configuration, and how `revision.subject_kind` names them.
const OWNERS: [&str; 4] = ["organisation", "integration", "access", "server"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let number = || big_integer("configuration_revision").default(0).to_owned();
        for table in OWNERS {
            manager.alter_table(Table::alter().table(table).add_column(number()).to_owned()).await?;
            let fill = format!(
                "UPDATE {table} SET configuration_revision = COALESCE((SELECT MAX(number) FROM revision \
                 WHERE subject_kind = '{table}' AND subject_id = {table}.id), 0)"
            );
            manager.get_connection().execute_unprepared(&fill).await?;
        }
        let pin = big_integer("organisation_revision").default(0).to_owned();
        manager.alter_table(Table::alter().table("server").add_column(pin).to_owned()).await?;
        manager
            .get_connection()
            .execute_unprepared(
                "UPDATE server SET organisation_revision = COALESCE((SELECT configuration_revision FROM organisation), 0)",
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rollout")
                    .col(uuid("id").primary_key())
                    .col(text("kind"))
                    .col(uuid_null("integration_id"))
                    .col(text_null("workspaces"))
                    .col(big_integer_null("revision"))
                    .col(text("because"))
                    .col(boolean("holds_replacements"))
                    .col(text("state"))
                    .col(big_integer("total"))
                    .col(boolean("total_is_exact"))
                    .col(big_integer("processed"))
                    .col(text("affected"))
                    .col(big_integer("refused"))
                    .col(big_integer_null("max_failures"))
                    .col(big_integer("canary_size"))
                    .col(boolean("canary_passed"))
                    .col(uuid_null("position"))
                    .col(text_null("old_secrets"))
                    .col(text_null("lease_owner"))
                    .col(big_integer("lease_until"))
                    .col(big_integer("created_at"))
                    .col(text("created_by"))
                    .col(big_integer("updated_at"))
                    .col(big_integer_null("finished_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("rollout_state")
                    .table("rollout")
                    .col("state")
                    .col("updated_at")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rollout_failure")
                    .col(uuid("rollout_id"))
                    .col(uuid("server_id"))
                    .col(text("findings"))
                    .col(big_integer("at"))
                    .primary_key(Index::create().col("rollout_id").col("server_id"))
                    .to_owned(),
            )
            .await?;
        let rollout = Table::alter().table("registration").add_column(uuid_null("rollout_id")).to_owned();
        manager.alter_table(rollout).await?;
        let settled = big_integer("settled").default(0).to_owned();
        manager.alter_table(Table::alter().table("registration").add_column(settled).to_owned()).await?;
        manager.get_connection().execute_unprepared("UPDATE registration SET settled = wanted").await?;
        manager
            .create_index(
                Index::create()
                    .name("registration_unsettled")
                    .table("registration")
                    .col("rollout_id")
                    .and_where(Expr::col("rollout_id").is_not_null())
                    .and_where(Expr::col("settled").lt(Expr::col("wanted")))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("registration_rollout")
                    .table("registration")
                    .col("rollout_id")
                    .col("state")
                    .and_where(Expr::col("rollout_id").is_not_null())
                    .to_owned(),
            )
            .await?;
        let integration = Table::alter().table("change").add_column(uuid_null("integration_id")).to_owned();
        manager.alter_table(integration).await?;
        // Batches read the servers of an integration in the order of their ids.
        manager.drop_index(Index::drop().name("server_integration").table("server").to_owned()).await?;
        manager
            .create_index(
                Index::create()
                    .name("server_integration")
                    .table("server")
                    .col("integration_id")
                    .col("id")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("server_integration").table("server").to_owned()).await?;
        manager
            .create_index(
                Index::create().name("server_integration").table("server").col("integration_id").to_owned(),
            )
            .await?;
        manager
            .drop_index(Index::drop().name("registration_rollout").table("registration").to_owned())
            .await?;
        let drop = |table: &'static str, column: &'static str| {
            Table::alter().table(table).drop_column(column).to_owned()
        };
        manager.alter_table(drop("change", "integration_id")).await?;
        manager
            .drop_index(Index::drop().name("registration_unsettled").table("registration").to_owned())
            .await?;
        manager.alter_table(drop("registration", "settled")).await?;
        manager.alter_table(drop("registration", "rollout_id")).await?;
        manager.drop_table(Table::drop().table("rollout_failure").to_owned()).await?;
        manager.drop_table(Table::drop().table("rollout").to_owned()).await?;
        manager.alter_table(drop("server", "organisation_revision")).await?;
        for table in OWNERS {
            manager.alter_table(drop(table, "configuration_revision")).await?;
        }
        Ok(())
    }
}
