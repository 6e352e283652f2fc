//! The application: every use case with its authorization, its one transaction, its audit event and its change.
//!
//! This crate must not know actix, askama, reqwest or HTTP status codes; no sea-orm type is public.
//!
//! * [`Registry::open`] opens a database; [`Settings`] and [`SealingRing`] configure it.
//! * Use cases are reached through a handle for each noun: `registry.integrations().update(…)`. A handle is a view of
//!   [`Registry`] without state of its own.
//! * [`Callers::authenticate`] turns a credential into an [`Actor`]; each use case asks the actor for a permission first.
//! * `storage::write` is the one way to change anything: transaction, audit chain, change log, in commit order.
//! * [`RegistrationQueue`] is what the registration worker sees; [`ExternalServices`] is what the application needs from
//!   outside. Both are in `ports`.
//!
//! A folder uses only folders above it: `ports`, `storage`, `lookup`, `secrets`, `limits`, `audit`, `configuration`,
//! `capabilities`, `access`, `registration`, `rollouts`, `servers`, `integrations`, `workspaces`, `gateway`, `identity`, `deployment`, `dashboard`
//! (`docs/ARCHITECTURE.md`; tests/it/meta/rooms.rs checks it).

mod access;
mod actor;
mod audit;
mod capabilities;
mod configuration;
mod dashboard;
mod deployment;
mod error;
mod gateway;
mod identity;
mod integrations;
mod limits;
mod lookup;
mod pagination;
mod ports;
mod registration;
mod rollouts;
mod secrets;
mod servers;
mod settings;
mod storage;
mod workspaces;

use registry_core::clock::{Clock, Timestamp, to_millis};
use sea_orm::DatabaseConnection;
use std::sync::Arc;

