//! Forms whose fields are choices: a word that is none of them is refused, and nothing is saved.

use super::Browser;
use super::authorization::routes;
use registry::{AuditFilter, PageRequest};
use registry_core::permission::Role;
use std::collections::BTreeSet;
use support::{Engine, TestServer};

/// A route, a form of it that is good, and its fields that are choices. A field that is not among the pairs is added.
struct Row(&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

const URL: &str = "https://mcp.linear.app/mcp";
const CONFIG: &[(&str, &str)] =
    &[("configuration", "{}"), ("version", "1"), ("base", "0"), ("intent", "save")];
const CONFIG_CHOICES: &[&str] = &["intent", "version", "base", "as", "all"];

const TABLE: &[Row] = &[
    Row(
        "/api-keys/new",
        &[("name", "k"), ("role", "admin"), ("access", "read"), ("days", "30"), ("workspace", "")],
        &["role", "access", "days"],
    ),
    Row("/api-keys/{key}/revoke", &[], &["made"]),
    Row(
        "/settings/people/new",
        &[("email", "new@acme.com"), ("role", "viewer"), ("workspace", "")],
        &["role"],
    ),
    Row(
        "/settings/people/{person}/roles",
        &[("role", "manager"), ("workspace", "acme"), ("workspace_role", "viewer")],
        &["role", "workspace_role"],
    ),
    Row("/settings/organisation", CONFIG, CONFIG_CHOICES),
    Row("/integrations/{integration}/config", CONFIG, CONFIG_CHOICES),
    Row("/workspaces/{workspace}/integrations/{integration}/config", CONFIG, CONFIG_CHOICES),
    Row("/workspaces/{workspace}/servers/{server}/config", CONFIG, CONFIG_CHOICES),
    Row(
        "/integrations/{integration}/history/restore",
        &[("number", "1"), ("version", "1"), ("intent", "now")],
        &["number", "version", "intent"],
    ),
    Row(
        "/workspaces/{workspace}/integrations/{integration}/history/restore",
        &[("number", "1"), ("version", "1"), ("intent", "now")],
        &["number", "version", "intent"],
    ),
    Row(
        "/workspaces/{workspace}/servers/{server}/history/restore",
        &[("number", "1"), ("version", "1"), ("intent", "now")],
        &["number", "version", "intent"],
    ),
    Row(
        "/settings/organisation/history/restore",
        &[("number", "1"), ("version", "1"), ("intent", "now")],
        &["number", "version", "intent"],
    ),
    Row(
        "/integrations/{integration}/edit",
        &[
            ("name", "Renamed"),
            ("url", URL),
            ("auth", "none"),
            ("transport", "sse"),
            ("version", "1"),
            ("intent", "now"),
        ],
        &["auth", "transport", "version", "intent"],
    ),
    Row("/integrations", &[("one", "linear"), ("intent", "disable"), ("sure", "yes")], &["intent", "sure"]),
    Row(
        "/integrations",
        &[("one", "linear"), ("intent", "reregister"), ("sure", "yes"), ("which", "failed")],
        &["which"],
    ),
    Row(
        "/integrations/{integration}/re-register",
        &[("which", "failed"), ("sure", "yes")],
        &["which", "sure"],
    ),
    Row("/integrations/new/import", &[("text", IMPORT), ("intent", "import")], &["intent"]),
    Row(
        "/integrations/{integration}/access",
        &[("shown", "acme"), ("confirmed", "yes")],
        &["every_new", "confirmed"],
    ),
    Row(
        "/integrations/{integration}/capabilities",
        &[("was_on", "tool:a"), ("was_off", "tool:b"), ("on", "tool:b")],
        &["was_on", "was_off", "on"],
    ),
    Row("/integrations/{integration}/capabilities/off", &[("kind", "tool"), ("name", "a")], &["kind"]),
    Row(
        "/workspaces/{workspace}/servers/{server}/capabilities",
        &[("was_on", "tool:a"), ("was_off", "tool:b"), ("on", "tool:b")],
        &["was_on", "was_off", "on"],
    ),
    Row(
        "/workspaces/{workspace}/servers/{server}/capabilities/off",
        &[("kind", "tool"), ("name", "a")],
        &["kind"],
    ),
    Row(
        "/workspaces/{workspace}/servers/{server}/users",
        &[("everybody_was", "allow"), ("everybody", "deny"), ("was", "default"), ("access", "deny:a")],
        &["everybody_was", "everybody", "was", "access"],
    ),
    Row(
        "/integrations/new",
        &[("url", URL), ("name", "Draft"), ("transport", "http"), ("intent", "draft")],
        &["transport", "intent"],
    ),
    Row(
        "/drafts/{draft}/url",
        &[("url", URL), ("name", "D"), ("transport", "sse"), ("intent", "draft")],
        &["transport", "intent"],
    ),
    Row(
        "/drafts/{draft}/check",
        &[("approach", "nothing"), ("intent", "draft")],
        &["approach", "intent", "without_secret"],
    ),
    Row("/drafts/{draft}/metadata", &[("configuration", "{}"), ("intent", "draft")], &["intent"]),
    Row(
        "/drafts/{draft}/workspaces",
        &[("every_new", "1"), ("intent", "draft")],
        &["intent", "every_new", "workspaces", "shown"],
    ),
    Row("/registrations/retry", &[("state", "failed")], &["state", "method", "page"]),
    Row("/registrations/{registration}/retry", &[("sure", "yes")], &["sure"]),
    Row("/registrations/{registration}/client", &[("client_id", "a"), ("method", "none")], &["method"]),
    Row("/orphans/{orphan}/resolve", &[("note", "n"), ("view", "all")], &["view"]),
    Row("/theme", &[("theme", "dark")], &["theme"]),
    Row("/keys", &[("letters", "off")], &["letters"]),
];

const IMPORT: &str = r#"{"integrations": [{"name": "New", "url": "https://a.example/mcp", "auth_type": "none", "transport": "http"}]}"#;

/// Routes whose forms hold no choice: names, addresses, secrets and ids of things, which are looked for.
const WITHOUT: &[&str] = &[
    "/account/password",
    "/account/place",
    "/account/sessions/end-others",
    "/account/sessions/{session}/end",
    "/api-keys/{key}/rotate",
    "/drafts/{draft}/check/again",
    "/drafts/{draft}/discard",
    "/drafts/{draft}/register",
    "/integrations/{integration}/check",
    "/integrations/{integration}/delete",
    "/integrations/{integration}/disable",
    "/integrations/{integration}/duplicate",
    "/integrations/{integration}/enable",
    "/integrations/{integration}/servers",
    "/integrations/{integration}/test",
    "/registrations/{registration}/access-token",
    "/registrations/{registration}/{action:re-register|approve|skip|withdraw}",
    "/rollouts/{rollout}/pause",
    "/rollouts/{rollout}/resume",
    "/settings/gateways/check",
    "/settings/people/{person}/deactivate",
    "/settings/people/{person}/link",
    "/settings/people/{person}/reactivate",
    "/settings/people/{person}/sessions/end",
    "/settings/people/{person}/sessions/{session}/end",
    "/sign-in",
    "/sign-in/link",
    "/sign-out",
    "/workspaces/new",
    "/workspaces/{workspace}/delete",
    "/workspaces/{workspace}/edit",
    "/workspaces/{workspace}/servers/new",
    "/workspaces/{workspace}/servers/{server}/delete",
    "/workspaces/{workspace}/servers/{server}/edit",
];

#[test]
fn every_page_form_is_in_the_table_of_choices() {
    let known: BTreeSet<_> =
        routes().iter().filter_map(|route| route.strip_prefix("POST ").map(str::to_owned)).collect();
    let listed: BTreeSet<_> =
        TABLE.iter().map(|row| row.0).chain(WITHOUT.iter().copied()).map(str::to_owned).collect();
    let differing: Vec<_> = known.symmetric_difference(&listed).collect();
    assert!(differing.is_empty(), "forms without a row, or rows without a form: {differing:#?}");
}

/// Words that are no choice of any form.
const WORDS: [&str; 2] = ["bogus", "ALL "];

#[tokio::test]
async fn unknown_choice_is_refused_and_nothing_is_saved() {
    let t = TestServer::new(Engine::Sqlite).await;
    let registry = &t.inner.registry;
    t.inner.workspace("acme").await;
    t.inner.integration("linear", URL, None).await;
    t.inner.server("linear", "acme").await;
    let browser = Browser::sign_in(&t).await;
    browser
        .post("/ui/integrations/new", &[("url", URL), ("name", "First"), ("intent", "draft")])
        .await
        .expect(303);
    let list = browser.get("/ui/integrations/new").await.expect(200).text;
    let draft = list.split("/ui/drafts/").nth(1).unwrap().split(['/', '"']).next().unwrap().to_owned();
    t.key(Role::Viewer, None).await;
    let every = PageRequest::new(0, 1);
    let key = registry
        .api_keys()
        .list(&t.inner.admin(), registry::ApiKeyFilter::default(), every)
        .await
        .unwrap()
        .items[0]
        .id;
    let person = registry.users().list(&t.inner.admin(), every).await.unwrap().items[0].id;
    let found = registry
        .registrations()
        .list(&t.inner.admin(), registry::RegistrationFilter::default(), every)
        .await
        .unwrap();
    let registration = found.items[0].id;
    let recorded = async || {
        registry.audit().events(&t.inner.admin(), AuditFilter::default(), every).await.unwrap().total
    };
    let mut wrong = Vec::new();
    for Row(route, good, choices) in TABLE {
        let path = format!("/ui{route}")
            .replace("{integration}", "linear")
            .replace("{workspace}", "acme")
            .replace("{server}", "linear")
            .replace("{orphan}", &registration.to_string())
            .replace("{draft}", &draft)
            .replace("{key}", &key.to_string())
            .replace("{person}", &person.to_string())
            .replace("{registration}", &registration.to_string());
        for choice in *choices {
            for word in WORDS {
                let mut form: Vec<_> = good.to_vec();
                match form.iter_mut().find(|(name, _)| name == choice) {
                    Some(pair) => pair.1 = word,
                    None => form.push((choice, word)),
                }
                let before = recorded().await;
                let answer = browser.post(&path, &form).await;
                let (status, saved) = (answer.status.as_u16(), recorded().await - before);
                if (status, saved) != (422, 0) || answer.headers.contains_key("set-cookie") {
                    wrong.push(format!("{path} {choice}={word}: {status}, {saved} saved"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn api_key_without_a_choice_of_access_is_not_made() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    for role in ["admin", "manager", "viewer", "gateway"] {
        for access in [None, Some(""), Some("everything"), Some("All")] {
            let mut form = vec![("name", "k"), ("role", role), ("days", "30"), ("workspace", "")];
            form.extend(access.map(|word| ("access", word)));
            let refused = browser.post("/ui/api-keys/new", &form).await.expect(422);
            assert!(
                refused.text.contains("href=\"#access\"") && !refused.text.contains(">mcpr_"),
                "{}",
                refused.text
            );
        }
    }
    let every = PageRequest::default();
    let keys = t
        .inner
        .registry
        .api_keys()
        .list(&t.inner.admin(), registry::ApiKeyFilter::default(), every)
        .await
        .unwrap();
    assert_eq!(keys.total, 0);
}
