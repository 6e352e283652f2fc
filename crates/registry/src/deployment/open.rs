//! Opening the database, readiness checks, and what all processes of a deployment must agree on.

use crate::actor::Actor;
use crate::deployment::Deployment;
use crate::gateway::admission::GatewayRateLimits;
use crate::identity::bearer::{jwks, verifier};
use crate::limits::sign_in::SignInLimits;
use crate::lookup::tally;
use crate::registration::brief;
use crate::secrets::rotation;
use crate::storage::connect::{Missing, Opened, connect};
use crate::storage::deployment_values::{KEY_CHECK, record, recorded};
use crate::storage::durability::Durability;
use crate::storage::entity::organisation;
use crate::storage::replica::Replica;
use crate::storage::settings_generations::{InForce, SettingsStatus};
use crate::{Error, ExternalServices, Inner, Registry, Result, SealingRing, Settings};
use registry_core::clock::Clock;
use registry_core::id::OrganisationId;
use registry_core::metadata::Branding;
use registry_core::permission::Permission;
use registry_core::registration::State;
use registry_migrations::{Migrator, MigratorTrait};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};

/// Key in `deployment`: the public URL.
const ADDRESS: &str = "address";
/// Key in `deployment`: the newest applied migration.
pub(crate) const SCHEMA: &str = "schema";

/// The organisation and the public settings of the deployment.
#[derive(Clone, Debug)]
pub struct Organisation {
    /// Id of the organisation.
    pub id: OrganisationId,
    /// Name for display.
    pub name: String,
    /// URLs of the gateways.
    pub gateway_urls: Vec<String>,
    /// The redirect URIs that all clients are registered with.
    pub callback_urls: Vec<String>,
    /// The lowest layer of client metadata.
    pub branding: Branding,
    /// Public URL of this deployment.
    pub public_url: Option<String>,
}

/// Result of a successful readiness check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Whether its settings are in force, or of the previous generation.
    pub settings: SettingsStatus,
}

/// Counts for metrics.
#[derive(Clone, Debug)]
pub struct Counters {
    /// Registrations in each state.
    pub registrations: Vec<(State, u64)>,
}

impl Registry {
    /// Closes all connections to the database; waits for statements that run.
    pub async fn disconnect(self) -> Result<()> {
        Ok(self.inner.db.clone().close().await?)
    }

    /// Opens the database (`sqlite://…` or `postgres://…`), creating a missing SQLite file. Does not migrate.
    pub async fn open(
        database_url: &str,
        settings: Settings,
        ring: SealingRing,
        clock: Arc<dyn Clock>,
        services: Arc<dyn ExternalServices>,
    ) -> Result<Self> {
        Self::open_or(Missing::Create, database_url, settings, ring, clock, services).await
    }

    /// As [`Self::open`]; `missing` says what happens if the SQLite file does not exist.
    pub async fn open_or(
        missing: Missing,
        database_url: &str,
        settings: Settings,
        ring: SealingRing,
        clock: Arc<dyn Clock>,
        services: Arc<dyn ExternalServices>,
    ) -> Result<Self> {
        let bearer = settings
            .jwt
            .as_ref()
            .map(verifier::BearerAuthenticator::new)
            .transpose()
            .map_err(|message| Error::Unavailable(format!("`auth.jwt`: {message}")))?;
        if let Some(provider) = &settings.provider {
            let known = jwks::algorithms(&provider.algorithms);
            let none = || "at least one algorithm is needed".to_owned();
            known
                .and_then(|known| if known.is_empty() { Err(none()) } else { Ok(()) })
                .map_err(|message| Error::Unavailable(format!("`auth.oidc.algorithms`: {message}")))?;
        }
        let Opened { db, follower } = connect(database_url, settings.max_connections, missing).await?;
        let replica = match &settings.read_url {
            Some(url) => Some(Replica::open(url.expose(), settings.max_connections, db.clone()).await?),
            None => None,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                db,
                replica,
                follower,
                ring,
                bearer,
                request_limiter: crate::limits::requests::RequestLimiter::new(&clock, &settings.limits),
                in_force: RwLock::new(Arc::new(InForce::unread(settings.shared()))),
                gateway_limits: GatewayRateLimits::new(&clock, settings.limits.max_watchers),
                settings,
                provider: crate::identity::oidc::client::Provider::default(),
                sign_in_limits: SignInLimits::new(&clock),
                clock,
                services,
                commit_notify: tokio::sync::Notify::new(),
                rollout_notify: tokio::sync::Notify::new(),
                durability: Durability::of(database_url),
                debounce: crate::capabilities::Debounce::default(),
                rollout_batch_size: crate::rollouts::batch_size::BatchSize::default(),
                enqueued_notify: tokio::sync::Notify::new(),
                live: crate::gateway::cache::Live::default(),
                write_turn: Arc::default(),
                claim_cursor: std::sync::Mutex::default(),
            }),
        })
    }
}

