//! One function per step. Each begins its attempt before anything is sent, and records its outcome after (INV-3).

use crate::after_step::registration_request;
use crate::shared_discovery::SharedDiscoveries;
use registry::{
    AfterStep, Begun, Claim, DeletionPlan, NewClient, ReconcileContext, Recorded, RegistrationQueue,
    RegistrationRequest, StepError, StepRecord, exchanges_without,
};
use registry_core::clock::Timestamp;
use registry_core::id::{AttemptId, OauthClientId};
use registry_core::metadata::Method;
use registry_core::oauth::{
    Adjustment, Discovery, Exchange, Failure, FailureClass, MAX_ADJUSTED_RETRIES, ManagedClient, Prepared,
    RequestPolicy, adjust_after_refusal, build_request,
};
use registry_core::registration::{
    AttemptStep, AuthorizationServers, DiscoverOutcome, DiscoverTarget, Step, adopted_auth_method,
};
use registry_core::secret::Secret;
use registry_core::url_text::shown;
use serde_json::{Map, Value};

type Outcome<T> = Result<T, StepError>;

/// What executing a step led to.
pub(crate) enum Executed<Row> {
    /// The claim is settled.
    Settled,
    /// The claim goes on with this request, which has begun.
    Begun(Box<ReconcileContext<Row>>, BegunStep),
    /// The claim goes on with this.
    Next(Box<ReconcileContext<Row>>),
    /// The claim goes on with what is to be loaded.
    Changed,
    /// Nothing was sent: the origin of this URL may be asked at this time.
    WaitForSlot(Timestamp, String),
}

impl<Row> From<Recorded<Row>> for Executed<Row> {
    fn from(finished: Recorded<Row>) -> Self {
        match finished {
            Recorded::Settled => Self::Settled,
            Recorded::Begun(context, attempt, request) => {
                Self::Begun(context, BegunStep::Register(attempt, request))
            }
            Recorded::Next(context) => Self::Next(context),
            Recorded::Changed => Self::Changed,
        }
    }
}

/// A step whose attempt is recorded already.
pub(crate) enum BegunStep {
    Discover(AttemptId),
    Register(AttemptId, RegistrationRequest),
}

/// What follows a step, by what is known after it.
type After<'a, Row> = &'a (dyn Fn(&ReconcileContext<Row>) -> AfterStep + Send + Sync);

/// Executes the steps of one claimed registration.
pub(crate) struct StepExecutor<'a, Q: RegistrationQueue, S> {
    pub(crate) queue: &'a Q,
    pub(crate) servers: &'a S,
    pub(crate) discoveries: &'a SharedDiscoveries,
    pub(crate) claim: &'a Claim,
    pub(crate) context: &'a ReconcileContext<Q::Row>,
    pub(crate) after: After<'a, Q::Row>,
}

