//! Columns for the pages about keys and users: from where a key was last used, why it never ends, what replaced it; the
//! browser of a session; who may not come in any more. And the audit log by time.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns added; SQLite takes one in each statement.
fn columns() -> [(&'static str, &'static str, ColumnDef); 5] {
    [
        ("api_key", "last_address", text_null("last_address")),
        ("api_key", "reason", text_null("reason")),
        ("api_key", "replaced_by", uuid_null("replaced_by")),
        ("session", "user_agent", text_null("user_agent")),
        ("user", "deactivated_at", big_integer_null("deactivated_at")),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, _, column) in columns() {
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        manager
            .create_index(Index::create().name("audit_event_at").table("audit_event").col("at").to_owned())
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("audit_event_at").table("audit_event").to_owned()).await?;
        for (table, name, _) in columns() {
            manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
