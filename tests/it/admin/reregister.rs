//! Buttons that make new clients do what they say, and ask before anything else.

use super::Browser;
use crate::worker::reregistration::{mixed, standing};
use registry::{PageRequest, RegistrationFilter};
use registry_core::registration::State;
use reqwest::header::LOCATION;
use support::{Engine, TestServer};

/// What the form of a page shows as the consequences it asks about.
fn seen(page: &str) -> Vec<String> {
    page.split("name=\"seen\" value=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn reregister_failed_confirms_before_users_must_sign_in_again() {
    let t = TestServer::new(Engine::Sqlite).await;
    let sandbox = mixed(&t.inner).await;
    let before = standing(&t.inner).await;
    let browser = Browser::sign_in(&t).await;
    let bulk = [("intent", "reregister"), ("list", "/ui/integrations?sort=name"), ("one", "linear")];
    for (path, form) in [("/ui/integrations", &bulk[..]), ("/ui/integrations/linear/re-register", &[])] {
        let asked = browser.post(path, form).await.expect(200).text;
        for words in ["Users must sign in again: 1", "May leave a client behind: 1", "Users do not notice: 1"]
        {
            assert!(asked.contains(words), "{words}: {asked}");
        }
        assert_eq!(seen(&asked), ["failed:2:1:0", "outdated:2:1:0", "unconfirmed:1:0:1"]);
        let ticked: Vec<_> = asked
            .split("name=\"which\" value=\"")
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap().contains("checked"))
            .collect();
        assert_eq!(ticked, [true, false, false], "failed means failed only");
    }
    assert_eq!(standing(&t.inner).await, before, "nothing was done without approval");

    let sure = |pairs: &[(&'static str, &'static str)]| [&bulk[..], &[("sure", "yes")], pairs].concat();
    let stale =
        browser.post("/ui/integrations", &sure(&[("which", "failed"), ("seen", "failed:1:0:0")])).await;
    assert!(stale.expect(409).text.contains("changed since this page was shown"));
    browser.post("/ui/integrations", &sure(&[])).await.expect(422);
    browser.post("/ui/integrations", &sure(&[("which", "troubled")])).await.expect(422);
    assert_eq!(standing(&t.inner).await, before);
    let agreed = sure(&[
        ("which", "failed"),
        ("seen", "failed:2:1:0"),
        ("which", "unconfirmed"),
        ("seen", "unconfirmed:1:0:1"),
    ]);
    let done = browser.post("/ui/integrations", &agreed).await.expect(303);
    assert_eq!(done.headers[LOCATION], "/ui/integrations?sort=name&done=queued-3");
    let after = standing(&t.inner).await;
    let changed: Vec<_> = after
        .iter()
        .filter(|(name, state)| before[*name] != **state)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(changed, ["lost", "quiet", "used"]);
    // What is left of the failed cannot be done, and nothing is asked.
    let nothing = browser.post("/ui/integrations", &bulk).await.expect(303);
    assert_eq!(nothing.headers[LOCATION], "/ui/integrations?sort=name&done=queued-0");
    sandbox.stop().await;
}

#[tokio::test]
async fn retry_of_an_unconfirmed_registration_asks_first() {
    let t = TestServer::new(Engine::Sqlite).await;
    let sandbox = mixed(&t.inner).await;
    let browser = Browser::sign_in(&t).await;
    let every = RegistrationFilter { states: vec![State::Unconfirmed], ..RegistrationFilter::default() };
    let lost =
        t.inner.registry.registrations().list(&t.inner.admin(), every, PageRequest::default()).await.unwrap();
    let path = format!("/ui/registrations/{}", lost.items[0].id);
    let page = browser.get(&path).await.expect(200).text;
    assert!(page.contains("Send again…") && !page.contains("Retry now"), "{page}");
    for asked in [
        browser.get(&format!("{path}/retry")).await.expect(200),
        // Also from a page of a time when it was failed.
        browser.post(&format!("{path}/retry"), &[]).await.expect(200),
    ] {
        assert!(asked.text.contains("Send the registration again?"), "{}", asked.text);
        assert!(
            asked.text.contains("A client may stay behind at the authorization server."),
            "{}",
            asked.text
        );
    }
    assert_eq!(standing(&t.inner).await["lost"], State::Unconfirmed);
    browser.post(&format!("{path}/retry"), &[("sure", "yes")]).await.expect(303);
    assert_eq!(standing(&t.inner).await["lost"], State::Queued);
    sandbox.stop().await;
}
