//! Who may open which page and send which form: every route of the pages × every identity.

use super::Browser;
use crate::api::authorization::{NOWHERE, Scenario};
use registry_core::permission::Role;
use std::collections::BTreeSet;
use std::path::Path;

/// What each identity gets: anonymous, a manager of another workspace, viewer, manager, admin. Placeholders of the path
/// are filled with things that exist in the workspace `acme`.
struct Row(&'static str, [u16; 5]);

const WHO: [&str; 5] = ["nobody", "other workspace", "viewer", "manager", "admin"];

/// Things of the workspace `acme`.
const PAGE: [u16; 5] = [303, 404, 200, 200, 200];
/// Where they are changed.
const EDIT: [u16; 5] = [303, 404, 403, 200, 200];
/// What changes them. A form of an anonymous caller is kept until sign-in.
const SEND: [u16; 5] = [401, 404, 403, 303, 303];
/// What admins see.
const ADMIN: [u16; 5] = [303, 403, 403, 403, 200];
/// What admins change.
const ADMIN_SEND: [u16; 5] = [401, 403, 403, 403, 303];
/// The same, with an answer that is shown once.
const ADMIN_SHOWN: [u16; 5] = [401, 403, 403, 403, 200];
/// What is the organisation's.
const ORGANISATION: [u16; 5] = [303, 403, 200, 200, 200];
/// Lists, which the other workspace sees without what is of `acme`, and one's own things.
const ANYBODY: [u16; 5] = [303, 200, 200, 200, 200];
/// One's own things, changed.
const OWN: [u16; 5] = [401, 303, 303, 303, 303];

const TABLE: &[Row] = &[
    Row("GET /", [303, 303, 303, 303, 303]),
    Row("GET /account", ANYBODY),
    Row("POST /account/password", OWN),
    Row("POST /account/place", [401, 404, 303, 303, 303]),
    Row("POST /account/sessions/end-others", OWN),
    Row("POST /account/sessions/{session}/end", [401, 404, 404, 404, 404]),
    Row("GET /api-keys", ADMIN),
    Row("GET /api-keys/new", ADMIN),
    Row("POST /api-keys/new", ADMIN_SHOWN),
    Row("GET /api-keys/{key}/revoke", ADMIN),
    Row("POST /api-keys/{key}/revoke", ADMIN_SEND),
    Row("GET /api-keys/{key}/rotate", ADMIN),
    Row("POST /api-keys/{key}/rotate", ADMIN_SHOWN),
    Row("GET /assets/{hash}/{name:.*}", [404, 404, 404, 404, 404]),
    Row("GET /audit", ADMIN),
    Row("GET /audit.csv", ADMIN),
    Row("GET /audit.jsonl", ADMIN),
    Row("GET /configuration-schema.json", ANYBODY),
    Row("GET /drafts/{draft}", [303, 404, 403, 303, 303]),
    Row("GET /drafts/{draft}/check", EDIT),
    Row("POST /drafts/{draft}/check", SEND),
    Row("POST /drafts/{draft}/check/again", SEND),
    Row("GET /drafts/{draft}/discard", EDIT),
    Row("POST /drafts/{draft}/discard", SEND),
    Row("GET /drafts/{draft}/metadata", EDIT),
    Row("POST /drafts/{draft}/metadata", SEND),
    Row("GET /drafts/{draft}/register", EDIT),
    Row("POST /drafts/{draft}/register", [401, 404, 403, 422, 422]),
    Row("GET /drafts/{draft}/url", EDIT),
    Row("POST /drafts/{draft}/url", SEND),
    Row("GET /drafts/{draft}/workspaces", EDIT),
    Row("POST /drafts/{draft}/workspaces", SEND),
    Row("GET /go", ANYBODY),
    Row("GET /go/suggestions", ANYBODY),
    Row("GET /integrations", ANYBODY),
    Row("POST /integrations", [401, 422, 403, 303, 303]),
    Row("GET /integrations.json", ANYBODY),
    Row("GET /integrations/new", [303, 200, 403, 200, 200]),
    Row("POST /integrations/new", [401, 303, 403, 303, 303]),
    Row("GET /integrations/new/import", [303, 200, 403, 200, 200]),
    Row("POST /integrations/new/import", [401, 303, 403, 303, 303]),
    Row("GET /integrations/{integration}", PAGE),
    Row("GET /integrations/{integration}/access", PAGE),
    Row("POST /integrations/{integration}/access", SEND),
    Row("GET /integrations/{integration}/capabilities", PAGE),
    Row("POST /integrations/{integration}/capabilities", SEND),
    Row("POST /integrations/{integration}/capabilities/off", SEND),
    Row("POST /integrations/{integration}/check", [401, 404, 403, 200, 200]),
    Row("GET /integrations/{integration}/config", PAGE),
    Row("POST /integrations/{integration}/config", SEND),
    Row("GET /integrations/{integration}/delete", EDIT),
    Row("POST /integrations/{integration}/delete", SEND),
    Row("GET /integrations/{integration}/disable", EDIT),
    Row("POST /integrations/{integration}/disable", SEND),
    Row("GET /integrations/{integration}/duplicate", EDIT),
    Row("POST /integrations/{integration}/duplicate", SEND),
    Row("GET /integrations/{integration}/edit", EDIT),
    Row("POST /integrations/{integration}/edit", SEND),
    Row("POST /integrations/{integration}/enable", SEND),
    Row("GET /integrations/{integration}/export", PAGE),
    Row("GET /integrations/{integration}/history", PAGE),
    Row("GET /integrations/{integration}/history/restore", PAGE),
    Row("POST /integrations/{integration}/history/restore", [401, 404, 403, 409, 409]),
    Row("GET /integrations/{integration}/known-server", PAGE),
    Row("GET /integrations/{integration}/re-register", EDIT),
    Row("POST /integrations/{integration}/re-register", SEND),
    Row("POST /integrations/{integration}/servers", SEND),
    Row("POST /integrations/{integration}/test", SEND),
    Row("GET /keys", ANYBODY),
    Row("POST /keys", OWN),
    Row("GET /logos/{digest}", [303, 404, 404, 404, 404]),
    Row("GET /orphans", ANYBODY),
    Row("GET /orphans.csv", ANYBODY),
    Row("POST /orphans/{orphan}/resolve", [401, 404, 403, 404, 404]),
    Row("GET /registrations", ANYBODY),
    Row("POST /registrations/retry", [401, 303, 403, 303, 303]),
    Row("GET /registrations/{registration}", PAGE),
    Row("POST /registrations/{registration}/access-token", SEND),
    Row("GET /registrations/{registration}/client", EDIT),
    Row("POST /registrations/{registration}/client", SEND),
    Row("POST /registrations/{registration}/retry", SEND),
    Row(
        "GET /registrations/{registration}/{action:retry|re-register|approve|skip|withdraw}",
        [303, 404, 403, 409, 409],
    ),
    Row("POST /registrations/{registration}/{action:re-register|approve|skip|withdraw}", SEND),
    Row("GET /rollouts", ORGANISATION),
    // There is none.
    Row("GET /rollouts/{rollout}", [303, 403, 404, 404, 404]),
    Row("POST /rollouts/{rollout}/pause", [401, 403, 403, 403, 404]),
    Row("POST /rollouts/{rollout}/resume", [401, 403, 403, 403, 404]),
    Row("GET /settings", ORGANISATION),
    Row("GET /settings/gateways", ORGANISATION),
    Row("POST /settings/gateways/check", ADMIN_SHOWN),
    Row("GET /settings/organisation", ORGANISATION),
    Row("POST /settings/organisation", ADMIN_SEND),
    Row("GET /settings/organisation/history", ORGANISATION),
    Row("GET /settings/organisation/history/restore", ORGANISATION),
    Row("POST /settings/organisation/history/restore", ADMIN_SEND),
    Row("GET /settings/outgoing", ORGANISATION),
    Row("GET /settings/people", ADMIN),
    Row("GET /settings/people/new", ADMIN),
    Row("POST /settings/people/new", ADMIN_SHOWN),
    Row("GET /settings/people/{person}", ADMIN),
    Row("GET /settings/people/{person}/deactivate", ADMIN),
    Row("POST /settings/people/{person}/deactivate", ADMIN_SEND),
    Row("GET /settings/people/{person}/link", ADMIN),
    Row("POST /settings/people/{person}/link", ADMIN_SHOWN),
    Row("POST /settings/people/{person}/reactivate", ADMIN_SEND),
    Row("POST /settings/people/{person}/roles", ADMIN_SEND),
    Row("POST /settings/people/{person}/sessions/end", ADMIN_SEND),
    Row("POST /settings/people/{person}/sessions/{session}/end", [401, 403, 403, 403, 404]),
    Row("GET /sign-in", [200, 200, 200, 200, 200]),
    Row("POST /sign-in", [422, 422, 422, 422, 422]),
    Row("GET /sign-in/link", [200, 200, 200, 200, 200]),
    Row("POST /sign-in/link", [422, 422, 422, 422, 422]),
    Row("GET /sign-in/provider", [404, 404, 404, 404, 404]),
    Row("GET /sign-in/provider/callback", [404, 404, 404, 404, 404]),
    Row("POST /sign-out", [303, 303, 303, 303, 303]),
    Row("POST /theme", [303, 303, 303, 303, 303]),
    Row("GET /workspaces", ANYBODY),
    Row("GET /workspaces/new", ADMIN),
    Row("POST /workspaces/new", ADMIN_SEND),
    Row("GET /workspaces/{workspace}", PAGE),
    Row("GET /workspaces/{workspace}/delete", [303, 404, 403, 403, 200]),
    Row("POST /workspaces/{workspace}/delete", [401, 404, 403, 403, 303]),
    Row("GET /workspaces/{workspace}/edit", [303, 404, 403, 403, 200]),
    Row("POST /workspaces/{workspace}/edit", [401, 404, 403, 403, 303]),
    Row("GET /workspaces/{workspace}/integrations/{integration}/config", PAGE),
    Row("POST /workspaces/{workspace}/integrations/{integration}/config", SEND),
    Row("GET /workspaces/{workspace}/integrations/{integration}/history", PAGE),
    Row("GET /workspaces/{workspace}/integrations/{integration}/history/restore", PAGE),
    Row("POST /workspaces/{workspace}/integrations/{integration}/history/restore", [401, 404, 403, 409, 409]),
    Row("GET /workspaces/{workspace}/servers/new", EDIT),
    Row("POST /workspaces/{workspace}/servers/new", SEND),
    Row("GET /workspaces/{workspace}/servers/{server}", PAGE),
    Row("GET /workspaces/{workspace}/servers/{server}/capabilities", PAGE),
    Row("POST /workspaces/{workspace}/servers/{server}/capabilities", SEND),
    Row("POST /workspaces/{workspace}/servers/{server}/capabilities/off", SEND),
    Row("GET /workspaces/{workspace}/servers/{server}/config", PAGE),
    Row("POST /workspaces/{workspace}/servers/{server}/config", SEND),
    Row("GET /workspaces/{workspace}/servers/{server}/delete", EDIT),
    Row("POST /workspaces/{workspace}/servers/{server}/delete", SEND),
    Row("GET /workspaces/{workspace}/servers/{server}/edit", EDIT),
    Row("POST /workspaces/{workspace}/servers/{server}/edit", SEND),
    Row("GET /workspaces/{workspace}/servers/{server}/history", PAGE),
    Row("GET /workspaces/{workspace}/servers/{server}/history/restore", PAGE),
    Row("POST /workspaces/{workspace}/servers/{server}/history/restore", SEND),
    Row("GET /workspaces/{workspace}/servers/{server}/users", PAGE),
    Row("POST /workspaces/{workspace}/servers/{server}/users", SEND),
];

/// A form that is good, as it is sent for a route.
pub(super) fn form(route: &str) -> &'static [(&'static str, &'static str)] {
    match route.strip_prefix("POST ").unwrap_or_default() {
        "/account/place" => &[("place", "")],
        "/account/password" => &[("current", ""), ("password", "a long enough password")],
        "/api-keys/new" => &[("name", "k"), ("role", "viewer"), ("access", "all"), ("days", "30")],
        "/api-keys/{key}/rotate" => &[("overlap", "0")],
        "/drafts/{draft}/url" => &[("url", NOWHERE), ("name", "Draft"), ("intent", "draft")],
        "/drafts/{draft}/check" | "/drafts/{draft}/workspaces" => &[("intent", "draft")],
        "/drafts/{draft}/metadata" => &[("configuration", "{}"), ("intent", "draft")],
        "/integrations" => &[("one", "linear"), ("intent", "disable"), ("sure", "yes")],
        "/integrations/new" => &[("url", NOWHERE), ("name", "New"), ("intent", "draft")],
        "/integrations/new/import" => &[("text", IMPORT), ("intent", "import")],
        "/integrations/{integration}/access" => &[("confirmed", "1")],
        "/integrations/{integration}/capabilities"
        | "/workspaces/{workspace}/servers/{server}/capabilities" => &[("was_on", "tool:delete_issue")],
        "/integrations/{integration}/capabilities/off"
        | "/workspaces/{workspace}/servers/{server}/capabilities/off" => {
            &[("kind", "tool"), ("name", "drop_table")]
        }
        "/workspaces/{workspace}/servers/{server}/users" => {
            &[("everybody_was", "allow"), ("everybody", "deny"), ("access", "deny:ann")]
        }
        "/integrations/{integration}/delete" | "/workspaces/{workspace}/servers/{server}/delete" => {
            &[("slug", "linear")]
        }
        "/integrations/{integration}/duplicate" => &[("name", "Copy"), ("slug", "copy")],
        "/integrations/{integration}/edit" => &[
            ("name", "Renamed"),
            ("url", NOWHERE),
            ("auth", "oauth_auto"),
            ("transport", "http"),
            ("version", "1"),
            ("intent", "save"),
        ],
        "/integrations/{integration}/servers" => &[("workspace", "acme")],
        "/keys" => &[("letters", "on")],
        "/orphans/{orphan}/resolve" => &[("note", "Deleted by hand.")],
        "/registrations/{registration}/access-token" => &[("token", "by-hand")],
        "/registrations/{registration}/client" => &[("client_id", "by-hand"), ("method", "none")],
        "/settings/people/new" => &[("email", "new@acme.com"), ("role", "viewer"), ("workspace", "")],
        "/settings/people/{person}/roles" => &[("role", "manager")],
        "/sign-in" => &[("email", "a@b.c"), ("password", "wrong")],
        "/sign-in/link" => &[("token", "wrong")],
        "/theme" => &[("theme", "dark")],
        "/workspaces/new" => &[("name", "Mine")],
        "/workspaces/{workspace}/delete" => &[("slug", "acme")],
        "/workspaces/{workspace}/edit" => &[("name", "Renamed"), ("slug", "acme"), ("version", "1")],
        "/workspaces/{workspace}/servers/new" => {
            &[("integration", "linear"), ("name", "Again"), ("slug", "again")]
        }
        "/workspaces/{workspace}/servers/{server}/edit" => {
            &[("name", "Renamed"), ("slug", "linear"), ("version", "2")]
        }
        "/workspaces/{workspace}/servers/{server}/config" | "/settings/organisation" => {
            &[("configuration", "{}"), ("version", "2"), ("intent", "save")]
        }
        path if path.ends_with("/config") => &[("configuration", "{}"), ("version", "1"), ("intent", "save")],
        path if path.ends_with("/restore") => &[("number", "1"), ("version", "2"), ("intent", "now")],
        _ => &[],
    }
}

