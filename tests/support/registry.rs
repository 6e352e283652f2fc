//! A registry on a fresh database, and actors of every kind.

use crate::{Engine, TestClock, TestDatabase};
use mcp_registry::adapters::ExternalServices;
use mcp_registry::secrets::Secrets;
use registry::{
    Actor, Channel, Claim, Credential, Integration, IssuerRate, NewApiKey, NewIntegration, NewServer,
    NewWorkspace, PortkeySettings, RegistrationQueue, Registry, RequestContext, RequestLimits, SealingKey,
    SealingRing, Server, Settings, Workspace,
};
use registry_core::egress::EgressPolicy;
use registry_core::permission::Role;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::Reference;
use registry_outbound::{Limits, TrustedClient, UpstreamClient};
use std::sync::Arc;

/// The way out that the binary plugs in.
pub fn outside(settings: &Settings) -> Arc<ExternalServices> {
    Arc::new(ExternalServices(
        UpstreamClient::new(settings.egress.clone(), Limits::default()),
        TrustedClient::default(),
        Secrets::default(),
    ))
}

/// A migrated registry, its clock and its database.
pub struct TestRegistry {
    /// The application.
    pub registry: Registry,
    /// Its clock, standing still.
    pub clock: Arc<TestClock>,
    /// Its database.
    pub database: TestDatabase,
    /// Its one sealing key.
    pub key: SealingKey,
    /// Its settings.
    pub settings: Settings,
    outside: Arc<ExternalServices>,
}

impl TestRegistry {
    /// On a fresh database, with loopback upstreams allowed.
    pub async fn new(engine: Engine) -> Self {
        let egress: EgressPolicy =
            serde_json::from_value(serde_json::json!({ "allow": [], "allow_http_loopback": true }))
                .expect("a policy");
        let issuer_rate = IssuerRate { burst: 1000, per_minute: 60_000 };
        let limits = RequestLimits { burst: 1_000_000, per_second: 1_000_000, ..RequestLimits::default() };
        let portkey = Some(PortkeySettings::default());
        Self::with(engine, Settings { egress, issuer_rate, limits, portkey, ..Settings::default() }).await
    }

    /// With settings of one's own.
    pub async fn with(engine: Engine, settings: Settings) -> Self {
        let database = TestDatabase::new(engine).await;
        let clock = Arc::new(TestClock::new());
        let key = SealingKey::generate().expect("random numbers");
        let ring = SealingRing::new(vec![key.clone()]).expect("a ring");
        let outside = outside(&settings);
        let registry = Registry::open(&database.url, settings.clone(), ring, clock.clone(), outside.clone())
            .await
            .expect("an open database");
        registry.deployment().migrate().await.expect("a migrated database");
        Self { registry, clock, database, key, settings, outside }
    }

    /// The same on a copy of its SQLite database: what happens here does not happen there. They share the clock.
    pub async fn copy(&self) -> Self {
        let (database, ring) = (self.database.copy().await, SealingRing::new(vec![self.key.clone()]));
        let (settings, clock) = (self.settings.clone(), self.clock.clone());
        let outside = self.outside.clone();
        let registry =
            Registry::open(&database.url, settings.clone(), ring.expect("a ring"), clock.clone(), outside)
                .await
                .expect("an open database");
        Self { registry, clock, database, key: self.key.clone(), settings, outside: self.outside.clone() }
    }

    /// A second process on the same database.
    pub async fn second_process(&self) -> Registry {
        self.process_with_keys(vec![self.key.clone()]).await
    }

    /// A process with other sealing keys on the same database.
    pub async fn process_with_keys(&self, keys: Vec<SealingKey>) -> Registry {
        let ring = SealingRing::new(keys).expect("a ring");
        let outside = outside(&self.settings);
        Registry::open(&self.database.url, self.settings.clone(), ring, self.clock.clone(), outside)
            .await
            .expect("open")
    }

    /// A process with other settings on the same database.
    pub async fn process_with_settings(&self, settings: Settings) -> Registry {
        let ring = SealingRing::new(vec![self.key.clone()]).expect("a ring");
        let outside = outside(&settings);
        Registry::open(&self.database.url, settings, ring, self.clock.clone(), outside).await.expect("open")
    }

    /// The organisation's admin.
    pub fn admin(&self) -> Actor {
        self.registry.operator()
    }

    /// A workspace.
    pub async fn workspace(&self, slug: &str) -> Workspace {
        let new = NewWorkspace { name: slug.to_owned(), slug: Some(slug.to_owned()), description: None };
        self.registry.workspaces().create(&self.admin(), new).await.expect("a workspace")
    }

    /// An organisation-wide `oauth_auto` integration.
    pub async fn integration(&self, slug: &str, url: &str, configuration: Option<&str>) -> Integration {
        let new = NewIntegration {
            name: slug.to_owned(),
            slug: Some(slug.to_owned()),
            description: None,
            url: url.to_owned(),
            auth_type: AuthType::OauthAuto,
            transport: Transport::Http,
            workspace: None,
            configuration: configuration.map(str::to_owned),
            secret_mappings: Vec::new(),
        };
        self.registry.integrations().create(&self.admin(), new).await.expect("an integration").value
    }

    /// A server of `integration` in `workspace` with the integration's slug.
    pub async fn server(&self, integration: &str, workspace: &str) -> Server {
        let new = NewServer {
            integration: Reference::parse(integration),
            workspace: Some(Reference::parse(workspace)),
            name: integration.to_owned(),
            slug: Some(integration.to_owned()),
            description: None,
            configuration: None,
            secret_mappings: Vec::new(),
        };
        self.registry.servers().create(&self.admin(), new).await.expect("a server").value
    }

    /// Creates this many servers of `integration` in `workspace`, with distinct slugs.
    pub async fn servers(&self, integration: &str, workspace: &str, count: usize) {
        for number in 0..count {
            let new = NewServer {
                integration: Reference::parse(integration),
                workspace: Some(Reference::parse(workspace)),
                name: format!("{integration} {number}"),
                slug: None,
                description: None,
                configuration: None,
                secret_mappings: Vec::new(),
            };
            self.registry.servers().create(&self.admin(), new).await.expect("a server");
        }
    }

    /// A caller with an API key of `role`, bound to `workspace` if one is given.
    pub async fn actor(&self, role: Role, workspace: Option<&str>) -> Actor {
        actor(&self.registry, role, workspace).await
    }
}

/// The key and the actor behind it.
pub async fn actor(registry: &Registry, role: Role, workspace: Option<&str>) -> Actor {
    let new = NewApiKey {
        name: format!("{} {}", role.as_str(), workspace.unwrap_or("everywhere")),
        role,
        scopes: Vec::new(),
        workspace: workspace.map(Reference::parse),
        expires_at: None,
        reason: None,
    };
    let created = registry.api_keys().create(&registry.operator(), new).await.expect("a key");
    registry
        .callers()
        .authenticate(Credential::Token(&created.key), RequestContext::new(Channel::Api))
        .await
        .expect("a valid key")
}

/// Claims the one registration that is due.
pub async fn claim_one(registry: &Registry, worker: &str) -> Claim {
    let mut due = registry.registration_queue().claim(worker, 1, 1, |_| None).await.expect("a claim");
    due.claimed.pop().expect("a registration that is due").claim
}
