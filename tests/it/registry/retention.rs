//! History that grows with each registration or change is removed in batches, whatever the statistics of the database.

use chrono::Duration;
use registry::Settings;
use rstest::rstest;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use support::list_dataset::ListDataset;
use support::{Engine, Explainer, TestRegistry, reads};

/// Registrations with [`ATTEMPTS`] attempts each.
const REGISTRATIONS: i64 = 1_000;
const ATTEMPTS: i64 = 200;
/// How many a registration keeps however old they are.
const MAX_SHOWN: i64 = 50;
const DAY: i64 = 86_400_000;
/// The default of `retention.attempts_days`.
const RETENTION_DAYS: i64 = 90;

async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

/// The registration with number `n`, as [`ListDataset`] names it.
fn registration(engine: Engine, n: &str) -> String {
    match engine {
        Engine::Postgres => format!("('0004' || lpad(to_hex({n}), 28, '0'))::uuid"),
        Engine::Sqlite => format!("unhex('0004' || printf('%028x', {n}))"),
    }
}

/// Adds attempts `from` to `to` of each registration `n` that fits. The first and the third of an even one sent a request.
/// `at` is when, in epoch milliseconds.
async fn add_attempts(db: &DatabaseConnection, engine: Engine, (from, to): (i64, i64), fits: &str, at: &str) {
    let numbers = format!(
        "WITH RECURSIVE n(n) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM n WHERE n < {REGISTRATIONS} - 1), \
         k(k) AS (SELECT CAST({from} AS BIGINT) UNION ALL SELECT k + 1 FROM k WHERE k < {to}) "
    );
    let id = match engine {
        Engine::Postgres => {
            format!(
                "(lpad(to_hex(({at})::bigint), 12, '0') || '7000' || lpad(to_hex(n * 1000 + k), 16, '0'))::uuid"
            )
        }
        Engine::Sqlite => format!("unhex(printf('%012x', {at}) || '7000' || printf('%016x', n * 1000 + k))"),
    };
    let sent = "n % 2 = 0 AND k IN (1, 3)";
    db.execute_unprepared(&format!(
        "{numbers} INSERT INTO attempt (id, registration_id, number, step, fence, started_at, finished_at, outcome, \
         request, adjustments, exchanges) SELECT {id}, {}, k, CASE WHEN {sent} THEN 'register' ELSE 'verify' END, 1, \
         {at}, CASE WHEN n = 1 AND k = 5 THEN NULL ELSE {at} END, 'succeeded', CASE WHEN {sent} THEN '{{}}' END, '[]', '[]' \
         FROM n CROSS JOIN k WHERE {fits}",
        registration(engine, "n"),
    ))
    .await
    .unwrap();
    // PostgreSQL does this by itself, sooner or later, and then chooses other plans.
    db.execute_unprepared("ANALYZE").await.unwrap();
}

