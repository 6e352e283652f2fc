//! The schema goes up and down without losing what people wrote.

use crate::resilience::backup::rows;
use registry_migrations::{Migrator, MigratorTrait};
use rstest::rstest;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use std::collections::BTreeMap;
use support::dataset::{Dataset, Size};
use support::{Engine, TestRegistry};

/// How many rows each table has, but for the list of migrations.
async fn counts(db: &DatabaseConnection) -> BTreeMap<String, usize> {
    let all = rows(db).await.into_iter().filter(|(table, _)| table != "seaql_migrations");
    all.map(|(table, rows)| (table, rows.len())).collect()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_go_down_and_up_and_keep_older_data(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    Dataset::create(&t, Size { integrations: 2, workspaces: 2, servers: 3, saves: 2 }).await;
    let db = t.database.connect().await;
    let steps = u32::try_from(Migrator::migrations().len()).unwrap();
    let mut known = counts(&db).await;
    assert!(known.values().filter(|rows| **rows > 0).count() > 12, "{known:?}");
    let mut refused = false;
    for depth in 1..=steps {
        let mut down = Migrator::down(&db, Some(depth)).await;
        if let Err(error) = &down {
            assert!(error.to_string().contains("Restore a backup of before"), "{error}");
            refused = true;
            let before = counts(&db).await;
            assert_eq!(before["sealed_value"], known["sealed_value"], "nothing is lost by what is refused");
            db.execute_unprepared("DELETE FROM sealed_value").await.unwrap();
            known.insert("sealed_value".to_owned(), 0);
            let applied = Migrator::get_applied_migrations(&db).await.unwrap().len();
            down = Migrator::down(&db, Some(u32::try_from(applied).unwrap() - (steps - depth))).await;
        }
        down.unwrap();
        let below = counts(&db).await;
        for (table, rows) in &below {
            assert_eq!(rows, &known[table], "{table}, {depth} steps down");
        }
        Migrator::up(&db, None).await.unwrap();
        let again = counts(&db).await;
        assert!(again.keys().eq(known.keys()), "{depth} steps down and up");
        for (table, rows) in &below {
            assert_eq!(&again[table], rows, "{table}, {depth} steps down and up");
        }
        known = again;
    }
    assert!(refused, "sealed secrets are not given up in silence");
    t.registry.deployment().migrate().await.unwrap();
    t.workspace("again").await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_replacement_column_migrates_down_and_up(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
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

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspace_users_keep_their_role_through_migrations(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let acme = t.workspace("acme").await.id;
    let db = t.database.connect().await;
    let run = async |sql: &str| {
        db.execute_raw(Statement::from_string(db.get_database_backend(), sql.to_owned())).await.unwrap();
    };
    let roles = async || {
        let sql = r#"SELECT role, CASE WHEN workspace_id IS NULL THEN 0 ELSE 1 END AS bound FROM "user" ORDER BY email"#;
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        let row = |row: &sea_orm::QueryResult| {
            (row.try_get::<String>("", "role").unwrap(), row.try_get::<i32>("", "bound").unwrap())
        };
        rows.iter().map(row).collect::<Vec<_>>()
    };
    let migrations = Migrator::migrations();
    let newer = migrations.iter().rev().position(|one| one.name().ends_with("identity")).unwrap();
    let steps = Some(u32::try_from(newer + 1).unwrap());
    Migrator::down(&db, steps).await.unwrap();
    let id = |n: u128| match db.get_database_backend() {
        sea_orm::DbBackend::Postgres => format!("'{}'", uuid::Uuid::from_u128(n)),
        _ => format!("x'{}'", uuid::Uuid::from_u128(n).simple()),
    };
    let acme = id(acme.0.as_u128());
    for (n, email, role, workspace) in [(1, "a", "admin", "NULL"), (2, "b", "manager", acme.as_str())] {
        let id = id(n);
        run(&format!(r#"INSERT INTO "user" (id, email, email_key, name, role, workspace_id, created_at, updated_at) VALUES ({id}, '{email}', '{email}', '{email}', '{role}', {workspace}, 0, 0)"#)).await;
    }
    Migrator::up(&db, None).await.unwrap();
    assert_eq!(roles().await, [("admin".to_owned(), 0), ("none".to_owned(), 1)]);
    let people = t.registry.users().list(&t.admin(), registry::PageRequest::default()).await.unwrap().items;
    assert_eq!(people[1].workspaces.len(), 1);
    assert_eq!((people[1].role, people[1].workspaces[0].role.as_str()), (None, "manager"));
    Migrator::down(&db, steps).await.unwrap();
    assert_eq!(roles().await, [("admin".to_owned(), 0), ("manager".to_owned(), 1)]);
    Migrator::up(&db, None).await.unwrap();
}
