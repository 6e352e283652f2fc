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

async fn furnish(client: &Client, from: usize, count: usize) {
    for number in from..from + count {
        let slug = format!("server-{number}");
        let configurations = json!({ "headers": { "X-Key": CANARY } });
        let body = json!({ "name": slug, "slug": slug, "url": "http://127.0.0.1:9/mcp", "auth_type": "headers", "transport": "http", "configurations": configurations });
        client.post("/v1/mcp-integrations", &body).await.expect(200);
        let body = json!({ "name": slug, "slug": slug, "mcp_integration_id": slug, "workspace_id": "acme" });
        client.post("/v1/mcp-servers", &body).await.expect(200);
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

/// The same of a file that nobody else uses; nor does this afterwards.
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
async fn a_copy_made_while_others_write_is_restored_whole() {
    let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    installed.run(&["migrate"]).await;
    let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let serving = installed.serve(&["--no-worker"]).await;
    let client = serving.client(&admin);
    client.post("/v1/workspaces", &json!({ "name": "Acme", "slug": "acme" })).await.expect(200);
    furnish(&client, 0, 20).await;
    let folder = installed.database.folder.path().to_owned();
    let copy = folder.join("copy.sqlite");
    let arguments = ["backup", copy.to_str().unwrap()];
    let (said, ()) = tokio::join!(installed.run(&arguments), furnish(&client, 20, 20));
    assert!(said.contains("but the sealing keys"), "{said}");
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

    // What is no copy, or no copy of ours, or of other keys, is not put there either.
    let database = folder.join("registry.sqlite");
    let present = rows_of(&database).await;
    let broken = folder.join("broken.sqlite");
    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xa5);
    std::fs::write(&broken, &bytes).unwrap();
    fails(&installed, &["restore", "--replace", broken.to_str().unwrap()], "no sound copy").await;
    std::fs::write(&broken, "something else").unwrap();
    fails(&installed, &["restore", "--replace", broken.to_str().unwrap()], "no sound copy").await;
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
    assert!(installed.run(&["audit", "verify"]).await.contains("are linked"));
    assert!(installed.run(&["seal", "status"]).await.contains("0 unreadable"));
    let serving = installed.serve(&["--no-worker"]).await;
    let document = serving.client(&gateway).get("/v1/gateway/servers/acme/server-3").await.expect(200).json();
    assert_eq!(document["headers"]["X-Key"], CANARY);
    furnish(&serving.client(&admin), 100, 1).await;
    serving.end().await;

    // Once more, and once more, over what is there: each is kept beside.
    let mut kept = BTreeSet::new();
    for _ in 0..2 {
        let before = rows_of(&database).await;
        let said = installed.run(&["restore", "--replace", copy.to_str().unwrap()]).await;
        let name = said.lines().find_map(|line| line.strip_prefix("what was there is kept as ")).unwrap();
        assert!(rows_of(Path::new(name)).await == before, "{name} is not what was there");
        kept.insert(name.to_owned());
    }
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(std::fs::metadata(&database).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Where something happened to the database before it is restored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_takes_the_place_of_whatever_became_of_the_database() {
    let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    installed.run(&["migrate"]).await;
    let admin = installed.key(Role::Admin).await;
    let folder = installed.database.folder.path().to_owned();
    let (database, copy) = (folder.join("registry.sqlite"), folder.join("copy.sqlite"));
    let write = async |from: usize| {
        let serving = installed.serve(&["--no-worker"]).await;
        let client = serving.client(&admin);
        if from == 0 {
            client.post("/v1/workspaces", &json!({ "name": "Acme", "slug": "acme" })).await.expect(200);
        }
        furnish(&client, from, 5).await;
        serving.kill().await;
    };
    write(0).await;
    installed.run(&["backup", copy.to_str().unwrap()]).await;
    let whole = async |what: &str| {
        let restored = rows_of(&database).await;
        assert_eq!(restored["server"].len(), 5, "{what}");
        assert!(installed.run(&["audit", "verify"]).await.contains("are linked"), "{what}");
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
        // With its journal it might be mended.
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

    // A copy that somebody made of the files, without their journal's content; or of a newer release.
    write(300).await;
    for end in ["", "-wal", "-shm"] {
        std::fs::copy(folder.join(format!("registry.sqlite{end}")), folder.join(format!("raw.sqlite{end}")))
            .unwrap();
    }
    let raw = folder.join("raw.sqlite");
    fails(&installed, &["restore", "--replace", raw.to_str().unwrap()], "a journal lies beside it").await;
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
async fn what_operations_md_says_of_postgres_brings_everything_back() {
    let installed = Installation::new(TestDatabase::new(Engine::Postgres).await);
    installed.run(&["migrate"]).await;
    let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let serving = installed.serve(&["--no-worker"]).await;
    serving
        .client(&admin)
        .post("/v1/workspaces", &json!({ "name": "Acme", "slug": "acme" }))
        .await
        .expect(200);
    furnish(&serving.client(&admin), 0, 10).await;
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
    tokio::join!(run(&mut dump), furnish(&client, 10, 10));
    serving.end().await;

    let db = installed.database.connect().await;
    db.execute_unprepared(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
    drop(db);
    run(Command::new(postgres_program("pg_restore")).args(["--exit-on-error", "--dbname", base]).arg(&file))
        .await;
    let restored = rows(&installed.database.connect().await).await;
    assert!((10..=20).contains(&restored["server"].len()), "{}", restored["server"].len());
    assert!(installed.run(&["audit", "verify"]).await.contains("are linked"));
    assert!(installed.run(&["seal", "status"]).await.contains("0 unreadable"));
    let serving = installed.serve(&["--no-worker"]).await;
    let document = serving.client(&gateway).get("/v1/gateway/servers/acme/server-3").await.expect(200).json();
    assert_eq!(document["headers"]["X-Key"], CANARY);
    furnish(&serving.client(&admin), 100, 1).await;
    serving.end().await;
}
