//! What is done to several integrations at once.

use super::Browser;
use reqwest::header::LOCATION;
use support::{Engine, TestServer};

const URL: &str = "https://mcp.linear.app/mcp";

#[tokio::test]
async fn refused_integration_does_not_stop_the_others_of_a_bulk_action() {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.integration("linear", URL, None).await;
    t.inner.integration("wiki", URL, None).await;
    let browser = Browser::sign_in(&t).await;
    let asked =
        [("intent", "disable"), ("list", "/ui/integrations?sort=name"), ("one", "linear"), ("one", "gone")];
    let page = browser.post("/ui/integrations", &asked).await.expect(200).text;
    assert!(page.contains("Disable 1 integration?") && page.contains("gone"), "{page}");
    let sure = [&asked[..], &[("sure", "yes")]].concat();
    let done = browser.post("/ui/integrations", &sure).await.expect(422).text;
    assert!(done.contains("Disable integrations: 1 done, 1 refused"), "{done}");
    assert!(done.contains("href=\"/ui/integrations?sort=name\""), "the way back is the list that was left");
    let enabled = async |slug: &str| {
        t.inner.registry.integrations().get(&t.inner.admin(), &slug.into()).await.unwrap().enabled
    };
    assert!(!enabled("linear").await && enabled("wiki").await);

    let fine = [("intent", "enable"), ("list", "https://evil.example/"), ("one", "linear")];
    let back = browser.post("/ui/integrations", &fine).await.expect(303);
    assert_eq!(back.headers[LOCATION], "/ui/integrations?done=enabled-1");
    assert!(enabled("linear").await);
    let nothing = browser.post("/ui/integrations", &[("intent", "disable")]).await.expect(303);
    assert_eq!(nothing.headers[LOCATION], "/ui/integrations?done=nothing");
}
