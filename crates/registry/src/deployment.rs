//! Opening, migrating, readiness: what all processes of a deployment must agree on.

use crate::actor::Actor;
use crate::database_fault::DatabaseFault;
use crate::entity::{deployment, organisation, registration, sealed_value};
use crate::gateway_limits::GatewayLimits;
use crate::key_sets;
use crate::resealing;
use crate::sign_in_limits::SignInLimits;
use crate::stored::millis;
use crate::writability::is_distrusted;
use crate::write::{Event, Write};
use crate::{Door, Error, Inner, Outside, Registry, Result, SealingRing, Settings, registrations, tokens};
use registry_core::clock::Clock;
use registry_core::id::{OrganisationId, SealedId};
use registry_core::metadata::Branding;
use registry_core::permission::Permission;
use registry_core::registration::State;
use registry_migrations::{Migrator, MigratorTrait};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::sqlx::Connection;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectOptions, ConnectionTrait, Database, DatabaseConnection,
    DbBackend, EntityTrait,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Key of the sealing ring's check values in `deployment`.
pub(crate) const KEY_CHECK: &str = "sealing.key_check";
/// Key of the newest migration that was applied.
const SCHEMA: &str = "schema";

/// The organisation, and what the deployment looks like from outside.
#[derive(Clone, Debug)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// Its name for people.
    pub name: String,
    /// Where gateways are reached.
    pub gateway_urls: Vec<String>,
    /// The callbacks that are registered everywhere.
    pub callback_urls: Vec<String>,
    /// The lowest layer of client metadata.
    pub branding: Branding,
    /// Where this deployment is reached.
    pub public_url: Option<String>,
}

/// Numbers for metrics.
#[derive(Clone, Debug)]
pub struct Counters {
    /// Registrations in each state.
    pub registrations: Vec<(State, u64)>,
}

impl Registry {
    /// Ends all connections to the database: what it was asked to do before is done then.
    pub async fn disconnect(self) -> Result<()> {
        Ok(self.inner.db.clone().close().await?)
    }

