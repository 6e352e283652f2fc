//! What lists need so that a page costs what it shows: counts kept by triggers in the transaction of each write, the
//! workspace and the integration in each registration, and an index for each order (ADR 25).

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// What a registration counts as: its state, with the reason while it is retried; apart once its server is deleted.
/// `row` is the row, `gone` says whether the server is deleted.
fn state_kind(row: &str, gone: &str) -> String {
    format!(
        "CASE WHEN {gone} THEN 'gone:' || {row}.state \
         WHEN {row}.state = 'retrying' AND {row}.reason IS NOT NULL THEN 'retrying:' || {row}.reason \
         ELSE {row}.state END"
    )
}

const INTO_DELTA: &str = "INSERT INTO tally_delta (integration_id, workspace_id, kind, n)";

/// Counts a registration: `n` for `row`, which is `NEW` or `OLD`.
fn registration(row: &str, n: &str) -> String {
    let kind = state_kind(row, "server.deleted_at IS NOT NULL");
    format!(
        "{INTO_DELTA} SELECT {row}.integration_id, {row}.workspace_id, {kind}, {n} FROM server \
         WHERE server.id = {row}.server_id;"
    )
}

/// Counts an active client of a live server by its method.
fn client(row: &str, n: &str) -> String {
    format!(
        "{INTO_DELTA} SELECT registration.integration_id, registration.workspace_id, 'method:' || {row}.method, {n} \
         FROM registration JOIN server ON server.id = registration.server_id \
         WHERE registration.id = {row}.registration_id AND {row}.status = 'active' AND server.deleted_at IS NULL;"
    )
}

/// Counts `n` for the server `row` where `condition` holds.
fn server(row: &str, kind: &str, n: &str, condition: &str) -> String {
    format!("{INTO_DELTA} SELECT {row}.integration_id, {row}.workspace_id, '{kind}', {n} WHERE {condition};")
}

/// Whether the server `row` is the only live one of its integration in its workspace.
fn alone(row: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM server other WHERE other.integration_id = {row}.integration_id \
         AND other.workspace_id = {row}.workspace_id AND other.deleted_at IS NULL AND other.id <> {row}.id)"
    )
}

struct Trigger {
    name: &'static str,
    table: &'static str,
    event: &'static str,
    when: &'static str,
    body: String,
}

fn triggers() -> Vec<Trigger> {
    let moved = format!(
        "{INTO_DELTA} SELECT registration.integration_id, registration.workspace_id, {}, -1 FROM registration \
         WHERE registration.server_id = OLD.id; \
         {INTO_DELTA} SELECT registration.integration_id, registration.workspace_id, 'gone:' || registration.state, 1 \
         FROM registration WHERE registration.server_id = OLD.id; \
         {INTO_DELTA} SELECT registration.integration_id, registration.workspace_id, 'method:' || oauth_client.method, -1 \
         FROM registration JOIN oauth_client ON oauth_client.registration_id = registration.id \
         AND oauth_client.status = 'active' WHERE registration.server_id = OLD.id;",
        state_kind("registration", "FALSE")
    );
    let one = |name, table, event, when, body| Trigger { name, table, event, when, body };
    vec![
        one("tally_registration_added", "registration", "INSERT", "TRUE", registration("NEW", "1")),
        one(
            "tally_registration_changed",
            "registration",
            "UPDATE OF state, reason",
            "OLD.state <> NEW.state OR OLD.reason IS DISTINCT FROM NEW.reason",
            registration("OLD", "-1") + &registration("NEW", "1"),
        ),
        one("tally_registration_removed", "registration", "DELETE", "TRUE", registration("OLD", "-1")),
        one("tally_client_added", "oauth_client", "INSERT", "NEW.status = 'active'", client("NEW", "1")),
        one(
            "tally_client_changed",
            "oauth_client",
            "UPDATE OF status, method",
            "OLD.status <> NEW.status OR OLD.method <> NEW.method",
            client("OLD", "-1") + &client("NEW", "1"),
        ),
        one("tally_client_removed", "oauth_client", "DELETE", "OLD.status = 'active'", client("OLD", "-1")),
        one(
            "tally_server_added",
            "server",
            "INSERT",
            "NEW.deleted_at IS NULL",
            server("NEW", "servers", "1", "TRUE")
                + &server("NEW", "configured", "1", "NEW.configuration IS NOT NULL")
                + &server("NEW", "pairs", "1", &alone("NEW")),
        ),
        one(
            "tally_server_changed",
            "server",
            "UPDATE OF configuration",
            "OLD.deleted_at IS NULL AND NEW.deleted_at IS NULL \
             AND (OLD.configuration IS NULL) <> (NEW.configuration IS NULL)",
            server("NEW", "configured", "CASE WHEN NEW.configuration IS NULL THEN -1 ELSE 1 END", "TRUE"),
        ),
        one(
            "tally_server_deleted",
            "server",
            "UPDATE OF deleted_at",
            "OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL",
            server("OLD", "servers", "-1", "TRUE")
                + &server("OLD", "configured", "-1", "OLD.configuration IS NOT NULL")
                + &server("OLD", "pairs", "-1", &alone("OLD"))
                + &moved,
        ),
    ]
}

