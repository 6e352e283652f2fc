//! The reconcile loop and its steps against a fake of each port.

use crate::reconcile::reconcile;
use chrono::{DateTime, Utc};
use registry::{
    AfterStep, Begun, Claim, Claimed, Claims, DeletionPlan, Published, ReconcileContext, ReconcileOutcome,
    Recorded, RegistrationQueue, Result, SendPermit, StepError, StepRecord,
};
use registry_core::clock::Timestamp;
use registry_core::egress::Scope;
use registry_core::id::{AttemptId, OauthClientId, RegistrationId, SealedId};
use registry_core::metadata::EffectiveMetadata;
use registry_core::oauth::{Adjustment, Discovery, Exchange, Failure, FailureClass, Issued, ManagedClient};
use registry_core::registration::{
    AttemptStep, AuthType, AuthorizationServers, DeleteOutcome, Desired, DesiredPresence, DiscoverOutcome,
    DiscoverTarget, EndingClient, LifecycleRules, ManageOutcome, Observed, RegisterOutcome, SelfCheckOutcome,
    Transport,
};
use registry_core::secret::Secret;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const ISSUER: &str = "https://as.example";
const MCP: &str = "https://mcp.example/mcp";

/// What both fakes do, and what was asked of them, in order.
struct State {
    desired: Desired,
    observed: Mutex<Observed>,
    calls: Mutex<Vec<String>>,
    /// The call at which the lease is lost.
    lose_at: Option<&'static str>,
    /// The stored secret is refused for this issuer.
    refuse_secret: bool,
    permit: SendPermit,
    gone_if_refused: Option<&'static str>,
    /// The answers of the registration endpoint, last first.
    answers: Mutex<Vec<Result<Issued, Failure>>>,
}

impl State {
    fn call(&self, name: &str) {
        self.calls.lock().unwrap().push(name.to_owned());
    }

    fn guarded(&self, name: &'static str, detail: &str) -> Result<(), StepError> {
        if self.lose_at == Some(name) {
            return Err(StepError::LeaseLost);
        }
        self.call(&if detail.is_empty() { name.to_owned() } else { format!("{name} {detail}") });
        Ok(())
    }
}

#[derive(Clone)]
struct Fake(Arc<State>);

fn now() -> Timestamp {
    DateTime::<Utc>::from_timestamp_millis(1_800_000_000_000).unwrap()
}

fn client_id(number: u128) -> OauthClientId {
    OauthClientId(uuid(number))
}

