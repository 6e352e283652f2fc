//! Indexes for claims that read no more than they need, however many registrations are due: by upstream, by who holds a
//! lease, and of attempts without an outcome. Registrations of early releases get an upstream like all others.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// What a registration without an upstream is shared out by, until it is discovered again.
const UNKNOWN: &str = "unknown";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let fill = Query::update()
            .table("registration")
            .value("upstream", UNKNOWN)
            .and_where(Expr::col("upstream").is_null())
            .to_owned();
        manager.execute(fill).await?;
        let turn = Index::create()
            .name("registration_turn")
            .table("registration")
            .col("upstream")
            .col("due_at")
            .to_owned();
        let lease = Index::create()
            .name("registration_lease")
            .table("registration")
            .col("lease_owner")
            .and_where(Expr::col("lease_until").gt(0))
            .to_owned();
        let open = Index::create()
            .name("attempt_open")
            .table("attempt")
            .col("registration_id")
            .and_where(Expr::col("finished_at").is_null())
            .to_owned();
        for index in [turn, lease, open] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table) in [
            ("attempt_open", "attempt"),
            ("registration_lease", "registration"),
            ("registration_turn", "registration"),
        ] {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        Ok(())
    }
}
