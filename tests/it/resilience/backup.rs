//! Nothing is lost: copies made while others work, restored and compared.

use registry_core::permission::Role;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use support::{Client, Engine, Installation, TestDatabase, postgres_program};
use tokio::process::Command;

const CANARY: &str = "canary-Bk3-secret";

async fn seed(client: &Client, from: usize, count: usize) {
    for number in from..from + count {
        let slug = format!("server-{number}");
        let configurations = json!({ "headers": { "X-Key": CANARY } });
        client
            .given()
            .integration(&slug, "http://127.0.0.1:9/mcp")
            .with("auth_type", "headers")
            .with("configurations", configurations)
            .server(&slug)
            .await;
    }
}

/// Every row of every table, as text.
pub(crate) async fn rows(db: &DatabaseConnection) -> BTreeMap<String, Vec<String>> {
    let sqlite = db.get_database_backend() == DbBackend::Sqlite;
    let sql = if sqlite {
        "SELECT name AS t FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    } else {
        "SELECT table_name AS t FROM information_schema.tables WHERE table_schema = current_schema()"
    };
    let query = async |sql: String| {
        db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap()
    };
    let mut all = BTreeMap::new();
    for row in query(sql.to_owned()).await {
        let table: String = row.try_get("", "t").unwrap();
        let sql = if sqlite {
            let columns = query(format!("SELECT group_concat('quote(\"' || name || '\")', ' || ''|'' || ') AS c FROM pragma_table_info('{table}')")).await;
            let columns: String = columns[0].try_get("", "c").unwrap();
            format!("SELECT {columns} AS r FROM \"{table}\"")
        } else {
            format!("SELECT CAST(t.* AS TEXT) AS r FROM \"{table}\" t")
        };
        let mut rows: Vec<String> =
            query(sql).await.iter().map(|row| row.try_get("", "r").unwrap()).collect();
        rows.sort();
        all.insert(table, rows);
    }
    all
}

/// The same for a file that no other process uses, and that is not used afterwards.
async fn rows_of(file: &Path) -> BTreeMap<String, Vec<String>> {
    let db = Database::connect(format!("sqlite://{}?mode=ro", file.display())).await.unwrap();
    let found = rows(&db).await;
    db.close().await.unwrap();
    found
}

