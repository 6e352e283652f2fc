#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::clock::Timestamp;
use crate::id::SealedId;
use crate::metadata::{Credentials, EffectiveMetadata, Level, Method, ReplacePolicy};
use crate::oauth::{Discovery, Failure, FailureClass as C, IssuerMatch};
use chrono::{DateTime, Duration};
use proptest::prelude::*;
use serde_json::{Map, json};

fn now() -> Timestamp {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

const URL: &str = "https://h/mcp";

fn desired(change: impl FnOnce(&mut Desired)) -> Desired {
    let mut desired = Desired {
        effective: EffectiveMetadata::default(),
        digest: "d1".into(),
        mcp_url: URL.into(),
        auth_type: AuthType::OauthAuto,
        wanted: true,
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
        resource_match: None,
        protected_resource_url: None,
        protected_resource: None,
        challenge_scope: None,
        authorization_server_listed: "https://h".into(),
        issuer: "https://h".into(),
        issuer_match: IssuerMatch::Exact,
        metadata_url: "https://h/.well-known/oauth-authorization-server".into(),
        metadata,
        scopes: Vec::new(),
        warnings: Vec::new(),
    }
}

fn client(method: RegistrationMethod, digest: &str) -> ActiveClient {
    ActiveClient {
        method,
        digest: digest.into(),
        mcp_url: URL.into(),
        secret_expires_at: None,
        manageable: true,
        fetched: true,
    }
}

fn found(observed: Observed) -> Observed {
    Observed { discovery: Some((discovery(true), now())), ..observed }
}

#[test]
fn the_plan_case_by_case() {
    let plain = || desired(|_| {});
    let nothing = Observed::default;
    let registered =
        |digest: &str| Observed { client: Some(client(RegistrationMethod::Dcr, digest)), ..nothing() };
    let soon = now() + Duration::minutes(1);
    let blocked = |step: Step| match step {
        Step::Block(block) => block.code,
        other => panic!("{other:?}"),
    };
    // From nothing to a client.
    assert_eq!(plan(&plain(), &nothing(), now()), Step::Discover);
    assert_eq!(plan(&plain(), &found(nothing()), now()), Step::Register);
    let old = Observed { discovery: Some((discovery(true), now() - Duration::hours(2))), ..nothing() };
    assert_eq!(plan(&plain(), &old, now()), Step::Discover, "an old discovery is not registered on");
    let moved = desired(|desired| desired.mcp_url = "https://other/mcp".into());
    assert_eq!(plan(&moved, &found(nothing()), now()), Step::Discover, "nor one of another address");
    assert_eq!(plan(&desired(with_credentials), &nothing(), now()), Step::Discover);
    assert_eq!(plan(&desired(with_credentials), &found(nothing()), now()), Step::Adopt);
    // At rest.
    assert_eq!(plan(&plain(), &registered("d1"), now()), Step::Rest(State::Registered, None));
    assert_eq!(plan(&plain(), &registered("old"), now()), Step::Rest(State::Outdated, None));
    let adopted =
        found(Observed { client: Some(client(RegistrationMethod::PreRegistered, "old")), ..nothing() });
    assert_eq!(plan(&desired(with_credentials), &adopted, now()), Step::Adopt, "an entered client follows");
    // While no gateway fetched it, nobody can have consented to it; else a policy decides.
    let unseen = |digest: &str| {
        let mut observed = found(registered(digest));
        observed.client.as_mut().unwrap().fetched = false;
        observed
    };
    assert_eq!(plan(&plain(), &unseen("old"), now()), Step::Register);
    let ask = desired(|desired| desired.effective.registration.replace = Some(ReplacePolicy::Ask));
    assert_eq!(plan(&ask, &unseen("old"), now()), Step::Rest(State::Outdated, None));
    let automatic =
        desired(|desired| desired.effective.registration.replace = Some(ReplacePolicy::Automatic));
    assert_eq!(plan(&automatic, &found(registered("old")), now()), Step::Register);
    // A person insists.
    let asked =
        found(Observed { request: Some(Request::Reregister), not_before: Some(soon), ..registered("d1") });
    assert_eq!(plan(&plain(), &asked, now()), Step::Register);
    // Politeness and failures.
    let polite = found(Observed { not_before: Some(soon), ..nothing() });
    assert_eq!(plan(&plain(), &polite, now()), Step::Wait(soon));
    let failed = found(Observed { failed: Some(("nope".into(), plain().inputs())), ..nothing() });
    assert_eq!(blocked(plan(&plain(), &failed, now())), "nope");
    let changed = desired(|desired| desired.digest = "d2".into());
    assert_eq!(plan(&changed, &failed, now()), Step::Register, "other metadata are another try");
    let retried = Observed { request: Some(Request::Retry), ..failed };
    assert_eq!(plan(&plain(), &retried, now()), Step::Register);
    // What cannot be.
    let no_endpoint = Observed { discovery: Some((discovery(false), now())), ..nothing() };
    assert_eq!(blocked(plan(&plain(), &no_endpoint, now())), "registration_not_supported");
    let by_hand = desired(|desired| desired.auth_type = AuthType::OauthClientCredentials);
    assert_eq!(blocked(plan(&by_hand, &nothing(), now())), "pre_registered_client_missing");
    let cimd = desired(|desired| desired.effective.registration.method = Method::Cimd);
    assert_eq!(blocked(plan(&cimd, &nothing(), now())), "cimd_not_available");
    // Gone.
    let gone = desired(|desired| desired.wanted = false);
    assert_eq!(plan(&gone, &registered("d1"), now()), Step::Withdraw);
    assert_eq!(plan(&gone, &nothing(), now()), Step::Rest(State::Withdrawn, None));
    let none = desired(|desired| desired.auth_type = AuthType::None);
    assert_eq!(plan(&none, &registered("d1"), now()), Step::Withdraw);
    // A secret that expired is no client.
    let mut expired = registered("d1");
    expired.client.as_mut().unwrap().secret_expires_at = Some(now());
    assert_eq!(plan(&plain(), &found(expired), now()), Step::Register);
}

fn observations() -> impl Strategy<Value = Observed> {
    let client = prop::option::of((any::<bool>(), any::<bool>(), prop::option::of(-10i64..10)));
    let times = (prop::option::of(-10i64..10), prop::option::of(-10i64..200));
    (client, times, any::<bool>(), any::<bool>(), prop::option::of(any::<bool>())).prop_map(
        |(one, (not_before, discovered), endpoint, failed, asked)| Observed {
            client: one.map(|(entered, current, expiry)| ActiveClient {
                secret_expires_at: expiry.map(|minutes| now() + Duration::minutes(minutes)),
                ..client_of(entered, current)
            }),
            discovery: discovered.map(|minutes| (discovery(endpoint), now() - Duration::minutes(minutes))),
            failed: failed.then(|| ("nope".to_owned(), desired(|_| {}).inputs())),
            not_before: not_before.map(|minutes| now() + Duration::minutes(minutes)),
            request: asked.map(|again| if again { Request::Reregister } else { Request::Retry }),
        },
    )
}

fn client_of(entered: bool, current: bool) -> ActiveClient {
    let method = if entered { RegistrationMethod::PreRegistered } else { RegistrationMethod::Dcr };
    client(method, if current { "d1" } else { "old" })
}

proptest! {
    /// Nothing is sent to an upstream before its time unless a person asked, nor while a good client is there.
    #[test]
    fn politeness_and_rest_hold_whatever_is_observed(observed in observations(), wanted: bool, entered: bool) {
        let desired = desired(|desired| {
            desired.wanted = wanted;
            if entered { with_credentials(desired); }
        });
        let step = plan(&desired, &observed, now());
        let sends = matches!(step, Step::Discover | Step::Register | Step::Adopt | Step::Withdraw);
        if sends && observed.request.is_none() {
            prop_assert!(observed.not_before.is_none_or(|moment| moment <= now()));
        }
        let good = observed.client.as_ref().is_some_and(|client| client.usable(now()) && client.digest == "d1");
        if wanted && good && observed.request != Some(Request::Reregister) {
            prop_assert!(matches!(step, Step::Rest(State::Registered, _)), "{step:?}");
        }
        if let Step::Wait(until) = step {
            prop_assert!(until > now());
        }
        if matches!(step, Step::Register) {
            prop_assert!(wanted && !entered && observed.discovery.is_some());
        }
    }
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