const IMPORT: &str = r#"{"integrations": [{"name": "New", "url": "http://127.0.0.1:9/mcp", "auth_type": "none", "transport": "http"}]}"#;

/// Every route, as `METHOD path`, read from where it is declared.
pub(crate) fn routes() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/admin/src")];
    let mut by_level = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for line in std::fs::read_to_string(&path).unwrap().lines().map(str::trim) {
                for (attribute, method) in [("#[get(\"", "GET"), ("#[post(\"", "POST")] {
                    if let Some(rest) = line.strip_prefix(attribute) {
                        found.insert(format!("{method} {}", rest.split('"').next().unwrap()));
                    }
                }
                if line.contains(".route(&format!(\"{level}") {
                    let method = if line.contains("web::post()") { "POST" } else { "GET" };
                    let rest = line.split("{level}").nth(1).unwrap().split('"').next().unwrap();
                    by_level += 1;
                    for level in LEVELS {
                        found.insert(format!("{method} {level}{rest}"));
                    }
                } else {
                    let root = line.starts_with("config.route(\"/ui\",");
                    assert!(root || !line.contains(".route("), "a route that this test cannot read: {line}");
                }
            }
        }
    }
    assert!(found.len() > 100 && by_level == 3, "{} {by_level}", found.len());
    found
}

