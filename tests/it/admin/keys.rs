//! API keys: shown once, minimal access, rotation and revocation.

use super::Browser;
use chrono::Duration;
use registry::{ApiKeyFilter, PageRequest};
use registry_core::id::ApiKeyId;
use registry_core::permission::Role;
use reqwest::header::LOCATION;
use support::{Engine, Reply, TestServer};

const NEW: &str = "/ui/api-keys/new";

/// The key on a page that shows one.
fn shown(page: &Reply) -> String {
    let start = page.text.find(">mcpr_").unwrap_or_else(|| panic!("no key: {}", page.text)) + 1;
    page.text[start..].split('<').next().unwrap().to_owned()
}

async fn make(browser: &Browser, fields: &[(&str, &str)]) -> String {
    let mut form = vec![("name", "ci"), ("workspace", ""), ("days", "30"), ("access", "all")];
    form.retain(|(name, _)| !fields.iter().any(|(given, _)| given == name));
    form.extend(fields);
    shown(&browser.post(NEW, &form).await.expect(200))
}

async fn status(t: &TestServer, key: &str) -> u16 {
    t.with_token(key).get("/v1/workspaces").await.status.as_u16()
}

/// The one key of this name that was not replaced.
async fn id(t: &TestServer, name: &str) -> ApiKeyId {
    let all = PageRequest::new(0, 100);
    let keys =
        t.inner.registry.api_keys().list(&t.inner.admin(), ApiKeyFilter::default(), all).await.unwrap();
    keys.items.into_iter().find(|key| key.name == name && key.replaced_by.is_none()).unwrap().id
}

#[tokio::test]
async fn api_key_is_shown_once() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    let empty = browser.get("/ui/api-keys").await.expect(200);
    let example = format!("curl -H &#39;x-portkey-api-key: mcpr_…&#39; {}/v1/mcp-integrations", t.url);
    assert!(empty.text.contains("No keys yet") && empty.text.contains("curl -H"), "{}", empty.text);
    assert!(empty.text.replace('\'', "&#39;").contains(&example), "{}", empty.text);
    let made = browser
        .post(
            NEW,
            &[("name", "<ci>"), ("role", "viewer"), ("access", "all"), ("workspace", ""), ("days", "30")],
        )
        .await
        .expect(200);
    assert_eq!(made.header("cache-control"), "no-store");
    assert!(made.text.contains("I have stored it") && made.text.contains("&#60;ci&#62;"), "{}", made.text);
    let key = shown(&made);
    assert_eq!((key.len(), status(&t, &key).await), (41, 200));
    let list = browser.get("/ui/api-keys").await.expect(200);
    assert!(!list.text.contains(&key), "shown once");
    assert!(list.text.contains(&key[..9]), "the beginning tells keys apart: {}", list.text);
}

