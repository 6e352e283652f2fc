//! Keys that make keys: none outlives what made it, and a chain ends as one.

use chrono::Duration;
use registry::{
    Actor, ApiKeyFilter, Channel, CreatedApiKey, Credential, Error, NewApiKey, PageRequest, RequestContext,
};
use registry_core::clock::Timestamp;
use registry_core::permission::Role;
use rstest::rstest;
use support::{Engine, TestRegistry};

fn new(name: &str, expires_at: Option<Timestamp>) -> NewApiKey {
    NewApiKey {
        name: name.into(),
        role: Role::Admin,
        scopes: vec![],
        workspace: None,
        expires_at,
        reason: None,
    }
}

async fn behind(t: &TestRegistry, key: &CreatedApiKey) -> Result<Actor, Error> {
    t.registry.callers().authenticate(Credential::Token(&key.key), RequestContext::new(Channel::Api)).await
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_ends_no_later_than_the_key_that_makes_it(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let end = t.registry.now() + Duration::hours(6);
    let first = t.registry.api_keys().create(&t.admin(), new("first", Some(end))).await.unwrap();
    assert!(first.findings.is_empty() && first.record.made_by.is_none());
    let actor = behind(&t, &first).await.unwrap();
    let later =
        t.registry.api_keys().create(&actor, new("later", Some(end + Duration::milliseconds(1)))).await;
    let Err(Error::Invalid(findings)) = later else { panic!("accepted: {later:?}") };
    assert_eq!(
        (findings.0[0].pointer.as_str(), findings.0[0].code.as_ref()),
        ("/expires_at", "outlives_maker")
    );
    let second = t.registry.api_keys().create(&actor, new("second", None)).await.unwrap();
    assert_eq!((second.record.expires_at, second.record.made_by), (Some(end), Some(first.record.id)));
    assert_eq!(second.findings[0].code, "ends_with_maker");
    let sooner =
        t.registry.api_keys().create(&actor, new("sooner", Some(end - Duration::hours(1)))).await.unwrap();
    assert_eq!((sooner.record.expires_at, sooner.findings.len()), (Some(end - Duration::hours(1)), 0));

    // It rotates itself, and its successor does, again and again: the end stays.
    t.clock.advance(Duration::hours(1));
    let mut last = first;
    for _ in 0..4 {
        let actor = behind(&t, &last).await.unwrap();
        last = t.registry.api_keys().rotate(&actor, last.record.id).await.unwrap();
        assert_eq!(last.record.expires_at, Some(end));
        assert_eq!(last.findings[0].code, "ends_with_maker");
        t.clock.advance(Duration::minutes(10));
    }
    // Rotating another one, which never ends, gives no key that never ends.
    let lasting = t.registry.api_keys().create(&t.admin(), new("lasting", None)).await.unwrap();
    let actor = behind(&t, &last).await.unwrap();
    let rotated = t.registry.api_keys().rotate(&actor, lasting.record.id).await.unwrap();
    assert_eq!((rotated.record.expires_at, rotated.record.made_by), (Some(end), Some(last.record.id)));
    t.clock.advance(Duration::hours(6));
    for ended in [&second, &sooner, &last, &rotated] {
        assert!(matches!(behind(&t, ended).await, Err(Error::Unauthenticated(_))));
    }
    // Where nothing ends, nothing is shortened; a person renews a life.
    let lasting = t.registry.api_keys().create(&t.admin(), new("lasting", None)).await.unwrap();
    let actor = behind(&t, &lasting).await.unwrap();
    let made = t.registry.api_keys().create(&actor, new("made", None)).await.unwrap();
    assert_eq!((made.record.expires_at, made.record.made_by), (None, Some(lasting.record.id)));
    let year = t.registry.now() + Duration::days(365);
    let yearly = t.registry.api_keys().create(&t.admin(), new("yearly", Some(year))).await.unwrap();
    t.clock.advance(Duration::days(30));
    let renewed = t.registry.api_keys().rotate(&t.admin(), yearly.record.id).await.unwrap();
    assert_eq!((renewed.record.expires_at, renewed.findings.len()), (Some(year + Duration::days(30)), 0));
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chain_of_keys_is_revoked_as_one(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    let root = t.registry.api_keys().create(&t.admin(), new("root", None)).await.unwrap();
    let actor = behind(&t, &root).await.unwrap();
    let child = t.registry.api_keys().create(&actor, new("child", None)).await.unwrap();
    let grandchild = t
        .registry
        .api_keys()
        .create(&behind(&t, &child).await.unwrap(), new("grandchild", None))
        .await
        .unwrap();
    let rotated = t.registry.api_keys().rotate(&actor, grandchild.record.id).await.unwrap();
    let unrelated = t.registry.api_keys().create(&t.admin(), new("unrelated", None)).await.unwrap();
    let own = t.registry.api_keys().rotate(&actor, root.record.id).await.unwrap();
    let names = async |id| -> Vec<String> {
        let mut names: Vec<_> = t
            .registry
            .api_keys()
            .made_by(&t.admin(), id)
            .await
            .unwrap()
            .into_iter()
            .map(|key| key.name)
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(root.record.id).await, ["child", "grandchild", "grandchild", "root"]);
    assert_eq!(names(child.record.id).await, ["grandchild", "grandchild"]);
    assert_eq!(names(unrelated.record.id).await, [""; 0]);

    // Alone, it leaves the others.
    assert_eq!(t.registry.api_keys().revoke(&t.admin(), child.record.id, false).await.unwrap(), 1);
    behind(&t, &rotated).await.unwrap();
    // With what it made: also what came of the one that is revoked already.
    assert_eq!(t.registry.api_keys().revoke(&t.admin(), root.record.id, true).await.unwrap(), 4);
    for ended in [&root, &child, &grandchild, &rotated, &own] {
        assert!(matches!(behind(&t, ended).await, Err(Error::Unauthenticated(_))));
    }
    behind(&t, &unrelated).await.unwrap();
    assert_eq!(t.registry.api_keys().revoke(&t.admin(), root.record.id, true).await.unwrap(), 0);
    let ended = ApiKeyFilter { ended: Some(true), workspace: None };
    assert_eq!(t.registry.api_keys().list(&t.admin(), ended, PageRequest::default()).await.unwrap().total, 5);
}
