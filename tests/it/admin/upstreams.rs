//! What upstream servers say about themselves on pages and lists, and how gateways were told of changes.

use super::Browser;
use super::capabilities::{server, unseen};
use registry::{PortkeySettings, PushTarget, Settings};
use registry_core::secret::Secret;
use registry_core::server_info::ServerInfo;
use rstest::rstest;
use serde_json::json;
use support::{Engine, TestRegistry, TestServer};

const PAGES: [&str; 2] = ["/ui/integrations/linear", "/ui/workspaces/acme/servers/linear"];
const LISTS: [&str; 2] = ["/ui/integrations", "/ui/workspaces/acme"];

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_upstreams_say_is_shown_and_loads_nothing(#[case] engine: Engine) {
    let t = unseen(engine).await;
    let browser = Browser::sign_in(&t).await;
    for path in PAGES {
        let page = browser.get(path).await.expect(200).text;
        assert!(page.contains("Never seen") && page.contains("Nothing yet."), "{path}: {page}");
    }
    let info: ServerInfo = serde_json::from_value(json!({
        "server_name": "linear-mcp", "server_version": "1.4.0", "protocol_version": "2025-11-25", "title": "Linear <i>",
        "website_url": "https://linear.app/?a=1&b=\"", "capability_flags": { "tools": {}, "prompts": {} },
        "instructions": "Search first.",
        "icons": [{ "src": "https://linear.app/icon.png" }, { "src": "data:image/png;base64,AAAA" }],
    }))
    .unwrap();
    t.inner.registry.capabilities().sync_info(&t.inner.admin(), &server(), info).await.unwrap();
    for path in PAGES {
        let page = browser.get(path).await.expect(200).text;
        for words in [
            "Seen <time",
            "linear-mcp",
            "1.4.0",
            "2025-11-25",
            "Linear &#60;i&#62;",
            "tools, prompts",
            "Search first.",
        ] {
            assert!(page.contains(words), "{words}, {path}: {page}");
        }
        assert!(page.contains("src=\"data:image/png;base64,AAAA\""), "{path}");
        assert!(!page.contains("https://linear.app/icon.png"), "no icon of another site: {path}");
        assert!(page.contains("rel=\"noreferrer noopener\""), "{path}");
    }
    for path in LISTS {
        let page = browser.get(path).await.expect(200).text;
        assert!(page.contains("Linear &#60;i&#62; 1.4.0 · MCP 2025-11-25"), "{path}: {page}");
    }
}

#[tokio::test]
async fn gateways_that_are_told_of_changes_are_listed_with_their_state() {
    let with = async |portkey: Option<PortkeySettings>| {
        let settings = Settings { portkey, ..TestRegistry::new(Engine::Sqlite).await.settings.clone() };
        TestServer::over(TestRegistry::with(Engine::Sqlite, settings).await)
    };
    for (portkey, words) in [
        (None, "<code>gateway.portkey.enabled</code> is off"),
        (Some(PortkeySettings::default()), "<code>gateway.portkey.sync_token</code> is not set"),
    ] {
        let t = with(portkey).await;
        let page = Browser::sign_in(&t).await.get("/ui/settings/gateways").await.expect(200).text;
        assert!(page.contains(words), "{page}");
    }

    // Nobody listens at port 9.
    let target = PushTarget { url: "http://127.0.0.1:9".to_owned(), token: Secret::new("t".to_owned()) };
    let t = with(Some(PortkeySettings { push: vec![target] })).await;
    let browser = Browser::sign_in(&t).await;
    let page = async || browser.get("/ui/settings/gateways").await.expect(200).text;
    let first = page().await;
    assert!(first.contains("Never told yet") && first.contains("http://127.0.0.1:9"), "{first}");
    t.inner.workspace("acme").await;
    t.inner.integration("linear", super::capabilities::URL, None).await;
    support::follow(&t.inner.registry, &t.inner.database.url).await;
    let stale = async {
        // The position in the changes is taken at some time after this; a server that is made then is told.
        let mut number = 0;
        loop {
            let shown = page().await;
            if shown.contains("Stale since") {
                break shown;
            }
            number += 1;
            if number <= 50 {
                let slug = format!("team-{number}");
                t.inner.workspace(&slug).await;
                t.inner.server("linear", &slug).await;
            }
        }
    };
    let gateway = t.inner.registry.gateway();
    let shown = tokio::select! {
        () = gateway.push_changes("test", std::future::pending()) => unreachable!("nothing stops it"),
        shown = stale => shown,
    };
    assert!(shown.contains("behind") && shown.contains("http://127.0.0.1:9"), "{shown}");
}
