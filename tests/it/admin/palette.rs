//! Who sets a member: the search answers from the newest revision of each layer, and only what the user may see.

use super::Browser;
use registry::{ConfigurationScope, MAX_REVISIONS, NewConfiguration, ServerRef};
use registry_core::permission::Role;
use registry_core::slug::Reference;
use rstest::rstest;
use support::{Engine, TestServer};

const SETS: &str = r#"{ "oauth_client_metadata": { "logo_uri": "https://acme.com/logo.png" } }"#;
const OTHER: &str = r#"{ "oauth_client_metadata": { "client_name": "logo_uri" } }"#;

async fn save(t: &TestServer, subject: &ConfigurationScope, text: &str) {
    let new = NewConfiguration { text: Some(text.to_owned()), ..NewConfiguration::default() };
    t.inner.registry.configurations().save(&t.inner.admin(), subject, new).await.unwrap();
}

/// The answer of the palette.
async fn asked(browser: &Browser) -> String {
    let list = browser.get("/ui/go/suggestions?q=who+sets+logo_uri%3F").await.expect(200).text;
    list.split("pal-g2").next().unwrap().to_owned()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn setters_of_a_member_are_named_as_far_as_they_are_visible(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    for workspace in ["acme", "beta"] {
        t.inner.workspace(workspace).await;
    }
    t.inner.integration("linear", "https://mcp.linear.app/mcp", None).await;
    t.inner.server("linear", "acme").await;
    let linear = Reference::parse("linear");
    let integration = ConfigurationScope::Integration(linear.clone());
    let access =
        ConfigurationScope::Access { integration: linear.clone(), workspace: Reference::parse("acme") };
    let server =
        ConfigurationScope::Server(ServerRef { server: linear, workspace: Some(Reference::parse("acme")) });
    let admin = Browser::sign_in(&t).await;
    let beta = Browser::invited(&t, "grace@acme.com", Role::Viewer, Some("beta")).await;
    assert!(asked(&admin).await.contains("No configuration"));
    let layers = [
        (&ConfigurationScope::Organisation, "/ui/settings/organisation\""),
        (&integration, "/ui/integrations/linear/config\""),
        (&access, "/ui/workspaces/acme/integrations/linear/config\""),
        (&server, "/ui/workspaces/acme/servers/linear/config\""),
    ];
    for (subject, link) in layers {
        save(&t, subject, OTHER).await;
        assert!(!asked(&admin).await.contains(link), "{link}: a value is no member");
        save(&t, subject, SETS).await;
        assert!(asked(&admin).await.contains(link), "{link}");
    }
    let seen = asked(&beta).await;
    for hidden in ["/ui/settings/organisation\"", "/ui/workspaces/acme/"] {
        assert!(!seen.contains(hidden), "{hidden}: {seen}");
    }
    let page = admin.get("/ui/go?q=who+sets+logo_uri").await.expect(200).text;
    assert!(layers.iter().all(|(_, link)| page.contains(link)), "{page}");

    save(&t, &integration, OTHER).await;
    assert!(
        !asked(&admin).await.contains("/ui/integrations/linear/config\""),
        "an older version does not count"
    );
    for _ in 0..MAX_REVISIONS / 2 {
        save(&t, &integration, SETS).await;
        save(&t, &integration, OTHER).await;
    }
    let page = admin.get("/ui/go?q=who+sets+logo_uri").await.expect(200).text;
    assert!(page.contains("among the 500 saved last") && !page.contains(layers[3].1), "{page}");
}
