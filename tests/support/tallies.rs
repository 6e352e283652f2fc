//! Whether the counts that are kept with each write (`docs/adr/0025`) are what counting says.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

/// What differs between the kept counts and the rows of the database: scope, kind, kept, counted; and how many registrations
/// name another issuer or method than that of their active client.
pub async fn tally_differences(db: &DatabaseConnection) -> Vec<(String, String, i64, i64)> {
    let nil = match db.get_database_backend() {
        DbBackend::Postgres => "'00000000-0000-0000-0000-000000000000'::uuid",
        _ => "zeroblob(16)",
    };
    let state = "CASE WHEN s.deleted_at IS NOT NULL THEN 'gone:' || r.state \
                 WHEN r.state = 'retrying' AND r.reason IS NOT NULL THEN 'retrying:' || r.reason ELSE r.state END";
    let facts = format!(
        "SELECT integration_id AS i, workspace_id AS w, 'servers' AS kind, 1 AS n FROM server WHERE deleted_at IS NULL \
         UNION ALL SELECT integration_id, workspace_id, 'configured', 1 FROM server \
           WHERE deleted_at IS NULL AND configuration IS NOT NULL \
         UNION ALL SELECT DISTINCT integration_id, workspace_id, 'pairs', 1 FROM server WHERE deleted_at IS NULL \
         UNION ALL SELECT s.integration_id, s.workspace_id, {state}, 1 FROM registration r JOIN server s ON s.id = r.server_id \
         UNION ALL SELECT s.integration_id, s.workspace_id, 'method:' || c.method, 1 FROM oauth_client c \
           JOIN registration r ON r.id = c.registration_id JOIN server s ON s.id = r.server_id \
           WHERE c.status = 'active' AND s.deleted_at IS NULL"
    );
    let sql = format!(
        "WITH facts AS ({facts}), counted AS (SELECT i AS scope, kind, n FROM facts \
           UNION ALL SELECT w, kind, n FROM facts UNION ALL SELECT {nil}, kind, n FROM facts), \
         both_of AS (SELECT scope, kind, 0 AS kept, n AS counted FROM counted \
           UNION ALL SELECT scope_id, kind, n, 0 FROM tally_now) \
         SELECT CAST(scope AS TEXT) AS scope, kind, CAST(SUM(kept) AS BIGINT) AS kept, CAST(SUM(counted) AS BIGINT) AS counted \
         FROM both_of GROUP BY scope, kind HAVING SUM(kept) <> SUM(counted) ORDER BY 1, 2"
    )
    .replace("CAST(scope AS TEXT)", if nil.starts_with('z') { "hex(scope)" } else { "CAST(scope AS TEXT)" });
    let rows =
        db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.expect("counts");
    let clients = "SELECT COUNT(*) FROM registration r \
                   LEFT JOIN oauth_client c ON c.registration_id = r.id AND c.status = 'active' \
                   WHERE r.client_issuer IS DISTINCT FROM c.issuer OR r.client_method IS DISTINCT FROM c.method";
    let wrong = db.query_one_raw(Statement::from_string(db.get_database_backend(), clients)).await;
    let wrong: i64 = wrong.expect("a count").expect("a row").try_get_by_index(0).expect("a number");
    let wrong = (wrong > 0).then(|| ("registration".to_owned(), "issuer or method".to_owned(), wrong, 0));
    rows.iter()
        .map(|row| {
            let text = |name: &str| row.try_get::<String>("", name).expect("a text");
            let number = |name: &str| row.try_get::<i64>("", name).expect("a number");
            (text("scope"), text("kind"), number("kept"), number("counted"))
        })
        .chain(wrong)
        .collect()
}
