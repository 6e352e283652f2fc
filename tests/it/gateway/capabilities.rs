//! What servers offer and say: told by gateways, switched by users, read by both.

use super::{gateway_key, seed};
use registry_core::permission::Role;
use rstest::rstest;
use serde_json::{Value, json};
use support::{Client, Engine, TestServer, statements};

const DOCUMENT: &str = "/v1/gateway/servers/acme/linear";
const INTEGRATION: &str = "/v1/mcp-integrations/linear/capabilities";
const SERVER: &str = "/v1/mcp-servers/linear/capabilities";
const CHECK: &str = "/v1/mcp-servers/linear/user-access/check";
const ACCESS: &str = "/v1/mcp-servers/linear/user-access";
const SYNC: &str = "/v1/mcp-servers/linear/capabilities/sync";

fn offered() -> Value {
    json!({ "capabilities": [
        { "type": "tool", "name": "add", "title": "Add", "input_schema": { "type": "object" } },
        { "type": "tool", "name": "drop" },
        { "type": "prompt", "name": "greet", "arguments": [{ "name": "who" }] },
        { "type": "resource", "name": "Notes", "uri": "file:///notes" },
        { "type": "resource_template", "name": "Note", "uri_template": "file:///{note}" },
    ] })
}

async fn enabled(client: &Client, path: &str) -> Vec<(String, bool)> {
    let list = client.get(path).await.expect(200).json();
    let items = list["data"].as_array().unwrap().iter();
    items
        .map(|item| (item["name"].as_str().unwrap().to_owned(), item["enabled"].as_bool().unwrap()))
        .collect()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn capabilities_are_reported_listed_and_narrowed(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    seed(&t.inner).await;
    let (admin, gateway) = (t.client(Role::Admin, None).await, t.client(Role::Gateway, None).await);
    assert_eq!(admin.get(SERVER).await.expect(200).json()["total"], 0);

    let told = gateway.post(SYNC, &offered()).await.expect(200).json();
    assert_eq!((&told["changed"], &told["findings"]), (&json!(5), &json!([])));
    for path in [INTEGRATION, SERVER] {
        let list = admin.get(path).await.expect(200).json();
        assert_eq!(list["counts"]["tools"], json!({ "total": 2, "enabled": 2 }), "{path}");
        assert_eq!(list["counts"]["resource_templates"]["total"], 1, "{path}");
        let add = list["data"].as_array().unwrap().iter().find(|item| item["name"] == "add").unwrap();
        assert_eq!((&add["title"], &add["input_schema"]["type"]), (&json!("Add"), &json!("object")));
    }
    let page = admin.get(&format!("{SERVER}?type=tool&page=2&page_size=1")).await.expect(200).json();
    assert_eq!((&page["data"][0]["name"], &page["total"]), (&json!("drop"), &json!(2)));
    assert_eq!(page["has_more"], false);

    // The integration switches off for all, the server narrows further; neither needs to have seen it.
    let switch = |kind: &str, name: &str, enabled: bool| json!({ "capabilities": [{ "type": kind, "name": name, "enabled": enabled }] });
    admin.put(INTEGRATION, &switch("tool", "drop", false)).await.expect(200);
    admin.put(INTEGRATION, &switch("tool", "unseen", false)).await.expect(200);
    admin.put(SERVER, &switch("resource", "Notes", false)).await.expect(200);
    let widened = admin.put(SERVER, &switch("tool", "drop", true)).await.expect(200).json();
    assert_eq!(widened["findings"][0]["code"], "off_above");
    let off: Vec<_> =
        enabled(&admin, SERVER).await.into_iter().filter(|one| !one.1).map(|one| one.0).collect();
    assert_eq!(off, ["drop", "unseen", "Notes"]);
    let document = gateway.get(DOCUMENT).await.expect(200).json();
    assert_eq!(
        document["disabled_capabilities"],
        json!([
            { "type": "tool", "name": "drop" }, { "type": "tool", "name": "unseen" },
            { "type": "resource", "name": "file:///notes" },
        ])
    );
    // A report changes nothing of that.
    let mut again = offered();
    again["capabilities"][1]["title"] = json!("Drop");
    assert_eq!(gateway.post(SYNC, &again).await.expect(200).json()["changed"], 1);
    assert!(enabled(&admin, SERVER).await.contains(&("drop".to_owned(), false)));
    admin.put(INTEGRATION, &switch("tool", "drop", true)).await.expect(200);
    assert!(enabled(&admin, SERVER).await.contains(&("drop".to_owned(), true)));
    let audit = admin.get("/v1/audit-events?action=capabilities.switched").await.expect(200).json();
    assert_eq!(audit["total"], 4, "switches are on record, reports are not: {audit}");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_report_costs_one_lookup(#[case] engine: Engine) {
    statements();
    let t = TestServer::new(engine).await;
    seed(&t.inner).await;
    let (key, _) = gateway_key(&t.inner.registry, None).await;
    let gateway = t.with_token(&key);
    let info = json!({ "server_name": "linear-mcp", "server_version": "1.4.0" });
    gateway.post(SYNC, &offered()).await.expect(200);
    gateway.post("/v1/mcp-servers/linear/metadata/sync", &info).await.expect(200);
    let before = statements();
    for _ in 0..10 {
        gateway.post(SYNC, &offered()).await.expect(200);
        gateway.post("/v1/mcp-servers/linear/metadata/sync", &info).await.expect(200);
    }
    // The key, and the server.
    assert!(statements() - before <= 20 * 4, "{}", statements() - before);
    let shown = gateway.get("/v1/mcp-servers/linear/metadata").await.expect(200).json();
    assert_eq!((&shown["server_version"], &shown["sync_status"]), (&json!("1.4.0"), &json!("synced")));
    let admin = t.client(Role::Admin, None).await;
    let listed = admin.get("/v1/mcp-integrations").await.expect(200).json();
    assert_eq!(listed["data"][0]["metadata"]["server_name"], "linear-mcp");
    let listed = admin.get("/v1/mcp-servers").await.expect(200).json();
    assert_eq!(listed["data"][0]["metadata"]["server_name"], "linear-mcp");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_reports_keep_what_is_good_and_bad_switches_change_nothing(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    seed(&t.inner).await;
    let (admin, gateway) = (t.client(Role::Admin, None).await, t.client(Role::Gateway, None).await);
    let odd =
        json!({ "capabilities": [{ "type": "tool", "name": "add" }, { "type": "toll", "name": "x" }, {}] });
    let told = gateway.post(SYNC, &odd).await.expect(200).json();
    assert_eq!((&told["changed"], told["findings"].as_array().unwrap().len()), (&json!(1), 2));
    for (body, pointer) in [
        (json!({ "capabilities": [] }), "/capabilities"),
        (json!({ "capabilities": [{ "name": "add", "enabled": false }] }), "/capabilities/0/type"),
        (
            json!({ "capabilities": [{ "name": "", "type": "tool", "enabled": false }] }),
            "/capabilities/0/name",
        ),
    ] {
        let refused = admin.put(SERVER, &body).await.expect(422);
        assert!(refused.errors().iter().any(|(_, at)| at == pointer), "{body}: {}", refused.text);
    }
    assert_eq!(enabled(&admin, SERVER).await, [("add".to_owned(), true)]);
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_allowed_by_default_or_by_name(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    seed(&t.inner).await;
    let admin = t.client(Role::Admin, None).await;
    let (user, other) =
        (t.client(Role::Viewer, Some("acme")).await, t.client(Role::Manager, Some("acme")).await);
    let allowed = async |client: &Client| client.get(CHECK).await.expect(200).json()["allowed"] == true;
    assert!(allowed(&user).await && allowed(&other).await);
    let id = user.get(CHECK).await.expect(200).json()["user_id"].as_str().unwrap().to_owned();

    admin.put(ACCESS, &json!({ "user_access": [{ "user_id": id, "enabled": false }] })).await.expect(200);
    assert!(!allowed(&user).await && allowed(&other).await);
    admin.put(ACCESS, &json!({ "default_user_access": "deny" })).await.expect(200);
    assert!(!allowed(&other).await);
    let both = json!({ "user_access": [{ "user_id": id, "enabled": true }], "default_user_access": { "default": "deny" } });
    admin.put(ACCESS, &both).await.expect(200);
    assert!(allowed(&user).await && !allowed(&other).await);

    let list = admin.get(ACCESS).await.expect(200).json();
    assert_eq!((&list["default_user_access"], &list["total"]), (&json!("deny"), &json!(2)));
    let mine = list["data"].as_array().unwrap().iter().find(|one| one["user_id"] == id.as_str()).unwrap();
    assert_eq!((&mine["enabled"], &mine["has_override"]), (&json!(true), &json!(true)));
    let found = admin.get(&format!("{ACCESS}?search=viewer")).await.expect(200).json();
    assert_eq!(found["total"], 1);
    let audit = admin.get("/v1/audit-events?action=user_access.changed").await.expect(200).json();
    assert_eq!(audit["total"], 3, "the last change changed the user only once: {audit}");

    // Back to the default, which denies: for this user alone, once, and with an event that says so.
    let other_id = other.get(CHECK).await.expect(200).json()["user_id"].as_str().unwrap().to_owned();
    let keep = json!({ "user_access": [{ "id": other_id, "enabled": true }] });
    admin.put(ACCESS, &keep).await.expect(200);
    let back = json!({ "user_access": [{ "user_id": id, "enabled": null }, { "user_id": "nobody", "enabled": null }] });
    let (gateway, mut revision) = (t.client(Role::Gateway, None).await, None);
    for _ in 0..2 {
        admin.put(ACCESS, &back).await.expect(200);
        assert!(!allowed(&user).await && allowed(&other).await);
        let list = admin.get(ACCESS).await.expect(200).json();
        let mine = list["data"].as_array().unwrap().iter().find(|one| one["user_id"] == id.as_str()).unwrap();
        assert_eq!((&mine["enabled"], &mine["has_override"]), (&json!(false), &json!(false)));
        let audit = admin.get("/v1/audit-events?action=user_access.changed").await.expect(200).json();
        let after = &audit["data"][0]["after"];
        assert_eq!(after["users"], json!([{ "user_id": id, "enabled": null }]), "{audit}");
        assert_eq!(audit["total"], 5, "{audit}");
        let served = gateway.get("/v1/gateway/changes").await.expect(200).json();
        assert_eq!(
            *revision.get_or_insert_with(|| served["revision"].clone()),
            served["revision"],
            "{served}"
        );
    }
    admin.put(ACCESS, &json!({ "default_user_access": "allow" })).await.expect(200);
    assert!(allowed(&user).await, "the default holds again");
    for (item, pointer) in [
        (json!({ "enabled": null }), "/user_access/0/user_id"),
        (json!({ "user_id": id }), "/user_access/0/enabled"),
        (json!({ "user_id": id, "enabled": "default" }), "/user_access/0/enabled"),
        (json!({ "id": "", "enabled": true }), "/user_access/0/id"),
    ] {
        let refused = admin.put(ACCESS, &json!({ "user_access": [item] })).await.expect(422);
        assert!(refused.errors().iter().any(|(_, at)| at == pointer), "{item}: {}", refused.text);
    }

    // What holds above is never widened.
    let off = json!({ "workspaces": [{ "id": "acme", "enabled": false }] });
    admin.put("/v1/mcp-integrations/linear/workspaces", &off).await.expect(200);
    assert!(!allowed(&user).await);
    admin.put(ACCESS, &json!({ "default_user_access": "maybe" })).await.expect(422);
}
