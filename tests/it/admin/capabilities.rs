//! The pages of capabilities: what is known, what is switched, and who may switch.

use super::Browser;
use registry::ServerRef;
use registry_core::capability::MAX_KEY;
use registry_core::permission::Role;
use registry_core::slug::Reference;
use reqwest::header::LOCATION;
use rstest::rstest;
use serde_json::{Value, json};
use support::{Engine, TestServer};

pub(super) const URL: &str = "https://mcp.linear.app/mcp";
const INTEGRATION: &str = "/ui/integrations/linear/capabilities";
const SERVER: &str = "/ui/workspaces/acme/servers/linear/capabilities";
/// A resource as servers name them.
const RESOURCE: &str = "file:///a b/<x>?y=1&z=%41+\"'";

pub(super) fn server() -> ServerRef {
    ServerRef { server: Reference::parse("linear"), workspace: Some(Reference::parse("acme")) }
}

/// An integration with a server, where a gateway has seen nothing yet.
pub(super) async fn unseen(engine: Engine) -> TestServer {
    let t = TestServer::new(engine).await;
    t.inner.workspace("acme").await;
    t.inner.integration("linear", URL, None).await;
    t.inner.server("linear", "acme").await;
    t
}

async fn seen(t: &TestServer, items: Vec<Value>) {
    let capabilities = t.inner.registry.capabilities();
    let synced = capabilities.sync_server(&t.inner.admin(), &server(), items).await.unwrap();
    assert!(synced.findings.0.is_empty(), "{:?}", synced.findings);
}

fn items() -> Vec<Value> {
    vec![
        json!({ "type": "tool", "name": "create_issue", "title": "Create an issue", "description": "Writes <b>one</b>." }),
        json!({ "type": "tool", "name": "delete_issue", "annotations": { "title": "Delete an issue" } }),
        json!({ "type": "prompt", "name": "triage", "description": "x".repeat(5_000) }),
        json!({ "type": "resource", "uri": RESOURCE, "name": "A file" }),
        json!({ "type": "resource_template", "uri_template": "file:///{path}", "name": "Files" }),
    ]
}

/// The names that may not be offered at the integration and at the server.
async fn off(t: &TestServer) -> (Vec<String>, Vec<String>) {
    let (capabilities, admin) = (t.inner.registry.capabilities(), t.inner.admin());
    let above = capabilities.of_integration(&admin, &"linear".into(), None, None).await.unwrap();
    let own = capabilities.of_server(&admin, &server(), None, None).await.unwrap();
    let names = |page: registry::CapabilityPage| {
        page.page.items.into_iter().filter(|one| !one.enabled).map(|one| one.key).collect()
    };
    (names(above), names(own))
}

