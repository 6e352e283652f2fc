//! What lists and pages cost does not grow with the number of servers: every statement that they send is run again and
//! measured, in an organisation with a thousand servers and in one with thirty thousand (ADR 25).

use super::Browser;
use registry_core::permission::Role;
use rstest::rstest;
use support::list_dataset::ListDataset;
use support::{Client, Cost, Engine, Explainer, Reply, TestServer, reads};

/// Tables with a row for each server, or more.
const GROWING: [&str; 9] = [
    "server",
    "registration",
    "oauth_client",
    "attempt",
    "audit_event",
    "change",
    "orphan",
    "sealed_value",
    "revision",
];

const FEW: ListDataset = ListDataset { integrations: 40, workspaces: 100, servers: 1_000 };
/// So many that PostgreSQL prefers an index to a scan of the whole table.
const MANY: ListDataset = ListDataset { integrations: 40, workspaces: 100, servers: 10_000 };

/// Work of one request that does not count: on SQLite steps of programs (a row that is read takes some tens), on PostgreSQL
/// rows.
fn slack(engine: Engine) -> u64 {
    match engine {
        Engine::Sqlite => 12_000,
        Engine::Postgres => 4_000,
    }
}

/// What is asked for. Workspace 7 has a share of all servers, and so has integration 3.
const PAGES: [&str; 22] = [
    "/ui/integrations",
    "/ui/integrations?sort=name",
    "/ui/integrations?sort=failures",
    "/ui/integrations?view=attention",
    "/ui/integrations?view=by-hand",
    "/ui/integrations?ws=team-00007",
    "/ui/registrations",
    "/ui/registrations?state=failed",
    "/ui/registrations?ws=team-00007",
    "/ui/registrations?ws=team-00007&state=registered",
    "/ui/registrations?integration=service-00003",
    "/ui/registrations?integration=service-00003&ws=team-00003",
    "/ui/workspaces",
    "/ui/workspaces/team-00007",
    "/ui/orphans",
    "/ui/orphans?ws=team-00007",
    "/ui/orphans?view=all",
    "/ui/audit",
    "/ui/audit?action=integration.updated",
    "/ui/settings/people",
    "/ui/api-keys",
    "/ui/integrations/service-00003/history?a=0",
];

/// The same over the API, with the next page of each by its cursor.
const LISTS: [&str; 20] = [
    "/v1/mcp-integrations?page_size=25",
    "/v1/mcp-servers?page_size=25",
    "/v1/mcp-servers?page_size=25&workspace_id=team-00007",
    "/v1/mcp-servers?page_size=25&mcp_integration_id=service-00003",
    "/v1/registrations?page_size=25",
    "/v1/registrations?page_size=25&state=failed,retrying",
    "/v1/registrations?page_size=25&workspace_id=team-00007",
    "/v1/registrations?page_size=25&integration_id=service-00003&state=registered",
    "/v1/workspaces?page_size=25",
    "/v1/orphans?page_size=25",
    "/v1/audit-events?page_size=25",
    "/v1/audit-events?page_size=25&action=integration.updated",
    "/v1/audit-events?page_size=25&until=2023-11-14T22:20:00Z",
    "/v1/mcp-integrations?page_size=25&search=service-0000",
    "/v1/users?page_size=25",
    "/v1/api-keys?page_size=25",
    "/v1/mcp-integrations/service-00003/revisions?page_size=25",
    "/v1/registrations?page_size=25&method=dcr",
    "/v1/registrations?page_size=25&method=pre_registered&state=registered",
    "/v1/registrations?page_size=25&issuer=https://as-7.example.com",
];

const NEXT_PAGE: &str = ", next page";

struct Measured {
    request: String,
    costs: Vec<Cost>,
}

impl Measured {
    fn work(&self) -> u64 {
        self.costs.iter().map(|cost| cost.work).sum()
    }
}

async fn measured(engine: Engine, estate: ListDataset) -> Vec<Measured> {
    let t = TestServer::new(engine).await;
    estate.insert(&t.inner.registry, &t.inner.database).await;
    estate.insert_people(&t.inner.database).await;
    let admin = Browser::sign_in(&t).await;
    let bound = Browser::invited(&t, "bo@acme.com", Role::Manager, Some("team-00007")).await;
    let client = t.client(Role::Admin, None).await;
    let explainer = Explainer::new(&t.inner.database).await;
    let mut all = Vec::new();
    for path in PAGES {
        all.push(measure(&explainer, path, admin.get(path)).await.0);
        if !path.contains("audit") && !path.contains("ws=") {
            all.push(measure(&explainer, &format!("{path}, bound"), bound.get(path)).await.0);
        }
    }
    for path in LISTS {
        let (first, reply) = measure(&explainer, path, client.get(path)).await;
        all.push(first);
        let next = &reply.json()["next_cursor"];
        if let Some(cursor) = next.as_str() {
            let path = format!("{path}&cursor={cursor}");
            all.push(measure(&explainer, &path, client.get(&path)).await.0);
        }
    }
    all
}