impl Deployment<'_> {
    /// A sentence for each sealing key that stored secrets need and this process lacks, or has another key of that id.
    pub async fn lost_keys(self) -> Result<Vec<String>> {
        let recorded = recorded(self.registry.db()).await?;
        let abandoned_keys = rotation::abandoned_keys(&recorded);
        let ours: BTreeMap<_, _> = self.registry.ring().check_values().into_iter().collect();
        let mut lost = Vec::new();
        for (key, values) in rotation::key_uses(self.registry.db()).await? {
            let right = recorded.get(KEY_CHECK).and_then(|checks| checks.get(&key)).and_then(Value::as_str);
            let what = match ours.get(&key) {
                Some(own) if right.is_none_or(|right| right == own) => continue,
                Some(_) => "is not the one",
                None => "is not here",
            };
            if !abandoned_keys.contains(&key) {
                lost.push(format!(
                    "The sealing key `{key}` {what}: {values} stored secrets cannot be read without it. `mcp-registry seal status` lists them."
                ));
            }
        }
        Ok(lost)
    }

    /// Readiness: the database answers and is writable, its schema is current, the sealing keys are present, and the
    /// settings are in force or of the previous generation. The error names the first failed check.
    pub async fn ready(self) -> Result<Readiness> {
        self.usable().await?;
        self.check_keys().await?;
        self.require_writable().await?;
        let standing = self.registry.settings_status().await?;
        match standing.require() {
            Err(Error::SettingsDiffer(why)) => Err(Error::Unavailable(why)),
            refused @ Err(_) => refused.map(|()| Readiness { settings: standing }),
            Ok(()) => Ok(Readiness { settings: standing }),
        }
    }

    /// Whether commands may use the database: it answers, and its schema is current.
    pub async fn usable(self) -> Result<()> {
        self.registry.db().ping().await?;
        // The migrator would create its table; a process that only serves needs no such right.
        let recorded = recorded(self.registry.db()).await.unwrap_or_default();
        if recorded.get(SCHEMA) != Some(&newest_migration()) {
            return Err(Error::Unavailable(
                "The database schema is not up to date. Run `mcp-registry migrate`.".to_owned(),
            ));
        }
        Ok(())
    }

    /// Whether this process has all sealing keys that stored secrets need. The error names the first missing one.
    pub async fn check_keys(self) -> Result<()> {
        let recorded = recorded(self.registry.db()).await?;
        self.check_ring(&recorded)?;
        if let Err(refused) = self.registry.ring().permit(&rotation::known_keys(&recorded)) {
            return Err(Error::Unavailable(refused.to_string()));
        }
        let abandoned_keys = rotation::abandoned_keys(&recorded);
        for key in rotation::used_keys(self.registry.db()).await? {
            // A key that another process used after the last `migrate`.
            if !self.registry.ring().has(&key) && !abandoned_keys.contains(&key) {
                return Err(missing(&key));
            }
        }
        Ok(())
    }

    /// The ids of the sealing keys that encrypt something, or will; empty: nothing was ever encrypted.
    pub async fn sealing_keys_in_use(self) -> Result<BTreeSet<String>> {
        // A database that was never migrated has none of these tables.
        let Ok(recorded) = recorded(self.registry.db()).await else { return Ok(BTreeSet::new()) };
        let used = rotation::used_keys(self.registry.db()).await.unwrap_or_default();
        let mut keys: BTreeSet<String> = rotation::known_keys(&recorded).into_keys().collect();
        keys.extend(used);
        Ok(&keys - &rotation::abandoned_keys(&recorded))
    }

    /// The public URL of this deployment, as a serving process last recorded it.
    pub async fn recorded_address(self) -> Result<Option<String>> {
        let noted = recorded(self.registry.db()).await?.remove(ADDRESS);
        Ok(noted.and_then(|noted| noted.as_str().map(str::to_owned)))
    }

    /// Records the public URL of this deployment, for commands that print links.
    pub async fn record_address(self, address: &str) -> Result<()> {
        if self.recorded_address().await?.as_deref() == Some(address) {
            return Ok(());
        }
        let write = self.registry.begin_write(&self.registry.operator()).await?;
        record(&write, ADDRESS, json!(address)).await?;
        write.commit().await
    }

    /// Adds up the counts of lists, as every serving process does every two seconds (ADR 25). Readers get the same counts
    /// before and after it.
    pub async fn add_up_counts(self) -> Result<()> {
        tally::add_up(self.registry.db()).await
    }

    /// Counts for metrics.
    pub async fn counters(self) -> Result<Counters> {
        Ok(Counters { registrations: brief::count_states(self.registry.db()).await? })
    }

    /// The organisation.
    pub async fn organisation(self, actor: &Actor) -> Result<Organisation> {
        actor.require(Permission::ReadOrganisation)?;
        let row = organisation::Entity::find()
            .one(self.registry.db())
            .await?
            .ok_or_else(|| Error::not_found("organisation", ""))?;
        let shared = self.registry.shared_settings();
        Ok(Organisation {
            id: OrganisationId(row.id),
            name: row.name,
            gateway_urls: shared.gateway_urls.clone(),
            callback_urls: shared.callbacks(),
            branding: shared.branding.clone(),
            public_url: self.registry.settings().public_url.clone(),
        })
    }

    /// All recorded sealing keys must be present and have the recorded check value.
    pub(crate) fn check_ring(self, recorded: &BTreeMap<String, Value>) -> Result<()> {
        let ours: BTreeMap<_, _> = self.registry.ring().check_values().into_iter().collect();
        let Some(Value::Object(theirs)) = recorded.get(KEY_CHECK) else {
            return Err(Error::Unavailable(
                "The deployment has no sealing key recorded. Run `mcp-registry migrate`.".to_owned(),
            ));
        };
        for (id, check) in theirs {
            match ours.get(id) {
                Some(own) if Some(own.as_str()) == check.as_str() => {}
                Some(_) => {
                    return Err(Error::Unavailable(format!(
                        "The sealing key `{id}` (`sealing`) is not the one that stored secrets are sealed with."
                    )));
                }
                None => return Err(missing(id)),
            }
        }
        Ok(())
    }
}

fn missing(key: &str) -> Error {
    Error::Unavailable(format!(
        "The sealing key `{key}` is missing from `sealing`; secrets are stored under it. `mcp-registry seal status` says which."
    ))
}

/// The name of the newest migration this program knows.
pub(crate) fn newest_migration() -> Value {
    json!(Migrator::migrations().last().map(|migration| migration.name().to_owned()))
}