/// [`REGISTRATIONS`] registrations without an attempt, and the time in epoch milliseconds.
async fn without_attempts(engine: Engine) -> (TestRegistry, DatabaseConnection, i64) {
    let t = TestRegistry::new(engine).await;
    let servers = u32::try_from(REGISTRATIONS).unwrap();
    ListDataset { integrations: 4, workspaces: 5, servers }.insert(&t.registry, &t.database).await;
    let db = t.database.connect().await;
    db.execute_unprepared("DELETE FROM attempt").await.unwrap();
    let now = t.registry.now().timestamp_millis();
    (t, db, now)
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_attempts_are_pruned_but_those_that_are_shown(#[case] engine: Engine) {
    let (t, db, now) = without_attempts(engine).await;
    // Every fourth registration made all its attempts long ago; the others make one a day until today.
    let daily = format!("{now} - ({ATTEMPTS} - k) * {DAY}");
    add_attempts(&db, engine, (1, ATTEMPTS), "n % 4 <> 3", &daily).await;
    let long_ago = format!("{now} - {} + k", 2 * ATTEMPTS * DAY);
    add_attempts(&db, engine, (1, ATTEMPTS), "n % 4 = 3", &long_ago).await;
    let [active, quiet] = [REGISTRATIONS * 3 / 4, REGISTRATIONS / 4];
    let (even, unfinished) = (REGISTRATIONS / 2, 1);
    // The attempts of the last days are kept: the one that is exactly as old as the retention too.
    let of_active = ATTEMPTS - RETENTION_DAYS - 1;

    let other = t.process_with_settings(t.settings.clone()).await;
    let before = number(&db, "SELECT COUNT(*) FROM attempt").await;
    let (both, asked) = Box::pin(reads(async {
        tokio::join!(t.registry.registrations().prune_attempts(), other.registrations().prune_attempts())
    }))
    .await;
    assert_eq!(both.0.unwrap() + both.1.unwrap(), u64::try_from(before).unwrap() - left(&db, "TRUE").await);
    // Whichever of the two gave way, the other one may have begun later.
    t.registry.registrations().prune_attempts().await.unwrap();
    let kept = |number: i64| u64::try_from(number).unwrap();
    let of = |which: &str| {
        let registrations = (0..REGISTRATIONS).filter(|n| (n % 4 == 3) == (which == "quiet"));
        let ids = registrations.map(|n| registration(engine, &n.to_string())).collect::<Vec<_>>().join(", ");
        format!("registration_id IN ({ids})")
    };
    assert_eq!(
        left(&db, &of("active")).await,
        kept(active * (ATTEMPTS - of_active) + even + unfinished),
        "those of the last days, the last that sent a request, and one without an outcome"
    );
    assert_eq!(left(&db, &of("quiet")).await, kept(quiet * MAX_SHOWN), "the newest, although they are old");
    assert_eq!(left(&db, "step = 'register' AND number = 3").await, kept(even));
    assert_eq!(
        left(&db, &format!("number > {}", ATTEMPTS - MAX_SHOWN)).await,
        kept(REGISTRATIONS * MAX_SHOWN)
    );
    assert_eq!(t.registry.registrations().prune_attempts().await.unwrap(), 0);

    // Attempts become old, and those that were newest are followed by others.
    t.clock.advance(Duration::days(10));
    assert_eq!(t.registry.registrations().prune_attempts().await.unwrap(), kept(active * 10));
    let today = format!("{} + k", t.registry.now().timestamp_millis());
    add_attempts(&db, engine, (ATTEMPTS + 1, ATTEMPTS + 20), "n % 4 = 3", &today).await;
    t.clock.advance(Duration::days(RETENTION_DAYS + 1));
    t.registry.registrations().prune_attempts().await.unwrap();
    assert_eq!(
        left(&db, &of("active")).await,
        kept(active * MAX_SHOWN + even + unfinished),
        "nothing happened for longer than the retention"
    );
    assert_eq!(left(&db, &of("quiet")).await, kept(quiet * MAX_SHOWN));

    let explainer = Explainer::new(&t.database).await;
    let asked: Vec<_> = asked.iter().filter(|statement| statement.sql.contains("attempt")).collect();
    assert!(asked.len() > 20, "it was asked in batches: {}", asked.len());
    for statement in asked.iter().step_by(asked.len() / 20) {
        let cost = explainer.cost(statement).await;
        assert!(!cost.scanned.contains("attempt"), "{}\n{}", cost.sql, cost.plan);
    }
}

async fn left(db: &DatabaseConnection, condition: &str) -> u64 {
    number(db, &format!("SELECT COUNT(*) FROM attempt WHERE {condition}")).await.unsigned_abs()
}

/// A position that lies in the future, from a time when the clock was wrong, hides nothing for ever.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_are_pruned_after_the_clock_was_wrong(#[case] engine: Engine) {
    let (t, db, now) = without_attempts(engine).await;
    add_attempts(&db, engine, (1, MAX_SHOWN), "n = 7", &format!("{now} - k")).await;
    t.clock.advance(Duration::days(500));
    assert_eq!(t.registry.registrations().prune_attempts().await.unwrap(), 0);
    t.clock.advance(-Duration::days(500));
    let long_ago = format!("{now} - {} - k", 2 * RETENTION_DAYS * DAY);
    add_attempts(&db, engine, (1, MAX_SHOWN + 7), "n = 9", &long_ago).await;
    assert_eq!(t.registry.registrations().prune_attempts().await.unwrap(), 7);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_rollouts_are_pruned_with_their_refused_servers(#[case] engine: Engine) {
    let rollouts_keep = std::time::Duration::from_hours(24 * 365);
    let t = TestRegistry::with(engine, Settings { rollouts_keep, ..Settings::default() }).await;
    let db = t.database.connect().await;
    let now = t.registry.now().timestamp_millis();
    let old = now - 366 * DAY;
    let server = match engine {
        Engine::Sqlite => "randomblob(16)",
        Engine::Postgres => "gen_random_uuid()",
    };
    for (n, ended, old_secrets) in [
        (1, old.to_string(), "NULL"),
        (2, old.to_string(), "'[]'"),
        (3, "NULL".to_owned(), "NULL"),
        (4, (now - DAY).to_string(), "NULL"),
        (5, old.to_string(), "NULL"),
    ] {
        let id = registration(engine, &n.to_string());
        db.execute_unprepared(&format!(
            "INSERT INTO rollout (id, kind, because, holds_replacements, state, total, total_is_exact, processed, affected, \
             refused, canary_size, canary_passed, old_secrets, lease_until, created_at, created_by, updated_at, finished_at) \
             VALUES ({id}, 'organisation', '', FALSE, 'done', 0, TRUE, 0, '{{}}', 0, 0, TRUE, {old_secrets}, 0, {old}, '', \
             {old}, {ended})"
        ))
        .await
        .unwrap();
        db.execute_unprepared(&format!(
            "WITH RECURSIVE k(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM k WHERE k < 12000) \
             INSERT INTO rollout_failure (rollout_id, server_id, findings, at) SELECT {id}, {server}, '[]', {old} FROM k"
        ))
        .await
        .unwrap();
    }
    db.execute_unprepared("ANALYZE").await.unwrap();
    assert_eq!(t.registry.rollouts().prune().await.unwrap(), 2);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM rollout").await, 3);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM rollout_failure").await, 3 * 12_000);
    assert_eq!(t.registry.rollouts().prune().await.unwrap(), 0);
}
