//! The audit log as evidence, on both databases.

use registry::{AuditVerification, Error, NewWorkspace, Registry, SealingKey};
use registry_core::permission::Role;
use rstest::rstest;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use support::{Engine, TestRegistry};

async fn verify(registry: &Registry) -> AuditVerification {
    registry.audit().verify(&registry.operator(), &[]).await.unwrap()
}

async fn alter(db: &DatabaseConnection, sql: &str) {
    db.execute_raw(Statement::from_string(db.get_database_backend(), sql.to_owned())).await.unwrap();
}

async fn events(t: &TestRegistry, count: usize) {
    for _ in 0..count {
        let new = NewWorkspace { name: "one".into(), slug: None, description: None };
        t.registry.workspaces().create(&t.admin(), new).await.unwrap();
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_tampering_is_found_at_its_place(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    events(&t, 12).await;
    assert_eq!(t.registry.audit().maintain().await.unwrap(), 0, "nothing is removed unless told so");
    events(&t, 3).await;
    let whole = verify(&t.registry).await;
    assert_eq!(
        (whole.events, whole.first, whole.last, whole.checkpoints, whole.broken),
        (15, Some(1), 15, 1, None)
    );

    let db = t.database.connect().await;
    t.clock.advance(chrono::Duration::days(3));
    for (sql, number, why) in [
        // Without any checkpoint the chain alone verifies, and so does a chain that was rewritten.
        ("DELETE FROM audit_checkpoint", 12, "missing from the log"),
        (
            "DELETE FROM audit_checkpoint; DELETE FROM audit_event WHERE number > 11; UPDATE sequence SET audit = 11, audit_hash = (SELECT hash FROM audit_event WHERE number = 11)",
            12,
            "missing from the log",
        ),
        (
            "DELETE FROM audit_checkpoint; DELETE FROM audit_event; UPDATE sequence SET audit = 0, audit_hash = ''",
            12,
            "missing from the log",
        ),
        ("DELETE FROM deployment WHERE key = 'audit.signing_key'", 15, "was removed or changed"),
        ("DELETE FROM sealed_value WHERE owner_kind = 'audit'", 15, "was removed or changed"),
        (
            "UPDATE sealed_value SET ciphertext = nonce WHERE owner_kind = 'audit'",
            15,
            "was removed or changed",
        ),
        (
            "DELETE FROM audit_checkpoint; DELETE FROM deployment WHERE key = 'audit.signing_key'",
            15,
            "was removed or changed",
        ),
        (
            "DELETE FROM audit_checkpoint; DELETE FROM deployment WHERE key = 'audit.signing_key'; DELETE FROM sealed_value WHERE owner_kind = 'audit'",
            15,
            "no key that signs",
        ),
        ("UPDATE audit_event SET actor_name = 'nobody' WHERE number = 7", 7, "changed"),
        ("UPDATE audit_event SET before = '{}' WHERE number = 9", 9, "changed"),
        ("DELETE FROM audit_event WHERE number = 5", 6, "before it is missing"),
        ("DELETE FROM audit_event WHERE number <= 2", 3, "before it are missing"),
        ("DELETE FROM audit_event WHERE number = 15", 15, "last events are missing"),
        ("DELETE FROM audit_event", 15, "last events are missing"),
        ("UPDATE audit_checkpoint SET hash = 'x'", 12, "not signed"),
        ("UPDATE audit_checkpoint SET pruned = TRUE", 12, "not signed"),
        ("UPDATE sequence SET audit_hash = 'x'", 15, "written last"),
        // The end cut off carefully: the signed checkpoint reveals it.
        (
            "DELETE FROM audit_event WHERE number > 11; UPDATE sequence SET audit = 11, audit_hash = (SELECT hash FROM audit_event WHERE number = 11)",
            12,
            "signed and is missing",
        ),
    ] {
        alter(&db, "CREATE TABLE kept_event AS SELECT * FROM audit_event").await;
        alter(&db, "CREATE TABLE kept_point AS SELECT * FROM audit_checkpoint").await;
        alter(&db, "CREATE TABLE kept_sequence AS SELECT * FROM sequence").await;
        alter(&db, "CREATE TABLE kept_deployment AS SELECT * FROM deployment").await;
        alter(&db, "CREATE TABLE kept_sealed AS SELECT * FROM sealed_value").await;
        for statement in sql.split("; ") {
            alter(&db, statement).await;
        }
        let broken = verify(&t.registry).await.broken.unwrap_or_else(|| panic!("{sql} was not found"));
        assert_eq!(broken.number, number, "{sql}: {}", broken.why);
        assert!(broken.why.contains(why), "{sql}: {}", broken.why);
        for (table, kept) in [
            ("audit_event", "kept_event"),
            ("audit_checkpoint", "kept_point"),
            ("sequence", "kept_sequence"),
            ("deployment", "kept_deployment"),
            ("sealed_value", "kept_sealed"),
        ] {
            alter(&db, &format!("DELETE FROM {table}")).await;
            alter(&db, &format!("INSERT INTO {table} SELECT * FROM {kept}")).await;
            alter(&db, &format!("DROP TABLE {kept}")).await;
        }
        assert_eq!(verify(&t.registry).await.broken, None, "put back after {sql}");
    }

    let other = "00".repeat(32);
    let verdict = t.registry.audit().verify(&t.admin(), &[other]).await.unwrap();
    assert!(verdict.broken.is_some(), "signed with another key");
    let key = whole.public_keys.first().unwrap();
    assert_eq!(t.registry.audit().verify(&t.admin(), std::slice::from_ref(key)).await.unwrap().broken, None);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_without_its_checkpoints_is_refused(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    events(&t, 3).await;
    t.registry.audit().maintain().await.unwrap();
    let keys: Vec<String> = verify(&t.registry).await.public_keys.into_iter().collect();
    let check = async || {
        t.registry
            .audit()
            .verify(&t.admin(), &keys)
            .await
            .unwrap()
            .broken
            .map(|broken| broken.why.into_owned())
    };
    assert_eq!(check().await, None);
    let noted = verify(&t.registry).await;
    assert_eq!(t.registry.audit().hash_of(&t.admin(), noted.last).await.unwrap(), Some(noted.last_hash));
    t.clock.advance(chrono::Duration::days(3));
    events(&t, 1).await;
    assert_eq!(
        check().await.as_deref(),
        Some("no signed checkpoint is near the end of the log"),
        "nobody signs any more"
    );
    t.registry.audit().maintain().await.unwrap();
    assert_eq!(check().await, None);
    alter(&t.database.connect().await, "DELETE FROM audit_checkpoint").await;
    assert!(check().await.unwrap().contains("known to the signing key but missing"));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_key_remembers_every_checkpoint_and_signs_no_changed_log(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    events(&t, 3).await;
    t.registry.audit().maintain().await.unwrap();
    t.clock.advance(chrono::Duration::hours(25));
    events(&t, 3).await;
    t.registry.audit().maintain().await.unwrap();
    let whole = verify(&t.registry).await;
    assert_eq!((whole.checkpoints, whole.broken, whole.unchecked), (2, None, Vec::new()));

    // Re-encrypted with another key it remembers the same.
    let new = SealingKey::generate().unwrap();
    let rotating = t.process_with_keys(vec![new.clone(), t.key.clone()]).await;
    rotating.deployment().migrate().await.unwrap();
    rotating.secrets().reseal(&rotating.operator()).await.unwrap();
    let verdict = verify(&rotating).await;
    assert_eq!((verdict.broken, verdict.unchecked), (None, Vec::new()));
    // A process without that key says what it cannot check; so does one with another key of the same name.
    let verdict = verify(&t.registry).await;
    assert_eq!((verdict.broken, verdict.unchecked.len()), (None, 1));

    let db = t.database.connect().await;
    alter(&db, "DELETE FROM audit_checkpoint WHERE number = 3").await;
    let broken = verify(&rotating).await.broken.unwrap();
    assert!(broken.why.contains("knows 2 checkpoints, the log has 1"), "{}", broken.why);
    alter(&db, "DELETE FROM audit_checkpoint").await;
    t.clock.advance(chrono::Duration::hours(25));
    events(&t, 1).await;
    assert!(rotating.audit().maintain().await.is_err(), "a changed log is not signed");
    assert_eq!(verify(&rotating).await.broken.unwrap().number, 6, "and stays one that was changed");
    // Only an operator can continue, and that is audited.
    rotating.audit().restart(&rotating.operator()).await.unwrap();
    rotating.audit().maintain().await.unwrap();
    let verdict = verify(&rotating).await;
    assert_eq!((verdict.broken, verdict.checkpoints, verdict.unchecked.len()), (None, 1, 1));
    let key: Vec<String> = verdict.public_keys.into_iter().collect();
    let verdict = rotating.audit().verify(&rotating.operator(), &key).await.unwrap();
    assert_eq!((verdict.broken, verdict.unchecked), (None, Vec::new()), "with the new key noted all is said");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_without_the_key_keeps_the_signing_key(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    events(&t, 1).await;
    t.registry.audit().maintain().await.unwrap();
    let keys = verify(&t.registry).await.public_keys;
    let without = t.process_with_keys(vec![SealingKey::generate().unwrap()]).await;
    assert!(without.deployment().ready().await.is_err());
    t.clock.advance(chrono::Duration::days(2));
    events(&t, 1).await;
    assert!(matches!(without.audit().maintain().await, Err(Error::KeyMissing(_))));
    t.registry.audit().maintain().await.unwrap();
    let verdict = verify(&t.registry).await;
    assert_eq!((verdict.public_keys, verdict.broken), (keys.clone(), None));
    // Given up, there is another one, and that is on record.
    let lost = t.registry.secrets().keys(&t.registry.operator()).await.unwrap();
    let lost = lost.into_iter().find(|key| key.primary).unwrap().id;
    without.secrets().abandon_key(&without.operator(), &lost).await.unwrap();
    without.deployment().ready().await.unwrap();
    t.clock.advance(chrono::Duration::days(2));
    events(&t, 1).await;
    without.audit().maintain().await.unwrap();
    let verdict = verify(&t.registry).await;
    assert_eq!((verdict.public_keys.len(), verdict.broken), (2, None));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_audit_entries_are_pruned_behind_a_signed_checkpoint(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    events(&t, 10).await;
    t.clock.advance(chrono::Duration::days(100));
    events(&t, 2).await;
    let mut settings = t.settings.clone();
    settings.audit_keep = Some(std::time::Duration::from_hours(90 * 24));
    let keeping = t.process_with_settings(settings).await;
    assert_eq!(keeping.audit().maintain().await.unwrap(), 0, "it is noted first, and removed a day later");
    t.clock.advance(chrono::Duration::hours(25));
    assert_eq!(keeping.audit().maintain().await.unwrap(), 10);
    assert_eq!(keeping.audit().maintain().await.unwrap(), 0);
    let verdict = verify(&t.registry).await;
    assert_eq!((verdict.first, verdict.broken.clone()), (Some(11), None), "{verdict:?}");
    assert!(verdict.events >= 3, "the removal is an event itself: {verdict:?}");

    let db = t.database.connect().await;
    alter(&db, "DELETE FROM audit_event WHERE number = 11").await;
    let broken = verify(&t.registry).await.broken.unwrap();
    assert_eq!(
        (broken.number, &*broken.why),
        (12, "the events before it are missing"),
        "more than was signed off"
    );
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_clock_prunes_nothing(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    events(&t, 3).await;
    let mut settings = t.settings.clone();
    settings.audit_keep = Some(std::time::Duration::from_hours(90 * 24));
    let keeping = t.process_with_settings(settings).await;
    keeping.deployment().watch_clock().await.unwrap();
    let before = verify(&t.registry).await.events;
    for _ in 0..2 {
        t.clock.advance(chrono::Duration::days(400));
        keeping.deployment().watch_clock().await.unwrap();
        assert_eq!(keeping.audit().maintain().await.unwrap(), 0);
        t.clock.advance(-chrono::Duration::days(400));
        keeping.deployment().watch_clock().await.unwrap().expect("it was set back");
        assert_eq!(keeping.audit().maintain().await.unwrap(), 0);
    }
    let verdict = verify(&t.registry).await;
    assert!(verdict.events >= before && verdict.first == Some(1), "{verdict:?}");
    // Checkpoints are still signed, although one has a date in the future.
    assert!(verdict.checkpoints >= 2, "{verdict:?}");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoint_is_signed_once_a_day(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    events(&t, 1).await;
    for _ in 0..3 {
        t.registry.audit().maintain().await.unwrap();
        events(&t, 1).await;
    }
    assert_eq!(verify(&t.registry).await.checkpoints, 1);
    t.clock.advance(chrono::Duration::hours(25));
    t.registry.audit().maintain().await.unwrap();
    let verdict = verify(&t.registry).await;
    assert_eq!((verdict.checkpoints, verdict.public_keys.len()), (2, 1), "both with one key");
    let viewer = t.actor(Role::Viewer, None).await;
    assert!(matches!(t.registry.audit().verify(&viewer, &[]).await, Err(Error::Forbidden { .. })));
}
