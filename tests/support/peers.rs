//! Real programs of others (`tests/peers/`), started and ended with the test.

use crate::Client;
use crate::database::variable;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Longer than any of them needs on a busy machine. ContextForge makes its database before it serves: 20 seconds on an idle one.
const PEER_TIMEOUT: Duration = Duration::from_mins(2);

/// A generator, a type checker and a few calls.
const GENERATOR_TIMEOUT: Duration = Duration::from_mins(3);

/// A peer that runs until it is dropped: it ends when its standard input closes.
pub struct Peer {
    /// What its line `ready` told.
    pub ready: Value,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Peer {
    /// Starts `tests/peers/<script>` with these environment variables.
    pub async fn start(script: &str, environment: &[(&str, &str)]) -> Self {
        let mut child = program(script)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Not killed when dropped: it ends by itself then, and takes along what it started and wrote.
            .spawn()
            .expect("the program runs");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut peer = Self { ready: Value::Null, lines, _child: child };
        peer.ready = peer.event("ready").await;
        peer
    }

    /// What the next line that begins with `word` tells.
    pub async fn event(&mut self, word: &str) -> Value {
        let found = tokio::time::timeout(PEER_TIMEOUT, async {
            while let Some(line) = self.lines.next_line().await.expect("readable lines") {
                if let Some(json) = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(' ')) {
                    return serde_json::from_str(json).expect("an event is JSON");
                }
            }
            panic!("the peer ended before it said `{word}`");
        });
        found.await.unwrap_or_else(|_| panic!("the peer never said `{word}`"))
    }

    /// What an authorization server remembers of its clients, in its own words.
    pub async fn clients(&self) -> Vec<Value> {
        let reply = Client::new(self.text("control"), "").get("").await.expect(200);
        reply.json().as_array().expect("a list").clone()
    }

    /// Makes an authorization server forget a client, without notice.
    pub async fn forget(&self, client_id: &str) {
        Client::new(self.text("control"), "").delete(&format!("/{client_id}")).await.expect(200);
    }

    /// A text of its line `ready`.
    pub fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {}", self.ready))
    }
}

/// Runs `tests/peers/mcp-client.mjs`, a real MCP client, with a gateway's document; what it prints.
pub async fn mcp_client(mcp_url: &str, document: &Value) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("document.json");
    std::fs::write(&file, document.to_string()).expect("a file");
    let script = PathBuf::from(variable("MCP_REGISTRY_TEST_PEERS_DIR")).join("mcp-client.mjs");
    let output =
        run(Command::new(variable("MCP_REGISTRY_TEST_NODE")).arg(script).arg(mcp_url).arg(file)).await;
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

/// What the parsers of the MCP SDKs say of each of these clients: the SDK and the error, or nothing.
pub async fn sdk_parsers(clients: &[Value]) -> Vec<(&'static str, Vec<Option<String>>)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("clients.json");
    std::fs::write(&file, Value::from(clients).to_string()).expect("a file");
    let mut all = Vec::new();
    for (sdk, program, script) in [
        ("TypeScript", "MCP_REGISTRY_TEST_NODE", "parse-clients.mjs"),
        ("Python", "MCP_REGISTRY_TEST_PYTHON", "parse_clients.py"),
    ] {
        let script = PathBuf::from(variable("MCP_REGISTRY_TEST_PEERS_DIR")).join(script);
        let output = run(Command::new(variable(program)).arg(script).arg(&file)).await;
        let said: Vec<Option<String>> = serde_json::from_slice(&output.stdout).expect("it prints a list");
        assert_eq!(said.len(), clients.len());
        all.push((sdk, said));
    }
    all
}

/// Runs `tests/peers/portkey_sdk.py` or `portkey_sdk.mjs`, the hosted product's own SDKs.
pub async fn portkey_sdk(script: &str, base_url: &str, key: &str, workspace: &str, mcp_url: &str) {
    run(program(script).args([base_url, key, workspace, mcp_url])).await;
}

/// Python or Node.js with this script of `tests/peers/`.
fn program(script: &str) -> Command {
    let python = std::path::Path::new(script).extension().is_some_and(|extension| extension == "py");
    let program = if python { "MCP_REGISTRY_TEST_PYTHON" } else { "MCP_REGISTRY_TEST_NODE" };
    let mut command = Command::new(variable(program));
    command.arg(PathBuf::from(variable("MCP_REGISTRY_TEST_PEERS_DIR")).join(script));
    command
}

/// Runs `tests/peers/generated_clients.py`: makes a client of the committed OpenAPI document with this generator, compiles
/// it, and calls a server with it.
pub async fn generated_client(generator: &str, url: &str, key: &str) {
    let script = PathBuf::from(variable("MCP_REGISTRY_TEST_PEERS_DIR")).join("generated_clients.py");
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/registry.json");
    let mut command = Command::new(variable("MCP_REGISTRY_TEST_PYTHON"));
    run_within(GENERATOR_TIMEOUT, command.arg(script).args([generator, document, url, key])).await;
}

async fn run(command: &mut Command) -> Output {
    run_within(PEER_TIMEOUT, command).await
}

async fn run_within(limit: Duration, command: &mut Command) -> Output {
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(limit, running).await.expect("it ends").expect("it runs");
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Walks a sign-in at an authorization server to its end, as a person in a browser: where it leads back to.
pub async fn walk(start: &str, callback: &str) -> String {
    let script = PathBuf::from(variable("MCP_REGISTRY_TEST_PEERS_DIR")).join("lib/walk.mjs");
    let output =
        run(Command::new(variable("MCP_REGISTRY_TEST_NODE")).arg(script).arg(start).arg(callback)).await;
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}
