//! Saving a configuration, and its history, as a browser without script uses them.

use super::Browser;
use crate::worker::{Working, registration_in, registration_when, upstream};
use registry::ConfigurationScope;
use registry_core::permission::Role;
use registry_core::registration::State;
use registry_core::slug::Reference;
use registry_outbound::Limits;
use registry_sandbox::Quirks;
use reqwest::header::LOCATION;
use support::{Engine, Reply, TestServer};

const PATH: &str = "/ui/integrations/linear/config";

fn named(name: &str) -> String {
    format!("{{\n  \"oauth_client_metadata\": {{\n    \"client_name\": \"{name}\"\n  }}\n}}")
}

async fn linear(t: &TestServer, configuration: Option<&str>) {
    t.inner.workspace("acme").await;
    t.inner.integration("linear", "https://mcp.linear.app/mcp", configuration).await;
    t.inner.server("linear", "acme").await;
}

/// Posts the editor's form with the text as it was typed on a version.
async fn post(browser: &Browser, text: &str, version: &str, base: &str, intent: &str) -> Reply {
    let form =
        [("configuration", text), ("version", version), ("base", base), ("intent", intent), ("note", "why")];
    browser.post(PATH, &form).await
}

async fn stored(t: &TestServer) -> String {
    let subject = ConfigurationScope::Integration(Reference::parse("linear"));
    t.inner.registry.configurations().get(&t.inner.admin(), &subject).await.unwrap().text.unwrap_or_default()
}

/// What a page shows, without its markup.
fn words(page: &Reply) -> String {
    let mut text = String::new();
    for part in page.text.split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, words)| words));
    }
    text.replace("&#34;", "\"").replace("&quot;", "\"")
}

