//! Rollouts over REST and on pages: parameters, progress, events, actions.

use crate::admin::Browser;
use registry::{RolloutSizes, Settings};
use registry_core::permission::Role;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use std::time::Duration;
use support::{Client, Engine, TestRegistry, TestServer};

const ORGANISATION: &str = "/v1/organisation/configuration";
const SERVERS: usize = 6;

/// A server whose layers have many servers: more than two.
async fn many(engine: Engine) -> TestServer {
    let rollout_sizes = RolloutSizes { immediate: 2, batch: 2 };
    let t = TestRegistry::with(engine, Settings { rollout_sizes, ..Settings::default() }).await;
    t.integration("linear", "https://mcp.linear.app/mcp", None).await;
    for number in 0..SERVERS {
        let workspace = format!("team-{number}");
        t.workspace(&workspace).await;
        t.server("linear", &workspace).await;
    }
    TestServer::over(t)
}

fn named(client_name: &str) -> Value {
    json!({ "configurations": { "oauth_client_metadata": { "client_name": client_name } } })
}

async fn save(client: &Client, query: &str, name: &str) -> String {
    let saved: Value = client.put(&format!("{ORGANISATION}{query}"), &named(name)).await.expect(200).json();
    assert_eq!(saved["affected"]["reached"], SERVERS, "{saved}");
    assert_eq!(saved["affected"]["estimated"], false, "{saved}");
    saved["rollout_id"].as_str().unwrap().to_owned()
}

