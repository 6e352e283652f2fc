//! Rollouts that delete the servers of an integration or a workspace: the workspace, an index of open deletions, and one of
//! the live servers of a workspace in the order of their ids.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let workspace = Table::alter().table("rollout").add_column(uuid_null("workspace_id")).to_owned();
        manager.alter_table(workspace).await?;
        // Every look for a live server asks for open deletions.
        let open = Index::create()
            .name("rollout_open")
            .table("rollout")
            .col("kind")
            .and_where(Expr::col("finished_at").is_null())
            .to_owned();
        let of_workspace = Index::create()
            .name("server_workspace")
            .table("server")
            .col("workspace_id")
            .col("id")
            .and_where(Expr::col("deleted_at").is_null())
            .to_owned();
        for index in [open, of_workspace] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("server_workspace").table("server").to_owned()).await?;
        manager.drop_index(Index::drop().name("rollout_open").table("rollout").to_owned()).await?;
        let workspace = Table::alter().table("rollout").drop_column("workspace_id").to_owned();
        manager.alter_table(workspace).await
    }
}
