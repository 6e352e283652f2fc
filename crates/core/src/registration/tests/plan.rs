//! The plan, case by case.

use crate::clock::Timestamp;
use crate::id::{OauthClientId, SealedId};
use crate::metadata::{Credentials, EffectiveMetadata, Level, Method, ReplacePolicy};
use crate::oauth::{Discovery, Failure, FailureClass as C, IssuerMatch};
use crate::registration::*;
use chrono::{DateTime, Duration};
use serde_json::{Map, json};

fn now() -> Timestamp {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

const URL: &str = "https://h/mcp";
const ISSUER: &str = "https://h";

fn desired(change: impl FnOnce(&mut Desired)) -> Desired {
    let mut desired = Desired {
        effective: EffectiveMetadata::default(),
        digest: "d1".into(),
        mcp_url: URL.into(),
        transport: Transport::Http,
        auth_type: AuthType::OauthAuto,
        presence: DesiredPresence::Present,
        publishes_documents: false,
        rules: LifecycleRules::default(),
    };
    change(&mut desired);
    desired
}

fn with_credentials(desired: &mut Desired) {
    desired.effective.credentials = Some(Credentials {
        client_id: "c".into(),
        client_secret: None::<SealedId>,
        level: Level::Integration,
    });
}

fn discovery(registration: bool) -> Discovery {
    let mut metadata = Map::new();
    if registration {
        metadata.insert("registration_endpoint".into(), json!("https://h/register"));
    }
    Discovery {
        mcp_url: URL.into(),
        resource: URL.into(),
        authorization_server_listed: ISSUER.into(),
        issuer: ISSUER.into(),
        metadata_url: "https://h/.well-known/oauth-authorization-server".into(),
        metadata,
        ..Discovery::default()
    }
}

fn id(number: u128) -> OauthClientId {
    OauthClientId(uuid::Uuid::from_u128(number))
}

fn client(method: RegistrationMethod, digest: &str) -> ActiveClient {
    ActiveClient {
        id: id(1),
        client_id: "c".into(),
        method,
        issuer: ISSUER.into(),
        legacy_issuer: false,
        digest: digest.into(),
        mcp_url: URL.into(),
        created_at: now(),
        updated_at: None,
        verified_at: None,
        secret_issued_at: now(),
        secret_expires_at: None,
        manageable: false,
        update_refused: None,
        fetched: true,
        verification: None,
        withdraw_not_before: None,
    }
}

fn found(observed: Observed) -> Observed {
    Observed { discovery: Some((discovery(true), now())), ..observed }
}

fn plain() -> Desired {
    desired(|_| {})
}

fn nothing() -> Observed {
    Observed::default()
}

fn registered(digest: &str) -> Observed {
    Observed { client: Some(client(RegistrationMethod::Dcr, digest)), ..nothing() }
}

/// As above, changed.
fn known(change: impl FnOnce(&mut ActiveClient)) -> Observed {
    let mut observed = found(registered("d1"));
    change(observed.client.as_mut().unwrap());
    observed
}

fn code(step: Step) -> String {
    match step {
        Step::Blocked(block, _) | Step::AwaitApproval(block, _) => block.code,
        other => panic!("{other:?}"),
    }
}

fn rest() -> Step {
    Step::Idle(State::Registered, None)
}

#[test]
fn new_registration_gets_a_client() {
    assert_eq!(plan(&plain(), &nothing(), now()), Step::Discover);
    assert_eq!(plan(&plain(), &found(nothing()), now()), Step::Register);
    let old = Observed { discovery: Some((discovery(true), now() - Duration::hours(2))), ..nothing() };
    assert_eq!(plan(&plain(), &old, now()), Step::Discover, "an old discovery is not registered on");
    let moved = desired(|desired| desired.mcp_url = "https://other/mcp".into());
    assert_eq!(plan(&moved, &found(nothing()), now()), Step::Discover, "nor one of another address");
    let mut with_override = found(nothing());
    with_override.discovery.as_mut().unwrap().0.found_with = "other".into();
    assert_eq!(plan(&plain(), &with_override, now()), Step::Discover, "nor one made with other overrides");
    assert_eq!(plan(&desired(with_credentials), &nothing(), now()), Step::Discover);
    assert_eq!(plan(&desired(with_credentials), &found(nothing()), now()), Step::Adopt);
}

#[test]
fn methods_are_tried_in_their_order() {
    let offers = |registration: bool| {
        let mut found = discovery(registration);
        found.metadata.insert("client_id_metadata_document_supported".into(), json!(true));
        found
    };
    let publishing = |method: Method| {
        desired(|desired| {
            desired.publishes_documents = true;
            desired.effective.registration.method = method;
        })
    };
    let choose = |desired: &Desired, found: &Discovery| choose_method(desired, found, true);
    let nobody = |choice: Choice| match choice {
        Choice::Nobody(block) => block.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        choose(&publishing(Method::Auto), &offers(true)),
        Choice::Publish,
        "documents before registration"
    );
    assert_eq!(choose(&publishing(Method::Auto), &discovery(true)), Choice::Register, "where they are read");
    assert_eq!(choose(&plain(), &offers(true)), Choice::Register, "and published");
    assert_eq!(choose(&publishing(Method::Dcr), &offers(true)), Choice::Register);
    assert_eq!(
        choose_method(&publishing(Method::Auto), &offers(true), false),
        Choice::Register,
        "unreachable"
    );
    assert_eq!(
        choose_method(&publishing(Method::Auto), &offers(false), false),
        Choice::Publish,
        "the only way"
    );
    let mut secretive = offers(true);
    secretive.metadata.insert("token_endpoint_auth_methods_supported".into(), json!(["client_secret_post"]));
    assert_eq!(choose(&publishing(Method::Auto), &secretive), Choice::Register);
    assert_eq!(nobody(choose(&publishing(Method::Cimd), &secretive)), "cimd_auth_method");
    assert_eq!(nobody(choose(&publishing(Method::Cimd), &discovery(true))), "cimd_not_supported");
    let unpublished = desired(|desired| desired.effective.registration.method = Method::Cimd);
    assert_eq!(nobody(choose(&unpublished, &offers(true))), "cimd_not_available");
    assert_eq!(code(plan(&unpublished, &nothing(), now())), "cimd_not_available", "known without looking");
    let mut entered = publishing(Method::Auto);
    with_credentials(&mut entered);
    assert_eq!(choose(&entered, &offers(true)), Choice::Adopt, "what a person entered goes first");
    assert_eq!(nobody(choose(&plain(), &discovery(false))), "registration_not_supported");
    let by_hand = desired(|desired| desired.auth_type = AuthType::OauthClientCredentials);
    assert_eq!(code(plan(&by_hand, &nothing(), now())), "pre_registered_client_missing");
}

#[test]
fn client_with_desired_metadata_is_idle() {
    assert_eq!(plan(&plain(), &registered("d1"), now()), rest());
    let better = desired(|desired| desired.publishes_documents = true);
    let mut offered = found(registered("d1"));
    offered
        .discovery
        .as_mut()
        .unwrap()
        .0
        .metadata
        .insert("client_id_metadata_document_supported".into(), json!(true));
    assert_eq!(plan(&better, &offered, now()), rest(), "never replaced because a better method appeared");
    let mut asked = offered;
    asked.request = Some(Request::Reregister);
    assert_eq!(plan(&better, &asked, now()), Step::Publish, "a person can move it");
    let later = now() + Duration::days(1);
    let scheduled = Observed { rediscover_at: Some(later), ..registered("d1") };
    assert_eq!(plan(&plain(), &scheduled, now()), Step::Idle(State::Registered, Some(later)));
    assert_eq!(plan(&plain(), &scheduled, later), Step::Discover);
}

#[test]
fn change_takes_the_cheapest_step() {
    let ask = desired(|desired| desired.effective.registration.replace = Some(ReplacePolicy::Ask));
    let automatic =
        desired(|desired| desired.effective.registration.replace = Some(ReplacePolicy::Automatic));
    let changed = |change: fn(&mut ActiveClient)| {
        known(|client| {
            client.digest = "old".into();
            change(client);
        })
    };
    for (what, desired, observed, expected) in [
        ("an update keeps the id", &plain(), changed(|client| client.manageable = true), Step::Update),
        ("nobody has it", &plain(), changed(|client| client.fetched = false), Step::Register),
        ("automatic", &automatic, changed(|_| {}), Step::Register),
    ] {
        assert_eq!(plan(desired, &observed, now()), expected, "{what}");
        let known = observed.client.as_ref();
        let expected = if expected == Step::Update { Cost::Updated } else { Cost::Replaced };
        assert_eq!(cost(desired, known, now()), expected, "{what}");
    }
    for (what, desired, observed) in [
        ("people have consented", &plain(), changed(|_| {})),
        ("asked for", &ask, changed(|client| client.fetched = false)),
        (
            "an update was refused",
            &plain(),
            changed(|client| {
                client.manageable = true;
                client.update_refused = Some("d1".into());
            }),
        ),
    ] {
        assert_eq!(code(plan(desired, &observed, now())), "metadata_changed", "{what}");
        assert_eq!(cost(desired, observed.client.as_ref(), now()), Cost::Asked, "{what}");
        let skipped = Observed { skipped: Some(desired.inputs()), ..observed.clone() };
        assert!(
            matches!(plan(desired, &skipped, now()), Step::Idle(State::Registered, _)),
            "{what}, skipped"
        );
        let approved = Observed { request: Some(Request::Reregister), ..observed };
        assert_eq!(plan(desired, &approved, now()), Step::Register, "{what}, approved");
    }
    let unused = changed(|client| client.fetched = false);
    assert_eq!(plan(&plain(), &unused, now()), Step::Register, "nobody is asked for a client nobody used");
    let held = Observed { held: Some(plain().inputs()), ..unused.clone() };
    assert_eq!(code(plan(&plain(), &held, now())), "metadata_changed", "the save required approval");
    let approved = Observed { request: Some(Request::Reregister), ..held };
    assert_eq!(plan(&plain(), &approved, now()), Step::Register, "held and approved");
    let lapsed = Observed { held: Some("what was wanted before".into()), ..unused };
    assert_eq!(plan(&plain(), &lapsed, now()), Step::Register, "the next change is decided again");
    let adopted =
        found(Observed { client: Some(client(RegistrationMethod::PreRegistered, "old")), ..nothing() });
    assert_eq!(plan(&desired(with_credentials), &adopted, now()), Step::Adopt, "an entered client follows");
    let entered = known(|_| {});
    assert_eq!(plan(&desired(with_credentials), &entered, now()), Step::Adopt, "and replaces another one");
    assert_eq!(plan(&plain(), &adopted, now()), Step::Register, "one that is not entered any more goes");
    let forced = desired(|desired| desired.effective.registration.method = Method::PreRegistered);
    assert_eq!(
        code(plan(&forced, &known(|client| client.fetched = false), now())),
        "pre_registered_client_missing"
    );
    assert_eq!(cost(&plain(), None, now()), Cost::Registered);
    assert_eq!(cost(&plain(), known(|_| {}).client.as_ref(), now()), Cost::Nothing);
}

#[test]
fn a_client_is_used_with_its_own_issuer_only() {
    let elsewhere = |observed: Observed| {
        let mut observed = found(observed);
        observed.discovery.as_mut().unwrap().0.issuer = "https://new".into();
        observed
    };
    assert_eq!(plan(&plain(), &elsewhere(registered("d1")), now()), Step::Register);
    let ask = desired(|desired| desired.effective.registration.replace = Some(ReplacePolicy::Ask));
    assert_eq!(code(plan(&ask, &elsewhere(registered("d1")), now())), "issuer_changed");
    let mut legacy = found(registered("d1"));
    legacy.discovery.as_mut().unwrap().0.issuer_match = IssuerMatch::Legacy;
    assert_eq!(plan(&plain(), &legacy, now()), Step::Register, "a made-up issuer is no real one");
    // A pre-registered client is moved to another issuer only when the user says so.
    let mut entered =
        elsewhere(Observed { client: Some(client(RegistrationMethod::PreRegistered, "d1")), ..nothing() });
    assert_eq!(code(plan(&desired(with_credentials), &entered, now())), "issuer_changed");
    entered.client.as_mut().unwrap().digest = "old".into();
    assert_eq!(
        code(plan(&desired(with_credentials), &entered, now())),
        "issuer_changed",
        "a new name is no word"
    );
    let vouched = desired(|desired| {
        with_credentials(desired);
        desired.effective.authorization_server.trusted_issuer = Some("https://new".into());
    });
    assert_eq!(plan(&vouched, &entered, now()), Step::Adopt);
    // A document is a client everywhere.
    let mut document =
        elsewhere(Observed { client: Some(client(RegistrationMethod::Cimd, "d1")), ..nothing() });
    document
        .discovery
        .as_mut()
        .unwrap()
        .0
        .metadata
        .insert("client_id_metadata_document_supported".into(), json!(true));
    let publishing = desired(|desired| desired.publishes_documents = true);
    assert_eq!(plan(&publishing, &document, now()), Step::Publish);
}

#[test]
fn new_url_of_the_same_authorization_server_keeps_the_client() {
    let moved = desired(|desired| desired.mcp_url = "https://h/other".into());
    let observed = found(registered("d1"));
    assert_eq!(plan(&moved, &observed, now()), Step::Discover);
    assert_eq!(cost(&moved, observed.client.as_ref(), now()), Cost::Rediscovered);
    let mut there = observed;
    there.discovery.as_mut().unwrap().0.mcp_url = moved.mcp_url.clone();
    there.client.as_mut().unwrap().mcp_url = moved.mcp_url.clone();
    assert_eq!(plan(&moved, &there, now()), rest());
}

#[test]
fn secrets_are_renewed_in_time() {
    let expiring = |hours: i64| {
        known(|client| {
            client.secret_issued_at = now() - Duration::hours(20);
            client.secret_expires_at = Some(now() + Duration::hours(hours));
        })
    };
    let renew_at = expiring(20).client.unwrap().renew_at(LifecycleRules::default()).unwrap();
    assert_eq!(renew_at, now() - Duration::hours(20) + Duration::minutes(1600), "two thirds of 40 hours");
    assert_eq!(plan(&plain(), &expiring(20), now()), Step::Idle(State::Registered, Some(renew_at)));
    assert_eq!(plan(&plain(), &expiring(5), now()), Step::Register);
    let ask = desired(|desired| desired.effective.registration.replace = Some(ReplacePolicy::Ask));
    assert_eq!(code(plan(&ask, &expiring(5), now())), "secret_expiring");
    assert_eq!(plan(&ask, &expiring(0), now()), Step::Register, "an expired one serves nobody");
    let mut manageable = expiring(5);
    manageable.client.as_mut().unwrap().manageable = true;
    assert_eq!(plan(&plain(), &manageable, now()), Step::Update, "the same client may get a new secret");
    manageable.client.as_mut().unwrap().updated_at = Some(now());
    assert_eq!(plan(&plain(), &manageable, now()), Step::Register, "it brought none");
    let seconds = known(|client| client.secret_expires_at = Some(now() + Duration::seconds(5)));
    let floor = now() + Duration::minutes(10);
    assert_eq!(plan(&plain(), &seconds, now() + Duration::seconds(6)), Step::Wait(floor), "not ever faster");
}

#[test]
fn verification_comes_before_other_steps() {
    let doubted =
        |verification| known(|client| (client.verification, client.manageable) = (Some(verification), true));
    assert_eq!(plan(&plain(), &doubted(Verification::UpdateLost), now()), Step::Verify);
    assert_eq!(plan(&plain(), &doubted(Verification::Reported), now()), Step::Verify);
    let forgotten = doubted(Verification::Forgotten);
    assert!(!forgotten.client.as_ref().unwrap().usable(now()));
    assert_eq!(plan(&plain(), &forgotten, now()), Step::Register);
    let lately = Observed { replaced_at: Some(now() - Duration::minutes(1)), ..forgotten.clone() };
    assert_eq!(
        plan(&plain(), &lately, now()),
        Step::Wait(now() + Duration::minutes(59)),
        "once per cool-down"
    );
    let polite = Observed { not_before: Some(now() + Duration::minutes(5)), ..forgotten };
    assert_eq!(plan(&plain(), &polite, now()), Step::Wait(now() + Duration::minutes(5)));
    let mut entered = known(|client| client.verification = Some(Verification::Forgotten));
    entered.client.as_mut().unwrap().method = RegistrationMethod::PreRegistered;
    assert_eq!(code(plan(&desired(with_credentials), &entered, now())), "invalid_client");
}

#[test]
fn unused_clients_are_verified() {
    let old = |manageable, fetched| {
        known(|client| {
            client.created_at = now() - Duration::days(31);
            (client.manageable, client.fetched) = (manageable, fetched);
        })
    };
    assert_eq!(plan(&plain(), &old(true, false), now()), Step::Verify);
    assert_eq!(plan(&plain(), &old(false, false), now()), Step::Register);
    assert_eq!(plan(&plain(), &old(false, true), now()), rest(), "one that is used says so itself");
}

#[test]
fn backoff_and_failures_hold_until_a_user_retries() {
    let soon = now() + Duration::minutes(1);
    let polite = found(Observed { not_before: Some(soon), ..nothing() });
    assert_eq!(plan(&plain(), &polite, now()), Step::Wait(soon));
    let failed = found(Observed { failed: Some(("nope".into(), plain().inputs())), ..nothing() });
    assert_eq!(code(plan(&plain(), &failed, now())), "nope");
    let changed = desired(|desired| desired.digest = "d2".into());
    assert_eq!(plan(&changed, &failed, now()), Step::Register, "other metadata are another try");
    let retried = Observed { request: Some(Request::Retry), ..failed };
    assert_eq!(plan(&plain(), &retried, now()), Step::Register);
    let asked =
        found(Observed { request: Some(Request::Reregister), not_before: Some(soon), ..registered("d1") });
    assert_eq!(plan(&plain(), &asked, now()), Step::Register);
    let failed_since = Observed { failures: 1, not_before: Some(soon), ..asked };
    assert_eq!(plan(&plain(), &failed_since, now()), Step::Wait(soon));
    assert_eq!(plan(&plain(), &failed_since, soon), Step::Register, "what was asked for is still to be done");
    let lost = found(Observed { lost: Some((2, plain().inputs())), ..nothing() });
    assert_eq!(code(plan(&plain(), &lost, now())), "answer_lost");
    let decided = Observed { request: Some(Request::Retry), failures: 1, not_before: Some(soon), ..lost };
    assert_eq!(plan(&plain(), &decided, soon), Step::Register, "a failure does not take a decision back");
}

#[test]
fn undesired_client_is_withdrawn() {
    let draining = |days: i64| EndingClient {
        id: id(2),
        ended_at: now() - Duration::days(days),
        not_before: None,
        drains: true,
    };
    let gone = desired(|desired| desired.presence = DesiredPresence::Absent);
    let both = Observed { ending: vec![draining(0)], ..registered("d1") };
    assert_eq!(plan(&gone, &both, now()), Step::Withdraw(id(1)), "at once");
    let last = Observed { client: None, ..both.clone() };
    assert_eq!(plan(&gone, &last, now()), Step::Withdraw(id(2)));
    assert_eq!(plan(&gone, &nothing(), now()), Step::Idle(State::Withdrawn, None));
    let mut later = last;
    later.ending[0].not_before = Some(now() + Duration::hours(1));
    assert_eq!(plan(&gone, &later, now()), Step::Wait(now() + Duration::hours(1)), "still withdrawing");
    let none = desired(|desired| desired.auth_type = AuthType::None);
    assert_eq!(plan(&none, &registered("d1"), now()), Step::Withdraw(id(1)));
    assert_eq!(cost(&none, registered("d1").client.as_ref(), now()), Cost::Withdrawn);
    // A replaced client drains first.
    let drained = now() + Duration::days(7);
    assert_eq!(plan(&plain(), &both, now()), Step::Idle(State::Registered, Some(drained)));
    let old = Observed { ending: vec![draining(7)], ..registered("d1") };
    assert_eq!(plan(&plain(), &old, now()), Step::Withdraw(id(2)));
    // Access switched off: kept for a while, nothing new.
    let until = now() + Duration::days(30);
    let paused = desired(|desired| desired.presence = DesiredPresence::Suspended(until));
    assert_eq!(plan(&paused, &registered("old"), now()), Step::Idle(State::Registered, Some(until)));
    assert_eq!(plan(&paused, &nothing(), now()), Step::Idle(State::Withdrawn, Some(until)));
    assert_eq!(plan(&paused, &registered("d1"), until), Step::Withdraw(id(1)));
}

#[test]
fn failures_have_the_consequences_of_their_class() {
    let rules = RetryRules::default();
    let after = |class, failures, lost, retry_after| {
        let failure = Failure { retry_after, ..Failure::new(class, "x", "x") };
        let consequence = after_failure(&failure, failures, lost, rules, now(), 0.5);
        (consequence.state, consequence.not_before.map(|moment| (moment - now()).num_seconds()))
    };
    assert_eq!(after(C::Transient, 0, 0, None), (State::Retrying, Some(3)));
    assert_eq!(after(C::Transient, 0, 0, Some(120)), (State::Retrying, Some(120)));
    assert_eq!(after(C::Transient, 0, 0, Some(u64::MAX)), (State::Retrying, Some(24 * 3600)));
    assert_eq!(after(C::Protocol, 0, 0, None).0, State::Retrying);
    assert_eq!(after(C::Protocol, 1, 0, None), (State::Failed, None));
    assert_eq!(after(C::Ambiguous, 0, 0, None), (State::Unconfirmed, Some(60)));
    assert_eq!(
        after(C::Ambiguous, 1, 1, None),
        (State::Unconfirmed, None),
        "a second loss waits for a person"
    );
    for class in [C::NeedsAdmin, C::Configuration, C::Security] {
        assert_eq!(after(class, 0, 0, Some(5)), (State::Failed, None));
    }
}