    /// Opens the database (`sqlite://…` or `postgres://…`). Does not migrate.
    pub async fn open(
        database_url: &str,
        settings: Settings,
        ring: SealingRing,
        clock: Arc<dyn Clock>,
        outside: Arc<dyn Outside>,
    ) -> Result<Self> {
        let keys = settings
            .jwt
            .as_ref()
            .map(tokens::TokenKeys::new)
            .transpose()
            .map_err(|message| Error::Unavailable(format!("`auth.jwt`: {message}")))?;
        if let Some(provider) = &settings.provider {
            let known = key_sets::algorithms(&provider.algorithms);
            let none = || "at least one algorithm is needed".to_owned();
            known
                .and_then(|known| if known.is_empty() { Err(none()) } else { Ok(()) })
                .map_err(|message| Error::Unavailable(format!("`auth.oidc.algorithms`: {message}")))?;
        }
        let db = connect(database_url, settings.max_connections).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                db,
                ring,
                keys,
                load: crate::load::Load::new(&clock, &settings.limits),
                settings,
                provider: crate::identity_provider::Provider::default(),
                sign_in_limits: SignInLimits::new(&clock),
                gateway_limits: GatewayLimits::new(&clock),
                clock,
                outside,
                bell: tokio::sync::Notify::new(),
                live: crate::live::Live::default(),
            }),
        })
    }

    /// Brings the schema up to date and records what every process must agree on. Where the callbacks or the defaults
    /// changed since the last time, every registration is looked at again.
    pub async fn migrate(&self) -> Result<()> {
        self.migrate_schema().await?;
        let mut write = self.begin_write(&self.operator()).await?;
        if organisation::Entity::find().one(&write.txn).await?.is_none() {
            organisation::ActiveModel {
                id: Set(self.new_id()),
                name: Set("Organisation".to_owned()),
                configuration: Set(None),
                version: Set(1),
                created_at: Set(write.millis()),
                updated_at: Set(write.millis()),
                created_by: Set(write.actor_name()),
                updated_by: Set(write.actor_name()),
            }
            .insert(&write.txn)
            .await?;
        }
        let mut recorded = recorded(&write.txn).await?;
        if recorded.contains_key(KEY_CHECK) {
            self.check_ring(&recorded)?;
        }
        record(&write, KEY_CHECK, self.needed_keys(&write.txn).await?).await?;
        let mut metadata_changed = false;
        for (key, value) in self.agreed() {
            let old = recorded.remove(key);
            if old.as_ref() != Some(&value) {
                record(&write, key, value.clone()).await?;
                if let Some(old) = old {
                    metadata_changed |= key != SCHEMA;
                    let event = Event::new("deployment.changed", "deployment", key);
                    write.audit(event.before(old).after(value));
                }
            }
        }
        if metadata_changed {
            registration::Entity::update_many()
                .col_expr(registration::Column::Wanted, Expr::col(registration::Column::Wanted).add(1))
                .col_expr(registration::Column::DueAt, Expr::value(millis(self.now())))
                .col_expr(registration::Column::WantedBecause, Expr::value("deployment settings changed"))
                .exec(&write.txn)
                .await?;
        }
        write.commit().await
    }

    /// Brings the schema up to date and nothing else; needs no sealing key.
    pub async fn migrate_schema(&self) -> Result<()> {
        if let Some(step) = Migrator::unknown_step(self.db()).await? {
            return Err(Error::Unavailable(format!(
                "The database was brought up to date by a newer release (`{step}`). Use that release, or restore a backup of before."
            )));
        }
        Ok(Migrator::up(self.db(), None).await?)
    }

    /// Whether the database answers and its schema is that of this program.
    pub async fn check_schema(&self) -> Result<()> {
        self.db().ping().await?;
        // Asking the migrator would create its table; a process that only serves needs no right to do that.
        let recorded = recorded(self.db()).await.unwrap_or_default();
        if recorded.get(SCHEMA) == Some(&newest_migration()) {
            return Ok(());
        }
        Err(Error::Unavailable(
            "The database schema is not up to date. Run `mcp-registry migrate`.".to_owned(),
        ))
    }

    /// What this process cannot read of what is stored because sealing keys are lost or others: a sentence for each key.
    pub async fn lost_keys(&self) -> Result<Vec<String>> {
        let recorded = recorded(self.db()).await?;
        let given_up = resealing::given_up(&recorded);
        let ours: BTreeMap<_, _> = self.ring().check_values().into_iter().collect();
        let mut lost = Vec::new();
        for (key, values) in resealing::key_uses(self.db()).await? {
            let right = recorded.get(KEY_CHECK).and_then(|checks| checks.get(&key)).and_then(Value::as_str);
            let what = match ours.get(&key) {
                Some(own) if right.is_none_or(|right| right == own) => continue,
                Some(_) => "is not the one",
                None => "is not here",
            };
            if !given_up.contains(&key) {
                lost.push(format!(
                    "The sealing key `{key}` {what}: {values} stored secrets cannot be read without it. `mcp-registry seal status` lists them."
                ));
            }
        }
        Ok(lost)
    }

    /// The key that a sealed value is sealed with, where the key of that id here is another one.
    pub(crate) async fn wrong_key_of(
        &self,
        db: &impl ConnectionTrait,
        id: SealedId,
    ) -> Result<Option<String>> {
        let Some(row) = sealed_value::Entity::find_by_id(id.0).one(db).await? else { return Ok(None) };
        let recorded = recorded(db).await?;
        let right =
            recorded.get(KEY_CHECK).and_then(|checks| checks.get(&row.key_id)).and_then(Value::as_str);
        let own = self.ring().check_values().into_iter().find(|(key, _)| *key == row.key_id);
        let wrong = right.zip(own).is_some_and(|(right, (_, own))| right != own);
        Ok(wrong.then_some(row.key_id))
    }

    /// The operator at the machine.
    pub fn operator(&self) -> Actor {
        Actor::program("operator", "operator", Door::Cli)
    }

    /// Whether this process may serve: the database answers, its schema is ours, and the settings agree with those
    /// recorded. The sentence names what does not.
    pub async fn ready(&self) -> Result<()> {
        self.check_schema().await?;
        let recorded = recorded(self.db()).await?;
        self.check_ring(&recorded)?;
        let given_up = resealing::given_up(&recorded);
        for key in resealing::used_keys(self.db()).await? {
            // One that a process saved something with after the keys were changed.
            if !self.ring().has(&key) && !given_up.contains(&key) {
                return Err(missing(&key));
            }
        }
        for (key, value) in self.agreed() {
            if recorded.get(key) != Some(&value) {
                return Err(Error::Unavailable(format!(
                    "This process has another `{key}` than the deployment recorded. Configure all processes alike, then run `mcp-registry migrate`."
                )));
            }
        }
        self.require_writable().await
    }

    /// Numbers for metrics.
    pub async fn counters(&self) -> Result<Counters> {
        Ok(Counters { registrations: registrations::count_states(self.db()).await? })
    }

    /// The organisation.
    pub async fn organisation(&self, actor: &Actor) -> Result<Organisation> {
        actor.require(Permission::ReadOrganisation)?;
        let row = organisation::Entity::find()
            .one(self.db())
            .await?
            .ok_or_else(|| Error::not_found("organisation", ""))?;
        let settings = self.settings();
        Ok(Organisation {
            id: OrganisationId(row.id),
            name: row.name,
            gateway_urls: settings.gateway_urls.clone(),
            callback_urls: settings.callbacks(),
            branding: settings.branding.clone(),
            public_url: settings.public_url.clone(),
        })
    }

    /// What every process must agree on, by configuration key.
    fn agreed(&self) -> [(&'static str, Value); 5] {
        let settings = self.settings();
        [
            ("branding", json!(settings.branding)),
            ("gateway.urls", json!(settings.gateway_urls)),
            ("cimd.public_url", json!(settings.cimd_public_url)),
            ("secrets", json!(settings.secrets)),
            (SCHEMA, newest_migration()),
        ]
    }

    /// Every key that sealed something must be here, and be the same key.
    fn check_ring(&self, recorded: &BTreeMap<String, Value>) -> Result<()> {
        let ours: BTreeMap<_, _> = self.ring().check_values().into_iter().collect();
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
fn newest_migration() -> Value {
    json!(Migrator::migrations().last().map(|migration| migration.name().to_owned()))
}

/// Writes one value that every process must agree on.
pub(crate) async fn record(write: &Write<'_>, key: &str, value: Value) -> Result<()> {
    let row = deployment::ActiveModel {
        key: Set(key.to_owned()),
        value: Set(value.to_string()),
        updated_at: Set(write.millis()),
    };
    let replace = OnConflict::column(deployment::Column::Key)
        .update_columns([deployment::Column::Value, deployment::Column::UpdatedAt])
        .to_owned();
    deployment::Entity::insert(row).on_conflict(replace).exec_without_returning(&write.txn).await?;
    Ok(())
}

pub(crate) async fn recorded(db: &impl ConnectionTrait) -> Result<BTreeMap<String, Value>> {
    deployment::Entity::find()
        .all(db)
        .await?
        .into_iter()
        .map(|row| {
            let value = serde_json::from_str(&row.value)?;
            Ok((row.key, value))
        })
        .collect()
}

async fn connect(url: &str, max_connections: u32) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .sqlx_logging(false)
        .max_connections(max_connections)
        .connect_timeout(Duration::from_secs(5))
        .acquire_timeout(Duration::from_secs(8));
    if url.starts_with("sqlite::memory:") {
        // Each connection would have a database of its own.
        options.max_connections(1).min_connections(1);
    }
    options.map_sqlx_sqlite_opts(|options| {
        options
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
    });
    // SQLite ends a transaction by itself when its disk is full, and the driver goes on believing in it: what is
    // "committed" on such a connection later is only a savepoint that never reaches the disk. And a connection that was
    // opened while nothing could be written may never write: both are given up.
    options.map_sqlx_sqlite_pool_opts(|options| {
        options
            .after_release(|connection, about| {
                Box::pin(async move {
                    // Also waits for a rollback that is still to be made.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction() && !is_distrusted(about.age))
                })
            })
            .before_acquire(|_, about| Box::pin(async move { Ok(!is_distrusted(about.age)) }))
    });
    options.map_sqlx_postgres_pool_opts(|options| {
        options
            .after_release(|_, about| Box::pin(async move { Ok(!is_distrusted(about.age)) }))
            .before_acquire(|_, about| Box::pin(async move { Ok(!is_distrusted(about.age)) }))
    });
    let mut db = Database::connect(options).await.map_err(|error| {
        tracing::debug!(%error, "connecting to the database failed");
        let why = DatabaseFault::cause_of(&error).map(|(fault, _)| fault);
        let why = why.filter(|fault| *fault != DatabaseFault::Away).map_or(
            "The database cannot be opened. Check `database.url` and that it is reachable.",
            DatabaseFault::sentence,
        );
        Error::Unavailable(why.to_owned())
    })?;
    // How much work requests make of the database: the first thing to look at when they grow slow.
    db.set_metric_callback(|_| metrics::counter!("mcp_registry_database_statements_total").increment(1));
    debug_assert!(matches!(db.get_database_backend(), DbBackend::Sqlite | DbBackend::Postgres));
    Ok(db)
}
