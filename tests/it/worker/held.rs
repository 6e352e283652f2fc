//! Replacements that are deferred until approval by the user who saves.

use super::{Working, registration_in, registration_when, upstream};
use registry::{ConfigurationScope, NewConfiguration, ReplacementMode};
use registry_core::permission::Role;
use registry_core::registration::State;
use registry_core::rollout::RolloutOptions;
use registry_core::slug::Reference;
use registry_outbound::Limits;
use registry_sandbox::Quirks;
use rstest::rstest;
use serde_json::json;
use support::{Engine, TestRegistry, TestServer};

fn linear() -> ConfigurationScope {
    ConfigurationScope::Integration(Reference::parse("linear"))
}

fn named(name: &str) -> String {
    json!({ "oauth_client_metadata": { "client_name": name } }).to_string()
}

fn save(name: &str, replacements: ReplacementMode) -> NewConfiguration {
    NewConfiguration { text: Some(named(name)), replacements, ..NewConfiguration::default() }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_replacement_waits_for_approval_and_the_next_change_is_decided_again(#[case] engine: Engine) {
    let t = TestRegistry::new(engine).await;
    // No user can have used the client, so that by the rules it is replaced without approval.
    let sandbox = upstream(&t, Quirks { no_management: true, ..Quirks::default() }, None).await;
    let worker = Working::start(&t.registry, Limits::default());
    let first = registration_in(&t, State::Registered).await;
    let saved = t
        .registry
        .configurations()
        .save(&t.admin(), &linear(), save("Held", ReplacementMode::Defer))
        .await
        .unwrap();
    assert_eq!((saved.affected.replaced, saved.affected.asked), (0, 1), "{:?}", saved.affected);
    let outdated = registration_in(&t, State::Outdated).await;
    assert!(outdated.registration.usable && outdated.registration.client_id == first.registration.client_id);
    assert_eq!(sandbox.registrations().len(), 1, "nothing was registered");

    t.registry.registrations().approve(&t.admin(), outdated.registration.id).await.unwrap();
    let second = registration_when(&t, |detail| {
        detail.registration.state == State::Registered && detail.registration.generation == Some(2)
    })
    .await;
    assert_ne!(second.registration.client_id, first.registration.client_id);

    t.registry
        .configurations()
        .save(&t.admin(), &linear(), save("Held again", ReplacementMode::Defer))
        .await
        .unwrap();
    registration_in(&t, State::Outdated).await;
    let saved = t
        .registry
        .configurations()
        .save(&t.admin(), &linear(), save("By rule", ReplacementMode::Policy))
        .await
        .unwrap();
    assert_eq!((saved.affected.replaced, saved.affected.asked), (1, 0));
    registration_when(&t, |detail| {
        detail.registration.state == State::Registered && detail.registration.generation == Some(3)
    })
    .await;

    // A restored version can be held back like any other.
    let restored = t
        .registry
        .configurations()
        .revert(&t.admin(), &linear(), 1, None, ReplacementMode::Defer, RolloutOptions::default())
        .await
        .unwrap();
    assert_eq!(restored.affected.asked, 1);
    registration_in(&t, State::Outdated).await;
    worker.stop().await;
    assert_eq!(sandbox.registrations().len(), 3);
    sandbox.stop().await;
}

#[tokio::test]
async fn api_can_hold_replacements_on_every_save() {
    let t = TestServer::new(Engine::Sqlite).await;
    let sandbox = upstream(&t.inner, Quirks { no_management: true, ..Quirks::default() }, None).await;
    let worker = Working::start(&t.inner.registry, Limits::default());
    registration_in(&t.inner, State::Registered).await;
    let admin = t.client(Role::Admin, None).await;
    let body = |name: &str| json!({ "configurations": { "oauth_client_metadata": { "client_name": name } } });
    for (number, path) in [
        "/v1/organisation/configuration",
        "/v1/mcp-integrations/linear",
        "/v1/mcp-servers/linear?workspace_id=acme",
    ]
    .into_iter()
    .enumerate()
    {
        let and = if path.contains('?') { '&' } else { '?' };
        let held = format!("{path}{and}hold_replacements=true");
        let saved = admin.put(&held, &body(&format!("Name {number}"))).await.expect(200);
        let affected = saved.json()["affected"].clone();
        assert_eq!((&affected["asked"], &affected["replaced"]), (&json!(1), &json!(0)), "{path}");
        registration_in(&t.inner, State::Outdated).await;
    }
    let access = json!({ "workspaces": [{ "id": "acme", "configurations": { "oauth_client_metadata": { "tos_uri": "https://a.example/tos" } } }] });
    let saved =
        admin.put("/v1/mcp-integrations/linear/workspaces?hold_replacements=true", &access).await.expect(200);
    assert_eq!(saved.json()["affected"]["asked"], 1);
    let nonsense = admin.put("/v1/mcp-integrations/linear?hold_replacements=maybe", &body("X")).await;
    nonsense.expect(400);
    worker.stop().await;
    assert_eq!(sandbox.registrations().len(), 1, "the first client serves on");
    sandbox.stop().await;
}
