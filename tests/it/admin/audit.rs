//! The audit log: filters in the address, a stretch at a time, and the same as a file.

use super::Browser;
use registry::NewWorkspace;
use registry_core::permission::Role;
use serde_json::Value;
use support::{Engine, Reply, TestServer};

/// The numbers of the events on a page, as it lists them.
fn numbers(page: &Reply) -> Vec<i64> {
    let parts = page.text.split(r#"<li id="event-"#).skip(1);
    parts.map(|part| part.split('"').next().unwrap().parse().unwrap()).collect()
}

fn link<'a>(page: &'a Reply, rel: &str) -> Option<&'a str> {
    let before = page.text.split(&format!(r#"" rel="{rel}""#)).next()?;
    (before.len() < page.text.len()).then(|| before.rsplit('"').next().unwrap())
}

async fn workspaces(t: &TestServer, count: usize) {
    for number in 0..count {
        let new = NewWorkspace { name: format!("w{number}"), slug: None, description: None };
        t.inner.registry.workspaces().create(&t.inner.admin(), new).await.unwrap();
    }
}

#[tokio::test]
async fn audit_filters_are_in_the_url_and_on_the_page() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        filter(TestServer::new(engine).await).await;
    }
}

async fn filter(t: TestServer) {
    t.inner.workspace("acme").await;
    t.inner.integration("linear", "https://mcp.linear.app/mcp", None).await;
    let nobody = Browser::nobody(&t);
    nobody.post("/ui/sign-in", &[("email", "eve@acme.com"), ("password", "wrong")]).await.expect(422);
    let browser = Browser::sign_in(&t).await;
    let kinds =
        ["workspace.created", "integration.created", "user.sign_in_refused", "user.signed_in_by_link"];
    for (query, found) in [
        ("", vec![0, 1, 2, 3]),
        ("action=workspace.", vec![0]),
        ("action=integration.created", vec![1]),
        ("result=refused", vec![2]),
        ("result=done", vec![0, 1, 3]),
        ("object=linear", vec![1]),
        ("object=workspace", vec![0]),
        ("actor=OPERATOR", vec![0, 1]),
        ("actor=visitor&result=refused", vec![2]),
        ("from=2020-01-01&to=2999-12-31", vec![0, 1, 2, 3]),
        ("from=2999-01-01", vec![]),
        ("to=2020-01-01", vec![]),
    ] {
        let page = browser.get(&format!("/ui/audit?{query}")).await.expect(200);
        for (number, kind) in kinds.iter().enumerate() {
            let shown = page.text.contains(&format!("<code>{kind}</code>"));
            assert_eq!(shown, found.contains(&number), "{query}: {kind}");
        }
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let field = page.text.split(&format!(r#" name="{name}""#)).nth(1).unwrap();
            let field = field.split("</div>").next().unwrap();
            assert!(field.contains(&format!(r#"value="{value}""#)), "{query}: {field}");
        }
        let files = format!("/ui/audit.csv?{}", query.replace('&', "&#38;"));
        assert!(page.text.contains(&files), "the files take the same filters: {files}");
        if found.is_empty() {
            assert!(
                page.text.contains("Nothing fits")
                    && page.text.contains("The log covers everything since 20")
            );
        }
    }
    let odd = browser.get("/ui/audit?from=yesterday&action=workspace.").await.expect(422);
    assert!(
        odd.text.contains("<title>Problem: ") && odd.text.contains(r##"<a href="#from">"##),
        "{}",
        odd.text
    );
    assert!(odd.text.contains(r#"type="text" value="yesterday""#), "what was typed stays: {}", odd.text);
}

/// What users did is shown first; what API keys and workers did, on request.
#[tokio::test]
async fn audit_log_begins_with_what_users_did() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let t = TestServer::new(engine).await;
        t.inner.workspace("by-operator").await;
        let body = serde_json::json!({ "name": "By key", "slug": "by-key" });
        t.client(Role::Admin, None).await.post("/v1/workspaces", &body).await.expect(200);
        let db = t.inner.database.connect().await;
        let sql = "UPDATE audit_event SET door = 'worker' WHERE subject_name = 'by-worker'";
        t.inner.workspace("by-worker").await;
        sea_orm::ConnectionTrait::execute_unprepared(&db, sql).await.unwrap();
        let browser = Browser::sign_in(&t).await;
        for (switches, shown) in [
            ("", vec!["by-operator"]),
            ("&programs=on", vec!["by-operator", "by-key"]),
            ("&worker=on", vec!["by-operator", "by-worker"]),
            ("&programs=on&worker=on", vec!["by-operator", "by-key", "by-worker"]),
        ] {
            let page = browser.get(&format!("/ui/audit?action=workspace.{switches}")).await.expect(200);
            for name in ["by-operator", "by-key", "by-worker"] {
                let link = format!(">{name}</a>");
                assert_eq!(page.text.contains(&link), shown.contains(&name), "{switches}: {name}");
            }
            assert_eq!(
                page.text.contains("With API keys, tokens and workers"),
                shown.len() < 3,
                "{switches}"
            );
        }
    }
}

#[tokio::test]
async fn save_of_a_configuration_is_a_sentence_with_its_members() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let t = TestServer::new(engine).await;
        t.inner.integration("linear", "https://mcp.linear.app/mcp", None).await;
        let scope =
            registry::ConfigurationScope::Integration(registry_core::slug::Reference::parse("linear"));
        for text in [
            r#"{"oauth_client_metadata":{"client_name":"Acme","scope":"read"}}"#,
            r#"{"oauth_client_metadata":{"client_name":"Acme <b>","scope":"read write"}}"#,
        ] {
            let set = t.inner.registry.configurations();
            set.set(&t.inner.admin(), &scope, Some(text.to_owned()), None, None).await.unwrap();
        }
        let browser = Browser::sign_in(&t).await;
        let page = browser.get("/ui/audit?action=configuration.").await.expect(200);
        let newest = page.text.split("<li id=").nth(1).unwrap();
        for part in [
            "changed <code>client_name</code> and <code>scope</code> of <a href=",
            "</a>, v1 → v2</span>",
            "2 members changed",
            "<del>Acme</del>",
            "<ins>Acme &#60;b&#62;</ins>",
        ] {
            assert!(newest.contains(part), "{part}: {newest}");
        }
    }
}

#[tokio::test]
async fn audit_entry_shows_before_and_after_without_secrets() {
    let t = TestServer::new(Engine::Sqlite).await;
    let configuration = r#"{"oauth_client_metadata":{"client_id":"abc","client_secret":"canary-7Yt"}}"#;
    t.inner.integration("linear", "https://mcp.linear.app/mcp", Some(configuration)).await;
    let browser = Browser::sign_in(&t).await;
    let page = browser.get("/ui/audit?action=integration.").await.expect(200);
    assert!(page.text.contains(" members<span") && page.text.contains("client_secret"));
    assert!(page.text.contains(r#"<a href="/ui/integrations/"#), "the object is a link");
    let csv = browser.get("/ui/audit.csv").await.expect(200);
    let lines = browser.get("/ui/audit.jsonl").await.expect(200);
    for reply in [page, csv, lines] {
        assert!(!reply.text.contains("canary-7Yt"), "{}", reply.text);
    }
}

#[tokio::test]
async fn audit_paging_misses_nothing_while_the_log_grows() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        read_on(TestServer::new(engine).await).await;
    }
}

async fn read_on(t: TestServer) {
    workspaces(&t, 120).await;
    let browser = Browser::sign_in(&t).await;
    let mut page = browser.get("/ui/audit?action=workspace.").await.expect(200);
    let mut seen = numbers(&page);
    assert!(link(&page, "prev").is_none(), "nothing is newer");
    while let Some(older) = link(&page, "next").map(|link| link.replace("&#38;", "&")) {
        workspaces_again(&t, seen.len()).await;
        assert!(older.contains("action=workspace."), "{older}");
        page = browser.get(&older).await.expect(200);
        seen.extend(numbers(&page));
    }
    assert_eq!(seen, (1..=120).rev().collect::<Vec<i64>>(), "each once, whatever came in between");
    let back = link(&page, "prev").unwrap().replace("&#38;", "&");
    let newer = numbers(&browser.get(&back).await.expect(200));
    assert_eq!(newer, (21..=70).rev().collect::<Vec<i64>>());
}

async fn workspaces_again(t: &TestServer, number: usize) {
    let new = NewWorkspace { name: format!("later {number}"), slug: None, description: None };
    t.inner.registry.workspaces().create(&t.inner.admin(), new).await.unwrap();
}

#[tokio::test]
async fn audit_export_holds_every_matching_entry() {
    let t = TestServer::new(Engine::Sqlite).await;
    // More than are sent in one part.
    workspaces(&t, 520).await;
    let browser = Browser::sign_in(&t).await;
    let csv = browser.get("/ui/audit.csv?action=workspace.").await.expect(200);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"audit.csv\"");
    let rows: Vec<&str> = csv.text.trim_end().split("\r\n").collect();
    assert!(rows[0].starts_with("number,created_at,actor_kind,"), "{}", rows[0]);
    assert_eq!(rows.len(), 521, "one head and every event");
    assert!(!csv.text.contains("user.signed_in_by_link"));
    let lines = browser.get("/ui/audit.jsonl?action=workspace.").await.expect(200);
    assert_eq!(lines.header("content-type"), "application/jsonl; charset=utf-8");
    let events: Vec<Value> = lines.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<i64> = events.iter().map(|event| event["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=520).rev().collect::<Vec<i64>>());
    assert_eq!(events[0]["action"], "workspace.created");
    browser.get("/ui/audit.csv?from=yesterday").await.expect(422);
}

#[tokio::test]
async fn csv_cells_are_never_formulas() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    let form = [("name", "=cmd()"), ("role", "viewer"), ("access", "all"), ("workspace", ""), ("days", "30")];
    browser.post("/ui/api-keys/new", &form).await.expect(200);
    let csv = browser.get("/ui/audit.csv?action=api_key.").await.expect(200);
    assert!(csv.text.contains(",'=cmd(),"), "{}", csv.text);
    assert!(!csv.text.contains(",=cmd()"), "{}", csv.text);
}

#[tokio::test]
async fn audit_log_requires_an_admin() {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.workspace("acme").await;
    Browser::sign_in(&t).await;
    let viewer = Browser::invited(&t, "vi@acme.com", Role::Viewer, None).await;
    let bound = Browser::invited(&t, "bo@acme.com", Role::Admin, Some("acme")).await;
    for path in ["/ui/audit", "/ui/audit.csv", "/ui/audit.jsonl"] {
        viewer.get(path).await.expect(403);
        bound.get(path).await.expect(403);
    }
    assert!(!viewer.get("/ui/integrations").await.text.contains(r#"href="/ui/audit""#));
}