/// Where an Advanced Configuration has a history (`crates/admin/src/pages/configuration/levels.rs`).
const LEVELS: [&str; 4] = [
    "/integrations/{integration}",
    "/workspaces/{workspace}/integrations/{integration}",
    "/workspaces/{workspace}/servers/{server}",
    "/settings/organisation",
];

/// The same data as for the API, a user of each kind with a session, and a draft of the manager.
pub(super) struct Pages {
    scenario: Scenario,
    pub(super) people: Vec<Browser>,
    draft: String,
}

impl Pages {
    pub(super) async fn new() -> Self {
        let scenario = Scenario::new().await;
        let t = &scenario.server;
        let people = vec![
            Browser::nobody(t),
            Browser::invited(t, "other@acme.com", Role::Manager, Some("beta")).await,
            Browser::invited(t, "viewer@acme.com", Role::Viewer, None).await,
            Browser::invited(t, "manager@acme.com", Role::Manager, None).await,
            Browser::invited(t, "admin@acme.com", Role::Admin, None).await,
        ];
        let typed = [("url", NOWHERE), ("name", "Draft"), ("intent", "draft")];
        people[3].post("/ui/integrations/new", &typed).await.expect(303);
        let list = people[3].get("/ui/integrations/new").await.expect(200).text;
        let draft = list.split("/ui/drafts/").nth(1).unwrap().split(['/', '"']).next().unwrap().to_owned();
        Self { scenario, people, draft }
    }

