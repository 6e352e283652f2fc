//! The character NUL at the pages: in addresses and in forms.

use super::Browser;
use super::authorization::routes;
use reqwest::Method;
use rstest::rstest;
use support::{Client, Engine, TestServer};

/// The route's path, with `text` for each placeholder.
fn fill(path: &str, text: &str) -> String {
    let mut filled = String::from("/ui");
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        filled.push_str(text);
        rest = after.split_once('}').unwrap().1;
    }
    filled + rest
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nul_is_refused_by_every_page_and_form(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let (ann, nobody) = (Browser::sign_in(&t).await, Browser::nobody(&t));
    for route in routes() {
        let (method, path) = route.split_once(' ').unwrap();
        let with_nul = fill(path, "a%00b");
        if with_nul.contains("%00") {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = ann.request(method, &with_nul).header("sec-fetch-site", "same-origin");
            Client::send(request).await.expect(404);
        }
        let path = fill(path, "a");
        if method == "GET" {
            // Those without a session are cached files, which take no query.
            if !path.starts_with("/ui/assets/") {
                let refused = ann.get(&format!("{path}?search=%00")).await.expect(400);
                assert!(
                    refused.text.contains("<code>search</code> contains the character NUL"),
                    "{route}: {}",
                    refused.text
                );
            }
            continue;
        }
        let refused = ann.post(&path, &[("fine", "a"), ("name", "a\0b")]).await.expect(422);
        assert!(
            refused.text.contains("<code>name</code> contains the character NUL"),
            "{route}: {}",
            refused.text
        );
    }
    // Anonymous callers get the same answer at the forms that need no session.
    for (path, field) in [
        ("/ui/sign-in", "email"),
        ("/ui/sign-in", "password"),
        ("/ui/sign-in/link", "token"),
        ("/ui/theme", "theme"),
    ] {
        let refused = nobody.post(path, &[(field, "ann@acme.com\0")]).await.expect(422);
        assert!(refused.text.contains(field), "{path}: {}", refused.text);
    }
    // In a text that is JSON it is an escape, which is no NUL yet.
    let typed = r#"{"oauth_client_metadata": {"client_name": "a\u0000b"}}"#;
    let form = [("configuration", typed), ("version", "1"), ("intent", "save")];
    let refused = ann.post("/ui/settings/organisation", &form).await.expect(422);
    assert!(refused.text.contains("NUL"), "{}", refused.text);
    let typed = r#"{"integrations": [{"name": "a\u0000b", "url": "https://a.example/mcp", "auth_type": "none", "transport": "http"}]}"#;
    let refused =
        ann.post("/ui/integrations/new/import", &[("text", typed), ("intent", "import")]).await.expect(422);
    assert!(refused.text.contains("NUL"), "{}", refused.text);
}
