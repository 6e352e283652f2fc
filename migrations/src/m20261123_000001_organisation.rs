//! The one organisation, what every process must agree on, and the row that gives commit order.

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
                    .table("organisation")
                    .col(uuid("id").primary_key())
                    .col(text("name"))
                    .col(text_null("configuration"))
                    .col(big_integer("version"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .col(text("created_by"))
                    .col(text("updated_by"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("deployment")
                    .col(text("key").primary_key())
                    .col(text("value"))
                    .col(big_integer("updated_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("sequence")
                    .col(integer("id").primary_key())
                    .col(big_integer("revision"))
                    .col(big_integer("audit"))
                    .col(text("audit_hash"))
                    .to_owned(),
            )
            .await?;
        let zero = Query::insert()
            .into_table("sequence")
            .columns(["id", "revision", "audit", "audit_hash"])
            .values_panic([1.into(), 0i64.into(), 0i64.into(), "".into()])
            .to_owned();
        manager.exec_stmt(zero).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("sequence").to_owned()).await?;
        manager.drop_table(Table::drop().table("deployment").to_owned()).await?;
        manager.drop_table(Table::drop().table("organisation").to_owned()).await?;
        Ok(())
    }
}
