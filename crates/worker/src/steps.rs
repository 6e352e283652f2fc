//! One function per step. Each begins its attempt in the database before anything is sent and records its outcome after.

use registry::{
    Claim, NewClient, Registry, Result, Situation, StepRecord, Turn, Withdrawal, exchanges_without,
};
use registry_core::clock::Timestamp;
use registry_core::id::{AttemptId, OauthClientId};
use registry_core::metadata::Method;
use registry_core::oauth::{
    Adjustment, Discovery, Exchange, Failure, FailureClass, ManagedClient, Prepared, RequestPolicy,
    adjust_after_refusal, build_request,
};
use registry_core::registration::{AttemptStep, Step, adopted_auth_method};
use registry_outbound::{DiscoverOutcome, DiscoverTarget, UpstreamClient, shown};
use serde_json::{Map, Value};

/// How far a step came.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Its outcome is recorded.
    Made,
    /// Nothing was sent: the budget of this address's origin has room at that moment.
    Waits(Timestamp, String),
    /// The claim was lost on the way.
    Lost,
}

/// Executes one step.
pub(crate) async fn execute(
    registry: &Registry,
    guarded: &UpstreamClient,
    claim: &Claim,
    situation: &Situation,
    step: Step,
) -> Result<Progress> {
    let going = Going { registry, guarded, claim, situation };
    if let Some(address) = going.address_asked(&step).await?
        && let Some(progress) = going.without_turn(address).await?
    {
        return Ok(progress);
    }
    let done = match step {
        Step::Discover => going.discover().await?,
        Step::Publish => going.publish().await?,
        Step::Register => going.register().await?,
        Step::Adopt => going.adopt().await?,
        Step::Update => going.update().await?,
        Step::Verify => going.verify().await?,
        Step::Withdraw(client) => return going.withdraw(client).await,
        Step::Wait(_) | Step::Blocked(..) | Step::AwaitApproval(..) | Step::Idle(..) => Some(()),
    };
    Ok(if done.is_some() { Progress::Made } else { Progress::Lost })
}

/// One registration in hand. Methods answer `None` when the claim is lost.
struct Going<'a> {
    registry: &'a Registry,
    guarded: &'a UpstreamClient,
    claim: &'a Claim,
    situation: &'a Situation,
}