/// Creates a trigger. On PostgreSQL those of `server` run before the row is written: only so does each row of one
/// statement see the rows before it, and the first server of a pair is counted once.
fn create(trigger: &Trigger, backend: DbBackend) -> Vec<String> {
    let Trigger { name, table, event, when, body } = trigger;
    if backend != DbBackend::Postgres {
        return vec![format!(
            "CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW WHEN {when} BEGIN {body} END"
        )];
    }
    let moment = if *table == "server" { "BEFORE" } else { "AFTER" };
    // A transaction that writes a registration or a client now either sees that the server is deleted, or is seen.
    let lock = match *name {
        "tally_server_deleted" => "PERFORM 1 FROM registration WHERE server_id = OLD.id FOR UPDATE; ",
        "tally_registration_added" => "PERFORM 1 FROM server WHERE id = NEW.server_id FOR SHARE; ",
        "tally_client_changed" => {
            "PERFORM 1 FROM registration WHERE id = NEW.registration_id FOR KEY SHARE; "
        }
        _ => "",
    };
    let row = if *event == "DELETE" { "OLD" } else { "NEW" };
    vec![
        format!(
            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {lock}{body} RETURN {row}; END $$"
        ),
        format!(
            "CREATE TRIGGER {name} {moment} {event} ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION {name}()"
        ),
    ]
}

/// Where deltas go. SQLite has one writer at a time, so the counts are written in place; on PostgreSQL each delta is a
/// row of its own, so that no write waits for another one's, and the rows are added up later.
fn delta(backend: DbBackend) -> &'static [&'static str] {
    match backend {
        DbBackend::Postgres => &[
            "CREATE TABLE tally_delta (integration_id uuid NOT NULL, workspace_id uuid NOT NULL, kind text COLLATE \"C\" NOT NULL, \
             n bigint NOT NULL) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)",
            "CREATE INDEX tally_delta_integration ON tally_delta (integration_id)",
            "CREATE INDEX tally_delta_workspace ON tally_delta (workspace_id)",
            "CREATE VIEW tally_now AS SELECT scope_id, kind, n FROM tally \
             UNION ALL SELECT integration_id, kind, n FROM tally_delta \
             UNION ALL SELECT workspace_id, kind, n FROM tally_delta \
             UNION ALL SELECT '00000000-0000-0000-0000-000000000000'::uuid, kind, n FROM tally_delta",
        ],
        _ => &[
            "CREATE VIEW tally_delta AS SELECT scope_id AS integration_id, scope_id AS workspace_id, kind, n FROM tally",
            "CREATE TRIGGER tally_add INSTEAD OF INSERT ON tally_delta BEGIN \
             INSERT INTO tally (scope_id, kind, n) VALUES (NEW.integration_id, NEW.kind, NEW.n), \
             (NEW.workspace_id, NEW.kind, NEW.n), (zeroblob(16), NEW.kind, NEW.n) \
             ON CONFLICT (scope_id, kind) DO UPDATE SET n = n + excluded.n; END",
            "CREATE VIEW tally_now AS SELECT scope_id, kind, n FROM tally",
        ],
    }
}

/// Counts what is there already.
fn fill() -> Vec<String> {
    let live = state_kind("registration", "server.deleted_at IS NOT NULL");
    [
        "SELECT integration_id, workspace_id, 'servers', COUNT(*) FROM server WHERE deleted_at IS NULL GROUP BY 1, 2".to_owned(),
        "SELECT integration_id, workspace_id, 'configured', COUNT(*) FROM server WHERE deleted_at IS NULL AND configuration IS NOT NULL GROUP BY 1, 2".to_owned(),
        "SELECT DISTINCT integration_id, workspace_id, 'pairs', 1 FROM server WHERE deleted_at IS NULL".to_owned(),
        format!("SELECT registration.integration_id, registration.workspace_id, {live}, COUNT(*) FROM registration JOIN server ON server.id = registration.server_id GROUP BY 1, 2, 3"),
        "SELECT registration.integration_id, registration.workspace_id, 'method:' || oauth_client.method, COUNT(*) FROM oauth_client JOIN registration ON registration.id = oauth_client.registration_id JOIN server ON server.id = registration.server_id WHERE oauth_client.status = 'active' AND server.deleted_at IS NULL GROUP BY 1, 2, 3".to_owned(),
    ]
    .into_iter()
    .map(|select| format!("{INTO_DELTA} {select}"))
    .collect()
}

