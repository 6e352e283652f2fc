//! The queue of registrations that are due, as the worker sees it.

use crate::ports::registration_queue::{
    AfterStep, Begun, Claim, Claims, DeletionPlan, ReconcileOutcome, Recorded, RegistrationQueue, StepError,
};
use crate::ports::step_record::{Published, StepRecord};
use crate::registration::attempts::Beginning;
use crate::registration::context::{Context, LoadedRow};
use crate::registration::{
    attempts, claims, documents, known_secrets, management, observed, outcomes, settle,
};
use crate::{Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{AttemptId, OauthClientId, SealedId};
use registry_core::oauth::{Adjustment, Exchange, ManagedClient};
use registry_core::registration::AttemptStep;
use registry_core::secret::Secret;
use serde_json::{Map, Value};
use std::time::Duration;

type Outcome<T> = Result<T, StepError>;

/// The registry as [`RegistrationQueue`].
#[derive(Clone)]
struct Queue(Registry);

impl Registry {
    /// The queue of registrations that are due. For the registration worker alone: users work through
    /// [`Registry::registrations`].
    pub fn registration_queue(&self) -> impl RegistrationQueue<Row = LoadedRow> + use<> {
        Queue(self.clone())
    }
}

impl RegistrationQueue for Queue {
    type Row = LoadedRow;

    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn lease(&self) -> Duration {
        self.0.settings().lease
    }

    fn next_commit(&self) -> impl Future<Output = ()> + Send {
        self.0.next_enqueuing_commit()
    }

    async fn claim(
        &self,
        worker: &str,
        limit: u64,
        max_per_upstream: u64,
        first: impl Fn(&Context) -> Option<AttemptStep> + Send + Sync,
    ) -> Result<Claims<LoadedRow>> {
        claims::claim(&self.0, worker, limit, max_per_upstream, first).await
    }

    async fn load(&self, claim: &Claim) -> Outcome<Context> {
        observed::load(&self.0, claim).await
    }

    async fn managed_client(&self, claim: &Claim, id: OauthClientId) -> Outcome<Option<ManagedClient>> {
        management::managed_client(&self.0, claim, id).await
    }

    async fn plan_deletion(&self, claim: &Claim, id: OauthClientId) -> Outcome<DeletionPlan> {
        management::plan_deletion(&self.0, claim, id).await
    }

    async fn reveal_bound(&self, claim: &Claim, id: SealedId, issuer: &str) -> Outcome<Secret> {
        management::reveal_bound(&self.0, claim, id, issuer).await
    }

    async fn publish_document(&self, claim: &Claim, context: &Context) -> Outcome<Published> {
        documents::publish_document(&self.0, claim, context).await
    }

    async fn begin(
        &self,
        claim: &Claim,
        context: &Context,
        step: AttemptStep,
        request: Option<&Map<String, Value>>,
        adjustments: &[Adjustment],
    ) -> Outcome<AttemptId> {
        attempts::begin(&self.0, claim, context, Beginning { step, request, adjustments }).await
    }

    async fn begin_sending(
        &self,
        claim: &Claim,
        context: &Context,
        url: &str,
        step: AttemptStep,
        request: Option<&Map<String, Value>>,
        adjustments: &[Adjustment],
    ) -> Outcome<Begun> {
        let beginning = Beginning { step, request, adjustments };
        attempts::begin_sending(&self.0, claim, context, url, beginning).await
    }

    async fn begin_deletion(
        &self,
        claim: &Claim,
        context: &Context,
        url: &str,
        client: OauthClientId,
    ) -> Outcome<Begun> {
        attempts::begin_deletion(&self.0, claim, context, url, client).await
    }

    async fn known_secrets(&self, _: &Claim, context: &Context) -> Outcome<Vec<Secret>> {
        known_secrets::known_secrets(&self.0, context).await
    }

    async fn finish(
        &self,
        claim: &Claim,
        context: &Context,
        attempt: AttemptId,
        record: StepRecord,
        exchanges: Vec<Exchange>,
        after: impl FnOnce(&Context) -> AfterStep + Send,
    ) -> Outcome<Recorded<LoadedRow>> {
        outcomes::finish(&self.0, claim, context, attempt, record, exchanges, after).await
    }

    async fn settle(&self, claim: &Claim, context: &Context, outcome: ReconcileOutcome) -> Outcome<()> {
        settle::settle(&self.0, claim, context, outcome).await
    }
}
