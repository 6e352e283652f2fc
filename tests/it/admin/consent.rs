//! The consent preview, and the picture in it, as a browser without script sees them.

use super::Browser;
use crate::registry::logos::Host;
use support::{Engine, TestServer};

#[tokio::test]
async fn logo_is_fetched_by_the_server_and_shown_from_our_origin() {
    let t = TestServer::new(Engine::Sqlite).await;
    let host = Host::start().await;
    t.inner.workspace("acme").await;
    t.inner.integration("linear", "https://mcp.linear.app/mcp", None).await;
    t.inner.server("linear", "acme").await;
    let browser = Browser::sign_in(&t).await;
    let path = "/ui/integrations/linear/config";
    let typed = |logo: &str| {
        format!(
            r#"{{"oauth_client_metadata": {{"client_name": "<b>Acme</b>", "logo_uri": "{}{logo}", "scope": "openid"}}}}"#,
            host.url
        )
    };
    let ask = async |logo: &str| {
        let text = typed(logo);
        browser
            .post(path, &[("configuration", &text), ("version", "1"), ("intent", "logo")])
            .await
            .expect(200)
    };
    let page = ask("/logo.png").await;
    for words in [
        "image/png, 512×256",
        "know who you are",
        "wants to access your linear account",
        "Privacy policy missing",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    assert!(page.text.contains("/logo.png&#34;"), "what was typed is still there");
    assert!(!page.text.contains("<b>Acme"));
    let source = page.text.split("src=\"/ui/logos/").nth(1).unwrap().split('"').next().unwrap();
    let picture = browser.get(&format!("/ui/logos/{source}")).await.expect(200);
    assert_eq!(picture.header("content-type"), "image/png");
    assert_eq!(picture.header("x-content-type-options"), "nosniff");
    assert!(picture.header("content-security-policy").ends_with("sandbox"));
    assert!(picture.header("cache-control").starts_with("private"));
    t.anonymous().get(&format!("/ui/logos/{source}")).await.expect(303);
    browser.get("/ui/logos/0000").await.expect(404);

    let page = ask("/page.png").await;
    assert!(page.text.contains("is not an image: it answered with <code>text/html</code>"), "{}", page.text);
    assert!(!page.text.contains("<img"));
    let subject = registry::ConfigurationScope::Integration("linear".into());
    let stored = t.inner.registry.configurations().get(&t.inner.admin(), &subject).await.unwrap();
    assert_eq!(stored.text, None, "nothing is saved by it");
}