const COLUMNS: [&str; 2] = ["workspace_id", "integration_id"];

/// Table, name, columns and condition. Each is an order of a list; lists of registrations read one state after the other.
const INDEXES: [(&str, &str, &str, &str); 15] = [
    ("registration", "registration_state_list", "state, updated_at DESC, id", ""),
    ("registration", "registration_workspace_list", "workspace_id, state, updated_at DESC, id", ""),
    ("registration", "registration_integration_list", "integration_id, state, updated_at DESC, id", ""),
    ("server", "server_list", "slug_key, id", "deleted_at IS NULL"),
    ("server", "server_integration_list", "integration_id, slug_key, id", "deleted_at IS NULL"),
    ("server", "server_pair", "integration_id, workspace_id, deleted_at", ""),
    ("integration", "integration_changed", "updated_at, slug_key", "deleted_at IS NULL"),
    ("integration", "integration_name", "lower(name), slug_key", "deleted_at IS NULL"),
    ("orphan", "orphan_list", "since, id", ""),
    ("orphan", "orphan_open", "since, id", "resolved_at IS NULL"),
    ("orphan", "orphan_workspace_list", "workspace_id, since, id", ""),
    ("orphan", "orphan_workspace_open", "workspace_id, since, id", "resolved_at IS NULL"),
    ("audit_event", "audit_event_action", "action, number", ""),
    ("audit_event", "audit_event_subject_id", "subject_id, number", ""),
    ("audit_event", "audit_event_subject_list", "subject_kind, subject_id, number", ""),
];

/// Indexes that a longer one replaces: name, table, columns.
const REPLACED: [(&str, &str, &str); 4] = [
    ("registration_state", "registration", "state"),
    ("server_integration", "server", "integration_id"),
    ("orphan_since", "orphan", "since"),
    ("audit_event_subject", "audit_event", "subject_kind, subject_id"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (database, backend) = (manager.get_connection(), manager.get_database_backend());
        for name in COLUMNS {
            let column = uuid_null(name);
            manager.alter_table(Table::alter().table("registration").add_column(column).to_owned()).await?;
        }
        let owners = "UPDATE registration SET workspace_id = server.workspace_id, integration_id = server.integration_id \
                      FROM server WHERE server.id = registration.server_id";
        database.execute_unprepared(owners).await?;
        for (table, name, columns, condition) in INDEXES {
            let only = if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") };
            let sql = format!("CREATE INDEX {name} ON {table} ({columns}){only}");
            database.execute_unprepared(&sql).await?;
        }
        for (name, table, _) in REPLACED {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        // Kinds are compared byte by byte, as SQLite does: readers ask for ranges of them.
        let kind = match backend {
            DbBackend::Postgres => text("kind").extra("COLLATE \"C\"").take(),
            _ => text("kind").take(),
        };
        manager
            .create_table(
                Table::create()
                    .table("tally")
                    .col(uuid("scope_id"))
                    .col(kind)
                    .col(big_integer("n"))
                    .primary_key(Index::create().col("scope_id").col("kind"))
                    .to_owned(),
            )
            .await?;
        let by_kind =
            Index::create().name("tally_kind").table("tally").col("kind").col("scope_id").to_owned();
        manager.create_index(by_kind).await?;
        for sql in delta(backend) {
            database.execute_unprepared(sql).await?;
        }
        for sql in fill() {
            database.execute_unprepared(&sql).await?;
        }
        for sql in triggers().iter().flat_map(|trigger| create(trigger, backend)) {
            database.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (database, backend) = (manager.get_connection(), manager.get_database_backend());
        for Trigger { name, table, .. } in triggers() {
            if backend == DbBackend::Postgres {
                database.execute_unprepared(&format!("DROP TRIGGER {name} ON {table}")).await?;
                database.execute_unprepared(&format!("DROP FUNCTION {name}()")).await?;
            } else {
                database.execute_unprepared(&format!("DROP TRIGGER {name}")).await?;
            }
        }
        database.execute_unprepared("DROP VIEW tally_now").await?;
        let delta =
            if backend == DbBackend::Postgres { "DROP TABLE tally_delta" } else { "DROP VIEW tally_delta" };
        database.execute_unprepared(delta).await?;
        manager.drop_table(Table::drop().table("tally").to_owned()).await?;
        for (name, table, columns) in REPLACED {
            database.execute_unprepared(&format!("CREATE INDEX {name} ON {table} ({columns})")).await?;
        }
        for (table, name, ..) in INDEXES {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        for name in COLUMNS {
            manager.alter_table(Table::alter().table("registration").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
