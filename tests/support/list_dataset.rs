//! An organisation with many servers, written in SQL: for tests and measurements of lists, where only its size matters.
//!
//! Half of the servers are registered, the other half is in every other state; they have clients, attempts, audit events and
//! orphans. What the triggers of the schema keep (`docs/adr/0025`) is kept here too.

use crate::{Engine, TestDatabase};
use registry::Registry;
use sea_orm::{ConnectionTrait, DatabaseTransaction, TransactionTrait};

/// How large it is.
#[derive(Clone, Copy, Debug)]
pub struct ListDataset {
    /// Integrations, `service-00000` and so on.
    pub integrations: u32,
    /// Workspaces, `team-00000` and so on.
    pub workspaces: u32,
    /// Servers, `server-0000000` and so on; spread evenly over integrations and workspaces.
    pub servers: u32,
}

/// The first timestamp, in epoch milliseconds.
const BEGIN: i64 = 1_700_000_000_000;

/// What ids begin with, by table.
const WORKSPACE: u32 = 1;
const INTEGRATION: u32 = 2;
const SERVER: u32 = 3;
const REGISTRATION: u32 = 4;
const CLIENT: u32 = 5;
const ATTEMPT: u32 = 6;
const EVENT: u32 = 7;
const ORPHAN: u32 = 8;
const USER: u32 = 9;
const KEY: u32 = 10;
const REVISION: u32 = 11;

impl ListDataset {
    /// Adds it to a migrated database, and does what a serving process and PostgreSQL would do by and by.
    pub async fn insert(self, registry: &Registry, database: &TestDatabase) {
        let engine = database.engine;
        let db = database.connect().await;
        #[expect(clippy::disallowed_methods, reason = "nobody else writes while a test seeds its database")]
        let txn = db.begin().await.expect("a transaction");
        for sql in self.statements(engine) {
            run(&txn, &sql).await;
        }
        txn.commit().await.expect("a commit");
        if engine == Engine::Postgres {
            // As autovacuum does; nobody does it for SQLite.
            // Each adds up a part.
            for _ in 0..=self.servers / 5_000 {
                registry.deployment().add_up_counts().await.expect("counts that are added up");
            }
            let tables = "workspace, integration, server, registration, oauth_client, attempt, audit_event, orphan, \
                          tally, tally_delta";
            db.execute_unprepared(&format!("VACUUM ANALYZE {tables}")).await.expect("statistics");
        }
        db.close().await.expect("closed");
    }

    /// Adds a user and an API key for ten servers, and as many revisions of integration 3 as there are servers.
    pub async fn insert_people(self, database: &TestDatabase) {
        let Self { servers, .. } = self;
        let engine = database.engine;
        let id = |kind: u32| match engine {
            Engine::Postgres => format!("('{kind:04}' || lpad(to_hex(n), 28, '0'))::uuid"),
            Engine::Sqlite => format!("unhex('{kind:04}' || printf('%028x', n))"),
        };
        let of_integration = match engine {
            Engine::Postgres => "'00020000-0000-0000-0000-000000000003'::uuid",
            Engine::Sqlite => "unhex('00020000000000000000000000000003')",
        };
        let bytes = match engine {
            Engine::Postgres => "decode(lpad(to_hex(n), 8, '0'), 'hex')",
            Engine::Sqlite => "unhex(printf('%08x', n))",
        };
        let each = |count: u32| {
            format!("WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {count})")
        };
        let (people, revisions) = (each(servers / 10), each(servers));
        let db = database.connect().await;
        for sql in [
            // Many have the same name.
            format!(
                "{people} INSERT INTO \"user\" (id, email, email_key, name, role, created_at, updated_at) SELECT {}, \
                 'user-' || n || '@acme.com', 'user-' || n || '@acme.com', 'User ' || (n % 7), 'viewer', {BEGIN}, {BEGIN} FROM g",
                id(USER),
            ),
            // As after years of rotation: most were revoked.
            format!(
                "{people} INSERT INTO api_key (id, name, prefix, key_hash, role, scopes, created_by, created_at, last_used_at, revoked_at) \
                 SELECT {}, 'key ' || n, 'prefix', {bytes}, 'gateway', '[]', 'seed', {BEGIN}, {BEGIN} + n, \
                 CASE WHEN n % 40 <> 0 THEN {BEGIN} END FROM g",
                id(KEY),
            ),
            format!(
                "{revisions} INSERT INTO revision (id, subject_kind, subject_id, number, text, actor, door, created_at) \
                 SELECT {}, 'integration', {of_integration}, n, '{{}}', 'seed', 'api', {BEGIN} FROM g",
                id(REVISION),
            ),
            format!(
                "UPDATE integration SET configuration = '{{}}', configuration_revision = {servers} WHERE id = {of_integration}"
            ),
            match engine {
                Engine::Postgres => "ANALYZE".to_owned(),
                // Nobody does it for SQLite.
                Engine::Sqlite => "SELECT 1".to_owned(),
            },
        ] {
            db.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
        }
        db.close().await.expect("closed");
    }