#[tokio::test]
async fn review_shows_both_changes_and_no_secret() {
    let t = TestServer::new(Engine::Sqlite).await;
    linear(&t, Some(&named("Before"))).await;
    let browser = Browser::sign_in(&t).await;
    let typed = r#"{
  "oauth_client_metadata": {
    "client_name": "After",
    "client_id": "abc",
    "client_secret": "canary-7Yt"
  }
}"#;
    let page = post(&browser, typed, "1", "1", "review").await.expect(200);
    let shown = words(&page);
    for part in
        ["Before", "After", "a new secret", "client_name: ", "1 server gets its first client.", "acme/linear"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(
        page.text.contains("<del>Before</del>") && page.text.contains("<ins>After</ins>"),
        "{}",
        page.text
    );
    assert_eq!(page.text.matches("canary-7Yt").count(), 1, "only in the field that carries the text on");
    assert!(page.text.contains(r#"name="configuration" value="{"#), "which is hidden: {}", page.text);
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(stored(&t).await, named("Before"), "nothing is saved");

    // Back to editing with every character, and on to saving.
    let editing = post(&browser, typed, "1", "1", "edit").await.expect(200);
    assert!(editing.text.contains("canary-7Yt") && editing.text.contains("fields changed"));
    let saved = post(&browser, typed, "1", "1", "save").await.expect(303);
    let page = browser.get(saved.headers[LOCATION].to_str().unwrap()).await.expect(200);
    assert!(page.text.contains("Saved as v2. 1 registration queued."), "{}", page.text);
    assert!(!page.text.contains("canary-7Yt") && !stored(&t).await.contains("canary-7Yt"));

    // A text with errors goes back to the editor.
    let broken =
        post(&browser, "{\"oauth_client_metadata\": {\"scope\": 7}}", "2", "2", "review").await.expect(422);
    assert!(broken.text.contains("role=\"alert\"") && broken.text.contains("Problem:"));
}

#[tokio::test]
async fn unknown_button_saves_nothing() {
    let t = TestServer::new(Engine::Sqlite).await;
    linear(&t, Some(&named("Before"))).await;
    let browser = Browser::sign_in(&t).await;
    for (intent, status) in [("", 200), ("check", 200), ("nonsense", 422)] {
        post(&browser, &named("After"), "1", "1", intent).await.expect(status);
        assert_eq!(stored(&t).await, named("Before"), "{intent}");
    }
}

#[tokio::test]
async fn edit_conflict_shows_both_texts() {
    let t = TestServer::new(Engine::Sqlite).await;
    linear(&t, Some(&named("Base"))).await;
    let browser = Browser::sign_in(&t).await;
    post(&browser, &named("Theirs"), "1", "1", "save").await.expect(303);
    let mine = named("Mine  with  spaces");
    let conflict = post(&browser, &mine, "1", "1", "save").await.expect(409);
    assert!(conflict.text.contains("<title>Problem: "), "{}", conflict.text);
    for part in
        ["<del>Base</del>", "<ins>Theirs</ins>", "<del>Theirs</del>", "Save mine as v3", "Take theirs"]
    {
        assert!(conflict.text.contains(part), "{part}: {}", conflict.text);
    }
    assert!(words(&conflict).contains(&mine), "every typed character is kept: {}", words(&conflict));
    assert_eq!(stored(&t).await, named("Theirs"), "nothing is saved");
    // The form of the conflict's page was begun on theirs.
    assert!(
        conflict.text.contains(r#"name="version" value="2""#)
            && conflict.text.contains(r#"name="base" value="2""#)
    );
    post(&browser, &mine, "2", "2", "save").await.expect(303);
    assert_eq!(stored(&t).await, mine);

    // A new name of the integration is no conflict of configurations.
    let change = registry::IntegrationChange { name: Some("Linear".into()), ..Default::default() };
    t.inner.registry.integrations().update(&t.inner.admin(), &"linear".into(), change, None).await.unwrap();
    post(&browser, &named("Again"), "3", "3", "save").await.expect(303);

    // With errors of one's own the text comes back, too, and no secret is guessed at.
    let broken = "{\"oauth_client_metadata\": {\"client_secret\": \"canary-8\", \"scope\": 7}}";
    let conflict = post(&browser, broken, "1", "1", "review").await.expect(409);
    assert!(words(&conflict).contains("It can be shown once your text has no errors."));
    assert_eq!(conflict.text.matches("canary-8").count(), 1);
}

#[tokio::test]
async fn save_that_forces_users_to_sign_in_again_asks_for_confirmation() {
    let t = TestServer::new(Engine::Sqlite).await;
    let sandbox = upstream(&t.inner, Quirks { no_management: true, ..Quirks::default() }, None).await;
    let worker = Working::start(&t.inner.registry, Limits::default());
    registration_in(&t.inner, State::Registered).await;
    let browser = Browser::sign_in(&t).await;
    // A client that no gateway has fetched is replaced without a confirmation: no user can have signed in through it.
    let automatic =
        r#"{"registration": {"replace": "automatic"}, "oauth_client_metadata": {"client_name": "First"}}"#;
    let review = post(&browser, automatic, "1", "0", "review").await.expect(200);
    assert!(
        words(&review).contains("1 registered client: 1 replaced before their first use."),
        "{}",
        words(&review)
    );
    post(&browser, automatic, "1", "0", "save").await.expect(303);
    let first = registration_when(&t.inner, |detail| {
        detail.registration.state == State::Registered && detail.registration.generation == Some(2)
    })
    .await;
    let gateway = t.inner.actor(Role::Gateway, None).await;
    t.inner.registry.gateway().document(&gateway, "acme", "linear").await.unwrap();

    let new = automatic.replace("First", "New");
    let asked = post(&browser, &new, "2", "1", "save").await.expect(200);
    let shown = words(&asked);
    for part in [
        "must sign in again",
        "1 registered client: 1 replaced; users who signed in through that 1 must sign in again.",
        "acme/linear",
        "Save and re-register",
        "Save, re-register later",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(stored(&t).await, automatic, "nothing is saved yet");
    let saved = post(&browser, &new, "2", "1", "save-later").await.expect(303);
    let page = browser.get(saved.headers[LOCATION].to_str().unwrap()).await.expect(200);
    assert!(
        page.text.contains("Saved as v2. 1 registration queued, 1 of them for your approval."),
        "{}",
        page.text
    );
    let outdated = registration_in(&t.inner, State::Outdated).await;
    assert_eq!(outdated.registration.client_id, first.registration.client_id);

    let newer = automatic.replace("First", "Newer");
    let saved = post(&browser, &newer, "3", "2", "save-now").await.expect(303);
    assert!(saved.headers[LOCATION].to_str().unwrap().contains("done=saved-3-1-0"));
    let replaced = registration_in(&t.inner, State::Registered).await;
    worker.stop().await;
    assert_eq!(replaced.registration.generation, Some(3));
    sandbox.stop().await;
}

#[tokio::test]
async fn history_compares_and_restores_revisions() {
    let t = TestServer::new(Engine::Sqlite).await;
    linear(&t, None).await;
    let browser = Browser::sign_in(&t).await;
    let history = "/ui/integrations/linear/history";
    assert!(browser.get(history).await.expect(200).text.contains("Nothing was saved here yet"));
    for (index, name) in ["One", "Two", "Three"].into_iter().enumerate() {
        let version = (index + 1).to_string();
        post(&browser, &named(name), &version, &index.to_string(), "save").await.expect(303);
    }
    let page = browser.get(history).await.expect(200);
    for part in
        ["Version 3 compared with 2", "Restore v2", "<del>Two</del>", "<ins>Three</ins>", "ann, web", "why"]
    {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    let sent = browser.get(&format!("{history}?a=1&b=3&of=sent")).await.expect(200);
    assert!(
        words(&sent).contains("For acme / linear") && sent.text.contains("client_name: "),
        "{}",
        words(&sent)
    );
    browser.get(&format!("{history}?a=1&b=9")).await.expect(404);

    let asked = browser.get(&format!("{history}/restore?number=1")).await.expect(200);
    assert!(asked.text.contains("<del>Three</del>") && asked.text.contains("Restore v1"), "{}", asked.text);
    let stale =
        browser.post(&format!("{history}/restore"), &[("number", "1"), ("version", "3")]).await.expect(409);
    assert!(stale.text.contains("saved in the meantime"));
    let restored =
        browser.post(&format!("{history}/restore"), &[("number", "1"), ("version", "4")]).await.expect(303);
    let page = browser.get(restored.headers[LOCATION].to_str().unwrap()).await.expect(200);
    assert!(
        page.text.contains("Restored v1 as v4.") && words(&page).contains("Restored v1"),
        "{}",
        words(&page)
    );
    assert_eq!(stored(&t).await, named("One"));

    for other in [
        "/ui/settings/organisation",
        "/ui/workspaces/acme/integrations/linear",
        "/ui/workspaces/acme/servers/linear",
    ] {
        let page = browser.get(&format!("{other}/history")).await.expect(200);
        assert!(page.text.contains("Nothing was saved here yet"), "{other}");
    }
}
