//! `mcp-registry demo`: the registry and a sandbox upstream in this process, and the main job done through the public
//! API, step by step, each step checked. Then a user asks a gateway for a tool, up to its answer.

mod client;
mod expected;
mod gateway;
mod mcp;
mod steps;

use super::serve::{self, Running};
use super::shutdown::ShutdownSignal;
use super::{CommandError, print, user};
use crate::cli::Serve;
use crate::config::{Config, DatabaseUrl};
use crate::telemetry;
use client::{Client, get_text, http};
use expected::{ACME, ACME_NAME, expected_request};
use gateway::{RunningGateway, TOOL_PATH};
use registry::NewApiKey;
use registry_core::permission::Role;
use registry_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const WORKSPACE: &str = "acme";
const INTEGRATION: &str = "acme-mcp";
/// How long a registration on this machine may take. It takes some tenths of a second.
const STEP_TIMEOUT: Duration = Duration::from_secs(8);
/// Between two looks at the registration.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Everything that runs for the demo. The folder with the database goes when this does.
struct Stage {
    registry: Running,
    sandbox: Sandbox,
    /// Where the gateway will serve; its address is in `config`.
    gateway: TcpListener,
    config: Config,
    folder: TempDir,
}

/// Runs the demo; with `once` it ends after the printout, else on Ctrl-C. Fails if a step did not give what it should.
pub(super) async fn run(once: bool, mut shutdown: ShutdownSignal) -> Result<(), CommandError> {
    let interrupted = || CommandError::new("Interrupted.");
    let stage = shutdown.run_until(Box::pin(set_up())).await.ok_or_else(interrupted)??;
    let outcome = shutdown.run_until(show(&stage, once)).await.ok_or_else(interrupted).flatten();
    let outcome = match outcome {
        Ok(gateway) => {
            if !once {
                shutdown.received().await;
            }
            gateway.stop().await;
            Ok(())
        }
        Err(error) => Err(error),
    };
    stage.registry.stop().await;
    stage.sandbox.stop().await;
    let folder = stage.folder.path().to_owned();
    if let Err(error) = stage.folder.close() {
        tracing::warn!(folder = %folder.display(), %error, "the demo's folder is left behind");
    }
    outcome
}