async fn step(server: &TestServer) {
    server.inner.registry.rollouts().advance("worker").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_of_a_rollout_are_checked() {
    let server = many(Engine::Sqlite).await;
    let admin = server.client(Role::Admin, None).await;
    for (query, parameter) in [
        ("?canary_percent=101", "canary_percent"),
        ("?canary_percent=-1", "canary_percent"),
        ("?canary_percent=few", "canary_percent"),
        ("?max_failures=-1", "max_failures"),
        ("?max_failures=many", "max_failures"),
        ("?max_failures=99999999999", "max_failures"),
    ] {
        let refused: Value =
            admin.put(&format!("{ORGANISATION}{query}"), &named("A")).await.expect(400).json();
        assert!(refused.to_string().contains(parameter), "{query}: {refused}");
    }
    let listed: Value = admin.get("/v1/rollouts").await.expect(200).json();
    assert_eq!(listed["data"], json!([]), "nothing was saved");
    for query in ["?page_size=0", "?page_size=101", "?before=x", "?open=perhaps"] {
        admin.get(&format!("/v1/rollouts{query}")).await.expect(400);
    }
    let id = save(&admin, "?canary_percent=50&max_failures=none", "B").await;
    let one: Value = admin.get(&format!("/v1/rollouts/{id}")).await.expect(200).json();
    assert_eq!((&one["canary_size"], &one["max_failures"]), (&json!(3), &Value::Null));
    let id = save(&admin, "?canary_percent=0&max_failures=0", "C").await;
    let one: Value = admin.get(&format!("/v1/rollouts/{id}")).await.expect(200).json();
    assert_eq!((&one["canary_size"], &one["max_failures"]), (&json!(0), &json!(0)));
    // A save that reaches few servers needs no rollout.
    let few = admin.put("/v1/mcp-servers/linear?workspace_id=team-0", &named("D")).await.expect(200).json();
    assert_eq!(few["rollout_id"], Value::Null);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_read_listed_and_watched(#[case] engine: Engine) {
    let server = many(engine).await;
    let admin = server.client(Role::Admin, None).await;
    let first = save(&admin, "?canary_percent=0", "First").await;
    let second = save(&admin, "?canary_percent=0", "Second").await;
    let page: Value = admin.get("/v1/rollouts?page_size=1").await.expect(200).json();
    assert_eq!((&page["data"][0]["id"], &page["next"]), (&json!(second), &json!(second)), "newest first");
    let page: Value =
        admin.get(&format!("/v1/rollouts?page_size=1&before={second}")).await.expect(200).json();
    assert_eq!((&page["data"][0]["id"], &page["next"]), (&json!(first), &Value::Null));
    assert_eq!(page["data"][0]["state"], "superseded");
    let open: Value = admin.get("/v1/rollouts?open=true").await.expect(200).json();
    assert_eq!(open["data"].as_array().unwrap().len(), 1, "{open}");

    let path = format!("/v1/rollouts/{second}/events");
    let mut events = admin.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let (mut text, mut seen) = (String::new(), Vec::new());
    let db = server.inner.database.connect().await;
    while let Some(chunk) =
        tokio::time::timeout(Duration::from_mins(1), events.chunk()).await.unwrap().unwrap()
    {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let data = event.strip_prefix("event: rollout\ndata: ").unwrap_or_else(|| panic!("{event}"));
            let one: Value = serde_json::from_str(data).unwrap();
            seen.push(one["percent"].as_u64().unwrap());
            if one["state"] == "done" {
                // The stream goes on until registrations have settled.
                use sea_orm::ConnectionTrait;
                db.execute_unprepared("UPDATE registration SET state = 'registered', settled = wanted")
                    .await
                    .unwrap();
            }
            text = rest.to_owned();
            step(&server).await;
        }
    }
    assert_eq!(seen.first(), Some(&0), "{seen:?}");
    assert!(seen.contains(&33) && seen.contains(&66) && seen.last() == Some(&100), "{seen:?}");
    let refused: Value = admin.get(&format!("/v1/rollouts/{second}/refused")).await.expect(200).json();
    assert_eq!((&refused["data"], &refused["next"]), (&json!([]), &Value::Null));
    admin.post(&format!("/v1/rollouts/{second}/pause"), &json!({})).await.expect(409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_of_a_rollout_shows_progress_and_has_its_buttons() {
    let server = many(Engine::Sqlite).await;
    let admin = server.client(Role::Admin, None).await;
    let id = save(&admin, "?canary_percent=50", "Acme").await;
    let browser = Browser::invited(&server, "admin@acme.com", Role::Admin, None).await;
    let page = format!("/ui/rollouts/{id}");
    let shown = browser.get(&page).await.expect(200).text;
    assert!(shown.contains("0 of 6 servers reached") && shown.contains("Pause"), "{shown}");
    step(&server).await;
    step(&server).await;
    step(&server).await;
    let shown = browser.get(&page).await.expect(200).text;
    assert!(shown.contains("3 of 6 servers reached"), "{shown}");
    assert!(shown.contains("The first 3 servers have the change."), "{shown}");
    browser.post(&format!("{page}/pause"), &[]).await.expect(303);
    let shown = browser.get(&page).await.expect(200).text;
    assert!(shown.contains("Paused") && shown.contains("Resume"), "{shown}");
    browser.post(&format!("{page}/resume"), &[]).await.expect(303);
    let list = browser.get("/ui/rollouts").await.expect(200).text;
    assert!(list.contains("Organisation configuration v1") && list.contains("3 of 6"), "{list}");
    // Saving on the page leads to the rollout.
    let form = [
        ("text", r#"{"oauth_client_metadata":{"client_name":"Next"}}"#),
        ("intent", "save"),
        ("version", "2"),
        ("base", "1"),
    ];
    let saved = browser.post("/ui/settings/organisation", &form).await.expect(303);
    let place = saved.headers["location"].to_str().unwrap().to_owned();
    assert!(place.starts_with("/ui/rollouts/") && !place.ends_with(&id), "{place}");
    let old = browser.get(&page).await.expect(200).text;
    assert!(old.contains("Superseded") && !old.contains("Resume"), "{old}");
    let refused = browser.post(&format!("{page}/resume"), &[]).await.expect(409).text;
    assert!(refused.contains("Nothing was changed."), "{refused}");
}

/// Deleting many servers names its rollout over REST; pages say that servers are deleted in the background, and lead to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_of_many_servers_names_its_rollout() {
    let server = many(Engine::Sqlite).await;
    let t = &server.inner;
    t.workspace("acme").await;
    t.integration("notion", "https://mcp.notion.com/mcp", None).await;
    t.servers("notion", "acme", 3).await;
    let admin = server.client(Role::Admin, None).await;
    let one: Value = admin.delete("/v1/mcp-servers/notion-0?workspace_id=acme").await.expect(200).json();
    assert_eq!(
        (&one["servers"], &one["estimated"], &one["rollout_id"]),
        (&json!(1), &json!(false), &Value::Null)
    );
    t.servers("notion", "acme", 1).await;
    let deleted: Value = admin.delete("/v1/workspaces/acme").await.expect(200).json();
    assert_eq!((&deleted["servers"], &deleted["registrations"]), (&json!(3), &json!(3)), "{deleted}");
    let path = format!("/v1/rollouts/{}", deleted["rollout_id"].as_str().unwrap());
    let rollout: Value = admin.get(&path).await.expect(200).json();
    assert_eq!((&rollout["kind"], &rollout["workspace"]), (&json!("deletion"), &json!("acme")), "{rollout}");
    let refused: Value = admin.post(&format!("{path}/pause"), &json!({})).await.expect(409).json();
    assert!(refused.to_string().contains("cannot be paused"), "{refused}");
    admin.get("/v1/mcp-servers/notion-1?workspace_id=acme").await.expect(404);

    let browser = Browser::invited(&server, "admin@acme.com", Role::Admin, None).await;
    let gone = browser.post("/ui/integrations/linear/delete", &[("slug", "linear")]).await.expect(303);
    let place = gone.headers["location"].to_str().unwrap().to_owned();
    let told = browser.get(&place).await.expect(200).text;
    assert!(
        told.contains("Gateways no longer serve its 6 servers, which are deleted in the background."),
        "{told}"
    );
    let id = place.split_once("deleting-6-").expect("the message").1;
    let page = format!("/ui/rollouts/{id}");
    assert!(told.contains(&format!("href=\"{page}\"")), "{told}");
    let shown = browser.get(&page).await.expect(200).text;
    for words in
        ["Deletion of integration linear", "0 of 6 servers deleted", "Gateways no longer serve these servers"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("Pause") && !shown.contains("could not take the change"), "{shown}");
    let list = browser.get("/ui/rollouts").await.expect(200).text;
    assert!(
        list.contains("Deletion of workspace acme") && list.contains("Deletion of integration linear"),
        "{list}"
    );
    for _ in 0..10 {
        step(&server).await;
    }
    let shown = browser.get(&page).await.expect(200).text;
    assert!(shown.contains("6 of 6 servers deleted") && shown.contains("Done"), "{shown}");
    assert!(!shown.contains("Gateways no longer serve these servers"), "{shown}");
    // An admin of a workspace gets no link: rollouts are shown to the organisation only.
    let own = json!({
        "name": "own", "url": "https://own.example/mcp", "auth_type": "none", "transport": "http", "workspace_id": "team-0",
    });
    let made: Value = admin.post("/v1/mcp-integrations", &own).await.expect(200).json();
    assert_eq!(made["slug"], "own");
    t.servers("own", "team-0", 3).await;
    let bound = Browser::invited(&server, "admin@team-0.com", Role::Admin, Some("team-0")).await;
    let gone = bound.post("/ui/integrations/own/delete", &[("slug", "own")]).await.expect(303);
    let place = gone.headers["location"].to_str().unwrap().to_owned();
    assert!(place.ends_with("done=deleting-3"), "{place}");
    let told = bound.get(&place).await.expect(200).text;
    assert!(
        told.contains("Gateways no longer serve its 3 servers") && !told.contains("/ui/rollouts/"),
        "{told}"
    );
}
