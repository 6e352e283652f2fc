//! What the registration worker needs of the registry: the queue of registrations that are due.
//!
//! A *claim* gives one worker one registration for the length of a *lease*; its *fence* grows with each claim, and every
//! write of a worker is refused once a newer fence exists (INV-7). Implemented by `registration::queue`.

use crate::ports::step_record::{Published, StepRecord};
use crate::{Error, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{AttemptId, OauthClientId, RegistrationId, SealedId};
use registry_core::oauth::{Adjustment, Exchange, Failure, ManagedClient, Prepared};
use registry_core::registration::{AttemptStep, Block, Desired, Observed, State};
use registry_core::secret::Secret;
use serde_json::{Map, Value};
use std::future::Future;
use std::time::Duration;

/// A registration that one worker holds until its lease ends.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The registration.
    pub registration: RegistrationId,
    /// Grows with each claim of this registration; a write with an older fence is refused.
    pub fence: i64,
    /// The worker's name in leases, logs and audit events.
    pub worker: String,
}

/// What is wanted and known of a claimed registration. `Row` is what the queue needs to record an outcome; the worker
/// hands it back unread.
#[derive(Clone, Debug)]
pub struct ReconcileContext<Row> {
    /// `workspace/server`, for logs.
    pub name: String,
    /// The client that is wanted.
    pub desired: Desired,
    /// The clients and discoveries that are known.
    pub observed: Observed,
    /// The queue's own part.
    pub row: Row,
}

/// A registration that was claimed.
#[derive(Clone, Debug)]
pub struct Claimed<Row> {
    /// The claim.
    pub claim: Claim,
    /// What is wanted and known, and the attempt that was recorded with the claim, if one was. `None`: to be loaded by
    /// [`RegistrationQueue::load`], because something of it cannot be read, or an earlier worker left a request unanswered.
    pub loaded: Option<(Box<ReconcileContext<Row>>, Option<AttemptId>)>,
}

/// What one look at the queue brought.
#[derive(Clone, Debug)]
pub struct Claims<Row> {
    /// The registrations that are claimed now.
    pub claimed: Vec<Claimed<Row>>,
    /// When something else may be claimed, as far as is known now; in the past: it is due, and may not be claimed yet.
    pub next_at: Option<Timestamp>,
}

/// What a worker does when a step is recorded.
#[derive(Clone, Debug)]
pub enum AfterStep {
    /// It ends the claim.
    Settle(ReconcileOutcome),
    /// It sends this registration request.
    Register(RegistrationRequest),
    /// It executes another step.
    Other,
}

/// A registration request that can be sent (RFC 7591 §3.1).
#[derive(Clone, Debug)]
pub struct RegistrationRequest {
    /// The registration endpoint.
    pub endpoint: String,
    /// The body, and how it differs from what is wanted.
    pub prepared: Prepared,
}

/// What recording a step led to.
#[derive(Clone, Debug)]
pub enum Recorded<Row> {
    /// The claim was settled in the same transaction.
    Settled,
    /// The claim goes on with this request: its attempt was recorded in the same transaction, and it may be sent now.
    Begun(Box<ReconcileContext<Row>>, AttemptId, RegistrationRequest),
    /// The claim goes on with this; nothing else happened to the registration meanwhile.
    Next(Box<ReconcileContext<Row>>),
    /// More changed than what was recorded: it is to be loaded by [`RegistrationQueue::load`].
    Changed,
}

/// Whether a step that sends something began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Its attempt is recorded, and the request may be sent now.
    Attempt(AttemptId),
    /// The origin may not be asked before this time, which is reserved for the registration; no attempt is recorded.
    WaitForSlot(Timestamp),
}

/// Whether a request may be sent to an origin now (INV-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendPermit {
    /// It may be sent now.
    Now,
    /// Not before this time, which is reserved for the registration.
    At(Timestamp),
}

/// How a client can be deregistered.
#[derive(Debug)]
pub enum DeletionPlan {
    /// By a delete request (RFC 7592 §2.3).
    Request {
        /// What is needed to send it.
        client: Box<ManagedClient>,
        /// How the client is recorded when its token is refused (RFC 7592 §2.1: gone, or never ours): `Some` where a
        /// deletion was sent before and its answer lost, or where a gateway reports that the client is gone too.
        gone_if_refused: Option<&'static str>,
    },
    /// Not at all: the authorization server gave no management address or token. `Some` holds an address on another
    /// origin than the registration endpoint, which is not used.
    Unmanageable(Option<String>),
    /// No request is needed; the word says why.
    NotNeeded(&'static str),
}

/// How a reconciliation ends, and when the registration is due again.
#[derive(Clone, Debug)]
pub enum ReconcileOutcome {
    /// Nothing may be done before this time.
    Wait(Timestamp),
    /// The origin of this URL may be asked at this time.
    WaitForSlot(Timestamp, String),
    /// A user must act; with a time, it is tried again then.
    Blocked(Block, Option<Timestamp>),
    /// The client serves, and a user must approve its replacement.
    AwaitApproval(Block, Option<Timestamp>),
    /// All is as wanted until this time, or until something changes.
    Idle(State, Option<Timestamp>),
}

/// Why a step ended early.
#[derive(Debug)]
pub enum StepError {
    /// Another worker may hold the registration: nothing was written, and nothing more may be sent.
    LeaseLost,
    /// The step cannot be sent; the failure is recorded as its outcome.
    Refused(Failure),
    /// The registry failed. The lease ends by itself, and the registration is tried again then.
    Registry(Error),
}

impl<E: Into<Error>> From<E> for StepError {
    fn from(error: E) -> Self {
        Self::Registry(error.into())
    }
}

/// The queue of due registrations. Every method that takes a [`Claim`] answers [`StepError::LeaseLost`] when the claim no
/// longer holds.
pub trait RegistrationQueue: Clone + Send + Sync + 'static {
    /// See [`ReconcileContext::row`].
    type Row: Send + Sync;