impl Going<'_> {
    /// The address whose origin's budget the step takes from: the one that is contacted. Discovery asks mostly others, and
    /// adopting and publishing nobody.
    async fn address_asked(&self, step: &Step) -> Result<Option<String>> {
        Ok(match (step, &self.situation.observed.client) {
            (Step::Register, _) => self
                .discovery()
                .and_then(|found| found.authorization_server().registration_endpoint())
                .map(str::to_owned),
            (Step::Update | Step::Verify, Some(client)) => self
                .registry
                .registration_queue()
                .managed_client(self.claim, client.id)
                .await?
                .map(|recorded| recorded.registration_client_uri),
            _ => None,
        })
    }

    /// What becomes of a step that may not be sent to `address` now; `None` when it may.
    async fn without_turn(&self, address: String) -> Result<Option<Progress>> {
        Ok(
            match self
                .registry
                .registration_queue()
                .reserve_slot(self.claim, self.situation, &address)
                .await?
            {
                Some(Turn::Now) => None,
                Some(Turn::At(moment)) => Some(Progress::Waits(moment, address)),
                None => Some(Progress::Lost),
            },
        )
    }

    async fn begin(
        &self,
        step: AttemptStep,
        request: Option<&Map<String, Value>>,
        adjustments: &[Adjustment],
    ) -> Result<Option<AttemptId>> {
        self.registry
            .registration_queue()
            .begin_attempt(self.claim, self.situation, step, request, adjustments)
            .await
    }

    async fn discover(&self) -> Result<Option<()>> {
        let Some(attempt) = self.begin(AttemptStep::Discover, None, &[]).await? else { return Ok(None) };
        let target = DiscoverTarget::of(&self.situation.desired, self.situation.observed.client.as_ref());
        // Several requests in a row must not outlive the lease.
        let limit = self.registry.settings().lease * 2 / 3;
        let found = tokio::time::timeout(limit, registry_outbound::discover(self.guarded, target)).await;
        let slow = || {
            let message = "The upstream answers too slowly to be discovered. It is tried again later.";
            DiscoverOutcome {
                result: Err(Failure::new(FailureClass::Transient, "timeout", message)),
                trace: Vec::new(),
                other_resource: None,
            }
        };
        let DiscoverOutcome { result, trace, .. } = found.unwrap_or_else(|_| slow());
        let record = match result {
            Ok(discovery) => StepRecord::Discovered(Box::new(discovery)),
            Err(failure) => StepRecord::Failed(failure),
        };
        self.finish(attempt, record, trace, AttemptStep::Discover).await
    }

    /// Publishes the document, then reads it as an authorization server would.
    async fn publish(&self) -> Result<Option<()>> {
        let published =
            match self.registry.registration_queue().publish_document(self.claim, self.situation).await? {
                Some(Ok(published)) => published,
                Some(Err(failure)) => return self.refuse(AttemptStep::Publish, failure).await,
                None => return Ok(None),
            };
        let shown = serde_json::from_str::<Map<String, Value>>(&published.text).ok();
        let Some(attempt) = self.begin(AttemptStep::Publish, shown.as_ref(), &[]).await? else {
            return Ok(None);
        };
        let checked = registry_outbound::self_check(self.guarded, &published.url, &published.text).await;
        let other_way = self.situation.desired.effective.registration.method == Method::Auto
            && self
                .discovery()
                .is_some_and(|found| found.authorization_server().registration_endpoint().is_some())
            && self.situation.observed.client.is_none();
        let record = match checked.result {
            Ok(()) => StepRecord::Client(Box::new(NewClient::Published(published)), shown),
            Err(failure) if other_way => StepRecord::DocumentUnreachable(failure),
            Err(failure) => StepRecord::Failed(failure),
        };
        self.finish(attempt, record, vec![checked.exchange], AttemptStep::Publish).await
    }

    async fn register(&self) -> Result<Option<()>> {
        let Some(discovery) = self.discovery() else { return Ok(Some(())) };
        let effective = &self.situation.desired.effective;
        let policy = RequestPolicy::of(effective);
        let mut prepared = match build_request(&effective.client_metadata, discovery, policy) {
            Ok(prepared) => prepared,
            Err(failure) => return self.refuse(AttemptStep::Register, failure).await,
        };
        let token = match effective.registration.initial_access_token {
            Some(sealed) => match self
                .registry
                .registration_queue()
                .reveal_bound(self.claim, sealed, &discovery.issuer)
                .await?
            {
                Some(Ok(token)) => Some(token),
                Some(Err(failure)) => return self.refuse(AttemptStep::Register, failure).await,
                None => return Ok(None),
            },
            None => None,
        };
        let Some(endpoint) = discovery.authorization_server().registration_endpoint().map(str::to_owned)
        else {
            return Ok(Some(()));
        };
        let guarded = self.guarded.within(discovery.scope(self.guarded.policy()));
        // The second round is the one adjusted retry that a cause may have (INV-23).
        loop {
            let Prepared { request, adjustments } = &prepared;
            let Some(attempt) = self.begin(AttemptStep::Register, Some(request), adjustments).await? else {
                return Ok(None);
            };
            let outcome = registry_outbound::register(&guarded, &endpoint, request, token.as_ref()).await;
            let (record, next) = match outcome.result {
                Ok(issued) => {
                    let client = Box::new(NewClient::Issued(Box::new(issued)));
                    (StepRecord::Client(client, Some(request.clone())), None)
                }
                Err(failure) => {
                    let next = adjust_after_refusal(request, &failure, policy, discovery, adjustments);
                    (StepRecord::Failed(failure), next)
                }
            };
            if self.finish(attempt, record, vec![outcome.exchange], AttemptStep::Register).await?.is_none() {
                return Ok(None);
            }
            match next {
                Some(adjusted) => prepared = adjusted,
                None => return Ok(Some(())),
            }
        }
    }

    async fn adopt(&self) -> Result<Option<()>> {
        let effective = &self.situation.desired.effective;
        let (Some(credentials), Some(discovery)) = (effective.credentials.clone(), self.discovery()) else {
            return Ok(Some(()));
        };
        if let Some(sealed) = credentials.client_secret {
            // A secret belongs to the issuer it was first used with (INV-2).
            match self
                .registry
                .registration_queue()
                .reveal_bound(self.claim, sealed, &discovery.issuer)
                .await?
            {
                Some(Ok(_)) => {}
                Some(Err(failure)) => return self.refuse(AttemptStep::Adopt, failure).await,
                None => return Ok(None),
            }
        }
        let method = match adopted_auth_method(effective, discovery, credentials.client_secret.is_some()) {
            Ok(method) => method,
            Err(failure) => return self.refuse(AttemptStep::Adopt, failure).await,
        };
        let Some(attempt) = self.begin(AttemptStep::Adopt, None, &[]).await? else { return Ok(None) };
        let client = NewClient::Entered {
            credentials,
            token_endpoint_auth_method: method,
            metadata: effective.client_metadata.clone(),
        };
        self.finish(attempt, StepRecord::Client(Box::new(client), None), Vec::new(), AttemptStep::Adopt).await
    }

    /// Brings the client up to what is wanted (RFC 7592 §2.2); its id stays, and with it everybody's consent.
    async fn update(&self) -> Result<Option<()>> {
        let (Some(client), Some(discovery)) = (&self.situation.observed.client, self.discovery()) else {
            return Ok(Some(()));
        };
        let effective = &self.situation.desired.effective;
        let prepared =
            match build_request(&effective.client_metadata, discovery, RequestPolicy::of(effective)) {
                Ok(prepared) => prepared,
                Err(failure) => return self.refuse(AttemptStep::Update, failure).await,
            };
        let Some(recorded) = self.registry.registration_queue().managed_client(self.claim, client.id).await?
        else {
            return Ok(None);
        };
        let Prepared { request, adjustments } = prepared;
        let Some(attempt) = self.begin(AttemptStep::Update, Some(&request), &adjustments).await? else {
            return Ok(None);
        };
        let outcome = registry_outbound::update(self.guarded, &recorded, &request).await;
        let record = match outcome.result {
            Ok(issued) => StepRecord::Updated(client.id, Box::new(issued), request),
            Err(failure) => StepRecord::Failed(failure),
        };
        self.finish(attempt, record, vec![outcome.exchange], AttemptStep::Update).await
    }

    /// Asks whether the client is still known (RFC 7592 §2.1).
    async fn verify(&self) -> Result<Option<()>> {
        let Some(client) = &self.situation.observed.client else { return Ok(Some(())) };
        let Some(recorded) = self.registry.registration_queue().managed_client(self.claim, client.id).await?
        else {
            return Ok(None);
        };
        let Some(attempt) = self.begin(AttemptStep::Verify, None, &[]).await? else { return Ok(None) };
        let outcome = registry_outbound::read(self.guarded, &recorded).await;
        let record = match outcome.result {
            Ok(issued) => StepRecord::Verified(client.id, Box::new(issued)),
            Err(failure) => StepRecord::Failed(failure),
        };
        self.finish(attempt, record, vec![outcome.exchange], AttemptStep::Verify).await
    }

    async fn withdraw(&self, id: OauthClientId) -> Result<Progress> {
        let progress = |done: Option<()>| if done.is_some() { Progress::Made } else { Progress::Lost };
        let record = match self.registry.registration_queue().deletion(self.claim, id).await? {
            None => return Ok(Progress::Lost),
            Some(Withdrawal::Delete { recorded, gone_if_refused }) => {
                let address = recorded.registration_client_uri.clone();
                if let Some(progress) = self.without_turn(address).await? {
                    return Ok(progress);
                }
                return Ok(progress(self.delete(id, &recorded, gone_if_refused).await?));
            }
            Some(Withdrawal::Nothing(why)) => StepRecord::Withdrawn(id, why),
            Some(Withdrawal::Unmanageable(foreign)) => {
                StepRecord::NotWithdrawn(id, not_deletable(foreign.as_deref()))
            }
        };
        let Some(attempt) = self.begin(AttemptStep::Withdraw, None, &[]).await? else {
            return Ok(Progress::Lost);
        };
        Ok(progress(self.finish(attempt, record, Vec::new(), AttemptStep::Withdraw).await?))
    }

    async fn delete(
        &self,
        id: OauthClientId,
        recorded: &ManagedClient,
        gone_if_refused: Option<&'static str>,
    ) -> Result<Option<()>> {
        let begun = self.registry.registration_queue().begin_deletion(self.claim, self.situation, id).await?;
        let Some(attempt) = begun else { return Ok(None) };
        let guarded = self.guarded.within(recorded.scope.clone());
        let token = &recorded.registration_access_token;
        let outcome = registry_outbound::delete(&guarded, &recorded.registration_client_uri, token).await;
        let record = match outcome.result {
            Ok(()) => StepRecord::Withdrawn(id, "deleted"),
            Err(failure) => match gone_if_refused.filter(|_| failure.code == "management_token_refused") {
                // The token died with the client.
                Some(how) => StepRecord::Withdrawn(id, how),
                None => StepRecord::NotWithdrawn(id, failure),
            },
        };
        self.finish(attempt, record, vec![outcome.exchange], AttemptStep::Withdraw).await
    }

    /// Records a step that could not even be sent.
    async fn refuse(&self, step: AttemptStep, failure: Failure) -> Result<Option<()>> {
        let Some(attempt) = self.begin(step, None, &[]).await? else { return Ok(None) };
        self.finish(attempt, StepRecord::Failed(failure), Vec::new(), step).await
    }

    async fn finish(
        &self,
        attempt: AttemptId,
        record: StepRecord,
        exchanges: Vec<Exchange>,
        step: AttemptStep,
    ) -> Result<Option<()>> {
        let secrets = self.registry.registration_queue().known_secrets(self.claim, self.situation).await?;
        let (record, exchanges) = (record.without(&secrets), exchanges_without(exchanges, &secrets));
        let failed = match &record {
            StepRecord::Failed(failure)
            | StepRecord::NotWithdrawn(_, failure)
            | StepRecord::DocumentUnreachable(failure) => Some(failure),
            _ => None,
        };
        let outcome = if let Some(failure) = failed {
            tracing::info!(server = %self.situation.name, %step, reason = %failure.code, "step failed");
            failure.code.to_string()
        } else {
            tracing::info!(server = %self.situation.name, %step, "step succeeded");
            "succeeded".to_owned()
        };
        let written = self
            .registry
            .registration_queue()
            .finish_attempt(self.claim, self.situation, attempt, record, exchanges)
            .await?;
        metrics::counter!("mcp_registry_attempts_total", "step" => step.as_str(), "outcome" => outcome)
            .increment(1);
        Ok(written.then_some(()))
    }

    fn discovery(&self) -> Option<&Discovery> {
        self.situation.observed.discovery.as_ref().map(|(discovery, _)| discovery)
    }
}

/// Why a client cannot be deleted that has no management address, or only one on a `foreign` origin.
fn not_deletable(foreign: Option<&str>) -> Failure {
    match foreign {
        Some(address) => Failure::new(
            FailureClass::NeedsAdmin,
            "management_elsewhere",
            format!(
                "The authorization server named a management address at {}, which is another origin than its registration endpoint. The registration access token is not sent there, so the client may still exist. Ask its owner to delete it, if that matters.",
                shown(address)
            ),
        ),
        None => Failure::new(
            FailureClass::NeedsAdmin,
            "deletion_not_offered",
            "The authorization server gave no way to delete the client (RFC 7592), so it may still exist there. Ask its owner to delete it, if that matters.",
        ),
    }
}
