//! Roles by workspace, users of an identity provider, and counts of refused sign-ins.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// A user who was bound to one workspace has their role there, and none in the whole organisation. `user.workspace_id` is
/// from now on the workspace a user acts in.
const UP: [&str; 2] = [
    r#"INSERT INTO membership (user_id, workspace_id, role) SELECT id, workspace_id, role FROM "user" WHERE workspace_id IS NOT NULL"#,
    r#"UPDATE "user" SET role = 'none' WHERE workspace_id IS NOT NULL"#,
];
/// Back to one place for each: the one they act in. A user without a role there becomes a viewer.
const DOWN: [&str; 2] = [
    r#"UPDATE "user" SET role = (SELECT role FROM membership m WHERE m.user_id = "user".id AND m.workspace_id = "user".workspace_id) WHERE EXISTS (SELECT 1 FROM membership m WHERE m.user_id = "user".id AND m.workspace_id = "user".workspace_id)"#,
    r#"UPDATE "user" SET role = 'viewer' WHERE role = 'none'"#,
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("membership")
            .col(uuid("user_id"))
            .col(uuid("workspace_id"))
            .col(text("role"))
            .primary_key(Index::create().col("user_id").col("workspace_id"))
            .foreign_key(ForeignKey::create().from("membership", "user_id").to("user", "id"))
            .foreign_key(ForeignKey::create().from("membership", "workspace_id").to("workspace", "id"))
            .to_owned();
        manager.create_table(table).await?;
        let table = Table::create()
            .table("sign_in_failure")
            .col(binary("email_hash").primary_key())
            .col(integer("failures"))
            .col(big_integer("last_at"))
            .col(big_integer("locked_until"))
            .to_owned();
        manager.create_table(table).await?;
        let column = text_null("subject");
        manager.alter_table(Table::alter().table("user").add_column(column).to_owned()).await?;
        let index = Index::create().name("user_subject").table("user").col("subject").unique().to_owned();
        manager.create_index(index).await?;
        for statement in UP {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in DOWN {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        manager.drop_index(Index::drop().name("user_subject").table("user").to_owned()).await?;
        manager.alter_table(Table::alter().table("user").drop_column("subject").to_owned()).await?;
        manager.drop_table(Table::drop().table("sign_in_failure").to_owned()).await?;
        manager.drop_table(Table::drop().table("membership").to_owned()).await
    }
}
