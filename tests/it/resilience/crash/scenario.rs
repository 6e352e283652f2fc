//! What the crash test happens in: a sandbox behind a faulty proxy, an installed binary, and fifty servers.

use registry_core::permission::Role;
use registry_sandbox::{Options, Quirks, Sandbox};
use serde_json::{Value, json};
use support::{Client, Engine, FaultProxy, Installation, Random, TestDatabase};

const WORKSPACES: usize = 5;
const SERVERS_EACH: usize = 10;
/// How many servers there are.
pub(super) const SERVERS: usize = WORKSPACES * SERVERS_EACH;

/// The stage, with nothing running on it yet.
pub(super) struct Scenario {
    pub(super) sandbox: Sandbox,
    pub(super) proxy: FaultProxy,
    pub(super) installed: Installation,
    /// An admin's API key.
    pub(super) admin: String,
    /// Ids of the servers.
    pub(super) servers: Vec<String>,
}

impl Scenario {
    pub(super) async fn new(engine: Engine, random: &mut Random) -> Self {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let proxy = FaultProxy::start(sandbox.origin(), random.fork()).await;
        // The MCP server is the sandbox's own; its authorization server is known by the proxy's address alone.
        sandbox.set_quirks(Quirks {
            authorization_servers: Some(vec![proxy.origin.clone()]),
            metadata_issuer: Some(proxy.origin.clone()),
            registration_endpoint: Some(format!("{}/register", proxy.origin)),
            management_origin: Some(proxy.origin.clone()),
            ..Quirks::default()
        });
        let installed = Installation::new(TestDatabase::new(engine).await)
            .with("LOG__LEVEL", "warn")
            .with("WORKER__POLL_MS", "200")
            // The lease is three times as long: what a kill leaves behind is taken up after six seconds.
            .with("WORKER__REQUEST_TIMEOUT", "2")
            .with("WORKER__UNCONFIRMED_PAUSE", "1")
            .with("WORKER__ISSUER_RATE__BURST", "60000")
            .with("WORKER__ISSUER_RATE__PER_MINUTE", "60000")
            // Replaced clients are deleted while processes die, too.
            .with("WORKER__DRAIN_FOR", "3");
        installed.run(&["migrate"]).await;
        let admin = installed.key(Role::Admin).await;
        let serving = installed.serve(&["--no-worker"]).await;
        let servers = seed(&serving.client(&admin), &sandbox.mcp_url()).await;
        serving.end().await;
        Self { sandbox, proxy, installed, admin, servers }
    }
}

async fn seed(client: &Client, mcp_url: &str) -> Vec<String> {
    for number in 0..WORKSPACES {
        let body = json!({ "name": format!("Team {number}"), "slug": format!("team-{number}") });
        client.post("/v1/workspaces", &body).await.expect(200);
    }
    let configurations = json!({ "registration": { "replace": "automatic" } });
    client.given().integration("notes", mcp_url).with("configurations", configurations).await;
    let mut servers = Vec::new();
    for number in 0..SERVERS {
        let workspace = format!("team-{}", number % WORKSPACES);
        let slug = format!("notes-{number}");
        let body =
            json!({ "name": slug, "slug": slug, "mcp_integration_id": "notes", "workspace_id": workspace });
        let made: Value = client.post("/v1/mcp-servers", &body).await.expect(200).json();
        servers.push(made["id"].as_str().unwrap().to_owned());
    }
    servers
}