/// The values of the hidden fields `name` on a page.
fn values(page: &str, name: &str) -> Vec<String> {
    let start = format!("name=\"{name}\" value=\"");
    page.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn capabilities_are_shown_searched_and_switched(#[case] engine: Engine) {
    let t = unseen(engine).await;
    let browser = Browser::sign_in(&t).await;
    for path in [INTEGRATION, SERVER] {
        let page = browser.get(path).await.expect(200).text;
        assert!(page.contains("Nothing is known yet") && page.contains("Gateways report"), "{page}");
    }
    seen(&t, items()).await;
    let page = browser.get(INTEGRATION).await.expect(200).text;
    for words in [
        "2 of 2 on",
        "5 of 5 on",
        "Create an issue",
        "Delete an issue",
        "Writes &#60;b&#62;one",
        "file:///{path}",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("<x>") && !page.contains(&"x".repeat(4_500)), "escaped and cut: {page}");
    assert_eq!(values(&page, "was_on").len(), 5);

    for (query, found, absent) in [
        ("?q=DELETE", "delete_issue", "create_issue"),
        ("?q=file", "A file", "triage"),
        ("?kind=prompt", "triage", "delete_issue"),
        ("?q=nobody", "No capability matches “nobody”", "triage"),
    ] {
        let page = browser.get(&format!("{INTEGRATION}{query}")).await.expect(200).text;
        assert!(page.contains(found) && !page.contains(absent), "{query}: {page}");
    }
    browser.get(&format!("{INTEGRATION}?kind=toll")).await.expect(422);

    // The resource and one tool are switched off; the form is sent as the page has it.
    let was_on = values(&page, "was_on");
    let stays = |value: &&String| !value.contains("delete_issue") && !value.starts_with("resource:");
    let form: Vec<_> = was_on
        .iter()
        .map(|value| ("was_on", value.as_str()))
        .chain(was_on.iter().filter(stays).map(|value| ("on", value.as_str())))
        .collect();
    let saved = browser.post(&format!("{INTEGRATION}?q=e"), &form).await.expect(303);
    assert_eq!(saved.headers[LOCATION], format!("{INTEGRATION}?q=e&done=switched-2"));
    let both = vec!["delete_issue".to_owned(), RESOURCE.to_owned()];
    assert_eq!(off(&t).await, (both.clone(), both.clone()));
    let page = browser.get(INTEGRATION).await.expect(200).text;
    assert!(page.contains("1 of 2 on") && page.contains("3 of 5 on"), "{page}");

    // Nothing that was not changed is sent, so what another user switched meanwhile stays.
    let unchanged = browser.post(INTEGRATION, &[("was_off", "tool:create_issue")]).await.expect(303);
    assert_eq!(unchanged.headers[LOCATION], format!("{INTEGRATION}?done=switched-0"));
    assert_eq!(off(&t).await.0, both);

    // The server shows why they are off, and has no switch for them; it narrows further.
    let page = browser.get(SERVER).await.expect(200).text;
    assert!(page.contains("Off above") && !page.contains("value=\"tool:delete_issue\""), "{page}");
    browser.post(SERVER, &[("was_on", "prompt:triage")]).await.expect(303);
    browser.post(SERVER, &[("was_off", "tool:delete_issue"), ("on", "tool:delete_issue")]).await.expect(303);
    let (above, own) = off(&t).await;
    assert_eq!((above.len(), own.len()), (2, 3), "{own:?}");
    browser.post(SERVER, &[("was_off", "prompt:triage"), ("on", "prompt:triage")]).await.expect(303);
    assert_eq!(off(&t).await.1.len(), 2);

    // The integration takes it back for all.
    let again = values(&browser.get(INTEGRATION).await.expect(200).text, "was_off");
    let form: Vec<_> =
        again.iter().flat_map(|value| [("was_off", value.as_str()), ("on", value.as_str())]).collect();
    let saved = browser.post(INTEGRATION, &form).await.expect(303);
    assert_eq!(saved.headers[LOCATION], format!("{INTEGRATION}?done=switched-2"));
    assert_eq!(off(&t).await, (Vec::new(), Vec::new()));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn capability_is_switched_off_before_anybody_saw_it(#[case] engine: Engine) {
    let t = unseen(engine).await;
    let browser = Browser::sign_in(&t).await;
    for (path, name) in [(INTEGRATION, "drop_table"), (SERVER, "drop_schema")] {
        let form = [("kind", "tool"), ("name", name)];
        let saved = browser.post(&format!("{path}/off"), &form).await.expect(303);
        let page = browser.get(saved.headers[LOCATION].to_str().unwrap()).await.expect(200).text;
        assert!(page.contains(name) && page.contains("Not seen yet"), "{page}");
        assert!(page.contains("It is off."), "{page}");
        let long = "x".repeat(MAX_KEY + 1);
        for (name, words) in [("", "1 to 1024 bytes"), (long.as_str(), "1 to 1024 bytes")] {
            let refused = browser.post(&format!("{path}/off"), &[("kind", "tool"), ("name", name)]).await;
            let refused = refused.expect(422).text;
            assert!(refused.contains("role=\"alert\"") && refused.contains(words), "{refused}");
            assert!(refused.contains(&format!("value=\"{name}\"")), "what was typed is kept");
        }
    }
    assert_eq!(
        off(&t).await,
        (vec!["drop_table".to_owned()], vec!["drop_schema".to_owned(), "drop_table".to_owned()])
    );
}

#[tokio::test]
async fn many_capabilities_are_cut_into_pages() {
    let t = unseen(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    let tools = (0..1_150).map(|number| json!({ "type": "tool", "name": format!("t{number:04}") }));
    seen(&t, tools.collect()).await;
    let page = browser.get(INTEGRATION).await.expect(200).text;
    assert!(page.contains("1–100 of 1150") && page.contains("rel=\"next\"") && !page.contains("t0100"));
    let last = browser.get(&format!("{INTEGRATION}?page=11")).await.expect(200).text;
    assert!(last.contains("1101–1150 of 1150") && last.contains("t1149") && !last.contains("rel=\"next\""));
    // A page that is gone shows the last one.
    let beyond = browser.get(&format!("{INTEGRATION}?page=999")).await.expect(200).text;
    assert!(beyond.contains("1101–1150 of 1150"));
    let none = browser.get(&format!("{INTEGRATION}?page=11&mark=none")).await.expect(200).text;
    assert!(!none.contains(" checked"), "preset, and not saved");
    let saved = browser
        .post(&format!("{INTEGRATION}?page=11&mark=none"), &[("was_on", "tool:t1149")])
        .await
        .expect(303);
    assert_eq!(saved.headers[LOCATION], format!("{INTEGRATION}?page=11&done=switched-1"));
}

#[tokio::test]
async fn viewers_and_users_of_workspaces_only_look() {
    let t = unseen(Engine::Sqlite).await;
    seen(&t, items()).await;
    let viewer = Browser::invited(&t, "viewer@acme.com", Role::Viewer, None).await;
    let bound = Browser::invited(&t, "bound@acme.com", Role::Manager, Some("acme")).await;
    for (who, browser, path, may_switch) in [
        ("viewer", &viewer, INTEGRATION, false),
        ("viewer", &viewer, SERVER, false),
        ("manager of the workspace", &bound, INTEGRATION, false),
        ("manager of the workspace", &bound, SERVER, true),
    ] {
        let page = browser.get(path).await.expect(200).text;
        assert!(page.contains("Create an issue"), "{who}, {path}");
        assert_eq!(page.contains("type=\"checkbox\""), may_switch, "{who}, {path}");
        assert_eq!(page.contains("You can look at this."), !may_switch, "{who}, {path}");
        assert_eq!(page.contains(&format!("action=\"{path}/off\"")), may_switch, "{who}, {path}");
        let status = if may_switch { 303 } else { 403 };
        browser.post(path, &[("was_on", "prompt:triage")]).await.expect(status);
        let unseen = [("kind", "tool"), ("name", "drop_table")];
        browser.post(&format!("{path}/off"), &unseen).await.expect(status);
    }
    assert!(off(&t).await.0.is_empty());
}
