//! The page of user access of a server.

use super::Browser;
use super::capabilities::{server, unseen};
use registry::PageRequest;
use registry_core::permission::Role;
use reqwest::header::LOCATION;
use rstest::rstest;
use std::collections::BTreeMap;
use support::{Engine, TestServer};

const PAGE: &str = "/ui/workspaces/acme/servers/linear/users";

/// The default, and each user who has an entry, by id.
async fn stored(t: &TestServer) -> (bool, BTreeMap<String, bool>) {
    let all = PageRequest::new(0, 1000);
    let found = t.inner.registry.access().users(&t.inner.admin(), &server(), None, all).await.unwrap();
    let overrides = found.page.items.into_iter().filter(|one| one.has_override);
    (found.allows_users, overrides.map(|one| (one.user_id, one.enabled)).collect())
}

/// The id of the user of this name on the page.
fn id_of(page: &str, name: &str) -> String {
    let row = page.split("<tr>").find(|row| row.contains(name)).unwrap_or_else(|| panic!("{name}: {page}"));
    let id = row.split("<option value=\"allow:").nth(1).unwrap();
    id.split('"').next().unwrap().to_owned()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn default_and_single_users_are_saved_together(#[case] engine: Engine) {
    let t = unseen(engine).await;
    let browser = Browser::sign_in(&t).await;
    Browser::invited(&t, "grace@acme.com", Role::Viewer, Some("acme")).await;
    let page = browser.get(PAGE).await.expect(200).text;
    assert!(page.contains("As default (allowed)") && page.contains("value=\"allow\" checked"), "{page}");
    let grace = id_of(&page, "grace");
    assert_eq!(stored(&t).await, (true, BTreeMap::new()));

    let allow = format!("allow:{grace}");
    let form =
        [("everybody_was", "allow"), ("everybody", "deny"), ("was", "default"), ("access", allow.as_str())];
    let saved = browser.post(&format!("{PAGE}?q=grace"), &form).await.expect(303);
    assert_eq!(saved.headers[LOCATION], format!("{PAGE}?q=grace&done=users"));
    assert_eq!(stored(&t).await, (false, BTreeMap::from([(grace.clone(), true)])));
    let page = browser.get(PAGE).await.expect(200).text;
    assert!(page.contains("As default (denied)") && page.contains("value=\"deny\" checked"), "{page}");

    // What the page showed and the user left as it was is not written: another user changed it meanwhile.
    let deny = format!("deny:{grace}");
    browser.post(PAGE, &[("was", allow.as_str()), ("access", deny.as_str())]).await.expect(303);
    let left = [
        ("everybody_was", "allow"),
        ("everybody", "allow"),
        ("was", allow.as_str()),
        ("access", allow.as_str()),
    ];
    browser.post(PAGE, &left).await.expect(303);
    assert_eq!(stored(&t).await, (false, BTreeMap::from([(grace.clone(), false)])));

    // Back to the default: only a row with an entry has an entry to remove.
    let page = browser.get(PAGE).await.expect(200).text;
    let back = format!("default:{grace}");
    assert_eq!(page.matches(&format!("<option value=\"{back}\">As default (denied)")).count(), 1, "{page}");
    assert_eq!(page.matches("<option value=\"default:").count(), 1, "{page}");
    browser.post(PAGE, &[("was", deny.as_str()), ("access", back.as_str())]).await.expect(303);
    assert_eq!(stored(&t).await, (false, BTreeMap::new()));

    let none = browser.get(&format!("{PAGE}?q=nobody")).await.expect(200).text;
    assert!(none.contains("No user matches “nobody”") && none.contains("value=\"deny\" checked"), "{none}");
    let long = format!("allow:{}", "x".repeat(256));
    let refused = browser.post(PAGE, &[("access", long.as_str())]).await.expect(422).text;
    assert!(refused.contains("role=\"alert\"") && refused.contains("1 to 255 bytes"), "{refused}");
}

#[tokio::test]
async fn user_access_is_paged_and_read_only_for_viewers() {
    let t = unseen(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    for number in 0..105 {
        t.inner
            .registry
            .users()
            .invite(
                &t.inner.admin(),
                registry::NewUser {
                    email: format!("u{number:03}@acme.com"),
                    name: format!("User {number:03}"),
                    roles: registry::Roles::one(Role::Viewer, None),
                },
            )
            .await
            .unwrap();
    }
    let first = browser.get(PAGE).await.expect(200).text;
    assert!(first.contains("1–100 of 106") && first.contains("rel=\"next\""), "{first}");
    let second = browser.get(&format!("{PAGE}?page=1")).await.expect(200).text;
    assert!(second.contains("101–106 of 106") && second.contains("rel=\"prev\""), "{second}");

    let viewer = Browser::invited(&t, "viewer@acme.com", Role::Viewer, None).await;
    let page = viewer.get(PAGE).await.expect(200).text;
    assert!(page.contains("You can look at this.") && page.contains("As default"), "{page}");
    for field in ["type=\"radio\"", "name=\"access\"", "Save user access"] {
        assert!(!page.contains(field), "{field}");
    }
    viewer.post(PAGE, &[("everybody_was", "allow"), ("everybody", "deny")]).await.expect(403);
    assert!(stored(&t).await.0);

    // Who is bound to the workspace learns of no user outside of it.
    let bound = Browser::invited(&t, "bound@acme.com", Role::Manager, Some("acme")).await;
    let page = bound.get(PAGE).await.expect(200).text;
    assert!(page.contains("1 of 1") && !page.contains("User 001"), "{page}");
    bound.post(PAGE, &[("everybody_was", "allow"), ("everybody", "deny")]).await.expect(303);
    assert!(!stored(&t).await.0);
}