fn uuid(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

impl RegistrationQueue for Fake {
    type Row = ();

    fn now(&self) -> Timestamp {
        now()
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn next_commit(&self) {
        std::future::pending::<()>().await;
    }

    async fn claim(
        &self,
        _: &str,
        _: u64,
        _: u64,
        _: impl Fn(&ReconcileContext<()>) -> Option<AttemptStep> + Send + Sync,
    ) -> Result<Claims<()>> {
        Ok(Claims { claimed: Vec::new(), next_at: None })
    }

    async fn load(&self, _: &Claim) -> Result<ReconcileContext<()>, StepError> {
        let observed = self.0.observed.lock().unwrap().clone();
        Ok(ReconcileContext {
            name: "acme/linear".into(),
            desired: self.0.desired.clone(),
            observed,
            row: (),
        })
    }

    async fn managed_client(&self, _: &Claim, _: OauthClientId) -> Result<Option<ManagedClient>, StepError> {
        Ok(Some(managed_client()))
    }

    async fn plan_deletion(&self, _: &Claim, _: OauthClientId) -> Result<DeletionPlan, StepError> {
        Ok(DeletionPlan::Request {
            client: Box::new(managed_client()),
            gone_if_refused: self.0.gone_if_refused,
        })
    }

    async fn reveal_bound(&self, _: &Claim, _: SealedId, _: &str) -> Result<Secret, StepError> {
        if self.0.refuse_secret {
            return Err(StepError::Refused(Failure::new(
                FailureClass::Security,
                "issuer_changed",
                "Other issuer.",
            )));
        }
        Ok(Secret::new("initial-token"))
    }

    async fn publish_document(&self, _: &Claim, _: &ReconcileContext<()>) -> Result<Published, StepError> {
        unreachable!("no document is wanted")
    }

    async fn begin(
        &self,
        _: &Claim,
        _: &ReconcileContext<()>,
        step: AttemptStep,
        _: Option<&Map<String, Value>>,
        _: &[Adjustment],
    ) -> Result<AttemptId, StepError> {
        self.0.guarded("begin", step.as_str())?;
        Ok(AttemptId(uuid(9)))
    }

    async fn begin_sending(
        &self,
        claim: &Claim,
        context: &ReconcileContext<()>,
        url: &str,
        step: AttemptStep,
        request: Option<&Map<String, Value>>,
        adjustments: &[Adjustment],
    ) -> Result<Begun, StepError> {
        self.0.guarded("reserve_slot", url)?;
        if let SendPermit::At(slot) = self.0.permit {
            return Ok(Begun::WaitForSlot(slot));
        }
        Ok(Begun::Attempt(self.begin(claim, context, step, request, adjustments).await?))
    }

    async fn begin_deletion(
        &self,
        claim: &Claim,
        context: &ReconcileContext<()>,
        url: &str,
        _: OauthClientId,
    ) -> Result<Begun, StepError> {
        self.begin_sending(claim, context, url, AttemptStep::Withdraw, None, &[]).await
    }

    async fn known_secrets(&self, _: &Claim, _: &ReconcileContext<()>) -> Result<Vec<Secret>, StepError> {
        let token = self.0.desired.effective.registration.initial_access_token;
        Ok(token.map(|_| Secret::new("initial-token")).into_iter().collect())
    }

    async fn finish(
        &self,
        _: &Claim,
        _: &ReconcileContext<()>,
        _: AttemptId,
        record: StepRecord,
        exchanges: Vec<Exchange>,
        _: impl FnOnce(&ReconcileContext<()>) -> AfterStep + Send,
    ) -> Result<Recorded<()>, StepError> {
        let shown = format!("{record:?} {exchanges:?}");
        assert!(!shown.contains("initial-token"), "a secret was recorded: {shown}");
        let mut observed = self.0.observed.lock().unwrap();
        let what = match &record {
            StepRecord::Client(..) => "client".to_owned(),
            StepRecord::Withdrawn(_, how) => {
                observed.ending.clear();
                format!("withdrawn {how}")
            }
            StepRecord::NotWithdrawn(_, failure) => {
                observed.ending.clear();
                format!("not withdrawn {}", failure.code)
            }
            StepRecord::Failed(failure) => {
                observed.failed = Some((failure.code.to_string(), self.0.desired.inputs()));
                format!("failed {}", failure.code)
            }
            StepRecord::Adjusted(failure) => format!("adjusted {}", failure.code),
            StepRecord::Discovered(_) => "discovered".to_owned(),
            other => format!("{other:?}"),
        };
        drop(observed);
        self.0.guarded("finish", &what)?;
        Ok(Recorded::Changed)
    }

    async fn settle(
        &self,
        _: &Claim,
        _: &ReconcileContext<()>,
        outcome: ReconcileOutcome,
    ) -> Result<(), StepError> {
        let outcome = format!("{outcome:?}");
        self.0.guarded("settle", outcome.split('(').next().unwrap())
    }
}

impl AuthorizationServers for Fake {
    async fn discover(&self, _: DiscoverTarget) -> DiscoverOutcome {
        self.0.call("-> discover");
        DiscoverOutcome { result: Ok(discovery()), trace: Vec::new(), other_resource: None }
    }

    async fn register(
        &self,
        _: &Discovery,
        endpoint: &str,
        _: &Map<String, Value>,
        token: Option<&Secret>,
    ) -> RegisterOutcome {
        self.0.call("-> register");
        let result = self.0.answers.lock().unwrap().pop().unwrap();
        // A server that repeats what it was sent.
        let note = token.map(|token| format!("you sent {}", token.expose())).unwrap_or_default();
        RegisterOutcome {
            result,
            exchange: Exchange { url: endpoint.to_owned(), note, ..Exchange::default() },
        }
    }

    async fn read(&self, _: &ManagedClient) -> ManageOutcome {
        unreachable!("nothing is verified")
    }

    async fn update(&self, _: &ManagedClient, _: &Map<String, Value>) -> ManageOutcome {
        unreachable!("nothing is updated")
    }

    async fn delete(&self, _: &ManagedClient) -> DeleteOutcome {
        self.0.call("-> delete");
        let refused = Failure::new(FailureClass::NeedsAdmin, "management_token_refused", "Refused.");
        DeleteOutcome { result: Err(refused), exchange: Exchange::default() }
    }

    async fn self_check(&self, _: &str, _: &str) -> SelfCheckOutcome {
        unreachable!("no document is published")
    }
}

fn managed_client() -> ManagedClient {
    ManagedClient {
        client_id: "c".into(),
        client_secret: None,
        client_secret_expires_at: None,
        client_id_issued_at: None,
        token_endpoint_auth_method: "none".into(),
        registration_client_uri: format!("{ISSUER}/clients/c"),
        registration_access_token: Secret::new("management-token"),
        request: Map::new(),
        response: Map::new(),
        scope: Scope::Everything,
    }
}

fn discovery() -> Discovery {
    let mut metadata = Map::new();
    for name in ["authorization_endpoint", "token_endpoint", "registration_endpoint"] {
        metadata.insert(name.into(), json!(format!("{ISSUER}/{name}")));
    }
    Discovery {
        mcp_url: MCP.into(),
        resource: MCP.into(),
        authorization_server_listed: ISSUER.into(),
        issuer: ISSUER.into(),
        metadata,
        ..Discovery::default()
    }
}

/// A server whose authorization server is known and whose client is still to be registered.
fn unregistered() -> State {
    let desired = Desired {
        effective: EffectiveMetadata::default(),
        digest: "d".into(),
        mcp_url: MCP.into(),
        transport: Transport::Http,
        auth_type: AuthType::OauthAuto,
        presence: DesiredPresence::Present,
        publishes_documents: false,
        rules: LifecycleRules::default(),
    };
    let observed = Observed { discovery: Some((discovery(), now())), ..Observed::default() };
    State {
        desired,
        observed: Mutex::new(observed),
        calls: Mutex::default(),
        lose_at: None,
        refuse_secret: false,
        permit: SendPermit::Now,
        gone_if_refused: None,
        answers: Mutex::default(),
    }
}

fn refusal(code: &'static str) -> Result<Issued, Failure> {
    Err(Failure::new(FailureClass::NeedsAdmin, code, "No."))
}

/// What was asked of the ports, without the slot that every registration reserves.
async fn calls(state: State) -> Vec<String> {
    let fake = Fake(Arc::new(state));
    let claim = Claim { registration: RegistrationId(uuid(1)), fence: 1, worker: "w".into() };
    let claimed = Claimed { claim, loaded: None };
    reconcile(fake.clone(), Arc::new(fake.clone()), Arc::default(), claimed, CancellationToken::new()).await;
    let calls = std::mem::take(&mut *fake.0.calls.lock().unwrap());
    calls.into_iter().filter(|call| !call.starts_with("reserve_slot")).collect()
}

#[tokio::test]
async fn attempt_is_recorded_before_its_request_and_completed_after() {
    let state = unregistered();
    state.answers.lock().unwrap().push(refusal("registration_closed"));
    assert_eq!(
        calls(state).await,
        ["begin register", "-> register", "finish failed registration_closed", "settle Blocked"]
    );
}

#[tokio::test]
async fn lost_lease_ends_the_reconciliation_and_nothing_is_sent_after() {
    for (lose_at, expected) in [
        ("reserve_slot", vec![]),
        ("begin", vec![]),
        ("finish", vec!["begin register", "-> register"]),
        ("settle", vec!["begin register", "-> register", "finish failed registration_closed"]),
    ] {
        let state = State { lose_at: Some(lose_at), ..unregistered() };
        state.answers.lock().unwrap().push(refusal("registration_closed"));
        assert_eq!(calls(state).await, expected, "{lose_at}");
    }
}

#[tokio::test]
async fn step_with_a_refused_secret_is_recorded_and_not_sent() {
    let mut state = State { refuse_secret: true, ..unregistered() };
    state.desired.effective.registration.initial_access_token = Some(SealedId(uuid(5)));
    assert_eq!(calls(state).await, ["begin register", "finish failed issuer_changed", "settle Blocked"]);
}

#[tokio::test]
async fn secrets_that_a_server_repeats_are_not_recorded() {
    let mut state = unregistered();
    state.desired.effective.registration.initial_access_token = Some(SealedId(uuid(5)));
    state.answers.lock().unwrap().push(refusal("registration_closed"));
    // The fake queue looks at what it is handed.
    assert!(calls(state).await.contains(&"finish failed registration_closed".to_owned()));
}

#[tokio::test]
async fn step_without_a_slot_is_not_sent() {
    let later = SendPermit::At(now() + chrono::Duration::minutes(1));
    assert_eq!(calls(State { permit: later, ..unregistered() }).await, ["settle WaitForSlot"]);
}

#[tokio::test]
async fn refused_deletion_token_means_gone_only_where_something_else_says_so() {
    for (gone_if_refused, finish) in [
        (Some("deleted"), "finish withdrawn deleted"),
        (None, "finish not withdrawn management_token_refused"),
    ] {
        let mut state = State { gone_if_refused, ..unregistered() };
        state.desired.presence = DesiredPresence::Absent;
        state.observed.get_mut().unwrap().ending = vec![EndingClient {
            id: client_id(2),
            ended_at: now() - chrono::Duration::days(400),
            not_before: None,
            drains: true,
        }];
        let calls = calls(state).await;
        assert_eq!(calls[..3], ["begin withdraw", "-> delete", finish], "{calls:?}");
    }
}

#[tokio::test]
async fn refused_members_that_nobody_set_are_dropped_three_times_at_most() {
    let names = ["software_id", "logo_uri", "policy_uri", "tos_uri", "client_uri"];
    for (refused, expected) in [(1, 1), (2, 2), (3, 3), (5, 3)] {
        let mut state = unregistered();
        for name in names {
            state.desired.effective.client_metadata.insert(name.into(), json!("https://acme.example/x"));
        }
        let mut answers = vec![refusal("registration_closed")];
        answers.extend(names[..refused].iter().rev().map(|name| {
            let mut failure = Failure::new(FailureClass::Configuration, "invalid_client_metadata", "No.");
            failure.error_description = Some(format!("Unrecognized key(s) in object: '{name}'"));
            Err(failure)
        }));
        *state.answers.lock().unwrap() = answers;
        let calls = calls(state).await;
        let count = |what: &str| calls.iter().filter(|call| call.starts_with(what)).count();
        assert_eq!(count("finish adjusted"), expected, "{refused}: {calls:?}");
        assert_eq!((count("-> register"), count("finish failed")), (expected + 1, 1), "{refused}: {calls:?}");
    }
    // What is about the token, not the metadata, is not adjusted, whatever its words name.
    let mut state = unregistered();
    state.desired.effective.client_metadata.insert("scope".into(), json!("read"));
    let mut failure = Failure::new(FailureClass::NeedsAdmin, "initial_access_token_needed", "No.");
    failure.error_description = Some("the token lacks the scope client:write".into());
    state.answers.lock().unwrap().push(Err(failure));
    assert_eq!(calls(state).await.iter().filter(|call| *call == "-> register").count(), 1);
}

#[tokio::test]
async fn plan_that_never_becomes_idle_is_left_for_an_hour() {
    let mut state = unregistered();
    // Discovered again and again, because the fake queue does not keep what was found.
    *state.observed.get_mut().unwrap() = Observed::default();
    let calls = calls(state).await;
    assert_eq!(calls.iter().filter(|call| *call == "-> discover").count(), 12, "{calls:?}");
    assert_eq!(calls.last().unwrap(), "settle Wait");
}
