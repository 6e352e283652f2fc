//! API keys as the hosted product has them: their kind, the user they are for, when they were changed; and how the
//! workspace of an access row was named when it was last written.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [text_null("kind"), uuid_null("user_id"), big_integer_null("updated_at")] {
            manager.alter_table(Table::alter().table("api_key").add_column(column).to_owned()).await?;
        }
        let column = boolean("by_slug").default(false).take();
        manager.alter_table(Table::alter().table("access").add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("access").drop_column("by_slug").to_owned()).await?;
        for name in ["updated_at", "user_id", "kind"] {
            manager.alter_table(Table::alter().table("api_key").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
