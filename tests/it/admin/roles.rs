//! What each role may see and do, through the pages.

use super::Browser;
use registry_core::slug::Reference;
use support::{Engine, TestServer};

#[tokio::test]
async fn viewers_read_and_are_told_which_actions_they_lack() {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.workspace("acme").await;
    t.inner.integration("linear", "https://mcp.linear.app/mcp", None).await;
    let admin = Browser::sign_in(&t).await;
    let invited = admin
        .post("/ui/settings/people/new", &[("email", "eve@acme.com"), ("role", "viewer"), ("workspace", "")])
        .await
        .expect(200);
    let token =
        invited.text.split("token=").nth(1).unwrap().split(['<', '"', '&']).next().unwrap().to_owned();
    let viewer = Browser::with_link(&t, &token).await;
    for path in
        ["/ui/integrations", "/ui/integrations/linear", "/ui/integrations/linear/config", "/ui/registrations"]
    {
        let shown = viewer.get(path).await.expect(200);
        for button in [">Delete…<", "Add integration<", ">Save<"] {
            assert!(!shown.text.contains(button), "{button} on {path}");
        }
    }
    for path in [
        "/ui/audit",
        "/ui/api-keys",
        "/ui/settings/people",
        "/ui/integrations/linear/delete",
        "/ui/integrations/new/import",
    ] {
        let refused = viewer.get(path).await.expect(403);
        assert!(refused.text.contains("viewer"), "{path} says which role one has: {}", refused.text);
    }
    for (path, form) in [
        ("/ui/integrations/linear/delete", [("slug", "linear")].as_slice()),
        ("/ui/integrations/linear/disable", &[]),
        ("/ui/integrations/linear/config", &[("intent", "save"), ("configuration", "{}"), ("version", "1")]),
        ("/ui/workspaces/new", &[("name", "Mine")]),
        ("/ui/api-keys/new", &[("name", "x"), ("role", "viewer"), ("access", "all"), ("days", "30")]),
    ] {
        viewer.post(path, form).await.expect(403);
    }
    let still =
        t.inner.registry.integrations().get(&t.inner.admin(), &Reference::parse("linear")).await.unwrap();
    assert!(still.enabled && still.version == 1, "nothing was changed");
}
