//! Counts that are kept with each write are what counting says (ADR 25, INV-56).

use rstest::rstest;
use sea_orm::ConnectionTrait;
use support::list_dataset::ListDataset;
use support::{Engine, Random, TestRegistry, tally_differences};

/// A write as some use case or worker makes it, of one row or of many; `n` picks the rows.
fn write(random: &mut Random) -> String {
    let n = random.between(0, 10);
    let some = |table: &str| format!("id IN (SELECT id FROM {table} ORDER BY id LIMIT 4 OFFSET {})", n * 4);
    let state = *random.pick(&[
        "queued",
        "registering",
        "registered",
        "retrying",
        "unconfirmed",
        "outdated",
        "failed",
        "withdrawing",
        "withdrawn",
    ]);
    let reason = *random.pick(&["'timeout'", "'http_5xx'", "NULL"]);
    match random.between(0, 7) {
        0 | 1 => format!(
            "UPDATE registration SET state = '{state}', reason = {reason} WHERE {}",
            some("registration")
        ),
        2 => format!(
            "UPDATE registration SET updated_at = updated_at + 1, state = state WHERE {}",
            some("registration")
        ),
        3 => format!(
            "UPDATE oauth_client SET status = '{}' WHERE {}",
            random.pick(&["draining", "withdrawn"]),
            some("oauth_client")
        ),
        4 => format!(
            "UPDATE oauth_client SET status = 'active', method = '{}' WHERE {}",
            random.pick(&["dcr", "cimd", "pre_registered"]),
            some("oauth_client")
        ),
        5 => format!(
            "UPDATE server SET configuration = {} WHERE {}",
            random.pick(&["'{}'", "NULL"]),
            some("server")
        ),
        _ => format!("UPDATE server SET deleted_at = 1 WHERE deleted_at IS NULL AND {}", some("server")),
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_counts_are_what_counting_says(#[case] engine: Engine) {
    let seed = Random::seed();
    let mut random = Random::new(seed);
    let t = TestRegistry::new(engine).await;
    // Several servers of one integration in one workspace, written by one statement.
    ListDataset { integrations: 2, workspaces: 3, servers: 40 }.insert(&t.registry, &t.database).await;
    let db = t.database.connect().await;
    assert_eq!(tally_differences(&db).await, [], "after many rows at once");
    for step in 0..120 {
        let sql = write(&mut random);
        db.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
        if step % 10 == 9 {
            t.registry.deployment().add_up_counts().await.unwrap();
        }
        assert_eq!(tally_differences(&db).await, [], "seed {seed}, step {step}: {sql}");
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migration_counts_what_is_there(#[case] engine: Engine) {
    use registry_migrations::{Migrator, MigratorTrait};
    let t = TestRegistry::new(engine).await;
    ListDataset { integrations: 3, workspaces: 4, servers: 30 }.insert(&t.registry, &t.database).await;
    let db = t.database.connect().await;
    db.execute_unprepared("UPDATE server SET deleted_at = 1 WHERE slug LIKE '%7'").await.unwrap();
    let migrations = Migrator::migrations();
    let newer = migrations.iter().rev().position(|one| one.name().ends_with("tally")).unwrap();
    Migrator::down(&db, Some(u32::try_from(newer + 1).unwrap())).await.unwrap();
    assert!(db.execute_unprepared("SELECT * FROM tally_now").await.is_err(), "the counts are gone");
    db.execute_unprepared("UPDATE registration SET state = 'failed' WHERE state = 'queued'").await.unwrap();
    Migrator::up(&db, None).await.unwrap();
    assert_eq!(tally_differences(&db).await, []);
}
