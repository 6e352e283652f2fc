//! An index of the audit events of users, newest first: without what API keys, tokens and workers did, which is most of the
//! log. Its condition is repeated word by word in the statement that uses it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "CREATE INDEX idx_audit_event_of_users ON audit_event (number)
            WHERE door <> 'worker' AND actor_kind NOT IN ('api_key', 'token')";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop().name("idx_audit_event_of_users").table("audit_event").to_owned();
        manager.drop_index(index).await
    }
}