pub use access::IntegrationAccess;
pub use access::list::{Access, AccessList};
pub use access::overview::{AccessOverview, WorkspaceAccess};
pub use access::request::{AccessChange, AccessUpdate};
pub use access::users::{UserAccess, UserAccessPage, UserAccessUpdate, UserDecision};
pub use actor::{Actor, Channel, RequestContext};
pub use audit::Audit;
pub use audit::checkpoints::{AuditVerification, BrokenLink};
pub use audit::events::{AuditCursor, AuditEvent, AuditRange};
pub use audit::export::{AuditFormat, export_audit};
pub use audit::filter::{AuditFilter, MAX_SCANNED};
pub use audit::result::AuditResult;
pub use audit::subjects::AuditSubject;
pub use capabilities::Capabilities;
pub use capabilities::info::KnownServerInfo;
pub use capabilities::list::{CapabilityCount, CapabilityItem, CapabilityPage};
pub use capabilities::switch::CapabilitySwitch;
pub use capabilities::sync::SyncedCapabilities;
pub use configuration::Configurations;
pub use configuration::check::{Check, Checked, Preview};
pub use configuration::costs::Affected;
pub use configuration::forecast::SentChange;
pub use configuration::impact::ReplacementMode;
pub use configuration::mapped_secrets::declared::SecretDeclaration;
pub use configuration::mapped_secrets::{MappedSecret, SecretMapping, ValueFormat};
pub use configuration::revisions::Revision;
pub use configuration::row::{Configuration, ConfigurationScope};
pub use configuration::save::{NewConfiguration, Saved};
pub use dashboard::Dashboard;
pub use dashboard::overview::Overview;
pub use dashboard::search::{Found, Hit, Target};
pub use dashboard::setters::{MAX_REVISIONS, Setter, Setters};
pub use dashboard::user_search::FoundUser;
pub use deployment::Deployment;
pub use deployment::backup::{Released, check_copy, release};
pub use deployment::migration::{Migrated, RecordSettings};
pub use deployment::open::{Counters, Organisation, Readiness};
pub use deployment::restore::{CurrentAccess, KeptRevocations, current_access};
pub use error::{ConflictCode, Error, Result};
pub use gateway::Gateway;
pub use gateway::admission::FollowerPermit;
pub use gateway::cache::{CachedDocument, ChangeEvent, Coding, GatewayChange, WatchResult};
pub use gateway::documents::{GatewayDocument, GatewayPage, entity_tag};
pub use gateway::feedback::{Ensured, RegistrationProgress, Verdict};
pub use gateway::push::PushState;
pub use gateway::reachability::Reached;
pub use identity::administration::change::UserChange;
pub use identity::administration::invite::NewUser;
pub use identity::administration::links::Invited;
pub use identity::api_keys::api_key::{ApiKeyFilter, CreatedApiKey, NewApiKey};
pub use identity::api_keys::record::{ApiKey, ApiKeyKind};
pub use identity::api_keys::update::ApiKeyChange;
pub use identity::authentication::Credential;
pub use identity::login::sign_in::SignedIn;
pub use identity::memberships::{Membership, Roles};
pub use identity::oidc::client::{AuthorizationCallback, AuthorizationRequest};
pub use identity::own_details::OwnDetails;
pub use identity::sessions::Session;
pub use identity::users::{User, UserFilter};
pub use identity::{ApiKeys, Callers, Login, Sessions, Users};
pub use integrations::connection_test::{ConnectionTest, LastTest};
pub use integrations::counts::IntegrationCounts;
pub use integrations::crud::{Integration, IntegrationChange, NewIntegration};
pub use integrations::drafts::{Draft, DraftAddress, DraftCheck, DraftStep, Finished, SavedDraft};
pub use integrations::export::DuplicatedIntegration;
pub use integrations::health::Health;
pub use integrations::import::Imported;
pub use integrations::list::{IntegrationFilter, IntegrationSort, IntegrationViews, OwnerFilter};
pub use integrations::logos::{Logo, LogoFile, LogoState};
pub use integrations::maintenance::{ClientsAt, IntegrationDeletion, IntegrationEvent};
pub use integrations::preflight::{Preflight, PreflightOverrides};
pub use integrations::{Drafts, Integrations, Logos, Preflights};
pub use limits::Limits;
pub use limits::per_client::{PerClientLimit, Permit};
pub use limits::requests::{InFlightPermit, RateLimitStatus};
pub use lookup::deleted::Deleted;
pub use lookup::integrations::IntegrationRef;
pub use lookup::servers::{RegistrationBrief, ServerRef};
pub use lookup::workspaces::WorkspaceRef;
pub use pagination::{Cursor, MAX_COUNTED, NoCursor, Page, PageRequest};
pub use ports::external_services::ExternalServices;
pub use ports::registration_queue::{
    AfterStep, Begun, Claim, Claimed, Claims, DeletionPlan, ReconcileContext, ReconcileOutcome, Recorded,
    RegistrationQueue, RegistrationRequest, SendPermit, StepError,
};
pub use ports::secret_store::{SecretMembers, SecretStore, SecretText};
pub use ports::step_record::{NewClient, Published, StepRecord, exchanges_without};
pub use ports::trusted_http::{Body, HttpRequest, HttpResponse, TrustedHttpClient};
pub use ports::upstream::{BeforeRequest, Discovered, FetchedLogo, Look, ProbeTarget, Probed, Upstream};
pub use registration::actions::ClientCredentials;
pub use registration::advertised::Advertised;
pub use registration::bulk::RetriedRegistrations;
pub use registration::context::LoadedRow;
pub use registration::list::{LastAnswer, Registration, RegistrationDetail, RegistrationFilter};
pub use registration::orphans::{ORPHAN_KINDS, Orphan, OrphanFilter};
pub use registration::orphans_csv::orphan_table;
pub use registration::record::{Attempt, OAuthClient};
pub use registration::reregistration::{Confirmed, ReregisterScope, Reregistration, SkippedRegistrations};
pub use registration::{Orphans, Registrations};
pub use rollouts::list::{RefusedServer, Rollout, RolloutPage};
pub use rollouts::{Advance, Rollouts};
pub use secrets::Secrets;
pub use secrets::envelope::{SealingKey, SealingRing};
pub use secrets::rotation::{Resealed, SealingKeyUse};
pub use servers::Servers;
pub use servers::crud::{ClientMetadata, NewServer, Server, ServerChange};
pub use servers::list::ServerFilter;
pub use settings::KeySource;
pub use settings::ProviderSettings;
pub use settings::SecretReference;
pub use settings::is_callback;
pub use settings::{
    IssuerRate, JwtSettings, PortkeySettings, PushTarget, RequestLimits, RolloutSizes, Settings,
};
pub use storage::audit_action::AUDIT_ACTIONS;
pub use storage::connect::{Missing, observe_statements};
pub use storage::hosts::{DatabaseHosts, InvalidHosts};
pub use storage::settings_generations::{SettingsStatus, SharedSettings};
pub use workspaces::Workspaces;
pub use workspaces::crud::{NewWorkspace, Workspace, WorkspaceChange, WorkspaceFilter};
pub use workspaces::overview::{WorkspaceIntegration, WorkspaceLosses, WorkspaceSummary};