#[tokio::test]
async fn refused_key_form_keeps_what_was_typed_and_creates_nothing() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    let good =
        [("name", "terraform eu"), ("role", "viewer"), ("access", "all"), ("workspace", ""), ("days", "30")];
    for (field, value, anchor) in [
        ("days", "never", "reason"),
        ("days", "0", "days"),
        ("days", "4000", "days"),
        ("days", "soon", "days"),
        ("role", "emperor", "role"),
        ("access", "chosen", "scopes"),
        ("name", " ", "name"),
    ] {
        let mut form = good.to_vec();
        form.retain(|(name, _)| *name != field);
        form.push((field, value));
        let page = browser.post(NEW, &form).await.expect(422);
        assert!(page.text.contains("<title>Problem: "), "{field}: {}", page.text);
        assert!(page.text.contains(&format!(r##"<a href="#{anchor}">"##)), "{field}={value}: {}", page.text);
        assert!(page.text.contains(&format!(r#"id="{anchor}""#)), "{anchor} is on the page");
        assert!(field == "name" || page.text.contains(r#"value="terraform eu""#), "{}", page.text);
    }
    let mut beyond = good.to_vec();
    beyond[2] = ("access", "chosen");
    beyond.extend([("scopes", "registrations.read"), ("scopes", "api_keys.manage")]);
    let page = browser.post(NEW, &beyond).await.expect(422);
    assert!(page.text.contains("The role <code>viewer</code> does not have <code>api_keys.manage</code>"));
    assert!(page.text.contains(r#"value="registrations.read" checked"#), "{}", page.text);
    assert!(browser.get("/ui/api-keys").await.text.contains("No keys yet"));
    // A reason makes it possible, and is shown beside it.
    let reason = "The provider cannot rotate yet";
    make(&browser, &[("role", "viewer"), ("days", "never"), ("reason", reason)]).await;
    assert!(browser.get("/ui/api-keys").await.text.contains(reason));
}

#[tokio::test]
async fn api_key_has_only_the_chosen_access() {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.workspace("acme").await;
    t.inner.workspace("other").await;
    let browser = Browser::sign_in(&t).await;
    let reads = t.with_token(&make(&browser, &[("role", "admin"), ("access", "read")]).await);
    reads.get("/v1/workspaces").await.expect(200);
    let new = serde_json::json!({ "name": "Third" });
    reads.post("/v1/workspaces", &new).await.expect(403);
    reads.get("/v1/api-keys").await.expect(403);
    let writes = t.with_token(&make(&browser, &[("role", "admin"), ("access", "write")]).await);
    writes.post("/v1/workspaces", &new).await.expect(200);
    writes.get("/v1/api-keys").await.expect(403);
    let bound = t.with_token(&make(&browser, &[("role", "viewer"), ("workspace", "acme")]).await);
    let seen = bound.get("/v1/workspaces").await.expect(200).json();
    let slugs: Vec<&str> =
        seen["data"].as_array().unwrap().iter().map(|one| one["slug"].as_str().unwrap()).collect();
    assert_eq!(slugs, ["acme"]);
    let chosen = [("role", "viewer"), ("access", "chosen"), ("scopes", "registrations.read")];
    let narrow = t.with_token(&make(&browser, &chosen).await);
    narrow.get("/v1/registrations").await.expect(200);
    narrow.get("/v1/workspaces").await.expect(403);
}

#[tokio::test]
async fn rotated_key_works_for_a_day_beside_the_new_one() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    let old = make(&browser, &[("role", "viewer"), ("days", "90")]).await;
    let path = format!("/ui/api-keys/{}/rotate", id(&t, "ci").await);
    assert!(browser.get(&path).await.expect(200).text.contains("24 hours more"));
    let page = browser.post(&path, &[]).await.expect(200);
    let new = shown(&page);
    assert!(old != new && page.text.contains("The old key works for 24 hours more."), "{}", page.text);
    assert_eq!((status(&t, &old).await, status(&t, &new).await), (200, 200));
    let again = browser.post(&path, &[]).await.expect(409);
    assert!(again.text.contains("was rotated already"), "{}", again.text);
    t.inner.clock.advance(Duration::hours(24) - Duration::seconds(1));
    assert_eq!((status(&t, &old).await, status(&t, &new).await), (200, 200));
    t.inner.clock.advance(Duration::seconds(1));
    assert_eq!((status(&t, &old).await, status(&t, &new).await), (401, 200));
}

#[tokio::test]
async fn revoked_key_stops_immediately_and_the_question_shows_its_last_use() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    let key = make(&browser, &[("role", "viewer")]).await;
    let path = format!("/ui/api-keys/{}/revoke", id(&t, "ci").await);
    assert!(browser.get(&path).await.expect(200).text.contains("It was never used."));
    assert_eq!(status(&t, &key).await, 200);
    let asked = browser.get(&path).await.expect(200);
    assert!(asked.text.contains("It was last used now from 127.0.0.1"), "{}", asked.text);
    assert_eq!(status(&t, &key).await, 200, "asking ends nothing");
    let done = browser.post(&path, &[]).await.expect(303);
    assert_eq!(status(&t, &key).await, 401);
    let list = browser.get(done.headers[LOCATION].to_str().unwrap()).await.expect(200);
    assert!(list.text.contains("The key is revoked.") && list.text.contains("No key works any more"));
    let ended = browser.get("/ui/api-keys?state=ended").await.expect(200);
    assert!(ended.text.contains("Revoked ") && !ended.text.contains("/revoke\""), "{}", ended.text);
}

#[tokio::test]
async fn keys_that_expire_within_fourteen_days_are_amber() {
    let t = TestServer::new(Engine::Sqlite).await;
    make(&Browser::sign_in(&t).await, &[("role", "viewer"), ("days", "30")]).await;
    // Sessions end meanwhile, so each look is a new one.
    for (days, amber) in [(15, false), (2, true), (12, true)] {
        t.inner.clock.advance(Duration::days(days));
        let page = Browser::sign_in(&t).await.get("/ui/api-keys").await.expect(200);
        assert_eq!(page.text.contains(r#"<span class="warn-t">in "#), amber, "{days}: {}", page.text);
    }
    t.inner.clock.advance(Duration::days(2));
    let ended = Browser::sign_in(&t).await.get("/ui/api-keys?state=ended").await.expect(200);
    assert!(ended.text.contains("Expired "), "{}", ended.text);
}

#[tokio::test]
async fn keys_page_requires_an_admin() {
    let t = TestServer::new(Engine::Sqlite).await;
    let admin = Browser::sign_in(&t).await;
    make(&admin, &[("role", "viewer")]).await;
    let key = id(&t, "ci").await;
    let manager = Browser::invited(&t, "mo@acme.com", Role::Manager, None).await;
    assert!(!manager.get("/ui/integrations").await.expect(200).text.contains(r#"href="/ui/api-keys""#));
    for path in [
        "/ui/api-keys".to_owned(),
        NEW.to_owned(),
        format!("/ui/api-keys/{key}/rotate"),
        format!("/ui/api-keys/{key}/revoke"),
    ] {
        let page = manager.get(&path).await.expect(403);
        assert!(page.text.contains("<code>api_keys.manage</code>"), "{path}: {}", page.text);
    }
    for path in [format!("/ui/api-keys/{key}/rotate"), format!("/ui/api-keys/{key}/revoke")] {
        manager.post(&path, &[]).await.expect(403);
    }
    let form = [("name", "mine"), ("role", "admin"), ("access", "all"), ("workspace", ""), ("days", "30")];
    manager.post(NEW, &form).await.expect(403);
    assert!(!admin.get("/ui/api-keys").await.text.contains("mine"));
}
