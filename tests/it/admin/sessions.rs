//! Sign-in, sessions and what each role may see, through the pages.

use super::Browser;
use registry_core::slug::Reference;
use reqwest::Method;
use reqwest::header::RETRY_AFTER;
use support::{Client, Engine, TestServer};

#[tokio::test]
async fn wrong_passwords_make_one_address_wait_and_nobody_else() {
    let t = TestServer::new(Engine::Sqlite).await;
    let nobody = t.anonymous();
    let attempt = async |email: &str| {
        let form = [("email", email), ("password", "wrong-wrong-wrong")];
        let request = nobody.request(Method::POST, "/ui/sign-in").header("sec-fetch-site", "same-origin");
        Client::send(request.form(&form)).await
    };
    for _ in 0..10 {
        attempt("ann@acme.com").await.expect(422);
    }
    let refused = attempt("ann@acme.com").await.expect(429);
    let seconds: u64 = refused.headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=61).contains(&seconds), "{seconds}");
    assert!(refused.text.contains("role=\"alert\"") && refused.text.contains("ann@acme.com"));
    attempt("grace@acme.com").await.expect(422);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_elsewhere() {
    let t = TestServer::new(Engine::Sqlite).await;
    let (here, elsewhere) = (Browser::sign_in(&t).await, Browser::sign_in(&t).await);
    let shown = here.get("/ui/account").await.expect(200);
    assert!(shown.text.contains("Your sessions, 2"), "{}", shown.text);
    here.post("/ui/account/sessions/end-others", &[]).await.expect(303);
    elsewhere.get("/ui/account").await.expect(303);
    let left = here.get("/ui/account").await.expect(200);
    assert!(left.text.contains("Your sessions, 1"));
}

#[tokio::test]
async fn what_was_typed_outlives_the_session() {
    let t = TestServer::new(Engine::Sqlite).await;
    let (writer, other) = (Browser::sign_in(&t).await, Browser::sign_in(&t).await);
    let password = "a few unrelated words";
    other.post("/ui/account/password", &[("password", password)]).await.expect(303);
    // The other session's password ended this one.
    let typed = [("name", "Acme <b>Production</b>"), ("slug", "acme-prod")];
    let asked = writer.post("/ui/workspaces/new", &typed).await;
    assert!(asked.text.contains("name=\"unsent_body\""), "{} {}", asked.status, asked.text);
    let body = "name=Acme+%3Cb%3EProduction%3C%2Fb%3E&slug=acme-prod&description=";
    let signed_in = writer
        .post(
            "/ui/sign-in",
            &[
                ("email", "ann@acme.com"),
                ("password", password),
                ("unsent_path", "/ui/workspaces/new"),
                ("unsent_body", body),
            ],
        )
        .await
        .expect(200);
    assert!(signed_in.text.contains("Your change is not saved yet"));
    assert!(
        signed_in.text.contains("action=\"/ui/workspaces/new\"") && !signed_in.text.contains("<b>Production")
    );
    let elsewhere = writer
        .post(
            "/ui/sign-in",
            &[
                ("email", "ann@acme.com"),
                ("password", password),
                ("unsent_path", "https://evil.example/"),
                ("unsent_body", body),
            ],
        )
        .await;
    assert!(!elsewhere.text.contains("evil.example"), "a form is sent to our own pages only");
}

#[tokio::test]
async fn viewers_read_and_are_told_what_they_may_not() {
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
    let still = t.inner.registry.integration(&t.inner.admin(), &Reference::parse("linear")).await.unwrap();
    assert!(still.enabled && still.version == 1, "nothing was changed");
}