/// The application. Cheap to clone; all clones share one database pool.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    db: DatabaseConnection,
    /// What keeps `db` at the primary, where `database.url` names several hosts.
    follower: Option<storage::primary::Follower>,
    /// What answers lists besides `db`.
    replica: Option<storage::replica::Replica>,
    settings: Settings,
    in_force: std::sync::RwLock<Arc<storage::settings_generations::InForce>>,
    ring: SealingRing,
    /// `None`: no token issuer is configured.
    bearer: Option<identity::bearer::verifier::BearerAuthenticator>,
    clock: Arc<dyn Clock>,
    services: Arc<dyn ExternalServices>,
    request_limiter: limits::requests::RequestLimiter,
    provider: identity::oidc::client::Provider,
    sign_in_limits: limits::sign_in::SignInLimits,
    gateway_limits: gateway::admission::GatewayRateLimits,
    /// Notified after each commit of this process, so that a worker in it need not wait for its next poll.
    commit_notify: tokio::sync::Notify,
    /// Notified after each commit of this process that may make registrations due: those of the steps of claims do not.
    enqueued_notify: tokio::sync::Notify,
    /// Notified after a commit of this process that lets a rollout go on.
    rollout_notify: tokio::sync::Notify,
    durability: storage::durability::Durability,
    /// What gateways said last of each server.
    debounce: capabilities::Debounce,
    rollout_batch_size: rollouts::batch_size::BatchSize,
    live: gateway::cache::Live,
    /// Held by each write on SQLite: see `storage::write`.
    write_turn: Arc<tokio::sync::Mutex<()>>,
    /// The upstream that the last look for due registrations ended at: see `registration::fairness`.
    claim_cursor: std::sync::Mutex<String>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Registry")
    }
}

impl Registry {
    pub(crate) fn db(&self) -> &DatabaseConnection {
        &self.inner.db
    }

    /// How often the primary changed among several hosts; 0 where `database.url` names one. When it changes, what was read
    /// before may never have been committed.
    pub(crate) fn primary_moves(&self) -> u64 {
        self.inner.follower.as_ref().map_or(0, storage::primary::Follower::moves)
    }

    /// How this process is configured. What all processes share is in [`Self::shared_settings`].
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn ring(&self) -> &SealingRing {
        &self.inner.ring
    }

    pub(crate) fn upstream(&self) -> &dyn Upstream {
        &*self.inner.services
    }

    pub(crate) fn trusted_http(&self) -> &dyn TrustedHttpClient {
        &*self.inner.services
    }

    /// The present moment by the clock of this deployment, to the millisecond.
    pub fn now(&self) -> Timestamp {
        to_millis(self.inner.clock.now())
    }
}