    fn statements(self, engine: Engine) -> Vec<String> {
        let Self { integrations, workspaces, servers } = self;
        let id = |kind: u32, number: &str| match engine {
            Engine::Postgres => format!("('{kind:04}' || lpad(to_hex({number}), 28, '0'))::uuid"),
            Engine::Sqlite => format!("unhex('{kind:04}' || printf('%028x', {number}))"),
        };
        let padded = |number: &str, width: u32| match engine {
            Engine::Postgres => format!("lpad(({number})::text, {width}, '0')"),
            Engine::Sqlite => format!("printf('%0{width}d', {number})"),
        };
        let each = |count: u32| match engine {
            Engine::Postgres => {
                format!("(SELECT g::bigint AS n FROM generate_series(0, {count} - 1) g) AS each_one")
            }
            Engine::Sqlite => format!(
                "(WITH RECURSIVE g(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM g WHERE n + 1 < {count}) SELECT n FROM g) AS each_one"
            ),
        };
        // A server's integration and workspace: every pair once before one has a second server.
        let of_integration = id(INTEGRATION, &format!("n % {integrations}"));
        let of_workspace = id(WORKSPACE, &format!("(n / {integrations}) % {workspaces}"));
        let at = format!("{BEGIN} + n * 1000");
        let state = "CASE WHEN n * 37 % 100 < 50 THEN 'registered' WHEN n * 37 % 100 < 60 THEN 'retrying' \
                     WHEN n * 37 % 100 < 70 THEN 'failed' WHEN n * 37 % 100 < 80 THEN 'unconfirmed' \
                     WHEN n * 37 % 100 < 90 THEN 'outdated' ELSE 'queued' END";
        let with_client = "n * 37 % 100 < 50 OR n * 37 % 100 BETWEEN 70 AND 89";
        vec![
            format!(
                "INSERT INTO workspace (id, slug, slug_key, name, version, created_at, updated_at, created_by, updated_by) \
                 SELECT {}, 'team-' || {nr}, 'team-' || {nr}, 'Team ' || {nr}, 1, {at}, {at}, 'seed', 'seed' FROM {}",
                id(WORKSPACE, "n"),
                each(workspaces),
                nr = padded("n", 5),
            ),
            format!(
                "INSERT INTO integration (id, slug, slug_key, name, url, auth_type, transport, global_access, version, \
                 created_at, updated_at, created_by, updated_by, enabled, custom_metadata, pre_registered, unreachable, \
                 address_by_admin) \
                 SELECT {}, 'service-' || {nr}, 'service-' || {nr}, 'Service ' || {nr}, 'https://mcp-' || {nr} || '.example.com/mcp', \
                 'oauth_auto', 'http', TRUE, 1, {at}, {at}, 'seed', 'seed', TRUE, FALSE, FALSE, FALSE, TRUE FROM {}",
                id(INTEGRATION, "n"),
                each(integrations),
                nr = padded("n", 5),
            ),
            format!(
                "INSERT INTO server (id, integration_id, workspace_id, slug, slug_key, name, version, created_at, updated_at, \
                 created_by, updated_by) \
                 SELECT {}, {of_integration}, {of_workspace}, 'server-' || {nr}, 'server-' || {nr}, 'Server ' || {nr}, 1, {at}, {at}, \
                 'seed', 'seed' FROM {}",
                id(SERVER, "n"),
                each(servers),
                nr = padded("n", 7),
            ),
            format!(
                "INSERT INTO registration (id, server_id, workspace_id, integration_id, state, reason, due_at, wanted, failures, \
                 lost_answers, lease_until, fence, created_at, updated_at) \
                 SELECT {}, {}, {of_workspace}, {of_integration}, {state}, \
                 CASE WHEN n * 37 % 100 BETWEEN 50 AND 69 THEN 'timeout' END, {BEGIN} * 2, 1, 0, 0, 0, 1, {at}, {at} FROM {}",
                id(REGISTRATION, "n"),
                id(SERVER, "n"),
                each(servers),
            ),
            format!(
                "INSERT INTO oauth_client (id, registration_id, generation, status, method, issuer, client_id, auth_method, \
                 metadata_digest, response, warnings, discovery, created_at, withdraw_failures) \
                 SELECT {}, {}, 1, 'active', CASE WHEN n % 10 = 0 THEN 'pre_registered' ELSE 'dcr' END, \
                 'https://as-' || (n % 50) || '.example.com', 'client-' || n, 'none', '', '{{}}', '[]', '{{}}', {at}, 0 FROM {} \
                 WHERE {with_client}",
                id(CLIENT, "n"),
                id(REGISTRATION, "n"),
                each(servers),
            ),
            format!(
                "INSERT INTO attempt (id, registration_id, number, step, fence, started_at, finished_at, outcome, adjustments, \
                 exchanges) \
                 SELECT {}, {}, 1, 'register', 1, {at}, {at}, 'succeeded', '[]', '[]' FROM {} WHERE {with_client}",
                id(ATTEMPT, "n"),
                id(REGISTRATION, "n"),
                each(servers),
            ),
            format!(
                "INSERT INTO audit_event (number, id, at, actor_kind, actor_name, door, action, subject_kind, subject_id, \
                 subject_name, workspace_id, previous_hash, hash) \
                 SELECT (SELECT audit FROM sequence) + n + 1, {}, {at}, 'system', 'worker', 'worker', \
                 CASE WHEN n % 50 = 0 THEN 'integration.updated' WHEN n % 7 = 0 THEN 'registration.failed' ELSE 'registration.registered' END, \
                 CASE WHEN n % 50 = 0 THEN 'integration' ELSE 'registration' END, 'subject-' || n, 'server-' || n, {of_workspace}, '', '' FROM {}",
                id(EVENT, "n"),
                each(servers),
            ),
            format!("UPDATE sequence SET audit = audit + {servers}"),
            format!(
                "INSERT INTO orphan (id, kind, registration_id, workspace_id, server, issuer, reason, detail, contacts, since, \
                 resolved_at) \
                 SELECT {}, 'answer_lost', {}, {of_workspace}, 'team/server-' || n, 'https://as.example.com', 'connection_lost', \
                 'The answer was lost.', '[]', {at}, CASE WHEN n % 2 = 0 THEN {at} END FROM {} WHERE n % 20 < 2",
                id(ORPHAN, "n"),
                id(REGISTRATION, "n"),
                each(servers),
            ),
        ]
    }
}

async fn run(txn: &DatabaseTransaction, sql: &str) {
    if let Err(error) = txn.execute_unprepared(sql).await {
        panic!("{error}\n{sql}");
    }
}