    /// A copy of the current state, on its own database.
    async fn copy(&self) -> Self {
        let scenario = self.scenario.copy().await;
        let people = self.people.iter().map(|person| person.at_copy(&scenario.server)).collect();
        Self { scenario, people, draft: self.draft.clone() }
    }

    pub(super) fn fill(&self, path: &str) -> String {
        let path = path
            .replace("{draft}", &self.draft)
            .replace("{person}", &self.scenario.user)
            .replace("{rollout}", "0192f5c2-4a10-7c3e-9b1d-3f2a6c000009")
            .replace("{digest}", &"0".repeat(64))
            .replace("{hash}/{name:.*}", "0/unknown.css")
            .replace("/restore", "/restore?number=1")
            .replace("{action:retry|re-register|approve|skip|withdraw}", "withdraw")
            .replace("{action:re-register|approve|skip|withdraw}", "withdraw");
        format!("/ui{}", self.scenario.fill(&path))
    }
}

in_parts! {
async fn every_page_and_form_answers_every_identity_as_the_table_says(part: usize in [first = 0, second = 1, third = 2, fourth = 3]) {
    let listed: BTreeSet<_> = TABLE.iter().map(|row| row.0.to_owned()).collect();
    let known = routes();
    let missing: Vec<_> = known.symmetric_difference(&listed).collect();
    assert!(missing.is_empty(), "routes without a row, or rows without a route: {missing:#?}");

    let mut wrong = Vec::new();
    let kept = Box::pin(Pages::new()).await;
    // What no identity may change stays as it is, so it is requested here.
    let asked = kept.copy().await;
    for Row(route, expected) in TABLE.iter().skip(part).step_by(PARTS) {
        let (method, path) = route.split_once(' ').unwrap();
        for (index, expected) in expected.iter().enumerate() {
            // What an identity may do is done to its own copy.
            let own = if method == "POST" && *expected < 400 && index > 0 { Some(kept.copy().await) } else { None };
            let pages = own.as_ref().unwrap_or(&asked);
            let path = pages.fill(path);
            let person = &pages.people[index];
            let reply = match method {
                "GET" => person.get(&path).await,
                _ => person.post(&path, form(route)).await,
            };
            let answer = reply.status.as_u16();
            if answer != *expected {
                wrong.push(format!("{route} as {}: {answer} instead of {expected}", WHO[index]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
}