async fn measure(
    explainer: &Explainer,
    request: &str,
    sent: impl Future<Output = Reply>,
) -> (Measured, Reply) {
    let (reply, statements) = reads(sent).await;
    let is_hidden = request.contains("bound") && matches!(reply.status.as_u16(), 403 | 404);
    let reply = if is_hidden { reply } else { reply.expect(200) };
    let mut costs = Vec::new();
    for statement in &statements {
        costs.push(explainer.cost(statement).await);
    }
    assert!(!costs.is_empty(), "{request} asked the database nothing");
    // The cursor differs between databases.
    let request = request.split("&cursor=").next().unwrap_or_default().to_owned()
        + if request.contains("&cursor=") { NEXT_PAGE } else { "" };
    (Measured { request, costs }, reply)
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_cost_what_they_show(#[case] engine: Engine) {
    let few = measured(engine, FEW).await;
    let many = measured(engine, MANY).await;
    let mut wrong = Vec::new();
    for many in &many {
        // A small organisation may have no next page.
        let first = many.request.trim_end_matches(NEXT_PAGE);
        let same = |request: &str| few.iter().find(|few| few.request == request);
        let before = same(&many.request).or_else(|| same(first)).unwrap().work();
        let after = many.work();
        eprintln!("{before:>9} {after:>9} {:>3}  {}", many.costs.len(), many.request);
        // What a user of one workspace sees of integrations is counted among the servers of this workspace. They are ten
        // times as many here, too.
        let of_workspace = first.starts_with("/ui/integrations") && first.ends_with(", bound");
        // What restoring an earlier version changes is worked out for the servers of the integration, at most 1,000.
        let of_integration = first.contains("/history");
        let most = if of_workspace || of_integration { before * 10 } else { before + before / 2 };
        if after > most + slack(engine) {
            let worst = many.costs.iter().max_by_key(|cost| cost.work).unwrap();
            wrong.push(format!("{}: {before} → {after}\n{}\n{}", many.request, worst.sql, worst.plan));
        }
        // SQLite says "scan" also where it reads the first rows of a table only.
        for cost in many.costs.iter().filter(|cost| cost.work > 5_000 || engine == Engine::Postgres) {
            if let Some(table) = cost.scanned.iter().find(|table| GROWING.contains(&table.as_str())) {
                wrong.push(format!("{}: reads all of {table}\n{}\n{}", many.request, cost.sql, cost.plan));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Reads a whole list by its cursors; returns the ids, and how often it was asked.
async fn walk(client: &Client, path: &str) -> (Vec<String>, usize) {
    let (mut ids, mut asked, mut at) = (Vec::new(), 0, String::new());
    loop {
        let reply = client.get(&format!("{path}{at}")).await.expect(200).json();
        asked += 1;
        ids.extend(reply["data"].as_array().unwrap().iter().map(|one| one["id"].to_string()));
        let Some(cursor) = reply["next_cursor"].as_str() else {
            assert_eq!(reply["has_more"], false);
            return (ids, asked);
        };
        assert_eq!(reply["has_more"], true);
        at = format!("&cursor={cursor}");
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_and_page_numbers_lead_through_the_same_list(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let estate = ListDataset { integrations: 12, workspaces: 11, servers: 130 };
    estate.insert(&t.inner.registry, &t.inner.database).await;
    estate.insert_people(&t.inner.database).await;
    let client = t.client(Role::Admin, None).await;
    for path in [
        "/v1/mcp-integrations?page_size=5",
        "/v1/mcp-servers?page_size=13",
        "/v1/mcp-servers?page_size=5&workspace_id=team-00002",
        "/v1/mcp-servers?page_size=3&mcp_integration_id=service-00003",
        "/v1/registrations?page_size=20",
        "/v1/registrations?page_size=7&state=failed,queued,retrying",
        "/v1/registrations?page_size=4&workspace_id=team-00002",
        "/v1/workspaces?page_size=3",
        "/v1/orphans?page_size=6&resolved=true",
        "/v1/audit-events?page_size=40",
        "/v1/audit-events?page_size=9&actor=worker",
        "/v1/registrations?page_size=6&method=pre_registered",
        "/v1/registrations?page_size=2&issuer=https://as-9.example.com&state=registered,outdated",
        "/v1/users?page_size=4",
        "/v1/api-keys?page_size=4",
        "/v1/mcp-integrations/service-00003/revisions?page_size=30",
    ] {
        let (by_cursor, asked) = walk(&client, path).await;
        let mut by_number = Vec::new();
        for page in 0.. {
            let reply = client.get(&format!("{path}&current_page={page}")).await.expect(200).json();
            by_number.extend(reply["data"].as_array().unwrap().iter().map(|one| one["id"].to_string()));
            assert_eq!(
                (&reply["total"], &reply["total_is_exact"]),
                (&by_cursor.len().into(), &true.into()),
                "{path}"
            );
            if reply["has_more"] == false {
                break;
            }
        }
        assert_eq!(by_cursor, by_number, "{path}");
        assert!(asked > 1, "{path} has one page only");
    }
    for wrong in ["x", "AAAA", "not a cursor"] {
        client.get(&format!("/v1/mcp-servers?cursor={wrong}")).await.expect(400);
    }
}
