//! Pages that say what went wrong: in words, with the request's id and a way back.

use super::Browser;
use registry_core::permission::Role;
use reqwest::Method;
use reqwest::header::REFERER;
use sea_orm::ConnectionTrait;
use support::{Client, Engine, Reply, TestServer};

/// What every such page must say.
fn assert_page(page: &Reply, status: u16, heading: &str) {
    assert_eq!(page.status.as_u16(), status, "{}", page.text);
    assert!(page.text.contains(&format!("<h1>{heading}</h1>")), "{heading}: {}", page.text);
    assert!(page.text.contains(&format!("<title>{heading}")), "{}", page.text);
    assert!(page.text.contains(&format!("Status {status}. Request <code>")), "{}", page.text);
    assert!(page.text.contains(r#"href="/ui/integrations">Integrations</a>"#), "a way back");
    let shown = page.text.split("Request <code>").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(shown.len(), 36, "{shown}");
}

#[tokio::test]
async fn failure_pages_say_what_went_wrong() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    let viewer = Browser::invited(&t, "vi@acme.com", Role::Viewer, None).await;

    let forbidden = viewer.get("/ui/audit").await;
    assert_page(&forbidden, 403, "You may not do this");
    assert!(forbidden.text.contains("it needs <code>admin</code>"), "names the role: {}", forbidden.text);

    let foreign = browser.request(Method::POST, "/ui/theme").header("sec-fetch-site", "cross-site");
    assert_page(&Client::send(foreign.form(&[("theme", "dark")])).await, 403, "You may not do this");

    for path in ["/ui/nothing", "/ui/integrations/nothing", "/ui/api-keys/no-id/rotate", "/ui/audit?before=x"]
    {
        assert_page(&browser.get(path).await, 404, "There is nothing here");
    }

    let large = "x".repeat(1_100_000);
    let large = browser
        .request(Method::POST, "/ui/workspaces/new")
        .header("sec-fetch-site", "same-origin")
        .header(REFERER, format!("{}/ui/workspaces/new", t.url))
        .form(&[("name", large.as_str())]);
    let large = Client::send(large).await;
    assert_page(&large, 413, "This is too large");
    assert!(
        large.text.contains(r#"href="/ui/workspaces/new">Back to the page before</a>"#),
        "{}",
        large.text
    );
}

#[tokio::test]
async fn expired_key_action_is_a_conflict() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    let client = t.client(Role::Admin, None).await;
    let key =
        client.get("/v1/api-keys").await.expect(200).json()["data"][0]["id"].as_str().unwrap().to_owned();
    browser.post(&format!("/ui/api-keys/{key}/revoke"), &[]).await.expect(303);
    let page = browser.post(&format!("/ui/api-keys/{key}/rotate"), &[]).await;
    assert_page(&page, 409, "Conflict with the present state");
    assert!(page.text.contains("This key is revoked or expired. Create a new one instead."), "{}", page.text);
}

#[tokio::test]
async fn internal_error_reveals_no_internals() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    browser.get("/ui/api-keys").await.expect(200);
    t.inner
        .database
        .connect()
        .await
        .execute_unprepared("ALTER TABLE api_key RENAME COLUMN reason TO gone")
        .await
        .unwrap();
    let page = browser.get("/ui/api-keys").await;
    assert_page(&page, 500, "Unexpected server error");
    assert!(page.text.contains(r#"href="/ui/api-keys">Try again</a>"#), "{}", page.text);
    for inside in ["api_key.", "SELECT", "no such column", "sqlx", "reason"] {
        assert!(!page.text.contains(inside), "{inside}: {}", page.text);
    }
}

#[tokio::test]
async fn page_number_beyond_the_last_gives_an_empty_page() {
    let t = TestServer::new(Engine::Sqlite).await;
    let admin = Browser::sign_in(&t).await;
    for list in
        ["integrations", "workspaces", "registrations", "orphans", "api-keys", "settings/people", "audit"]
    {
        for page in ["99999999999999999", "9223372036854775807", "18446744073709551615"] {
            let reply = admin.get(&format!("/ui/{list}?page={page}")).await;
            assert!([200, 400].contains(&reply.status.as_u16()), "{list} {page}: {}", reply.status);
        }
    }
}