async fn set_up() -> Result<Stage, CommandError> {
    let folder = tempfile::Builder::new()
        .prefix("mcp-registry-demo-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .map_err(|error| CommandError::new(format!("No folder for the demo's database: {error}.")))?;
    let mut config = Config::default();
    "127.0.0.1:0".clone_into(&mut config.server.listen);
    config.server.workers = Some(2);
    config.database.url =
        DatabaseUrl::from(format!("sqlite://{}?mode=rwc", folder.path().join("registry.sqlite").display()));
    config.egress.allow_http_loopback = true;
    let failed =
        |error: std::io::Error| CommandError::new(format!("No port for the demo's gateway: {error}."));
    let gateway = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    config.gateway.urls = vec![format!("http://{}", gateway.local_addr().map_err(failed)?)];
    "warn".clone_into(&mut config.log.level);
    telemetry::init(&config.log);
    let sandbox = Sandbox::start(Options::default())
        .await
        .map_err(|error| CommandError::new(format!("The sandbox cannot be started: {error}.")))?;
    let registry = serve::start(&config, Serve::default()).await?;
    Ok(Stage { registry, sandbox, gateway, config, folder })
}

/// The steps. Each prints its result and fails if it is not what the documentation promises.
async fn show(stage: &Stage, once: bool) -> Result<RunningGateway, CommandError> {
    let base = stage.config.public_url(stage.registry.address());
    let admin = Client::new(&base, &admin_key(stage).await?)?;

    heading('A', "What is running")?;
    print(format_args!(
        "   registry              {base}   (its database: {})",
        stage.folder.path().display()
    ))?;
    print(format_args!(
        "   upstream MCP server   {}   (a sandbox, protected by OAuth)",
        stage.sandbox.mcp_url()
    ))?;
    print(format_args!("   its OAuth server      {}", stage.sandbox.issuer()))?;
    let gateway_url = &stage.config.gateway.urls[0];
    print(format_args!("   gateway               {gateway_url}   (on the Rust client library)"))?;

    let server = save(stage, &admin).await?;
    heading(
        'B',
        "What was saved: integration, Advanced Configuration, and a server in the workspace `acme`",
    )?;
    print(indented(ACME))?;
    print("   findings: none")?;

    let registration = registered(&admin, &server).await?;
    let (request, client_id) = received(stage)?;
    heading('C', "What the OAuth server received: POST /register")?;
    print(pretty(&request))?;
    compare(&request, &expected_request(&stage.config)?)?;
    print(
        "   = the saved metadata + the defaults + redirect_uris (always the gateway's) + application_type",
    )?;

    heading('D', "What was recorded")?;
    let recorded = registration["client_id"].as_str().unwrap_or_default();
    if recorded != client_id {
        return Err(CommandError::new(format!(
            "The OAuth server issued {client_id}, but {recorded:?} was recorded."
        )));
    }
    print(format_args!("   client_id   {client_id}   for {WORKSPACE}/{INTEGRATION}"))?;

    let path = format!("/v1/gateway/servers/{WORKSPACE}/{INTEGRATION}");
    let key = gateway_key(&admin).await?;
    let document = Client::new(&base, &key)?.get(&path).await?;
    heading('E', &format!("What a gateway fetches: GET {path}"))?;
    print(pretty(&document))?;
    if document["client"]["client_id"].as_str() != Some(client_id.as_str()) {
        return Err(CommandError::new("The gateway's document does not contain the issued client_id."));
    }

    let listener = stage.gateway.try_clone();
    let listener = listener.map_err(|error| CommandError::new(format!("The gateway's port: {error}.")))?;
    let gateway = RunningGateway::start(listener, &base, key, format!("{WORKSPACE}/{INTEGRATION}"), http()?)?;
    print("\n   Everything is ready for users. One comes now:")?;
    steps::play(gateway_url).await?;

    let consent = stage.sandbox.consent_url(&client_id);
    if !get_text(&consent).await?.contains(ACME_NAME) {
        return Err(CommandError::new(format!("The consent page {consent} does not show \"{ACME_NAME}\".")));
    }
    let page = format!("/ui/integrations/{INTEGRATION}/config");
    let link = user::sign_in_link(stage.registry.registry(), &base, "admin@localhost", None).await?;
    let link = format!("{link}&next={page}");
    // Looking does not use it up: the page behind it has a button.
    get_text(&link).await?;
    heading('F', if once { "Where to look (without --once all of this stays up)" } else { "Where to look" })?;
    print(format_args!("   Advanced configuration   {link}   (signs you in, once)"))?;
    print(format_args!("   Registrations            {base}/ui/registrations"))?;
    print(format_args!("   API reference            {base}/docs/"))?;
    print(format_args!("   Consent page             {consent}   (now shows \"{ACME_NAME}\")"))?;
    print(format_args!("   The six steps again      {gateway_url}{TOOL_PATH}   (in a browser)"))?;
    if !once {
        print("\nCtrl-C ends the demo; nothing is kept.")?;
    }
    Ok(gateway)
}

/// The one thing that cannot be done through the API: the first key.
async fn admin_key(stage: &Stage) -> Result<String, CommandError> {
    let registry = stage.registry.registry();
    let key = NewApiKey {
        name: "demo".to_owned(),
        role: Role::Admin,
        scopes: Vec::new(),
        workspace: None,
        expires_at: None,
        reason: None,
    };
    Ok(registry.api_keys().create(&registry.operator(), key).await?.key)
}

/// Creates workspace, integration and server; gives the server's id. A finding about the documented example is a failure.
async fn save(stage: &Stage, admin: &Client) -> Result<String, CommandError> {
    admin.post("/v1/workspaces", &json!({ "name": "Acme", "slug": WORKSPACE })).await?;
    let configurations: Value = serde_json::from_str(ACME)
        .map_err(|error| CommandError::new(format!("The documented example is not JSON: {error}.")))?;
    let integration = admin
        .post(
            "/v1/mcp-integrations",
            &json!({
                "name": ACME_NAME,
                "slug": INTEGRATION,
                "url": stage.sandbox.mcp_url(),
                "auth_type": "oauth_auto",
                "transport": "http",
                "configurations": configurations,
            }),
        )
        .await?;
    if integration["findings"].as_array().is_some_and(|findings| !findings.is_empty()) {
        return Err(CommandError::new(format!(
            "The documented example gave findings: {}",
            integration["findings"]
        )));
    }
    let server = admin
        .post(
            "/v1/mcp-servers",
            &json!({
                "name": ACME_NAME,
                "slug": INTEGRATION,
                "mcp_integration_id": integration["id"],
                "workspace_id": WORKSPACE,
            }),
        )
        .await?;
    server["id"].as_str().map(str::to_owned).ok_or_else(|| CommandError::new("The answer has no server id."))
}

/// Waits until the server's registration has come to an end; gives it, if that is `registered`.
async fn registered(admin: &Client, server: &str) -> Result<Value, CommandError> {
    let started = Instant::now();
    loop {
        let list = admin.get(&format!("/v1/registrations?server_id={server}")).await?;
        let registration = list["data"][0].clone();
        let state = registration["state"].as_str().unwrap_or("absent").to_owned();
        match state.as_str() {
            "registered" => return Ok(registration),
            "failed" | "unconfirmed" => {
                return Err(CommandError::new(format!("The registration did not succeed: {registration}")));
            }
            _ if started.elapsed() > STEP_TIMEOUT => {
                return Err(CommandError::new(format!(
                    "No registration within {STEP_TIMEOUT:?}: {registration}"
                )));
            }
            _ => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

/// What the sandbox's authorization server got, and the client_id it gave. There must be exactly one.
fn received(stage: &Stage) -> Result<(Value, String), CommandError> {
    let registrations = stage.sandbox.registrations();
    let [one] = registrations.as_slice() else {
        return Err(CommandError::new(format!(
            "The OAuth server got {} registrations, not one.",
            registrations.len()
        )));
    };
    let client_id = one
        .client_id
        .clone()
        .ok_or_else(|| CommandError::new("The OAuth server refused the registration."))?;
    Ok((one.body.clone(), client_id))
}

/// A key of the role `gateway`, made through the API.
async fn gateway_key(admin: &Client) -> Result<String, CommandError> {
    let key = admin.post("/v1/api-keys", &json!({ "name": "demo gateway", "role": "gateway" })).await?;
    key["key"].as_str().map(str::to_owned).ok_or_else(|| CommandError::new("The answer has no key."))
}

/// Fails with the members that differ.
fn compare(received: &Value, expected: &Value) -> Result<(), CommandError> {
    if received == expected {
        return Ok(());
    }
    let empty = serde_json::Map::new();
    let (there, wanted) = (received.as_object().unwrap_or(&empty), expected.as_object().unwrap_or(&empty));
    let mut lines: Vec<String> = wanted
        .iter()
        .filter(|(name, value)| there.get(*name) != Some(*value))
        .map(|(name, value)| match there.get(name) {
            Some(other) => format!("{name} is {other}, not {value}"),
            None => format!("{name} is missing"),
        })
        .collect();
    lines.extend(
        there.keys().filter(|name| !wanted.contains_key(*name)).map(|name| format!("{name} is too much")),
    );
    Err(CommandError::new(format!(
        "The OAuth server did not receive what the documentation promises: {}.",
        lines.join("; ")
    )))
}

fn heading(number: impl std::fmt::Display, text: &str) -> Result<(), CommandError> {
    print(format_args!("\n{number}  {text}"))
}

fn pretty(value: &Value) -> String {
    indented(&format!("{value:#}"))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("   {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differing_setting_is_named() {
        let expected = json!({ "client_name": "Acme", "scope": "a b", "contacts": ["x"] });
        assert!(compare(&expected, &expected).is_ok());
        let message = compare(&json!({ "client_name": "Acme", "scope": "a", "extra": 1 }), &expected)
            .map_or_else(|failed| failed.to_string(), |()| String::new());
        for part in ["scope is \"a\"", "contacts is missing", "extra is too much"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
