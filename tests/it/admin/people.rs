//! Settings: what is in force, and people with what they may do.

use super::Browser;
use registry::{IssuerRate, PageRequest, Settings};
use registry_core::id::UserId;
use registry_core::permission::Role;
use registry_core::slug::Reference;
use registry_sandbox::{Options, Sandbox};
use reqwest::header::LOCATION;
use support::{Engine, Reply, TestRegistry, TestServer};

const PEOPLE: &str = "/ui/settings/people";

async fn id(t: &TestServer, email: &str) -> UserId {
    let people = t.inner.registry.users().list(&t.inner.admin(), PageRequest::new(0, 100)).await.unwrap();
    people.items.into_iter().find(|person| person.email == email).unwrap().id
}

/// The token of the link on a page that shows one.
fn token(page: &Reply) -> String {
    let start = page.text.find("/ui/sign-in/link?token=").unwrap_or_else(|| panic!("{}", page.text));
    page.text[start..].split('=').nth(1).unwrap().split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn invited_user_signs_in_once_with_the_one_time_link() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    let form = [("email", "grace@acme.com"), ("name", "Grace"), ("role", "viewer"), ("workspace", "")];
    let page = browser.post("/ui/settings/people/new", &form).await.expect(200);
    let link = token(&page);
    assert!(page.text.contains(&format!("{}/ui/sign-in/link?token={link}", t.url)), "a whole address");
    assert!(!browser.get(PEOPLE).await.expect(200).text.contains(&link), "shown once");
    let grace = Browser::with_link(&t, &link).await;
    assert!(grace.get("/ui/account").await.expect(200).text.contains("grace@acme.com, viewer"));
    let again = Browser::nobody(&t).post("/ui/sign-in/link", &[("token", &link)]).await.expect(422);
    assert!(again.text.contains("used already or is too old"), "{}", again.text);

    for (field, value, anchor) in [
        ("email", "grace@acme.com", "email"),
        ("email", "no address", "email"),
        ("role", "gateway", "role"),
        ("role", "emperor", "role"),
    ] {
        let mut wrong =
            vec![("email", "new@acme.com"), ("name", "Newcomer"), ("role", "viewer"), ("workspace", "")];
        wrong.retain(|(name, _)| *name != field);
        wrong.push((field, value));
        let page = browser.post("/ui/settings/people/new", &wrong).await.expect(422);
        assert!(page.text.contains("<title>Problem: "), "{}", page.text);
        assert!(page.text.contains(&format!(r##"<a href="#{anchor}">"##)), "{value}: {}", page.text);
        assert!(page.text.contains(r#"value="Newcomer""#), "what was typed stays");
    }
    assert!(!browser.get(PEOPLE).await.text.contains("Newcomer"));
}

#[tokio::test]
async fn role_change_applies_to_the_next_request() {
    let t = TestServer::new(Engine::Sqlite).await;
    let admin = Browser::sign_in(&t).await;
    let vi = Browser::invited(&t, "vi@acme.com", Role::Viewer, None).await;
    let new = [("name", "Wiki"), ("slug", "wiki"), ("description", "")];
    vi.post("/ui/workspaces/new", &new).await.expect(403);
    let path = format!("{PEOPLE}/{}", id(&t, "vi@acme.com").await);
    let changed =
        admin.post(&format!("{path}/roles"), &[("role", "admin"), ("workspace", "")]).await.expect(303);
    let page = admin.get(changed.headers[LOCATION].to_str().unwrap()).await.expect(200);
    assert!(page.text.contains("What they may do is changed."), "{}", page.text);
    vi.post("/ui/workspaces/new", &new).await.expect(303);
    let in_wiki = [("role", "none"), ("workspace", "wiki"), ("workspace_role", "manager")];
    admin.post(&format!("{path}/roles"), &in_wiki).await.expect(303);
    assert!(vi.get("/ui/account").await.text.contains("manager in Wiki"));
    let refused = admin.post(&format!("{path}/roles"), &[("role", "gateway")]).await.expect(422);
    assert!(
        refused.text.contains("<title>Problem: ") && refused.text.contains("role `gateway`")
            || refused.text.contains("<code>gateway</code>"),
        "{}",
        refused.text
    );
    admin.post(&format!("{path}/roles"), &[("role", "none")]).await.expect(422);
    let unknown = [("role", "viewer"), ("workspace", "nowhere"), ("workspace_role", "manager")];
    admin.post(&format!("{path}/roles"), &unknown).await.expect(422);
    assert!(vi.get("/ui/account").await.text.contains("manager in Wiki"));
}

#[tokio::test]
async fn last_admin_is_kept_and_deactivated_users_are_signed_out() {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.workspace("acme").await;
    let ann = Browser::sign_in(&t).await;
    let own = format!("{PEOPLE}/{}", id(&t, "ann@acme.com").await);
    assert!(ann.get(&format!("{own}/deactivate")).await.expect(200).text.contains("This is you."));
    let stays = async |path: &str, form: &[(&str, &str)], status: u16| {
        let page = ann.post(&format!("{own}/{path}"), form).await.expect(status);
        assert!(page.text.contains("<title>Problem: ") && page.text.contains("last admin"), "{}", page.text);
    };
    stays("deactivate", &[], 409).await;
    stays("roles", &[("role", "viewer")], 422).await;
    stays("roles", &[("role", "none"), ("workspace", "acme"), ("workspace_role", "admin")], 422).await;

    let vi = Browser::invited(&t, "vi@acme.com", Role::Viewer, None).await;
    let path = format!("{PEOPLE}/{}", id(&t, "vi@acme.com").await);
    vi.get("/ui/account").await.expect(200);
    let link = token(&ann.post(&format!("{path}/link"), &[]).await.expect(200));
    // A new link ends the sessions, also of a user without a password.
    vi.get("/ui/account").await.expect(303);
    let vi = Browser::with_link(&t, &link).await;
    let link = token(&ann.post(&format!("{path}/link"), &[]).await.expect(200));
    ann.post(&format!("{path}/deactivate"), &[]).await.expect(303);
    vi.get("/ui/account").await.expect(303);
    Browser::nobody(&t).post("/ui/sign-in/link", &[("token", &link)]).await.expect(422);
    assert!(ann.get(PEOPLE).await.expect(200).text.contains("Deactivated"));
    ann.post(&format!("{path}/link"), &[]).await.expect(409);
    ann.post(&format!("{path}/reactivate"), &[]).await.expect(303);
    vi.get("/ui/account").await.expect(303);
    let link = token(&ann.post(&format!("{path}/link"), &[]).await.expect(200));
    Browser::with_link(&t, &link).await.get("/ui/account").await.expect(200);
}

#[tokio::test]
async fn user_with_several_roles_acts_in_one_workspace_at_a_time() {
    let t = TestServer::new(Engine::Sqlite).await;
    for slug in ["acme", "beta", "gamma"] {
        t.inner.workspace(slug).await;
    }
    let admin = Browser::sign_in(&t).await;
    let vi = Browser::invited(&t, "vi@acme.com", Role::Viewer, Some("beta")).await;
    let path = format!("{PEOPLE}/{}", id(&t, "vi@acme.com").await);
    let both = [
        ("role", "none"),
        ("workspace", "beta"),
        ("workspace_role", "viewer"),
        ("workspace", "acme"),
        ("workspace_role", "manager"),
    ];
    admin.post(&format!("{path}/roles"), &both).await.expect(303);
    let page = admin.get(PEOPLE).await.expect(200);
    assert!(page.text.contains("Manager in acme, Viewer in beta"), "{}", page.text);
    let form = admin.get(&path).await.expect(200);
    assert!(form.text.contains(r#"<option value="gamma">"#), "{}", form.text);
    assert!(!form.text.contains(r#"<option value="acme">"#), "has a role there already: {}", form.text);

    // In the first of them, until they choose another.
    let account = vi.get("/ui/account").await.expect(200);
    assert!(account.text.contains("vi@acme.com, manager in acme"), "{}", account.text);
    assert!(account.text.contains("<b>acme</b><small>Workspace of"), "{}", account.text);
    vi.get("/ui/workspaces/beta").await.expect(404);
    vi.post("/ui/account/place", &[("place", "beta")]).await.expect(303);
    vi.get("/ui/workspaces/beta").await.expect(200);
    vi.get("/ui/workspaces/acme").await.expect(404);
    vi.get("/ui/integrations/new").await.expect(403);
    for place in ["gamma", "nowhere", ""] {
        vi.post("/ui/account/place", &[("place", place)]).await.expect(404);
    }

    // What is taken away is gone with the next request; with nothing left they are out.
    admin
        .post(&format!("{path}/roles"), &both[..1].iter().chain(&both[3..]).copied().collect::<Vec<_>>())
        .await
        .expect(303);
    assert!(vi.get("/ui/account").await.expect(200).text.contains("manager in acme"));
    t.inner.registry.workspaces().delete(&t.inner.admin(), &Reference::parse("acme"), None).await.unwrap();
    vi.get("/ui/account").await.expect(303);
}

#[tokio::test]
async fn admin_lists_and_ends_sessions_of_other_users() {
    let t = TestServer::new(Engine::Sqlite).await;
    let admin = Browser::sign_in(&t).await;
    let vi = Browser::invited(&t, "vi@acme.com", Role::Viewer, None).await;
    let path = format!("{PEOPLE}/{}", id(&t, "vi@acme.com").await);
    let page = admin.get(&path).await.expect(200);
    assert!(page.text.contains("/sessions/") && !page.text.contains("Nowhere."), "{}", page.text);
    let ended = admin.post(&format!("{path}/sessions/end"), &[]).await.expect(303);
    let page = admin.get(ended.headers[LOCATION].to_str().unwrap()).await.expect(200);
    assert!(page.text.contains("Signed out: 1 session.") && page.text.contains("Nowhere."), "{}", page.text);
    vi.get("/ui/account").await.expect(303);
}

#[tokio::test]
async fn viewer_reads_settings_and_changes_none() {
    let t = TestServer::new(Engine::Sqlite).await;
    Browser::sign_in(&t).await;
    let vi = Browser::invited(&t, "vi@acme.com", Role::Viewer, None).await;
    for (path, words) in [
        ("/ui/settings", "branding.client_name"),
        ("/ui/settings/gateways", "/oauth/upstream-callback"),
        ("/ui/settings/outgoing", "egress.allow"),
    ] {
        let page = vi.get(path).await.expect(200);
        assert!(page.text.contains(words), "{path}: {}", page.text);
        assert!(!page.text.contains(PEOPLE) && !page.text.contains("/ui/settings/gateways/check"), "{path}");
    }
    vi.post("/ui/settings/gateways/check", &[]).await.expect(403);
    let own = format!("{PEOPLE}/{}", id(&t, "vi@acme.com").await);
    vi.get(PEOPLE).await.expect(403);
    vi.get("/ui/settings/people/new").await.expect(403);
    vi.get(&format!("{own}/deactivate")).await.expect(403);
    vi.get(&own).await.expect(403);
    vi.post(&format!("{own}/roles"), &[("role", "admin")]).await.expect(403);
    vi.post(&format!("{own}/sessions/end"), &[]).await.expect(403);
    vi.post(&format!("{own}/link"), &[]).await.expect(403);
    let form = [("email", "x@acme.com"), ("name", ""), ("role", "admin"), ("workspace", "")];
    vi.post("/ui/settings/people/new", &form).await.expect(403);
}

#[tokio::test]
async fn gateway_overview_is_queried_only_on_its_page() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let here = sandbox.mcp_url();
    let egress =
        serde_json::from_value(serde_json::json!({ "allow": [], "allow_http_loopback": true })).unwrap();
    let settings = Settings {
        egress,
        issuer_rate: IssuerRate { burst: 1000, per_minute: 60_000 },
        gateway_urls: vec![here.clone(), "https://10.1.2.3".to_owned()],
        ..Settings::default()
    };
    let t = TestServer::over(TestRegistry::with(Engine::Sqlite, settings).await);
    let browser = Browser::sign_in(&t).await;
    let page = browser.get("/ui/settings/gateways").await.expect(200);
    assert!(page.text.contains(&here) && page.text.contains("Not asked yet."), "{}", page.text);
    let checked = browser.post("/ui/settings/gateways/check", &[]).await.expect(200);
    assert!(checked.text.contains("Answered with 4"), "{}", checked.text);
    assert!(
        checked.text.contains("Not reached") && checked.text.contains("https://10.1.2.3"),
        "{}",
        checked.text
    );
    sandbox.stop().await;
}
