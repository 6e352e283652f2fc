//! The schema goes up and down without losing what people wrote.

use registry_migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Statement};
use support::{Engine, TestRegistry};

on_both! {
    async fn the_column_for_held_replacements_goes_and_comes_back(t: TestRegistry) {
        t.workspace("acme").await;
        t.integration("linear", "https://mcp.linear.app/mcp", None).await;
        t.server("linear", "acme").await;
        let db = t.database.connect().await;
        let count = async |condition: &str| {
            let sql = format!("SELECT COUNT(*) AS n FROM registration WHERE {condition}");
            let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await;
            row.map(|row| row.unwrap().try_get::<i64>("", "n").unwrap())
        };
        assert_eq!(count("held IS NULL").await.unwrap(), 1);
        let migrations = Migrator::migrations();
        let newer = migrations.iter().rev().position(|one| one.name().ends_with("held_replacement")).unwrap();
        Migrator::down(&db, Some(u32::try_from(newer + 1).unwrap())).await.unwrap();
        assert!(count("held IS NULL").await.is_err(), "the column is gone");
        assert_eq!(count("1 = 1").await.unwrap(), 1, "its rows are not");
        Migrator::up(&db, None).await.unwrap();
        assert_eq!(count("held IS NULL").await.unwrap(), 1);
    }
}