    /// The time by the registry's clock.
    fn now(&self) -> Timestamp;

    /// How long a claim holds without a sign of life.
    fn lease(&self) -> Duration;

    /// The next commit of this process that may enqueue a registration: not those of workers. It counts from this call on: call it before looking for due registrations, so
    /// that a commit between the look and the wait is not missed.
    fn next_commit(&self) -> impl Future<Output = ()> + Send;

    /// Claims at most `limit` due registrations for `worker` in one transaction, those due longest first, but of no upstream
    /// more than `max_per_upstream` at a time: one that is dead or slow must not hold up the rest. `first` names the step
    /// that begins now, if one does: its attempt is recorded with the claim, before anything is sent (INV-3).
    fn claim(
        &self,
        worker: &str,
        limit: u64,
        max_per_upstream: u64,
        first: impl Fn(&ReconcileContext<Self::Row>) -> Option<AttemptStep> + Send + Sync,
    ) -> impl Future<Output = Result<Claims<Self::Row>>> + Send;

    /// What is wanted and known. A request that another worker sent without recording an answer becomes a lost answer
    /// here: its lease has ended, so no worker waits for it.
    fn load(
        &self,
        claim: &Claim,
    ) -> impl Future<Output = Result<ReconcileContext<Self::Row>, StepError>> + Send;

    /// A client with everything needed to manage it (RFC 7592); `None` when it is not manageable.
    fn managed_client(
        &self,
        claim: &Claim,
        id: OauthClientId,
    ) -> impl Future<Output = Result<Option<ManagedClient>, StepError>> + Send;

    /// How a client can be deregistered.
    fn plan_deletion(
        &self,
        claim: &Claim,
        id: OauthClientId,
    ) -> impl Future<Output = Result<DeletionPlan, StepError>> + Send;

    /// Opens a sealed value that a step sends to `issuer`, and binds it to that issuer (INV-2). A value that is bound to
    /// another issuer is [`StepError::Refused`].
    fn reveal_bound(
        &self,
        claim: &Claim,
        id: SealedId,
        issuer: &str,
    ) -> impl Future<Output = Result<Secret, StepError>> + Send;

    /// Publishes the Client ID Metadata Document: from now on it is served at its URL. A document that cannot be made is
    /// [`StepError::Refused`].
    fn publish_document(
        &self,
        claim: &Claim,
        context: &ReconcileContext<Self::Row>,
    ) -> impl Future<Output = Result<Published, StepError>> + Send;

    /// Records that a step begins, *before* anything is sent, and prolongs the lease (INV-3).
    fn begin(
        &self,
        claim: &Claim,
        context: &ReconcileContext<Self::Row>,
        step: AttemptStep,
        request: Option<&Map<String, Value>>,
        adjustments: &[Adjustment],
    ) -> impl Future<Output = Result<AttemptId, StepError>> + Send;

    /// As [`Self::begin`], for a step that sends something to `url`: only if its origin may be asked now. If not, the
    /// registration keeps a slot of its own (INV-8).
    fn begin_sending(
        &self,
        claim: &Claim,
        context: &ReconcileContext<Self::Row>,
        url: &str,
        step: AttemptStep,
        request: Option<&Map<String, Value>>,
        adjustments: &[Adjustment],
    ) -> impl Future<Output = Result<Begun, StepError>> + Send;

    /// As [`Self::begin_sending`], for the deletion of `client`: should the answer be lost, it is known which client may be
    /// gone.
    fn begin_deletion(
        &self,
        claim: &Claim,
        context: &ReconcileContext<Self::Row>,
        url: &str,
        client: OauthClientId,
    ) -> impl Future<Output = Result<Begun, StepError>> + Send;

    /// The secrets that the upstreams of the registration know, or may: none of them is kept in a record.
    fn known_secrets(
        &self,
        claim: &Claim,
        context: &ReconcileContext<Self::Row>,
    ) -> impl Future<Output = Result<Vec<Secret>, StepError>> + Send;

    /// Records what came of a step: attempt, registration, client, change and audit event in one transaction. `after` says
    /// what the worker does with what is known then. A claim that ends is settled in the same transaction; a request that
    /// may be sent now begins in it ([`Self::begin_sending`]).
    fn finish(
        &self,
        claim: &Claim,
        context: &ReconcileContext<Self::Row>,
        attempt: AttemptId,
        record: StepRecord,
        exchanges: Vec<Exchange>,
        after: impl FnOnce(&ReconcileContext<Self::Row>) -> AfterStep + Send,
    ) -> impl Future<Output = Result<Recorded<Self::Row>, StepError>> + Send;

    /// Ends the claim. If something changed since [`Self::load`], the registration is due at once.
    fn settle(
        &self,
        claim: &Claim,
        context: &ReconcileContext<Self::Row>,
        outcome: ReconcileOutcome,
    ) -> impl Future<Output = Result<(), StepError>> + Send;
}