impl<Q: RegistrationQueue, S: AuthorizationServers> StepExecutor<'_, Q, S> {
    /// Executes `step` and records what came of it.
    pub(crate) async fn execute(&self, step: Step) -> Outcome<Executed<Q::Row>> {
        let (name, done) = match step {
            Step::Discover => (AttemptStep::Discover, self.discover().await),
            Step::Publish => (AttemptStep::Publish, self.publish().await),
            Step::Register => (AttemptStep::Register, self.register().await),
            Step::Adopt => (AttemptStep::Adopt, self.adopt().await),
            Step::Update => (AttemptStep::Update, self.update().await),
            Step::Verify => (AttemptStep::Verify, self.verify().await),
            Step::Withdraw(id) => (AttemptStep::Withdraw, self.withdraw(id).await),
            Step::Wait(_) | Step::Blocked(..) | Step::AwaitApproval(..) | Step::Idle(..) => {
                return Ok(Executed::Changed);
            }
        };
        match done {
            // A step that cannot be sent is an attempt too.
            Err(StepError::Refused(failure)) => {
                let attempt = self.begin(name, None, &[]).await?;
                self.finish(attempt, StepRecord::Failed(failure), Vec::new(), name).await
            }
            done => done,
        }
    }

    /// Executes a step whose attempt is recorded already.
    pub(crate) async fn execute_begun(&self, step: BegunStep) -> Outcome<Executed<Q::Row>> {
        match step {
            BegunStep::Discover(attempt) => self.discover_begun(attempt).await,
            BegunStep::Register(attempt, request) => {
                self.send_registration(request, None, Some(attempt)).await
            }
        }
    }

    async fn discover(&self) -> Outcome<Executed<Q::Row>> {
        let attempt = self.begin(AttemptStep::Discover, None, &[]).await?;
        self.discover_begun(attempt).await
    }

    /// Finds the authorization server.
    async fn discover_begun(&self, attempt: AttemptId) -> Outcome<Executed<Q::Row>> {
        let target = DiscoverTarget::of(&self.context.desired, self.context.observed.client.as_ref());
        // Several requests in a row must not outlive the lease.
        let limit = self.queue.lease() * 2 / 3;
        let found = tokio::time::timeout(limit, self.discoveries.discover(self.servers, target)).await;
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
    async fn publish(&self) -> Outcome<Executed<Q::Row>> {
        let published = self.queue.publish_document(self.claim, self.context).await?;
        let document = serde_json::from_str::<Map<String, Value>>(&published.text).ok();
        let attempt = self.begin(AttemptStep::Publish, document.as_ref(), &[]).await?;
        let checked = self.servers.self_check(&published.url, &published.text).await;
        let can_register = self.context.desired.effective.registration.method == Method::Auto
            && self
                .discovery()
                .is_some_and(|found| found.authorization_server().registration_endpoint().is_some())
            && self.context.observed.client.is_none();
        let record = match checked.result {
            Ok(()) => StepRecord::Client(Box::new(NewClient::Published(published)), document),
            Err(failure) if can_register => StepRecord::DocumentUnreachable(failure),
            Err(failure) => StepRecord::Failed(failure),
        };
        self.finish(attempt, record, vec![checked.exchange], AttemptStep::Publish).await
    }

    async fn register(&self) -> Outcome<Executed<Q::Row>> {
        let (Some(request), Some(discovery)) =
            (registration_request(self.context).map_err(StepError::Refused)?, self.discovery())
        else {
            return Ok(Executed::Changed);
        };
        let token = match self.context.desired.effective.registration.initial_access_token {
            Some(sealed) => Some(self.queue.reveal_bound(self.claim, sealed, &discovery.issuer).await?),
            None => None,
        };
        self.send_registration(request, token.as_ref(), None).await
    }

    /// Sends a registration request, and again what is adjusted after a refusal. `begun` is the attempt of the first one, if
    /// it is recorded already.
    async fn send_registration(
        &self,
        request: RegistrationRequest,
        token: Option<&Secret>,
        mut begun: Option<AttemptId>,
    ) -> Outcome<Executed<Q::Row>> {
        let Some(discovery) = self.discovery() else { return Ok(Executed::Changed) };
        let policy = RequestPolicy::of(&self.context.desired.effective);
        let RegistrationRequest { endpoint, mut prepared } = request;
        // Each further round leaves out or changes what the refusal names (INV-23).
        for round in 0.. {
            let Prepared { request, adjustments } = &prepared;
            let url = (round == 0).then_some(endpoint.as_str());
            let begun = match begun.take() {
                Some(attempt) => Begun::Attempt(attempt),
                None => self.begin_at(url, AttemptStep::Register, Some(request), adjustments).await?,
            };
            let attempt = match begun {
                Begun::Attempt(attempt) => attempt,
                Begun::WaitForSlot(slot) => return Ok(Executed::WaitForSlot(slot, endpoint)),
            };
            let outcome = self.servers.register(discovery, &endpoint, request, token).await;
            let (record, adjusted) = match outcome.result {
                Ok(issued) => {
                    let client = Box::new(NewClient::Issued(Box::new(issued)));
                    (StepRecord::Client(client, Some(request.clone())), None)
                }
                Err(failure) => refused(&prepared, failure, policy, discovery, round),
            };
            let finished =
                self.finish(attempt, record, vec![outcome.exchange], AttemptStep::Register).await?;
            match adjusted {
                Some(adjusted) => prepared = adjusted,
                None => return Ok(finished),
            }
        }
        Ok(Executed::Changed)
    }

    /// Takes over a pre-registered client.
    async fn adopt(&self) -> Outcome<Executed<Q::Row>> {
        let effective = &self.context.desired.effective;
        let (Some(credentials), Some(discovery)) = (effective.credentials.clone(), self.discovery()) else {
            return Ok(Executed::Changed);
        };
        if let Some(sealed) = credentials.client_secret {
            // A secret belongs to the issuer it was first used with (INV-2).
            self.queue.reveal_bound(self.claim, sealed, &discovery.issuer).await?;
        }
        let method = adopted_auth_method(effective, discovery, credentials.client_secret.is_some())
            .map_err(StepError::Refused)?;
        let attempt = self.begin(AttemptStep::Adopt, None, &[]).await?;
        let client = NewClient::PreRegistered {
            credentials,
            token_endpoint_auth_method: method,
            metadata: effective.client_metadata.clone(),
        };
        self.finish(attempt, StepRecord::Client(Box::new(client), None), Vec::new(), AttemptStep::Adopt).await
    }

    /// Updates the client to what is wanted (RFC 7592 §2.2); its id stays, and with it the consent of its users.
    async fn update(&self) -> Outcome<Executed<Q::Row>> {
        let (Some(client), Some(discovery)) = (&self.context.observed.client, self.discovery()) else {
            return Ok(Executed::Changed);
        };
        let effective = &self.context.desired.effective;
        let policy = RequestPolicy::of(effective);
        let mut prepared =
            build_request(&effective.client_metadata, discovery, policy).map_err(StepError::Refused)?;
        let managed = self.managed_client(client.id).await?;
        // What a registration leaves out after a refusal is left out of an update too (INV-23).
        for round in 0.. {
            let Prepared { request, adjustments } = &prepared;
            let url = (round == 0).then_some(managed.registration_client_uri.as_str());
            let attempt = match self.begin_at(url, AttemptStep::Update, Some(request), adjustments).await? {
                Begun::Attempt(attempt) => attempt,
                Begun::WaitForSlot(slot) => {
                    return Ok(Executed::WaitForSlot(slot, managed.registration_client_uri.clone()));
                }
            };
            let outcome = self.servers.update(&managed, request).await;
            let (record, adjusted) = match outcome.result {
                Ok(issued) => (StepRecord::Updated(client.id, Box::new(issued), request.clone()), None),
                Err(failure) => refused(&prepared, failure, policy, discovery, round),
            };
            let finished = self.finish(attempt, record, outcome.exchanges, AttemptStep::Update).await?;
            match adjusted {
                Some(adjusted) => prepared = adjusted,
                None => return Ok(finished),
            }
        }
        Ok(Executed::Changed)
    }

    /// Asks whether the client is still known (RFC 7592 §2.1).
    async fn verify(&self) -> Outcome<Executed<Q::Row>> {
        let Some(client) = &self.context.observed.client else { return Ok(Executed::Changed) };
        let managed = self.managed_client(client.id).await?;
        let url = managed.registration_client_uri.as_str();
        let attempt = match self.begin_at(Some(url), AttemptStep::Verify, None, &[]).await? {
            Begun::Attempt(attempt) => attempt,
            Begun::WaitForSlot(slot) => return Ok(Executed::WaitForSlot(slot, url.to_owned())),
        };
        let outcome = self.servers.read(&managed).await;
        let record = match outcome.result {
            Ok(issued) => StepRecord::Verified(client.id, Box::new(issued)),
            Err(failure) => StepRecord::Failed(failure),
        };
        self.finish(attempt, record, outcome.exchanges, AttemptStep::Verify).await
    }

    /// The client with what is needed to manage it. One that stopped being manageable since the plan is planned again
    /// when the lease ends.
    async fn managed_client(&self, id: OauthClientId) -> Outcome<ManagedClient> {
        self.queue.managed_client(self.claim, id).await?.ok_or(StepError::LeaseLost)
    }

    /// Deregisters a client, by a delete request where that is possible.
    async fn withdraw(&self, id: OauthClientId) -> Outcome<Executed<Q::Row>> {
        let record = match self.queue.plan_deletion(self.claim, id).await? {
            DeletionPlan::Request { client, gone_if_refused } => {
                return self.delete(id, &client, gone_if_refused).await;
            }
            DeletionPlan::NotNeeded(why) => StepRecord::Withdrawn(id, why),
            DeletionPlan::Unmanageable(foreign) => {
                StepRecord::NotWithdrawn(id, not_deletable(foreign.as_deref()))
            }
        };
        let attempt = self.begin(AttemptStep::Withdraw, None, &[]).await?;
        self.finish(attempt, record, Vec::new(), AttemptStep::Withdraw).await
    }

    async fn delete(
        &self,
        id: OauthClientId,
        client: &ManagedClient,
        gone_if_refused: Option<&'static str>,
    ) -> Outcome<Executed<Q::Row>> {
        let url = &client.registration_client_uri;
        let attempt = match self.queue.begin_deletion(self.claim, self.context, url, id).await? {
            Begun::Attempt(attempt) => attempt,
            Begun::WaitForSlot(slot) => return Ok(Executed::WaitForSlot(slot, url.clone())),
        };
        let outcome = self.servers.delete(client).await;
        let record = match outcome.result {
            Ok(()) => StepRecord::Withdrawn(id, "deleted"),
            Err(failure) => match gone_if_refused.filter(|_| failure.code == "management_token_refused") {
                // The token ended with the client.
                Some(how) => StepRecord::Withdrawn(id, how),
                None => StepRecord::NotWithdrawn(id, failure),
            },
        };
        self.finish(attempt, record, vec![outcome.exchange], AttemptStep::Withdraw).await
    }

    async fn begin(
        &self,
        step: AttemptStep,
        request: Option<&Map<String, Value>>,
        adjustments: &[Adjustment],
    ) -> Outcome<AttemptId> {
        self.queue.begin(self.claim, self.context, step, request, adjustments).await
    }

    /// As [`Self::begin`]; with a `url`, only if its origin may be asked now: the one that is contacted (INV-8). Discovery mostly
    /// asks other origins, and adopting and publishing ask none.
    async fn begin_at(
        &self,
        url: Option<&str>,
        step: AttemptStep,
        request: Option<&Map<String, Value>>,
        adjustments: &[Adjustment],
    ) -> Outcome<Begun> {
        let Some(url) = url else {
            return Ok(Begun::Attempt(self.begin(step, request, adjustments).await?));
        };
        self.queue.begin_sending(self.claim, self.context, url, step, request, adjustments).await
    }

    async fn finish(
        &self,
        attempt: AttemptId,
        record: StepRecord,
        exchanges: Vec<Exchange>,
        step: AttemptStep,
    ) -> Outcome<Executed<Q::Row>> {
        let secrets = self.queue.known_secrets(self.claim, self.context).await?;
        let (record, exchanges) = (record.without(&secrets), exchanges_without(exchanges, &secrets));
        let outcome = if let Some(failure) = record.failure() {
            tracing::info!(%step, reason = %failure.code, "step failed");
            failure.code.to_string()
        } else {
            tracing::info!(%step, "step succeeded");
            "succeeded".to_owned()
        };
        let finished =
            self.queue.finish(self.claim, self.context, attempt, record, exchanges, self.after).await?;
        metrics::counter!("mcp_registry_attempts_total", "step" => step.as_str(), "outcome" => outcome)
            .increment(1);
        Ok(finished.into())
    }

    fn discovery(&self) -> Option<&Discovery> {
        self.context.observed.discovery.as_ref().map(|(discovery, _)| discovery)
    }
}

/// The record of a refused request, and the adjusted request that follows, if one does.
fn refused(
    prepared: &Prepared,
    failure: Failure,
    policy: RequestPolicy<'_>,
    discovery: &Discovery,
    round: usize,
) -> (StepRecord, Option<Prepared>) {
    let Prepared { request, adjustments } = prepared;
    let adjusted = (round < MAX_ADJUSTED_RETRIES)
        .then(|| adjust_after_refusal(request, &failure, policy, discovery, adjustments))
        .flatten();
    let record = if adjusted.is_some() { StepRecord::Adjusted(failure) } else { StepRecord::Failed(failure) };
    (record, adjusted)
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