async fn fails(installed: &Installation, arguments: &[&str], words: &str) {
    let output = installed.command(arguments).output().await.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains(words), "{arguments:?}: {error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backup_made_during_writes_is_restored_completely() {
    let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    installed.run(&["migrate"]).await;
    let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let serving = installed.serve(&["--no-worker"]).await;
    let client = serving.client(&admin);
    client.given().workspace("acme").await;
    seed(&client, 0, 20).await;
    let folder = installed.database.folder.path().to_owned();
    let copy = folder.join("copy.sqlite");
    let arguments = ["backup", copy.to_str().unwrap()];
    let (said, ()) = tokio::join!(installed.run(&arguments), seed(&client, 20, 20));
    assert!(said.contains("except the sealing keys"), "{said}");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(
        !String::from_utf8_lossy(&std::fs::read(&copy).unwrap()).contains(CANARY),
        "the copy holds a secret in the clear"
    );
    // Nor is anything else that is written readable for others, in a folder of theirs.
    for file in std::fs::read_dir(&folder).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", file.path().display());
    }
    fails(&installed, &["backup", copy.to_str().unwrap()], "exists").await;
    let kept = rows_of(&copy).await;
    assert!(kept["server"].len() >= 20, "{}", kept["server"].len());

    // While a process has the database open nothing is put in its place.
    fails(&installed, &["restore", copy.to_str().unwrap()], "--replace").await;
    fails(&installed, &["restore", "--replace", copy.to_str().unwrap()], "in use").await;
    client.get("/v1/workspaces").await.expect(200);
    serving.end().await;

    // A file that is no backup, of another product, or of other keys, is not restored.
    let database = folder.join("registry.sqlite");
    let present = rows_of(&database).await;
    let broken = folder.join("broken.sqlite");
    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xa5);
    std::fs::write(&broken, &bytes).unwrap();
    fails(&installed, &["restore", "--replace", broken.to_str().unwrap()], "is not a valid backup").await;
    std::fs::write(&broken, "something else").unwrap();
    fails(&installed, &["restore", "--replace", broken.to_str().unwrap()], "is not a valid backup").await;
    let other_keys = Installation::new(installed.database)
        .with("SEALING__KEYS", "k2:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=");
    fails(&other_keys, &["restore", "--replace", copy.to_str().unwrap()], "sealing key").await;
    assert!(rows_of(&database).await == present, "a refused restore changes nothing");
    let leftovers: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!leftovers.iter().any(|path| path.to_string_lossy().contains("restoring")), "{leftovers:?}");

    // The disk is gone; a new one, and the copy.
    let installed = other_keys.with("SEALING__KEYS", "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    std::fs::remove_file(&database).unwrap();
    installed.run(&["restore", copy.to_str().unwrap()]).await;
    let restored = rows_of(&database).await;
    for (table, rows) in &kept {
        // The restoration itself is on record.
        if !["audit_event", "sequence", "deployment"].contains(&table.as_str()) {
            assert!(restored[table] == *rows, "{table} is not as it was");
        }
    }
    assert_eq!(restored["audit_event"].len(), kept["audit_event"].len() + 1);
    assert!(installed.run(&["audit", "verify"]).await.contains("form an unbroken chain"));
    assert!(installed.run(&["seal", "status"]).await.contains("0 unreadable"));
    let serving = installed.serve(&["--no-worker"]).await;
    let document = serving.client(&gateway).get("/v1/gateway/servers/acme/server-3").await.expect(200).json();
    assert_eq!(document["headers"]["X-Key"], CANARY);
    seed(&serving.client(&admin), 100, 1).await;
    serving.end().await;

    // Once more, and once more, over what is there: each is kept beside.
    let mut kept = BTreeSet::new();
    for _ in 0..2 {
        let before = rows_of(&database).await;
        let said = installed.run(&["restore", "--replace", copy.to_str().unwrap()]).await;
        let name =
            said.lines().find_map(|line| line.strip_prefix("the previous database is kept as ")).unwrap();
        assert!(rows_of(Path::new(name)).await == before, "{name} is not what was there");
        kept.insert(name.to_owned());
    }
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(std::fs::metadata(&database).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Where something happened to the database before it is restored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_replaces_a_damaged_or_missing_database() {
    let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    installed.run(&["migrate"]).await;
    let admin = installed.key(Role::Admin).await;
    let folder = installed.database.folder.path().to_owned();
    let (database, copy) = (folder.join("registry.sqlite"), folder.join("copy.sqlite"));
    let write = async |from: usize| {
        let serving = installed.serve(&["--no-worker"]).await;
        let client = serving.client(&admin);
        if from == 0 {
            client.given().workspace("acme").await;
        }
        seed(&client, from, 5).await;
        serving.kill().await;
    };
    write(0).await;
    installed.run(&["backup", copy.to_str().unwrap()]).await;
    let whole = async |what: &str| {
        let restored = rows_of(&database).await;
        assert_eq!(restored["server"].len(), 5, "{what}");
        assert!(installed.run(&["audit", "verify"]).await.contains("form an unbroken chain"), "{what}");
    };

    // It was deleted; what was written last still lies in its journal.
    write(100).await;
    assert!(folder.join("registry.sqlite-wal").exists());
    std::fs::remove_file(&database).unwrap();
    installed.run(&["restore", copy.to_str().unwrap()]).await;
    whole("deleted").await;

    // It is damaged: its first bytes, or all of it.
    for from in [0, 16] {
        write(200 + from).await;
        let mut bytes = std::fs::read(&database).unwrap();
        bytes[from..from + 100].fill(0xa5);
        std::fs::write(&database, &bytes).unwrap();
        // With its journal it might be repaired.
        std::fs::remove_file(folder.join("registry.sqlite-wal")).unwrap();
        fails(&installed, &["restore", copy.to_str().unwrap()], "--replace").await;
        let said = installed.run(&["restore", "--replace", copy.to_str().unwrap()]).await;
        assert!(said.contains("damaged") && said.contains("kept as"), "{said}");
        whole("damaged").await;
    }

    // A restore was ended in the middle.
    for end in ["", "-wal", "-shm"] {
        std::fs::write(folder.join(format!("registry.sqlite.restoring{end}")), "half").unwrap();
    }
    installed.run(&["restore", "--replace", copy.to_str().unwrap()]).await;
    whole("ended").await;

    // A manual copy of the files without their journal; or one of a newer release.
    write(300).await;
    for end in ["", "-wal", "-shm"] {
        std::fs::copy(folder.join(format!("registry.sqlite{end}")), folder.join(format!("raw.sqlite{end}")))
            .unwrap();
    }
    let raw = folder.join("raw.sqlite");
    fails(&installed, &["restore", "--replace", raw.to_str().unwrap()], "a journal is beside it").await;
    let newer = folder.join("newer.sqlite");
    std::fs::copy(&copy, &newer).unwrap();
    let db = Database::connect(format!("sqlite://{}", newer.display())).await.unwrap();
    db.execute_unprepared(
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000001_future', 0)",
    )
    .await
    .unwrap();
    db.close().await.unwrap();
    fails(&installed, &["restore", "--replace", newer.to_str().unwrap()], "a newer release").await;
    assert_eq!(rows_of(&database).await["server"].len(), 10, "what was refused changed nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documented_postgres_restore_brings_everything_back() {
    let installed = Installation::new(TestDatabase::new(Engine::Postgres).await);
    installed.run(&["migrate"]).await;
    let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let serving = installed.serve(&["--no-worker"]).await;
    serving
        .client(&admin)
        .post("/v1/workspaces", &json!({ "name": "Acme", "slug": "acme" }))
        .await
        .expect(200);
    seed(&serving.client(&admin), 0, 10).await;
    let url = installed.database.url.clone();
    let (base, schema) = url.split_once(['?', '&']).unwrap();
    let schema = schema.split_once('=').unwrap().1;
    let schema = schema.rsplit(']').next().unwrap().trim_start_matches('=');
    let file = installed.database.folder.path().join("copy.dump");
    let run = async |command: &mut Command| {
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let mut dump = Command::new(postgres_program("pg_dump"));
    dump.args(["--format=custom", "--schema", schema, "--file"]).arg(&file).arg(base);
    let client = serving.client(&admin);
    let leaked = installed.key(Role::Viewer).await;
    tokio::join!(run(&mut dump), seed(&client, 10, 10));
    let keys = client.get("/v1/api-keys").await.expect(200).json();
    let mut found = keys["data"].as_array().unwrap().iter();
    let found = found.find_map(|one| leaked.starts_with(one["prefix"].as_str()?).then_some(&one["id"]));
    client.delete(&format!("/v1/api-keys/{}", found.unwrap().as_str().unwrap())).await.expect(200);
    serving.end().await;
    // What was ended since, as operations.md says.
    let psql = || {
        let mut command = Command::new(postgres_program("psql"));
        command
            .arg(base)
            .env("PGOPTIONS", format!("-c search_path={schema}"))
            .args(["--set", "ON_ERROR_STOP=1"]);
        command
    };
    let documented = include_str!("../../../docs/operations.md");
    let sql = documented.split("<<'SQL'\n").nth(1).unwrap().split("SQL\n").next().unwrap();
    let asked = installed.database.folder.path().join("ask.sql");
    std::fs::write(&asked, sql).unwrap();
    let written = psql().args(["--no-align", "--tuples-only", "--file"]).arg(&asked).output().await.unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let ended = installed.database.folder.path().join("ended.sql");
    std::fs::write(&ended, &written.stdout).unwrap();

    let db = installed.database.connect().await;
    db.execute_unprepared(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
    drop(db);
    run(Command::new(postgres_program("pg_restore")).args(["--exit-on-error", "--dbname", base]).arg(&file))
        .await;
    run(psql().arg("--single-transaction").arg("--file").arg(&ended)).await;
    let restored = rows(&installed.database.connect().await).await;
    assert!((10..=20).contains(&restored["server"].len()), "{}", restored["server"].len());
    assert!(installed.run(&["audit", "verify"]).await.contains("form an unbroken chain"));
    assert!(installed.run(&["seal", "status"]).await.contains("0 unreadable"));
    let serving = installed.serve(&["--no-worker"]).await;
    let document = serving.client(&gateway).get("/v1/gateway/servers/acme/server-3").await.expect(200).json();
    assert_eq!(document["headers"]["X-Key"], CANARY);
    seed(&serving.client(&admin), 100, 1).await;
    serving.client(&leaked).get("/v1/workspaces").await.expect(401);
    serving.end().await;
}

/// What is run without the key that everything is sealed with, and what comes of it: the exit code, and words of what it
/// prints.
const WITHOUT_KEYS: [(&[&str], i32, &str); 6] = [
    (&["user", "reset", "--email", "ann@acme.com"], 0, "/ui/sign-in/link?token="),
    (&["user", "link", "--email", "bob@acme.com"], 0, "/ui/sign-in/link?token="),
    (&["key", "create", "--name", "k", "--role", "viewer"], 0, "mcpr_"),
    (&["audit", "verify"], 3, "form an unbroken chain"),
    (&["seal", "status"], 1, "MISSING"),
    (&["check"], 0, "[database]"),
];

async fn commands_without_a_sealing_key(engine: Engine) {
    let installed = Installation::new(TestDatabase::new(engine).await);
    installed.run(&["migrate"]).await;
    let admin = installed.key(Role::Admin).await;
    let serving = installed.serve(&[]).await;
    let client = serving.client(&admin);
    client.given().workspace("acme").await;
    seed(&client, 0, 2).await;
    // A worker signs the audit log as soon as it runs.
    let db = installed.database.connect().await;
    let signed = async || rows(&db).await["audit_checkpoint"].len();
    let signing = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while signed().await == 0 {
            tokio::task::yield_now().await;
        }
    });
    signing.await.expect("the log is signed");
    db.close().await.unwrap();
    serving.end().await;
    assert!(installed.run(&["audit", "verify"]).await.contains("1 checkpoints are valid"));

    let (lost, wrong) = (
        "k2:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=",
        "k1:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=",
    );
    let mut installed = installed;
    for (keys, said) in
        [(lost, "The sealing key `k1` is not here"), (wrong, "The sealing key `k1` is not the one")]
    {
        installed = installed.with("SEALING__KEYS", keys);
        for (arguments, code, printed) in WITHOUT_KEYS {
            if (keys, arguments) == (wrong, &["seal", "status"][..]) {
                continue;
            }
            let output = installed.command(arguments).output().await.unwrap();
            let (out, error) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {out} {error}");
            assert!(out.contains(printed), "{arguments:?}: {out} {error}");
            let silent = ["check", "seal"].contains(&arguments[0]);
            assert!(
                silent || error.contains(said) && error.contains("stored secrets"),
                "{arguments:?}: {error}"
            );
            if arguments[0] == "audit" {
                assert!(
                    error.contains("could not be checked") && error.contains("sealing key `k1`"),
                    "{error}"
                );
            }
        }
        if engine == Engine::Sqlite {
            let copy = installed.database.folder.path().join(format!("copy-{}.sqlite", &keys[..2]));
            let copy = copy.to_str().unwrap();
            let copied = installed.command(&["backup", copy]).output().await.unwrap();
            assert!(
                copied.status.success() && String::from_utf8_lossy(&copied.stderr).contains(said),
                "{copied:?}"
            );
            fails(&installed, &["restore", "--replace", copy], "--accept-lost-keys").await;
            installed.run(&["restore", "--replace", "--accept-lost-keys", copy]).await;
        }
        // What needs the key says so, and changes nothing.
        let refused = installed.command(&["audit", "restart"]).output().await.unwrap();
        assert_eq!(refused.status.code(), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_seal_nothing_work_without_the_sealing_key_on_sqlite() {
    commands_without_a_sealing_key(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_seal_nothing_work_without_the_sealing_key_on_postgres() {
    commands_without_a_sealing_key(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn restored_backup_revives_no_ended_session() {
    let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    installed.run(&["migrate"]).await;
    let (admin, leaked, kept) = (
        installed.key(Role::Admin).await,
        installed.key(Role::Viewer).await,
        installed.key(Role::Viewer).await,
    );
    let folder = installed.database.folder.path().to_owned();
    let (database, copy) = (folder.join("registry.sqlite"), folder.join("copy.sqlite"));
    let copy = copy.to_str().unwrap();
    let serving = installed.serve(&["--no-worker"]).await;
    let client = serving.client(&admin);
    client.given().workspace("acme").await;
    let mut people = BTreeMap::new();
    for (email, role) in [
        ("ann@acme.com", "manager"),
        ("bob@acme.com", "admin"),
        ("eve@acme.com", "viewer"),
        ("joe@acme.com", "viewer"),
    ] {
        let made =
            client.post("/v1/users", &json!({ "email": email, "role": role })).await.expect(200).json();
        people.insert(email, format!("/v1/users/{}", made["id"].as_str().unwrap()));
    }
    let id_of = async |client: &Client, key: &str| {
        let keys = client.get("/v1/api-keys").await.expect(200).json();
        let found = keys["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| key.starts_with(one["prefix"].as_str().unwrap()));
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let leaked_id = id_of(&client, &leaked).await;
    let db = Database::connect(format!("sqlite://{}", database.display())).await.unwrap();
    let alter = async |sql: &str| db.execute_unprepared(sql).await.unwrap();
    alter("UPDATE \"user\" SET password_hash = 'then' WHERE email = 'eve@acme.com'").await;
    alter("INSERT INTO membership (user_id, workspace_id, role) SELECT u.id, w.id, 'manager' FROM \"user\" u, workspace w WHERE u.email = 'eve@acme.com'").await;
    alter("INSERT INTO session (id, user_id, token_hash, created_at, last_seen_at, expires_at) SELECT randomblob(16), id, randomblob(32), 0, 0, 99999999999999 FROM \"user\" WHERE email = 'eve@acme.com'").await;
    installed.run(&["backup", copy]).await;

    alter("UPDATE \"user\" SET password_hash = 'now' WHERE email = 'eve@acme.com'").await;
    alter("UPDATE membership SET role = 'viewer'").await;
    alter("DELETE FROM session").await;
    db.close().await.unwrap();
    client.delete(&format!("/v1/api-keys/{leaked_id}")).await.expect(200);
    client.delete(&people["ann@acme.com"]).await.expect(200);
    client.put(&people["bob@acme.com"], &json!({ "role": "viewer" })).await.expect(200);
    serving.end().await;

    let answers = async |installed: &Installation| {
        let serving = installed.serve(&["--no-worker"]).await;
        let mut statuses = Vec::new();
        for key in [&admin, &leaked, &kept] {
            statuses.push(serving.client(key).get("/v1/workspaces").await.status.as_u16());
        }
        let client = serving.client(&admin);
        let mut found = Vec::new();
        for path in people.values() {
            let person = client.get(path).await;
            let person = if person.status == 200 { person.json() } else { serde_json::Value::Null };
            found.push((
                person["status"].as_str().unwrap_or_default().to_owned(),
                person["role"].as_str().unwrap_or_default().to_owned(),
            ));
        }
        serving.end().await;
        (statuses, found)
    };
    let said = installed.run(&["restore", "--replace", copy]).await;
    for words in [
        "still revoked, or ending sooner: test (mcpr_",
        "still deactivated: ann@acme.com",
        "with the current lower role: bob@acme.com",
        "with the current lower role: eve@acme.com",
        "with the current password: eve@acme.com",
        "still ended: 1 sessions",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("joe@acme.com") && said.matches("still revoked").count() == 1, "{said}");
    let (statuses, found) = answers(&installed).await;
    assert_eq!(statuses, [200, 401, 200]);
    assert_eq!((found[0].0.as_str(), found[1].1.as_str()), ("deactivated", "viewer"), "{found:?}");
    let db = Database::connect(format!("sqlite://{}", database.display())).await.unwrap();
    let events = rows(&db).await["audit_event"].join("\n");
    db.close().await.unwrap();
    assert!(events.contains("database.revocations_kept") && events.contains("ann@acme.com"), "{events}");
    let verified = installed.run(&["audit", "verify"]).await;
    assert!(verified.contains("restored from a backup: event"), "{verified}");

    // Asked for by name, everything is as it was then.
    let said = installed.run(&["restore", "--replace", "--as-it-was", copy]).await;
    assert!(said.contains("are valid again"), "{said}");
    assert_eq!(answers(&installed).await.0, [200, 200, 200]);

    // When the database is lost, revocations since the backup are unknown; then all keys can be revoked, or those of a period.
    std::fs::remove_file(&database).unwrap();
    let said = installed.run(&["restore", copy]).await;
    assert!(said.contains("is unknown") && said.contains("--revoke-keys-since"), "{said}");
    assert_eq!(answers(&installed).await.0, [200, 200, 200]);
    installed.run(&["restore", "--replace", "--revoke-keys-since", "2100-01-01T00:00:00Z", copy]).await;
    assert_eq!(answers(&installed).await.0, [200, 200, 200]);
    let said = installed.run(&["restore", "--replace", "--revoke-keys-since", "all", copy]).await;
    assert_eq!(said.matches("revoked: test").count(), 3, "{said}");
    assert_eq!(answers(&installed).await.0, [401, 401, 401]);
    // A database of another deployment says nothing about these keys.
    let other = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    other.run(&["migrate"]).await;
    let said = other.run(&["restore", "--replace", copy]).await;
    assert!(said.contains("another deployment") && said.contains("is unknown"), "{said}");
}
