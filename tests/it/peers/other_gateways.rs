//! Gateways of others, the real ones from PyPI: `mcp-registry sync` writes servers into them by their own admin API, and they
//! answer `tools/list` with the client that the registry registered.

use registry_core::permission::Role;
use registry_sandbox::{Options, Quirks, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;
use support::{Client, Engine, Installation, Peer, Reply, Serving, TestDatabase};
use tokio::process::Command;
use url::Url;

const HEADER_SECRET: &str = "canary-of-a-header-7Kq";
const TIMEOUT: Duration = Duration::from_secs(20);

/// A gateway of others, and how a test reads it.
struct Gateway {
    /// `--to`.
    to: &'static str,
    url: String,
    token: String,
    /// Its list of servers.
    list: &'static str,
    /// The member with a server's name.
    name: &'static str,
}

impl Gateway {
    fn new(peer: &Peer, to: &'static str, list: &'static str, name: &'static str) -> Self {
        Self { to, url: peer.text("url").to_owned(), token: peer.text("token").to_owned(), list, name }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let mut request = Client::new(&self.url, "").request(method, path).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        Client::send(request).await
    }

    async fn servers(&self) -> Vec<Value> {
        self.send(Method::GET, self.list, None).await.expect(200).json().as_array().expect("a list").clone()
    }

    async fn names(&self) -> BTreeSet<String> {
        self.servers()
            .await
            .iter()
            .map(|one| one[self.name].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The one with this name.
    async fn server(&self, name: &str) -> Value {
        let all = self.servers().await;
        all.into_iter().find(|one| one[self.name] == name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// The names of the tools that it offers at `path`, as an MCP client sees them.
    async fn tools(&self, path: &str) -> BTreeSet<String> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} });
        let request = Client::new(&self.url, "").request(Method::POST, path).bearer_auth(&self.token);
        let request = request
            .header("accept", "application/json, text/event-stream")
            .header("x-litellm-api-key", format!("Bearer {}", self.token))
            .json(&body);
        let reply = Client::send(request).await.expect(200);
        // An answer may be an event stream with one event.
        let line = reply.text.lines().find_map(|line| line.strip_prefix("data:")).unwrap_or(&reply.text);
        let answer: Value =
            serde_json::from_str(line.trim()).unwrap_or_else(|_| panic!("not JSON: {reply:?}"));
        let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("no tools: {answer}"));
        tools.iter().map(|tool| tool["name"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// A registry with the server `acme/notes` behind OAuth and `acme/open` behind a header.
struct Stage {
    installed: Installation,
    serving: Serving,
    admin: Client,
    key: String,
    /// The document of `acme/notes`, with its client.
    notes: Value,
    _upstreams: [Sandbox; 2],
}

impl Stage {
    async fn new(callback: &str) -> Self {
        let open = Quirks {
            no_auth: true,
            required_header: Some(format!("X-Key: {HEADER_SECRET}")),
            ..Quirks::default()
        };
        let protected = Sandbox::start(Options::default()).await.unwrap();
        let open = Sandbox::start(Options { quirks: open, ..Options::default() }).await.unwrap();
        let installed =
            Installation::new(TestDatabase::new(Engine::Sqlite).await).with("GATEWAY__URLS", callback);
        installed.run(&["migrate"]).await;
        let (admin, key) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
        let serving = installed.serve(&[]).await;
        let admin = Client::new(&serving.url, &admin);
        let confidential =
            json!({ "oauth_client_metadata": { "token_endpoint_auth_method": "client_secret_post" } });
        admin
            .given()
            .workspace("acme")
            .integration("notes", &protected.mcp_url())
            .with("configurations", confidential)
            .server("notes")
            .integration("open", &open.mcp_url())
            .with("auth_type", "headers")
            .with("configurations", json!({ "headers": { "X-Key": HEADER_SECRET } }))
            .server("open")
            .await;
        let gateway = Client::new(&serving.url, &key);
        let document = tokio::time::timeout(TIMEOUT, async {
            loop {
                let wait = json!({ "wait": 5 });
                let reply = gateway.post("/v1/gateway/servers/acme/notes/ensure", &wait).await;
                if reply.status == 200 {
                    return reply.json();
                }
            }
        });
        let notes = document.await.expect("a client in time");
        Self { installed, serving, admin, key, notes, _upstreams: [protected, open] }
    }

    /// `mcp-registry sync` with these arguments, not started yet. No secret is in the arguments.
    fn command(&self, to: &str, arguments: &[&str]) -> Command {
        let mut command = self.installed.command(&["sync", "--to", to, "--server", &self.serving.url]);
        command.args(arguments).env("SYNC_REGISTRY_KEY", &self.key).stdin(Stdio::null());
        command
    }

    /// Runs it for a gateway; exit code and output.
    async fn sync(&self, gateway: &Gateway, arguments: &[&str]) -> (i32, String) {
        let mut command = self.command(gateway.to, &["--gateway", &gateway.url]);
        command.args(arguments).env("SYNC_GATEWAY_TOKEN", &gateway.token);
        let output = command.output().await.expect("the binary runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).expect("text");
        let secret = self.notes["client"]["client_secret"].as_str().expect("a confidential client");
        for secret in [secret, HEADER_SECRET, &self.key, &gateway.token] {
            assert!(!text.contains(secret), "a secret is printed: {text}");
        }
        (output.status.code().expect("an exit code"), text)
    }

    /// What every gateway must show: a dry run writes nothing, a second run neither; changes and deletions are followed; what
    /// was made by hand stays.
    async fn follows_the_registry(&self, gateway: &Gateway, hand_made: &str, [notes, open]: [&str; 2]) {
        let expected = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
        let (code, text) = self.sync(gateway, &["--dry-run"]).await;
        assert_eq!(code, 0, "{text}");
        assert!(
            text.contains("create  acme/notes as ") && text.contains("2 to write, 0 unchanged"),
            "{text}"
        );
        assert_eq!(gateway.names().await, expected(&[hand_made]), "a dry run writes nothing");

        let (code, text) = self.sync(gateway, &["--once"]).await;
        assert!(code == 0 && text.contains("2 written, 0 unchanged"), "{text}");
        assert_eq!(gateway.names().await, expected(&[hand_made, notes, open]));
        let before = gateway.servers().await;
        let (_, text) = self.sync(gateway, &["--once"]).await;
        assert!(text.contains("0 written, 2 unchanged"), "{text}");
        assert_eq!(gateway.servers().await, before, "a second run writes nothing");

        let change = json!({ "configurations": { "headers": { "X-Key": HEADER_SECRET, "X-More": "1" } } });
        self.admin.put("/v1/mcp-integrations/open", &change).await.expect(200);
        let (_, text) = self.sync(gateway, &["--once"]).await;
        assert!(text.contains("update  acme/open") && text.contains("1 written, 1 unchanged"), "{text}");

        // Another owner's entries are left alone, and those of this one by it.
        let (code, text) = self.sync(gateway, &["--once", "--owner", "other", "--dry-run"]).await;
        assert!(code == 0 && text.contains("2 to write") && !text.contains("delete"), "{text}");
    }

    /// The server `acme/open` goes; so does what was written for it, and nothing else.
    async fn deletes_only_its_own(&self, gateway: &Gateway, hand_made: &str, notes: &str) {
        self.admin.delete("/v1/mcp-servers/open?workspace_id=acme").await.expect(200);
        let (_, text) = self.sync(gateway, &["--once"]).await;
        assert!(text.contains("delete ") && text.contains("1 written, 1 unchanged"), "{text}");
        assert_eq!(gateway.names().await, BTreeSet::from([hand_made.to_owned(), notes.to_owned()]));
        self.admin.delete("/v1/mcp-servers/notes?workspace_id=acme").await.expect(200);
        let (code, text) = self.sync(gateway, &["--once"]).await;
        assert!(code == 1 && text.contains("--allow-empty"), "an empty list is not believed: {text}");
        let (code, text) = self.sync(gateway, &["--once", "--allow-empty"]).await;
        assert_eq!(code, 0, "{text}");
        assert_eq!(gateway.names().await, BTreeSet::from([hand_made.to_owned()]));
    }

    /// A user agrees on the consent page that this address leads to: where it leads back to.
    async fn agree(&self, authorize: &str) -> String {
        let url = Url::parse(authorize).expect("a URL");
        let client =
            url.query_pairs().find(|(name, _)| name == "client_id").map(|(_, value)| value.into_owned());
        assert_eq!(
            client.as_deref(),
            self.notes["client"]["client_id"].as_str(),
            "the client registered here"
        );
        let (origin, _) = authorize.split_once("/authorize").expect("the authorization endpoint");
        let server = Client::new(origin, "");
        let page = server.get(&authorize[origin.len()..]).await.expect(200).text;
        let number = page.split_once("name=\"request\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
        let form = format!("request={}&decision=approve", number.expect("a form").0);
        let decide = server.request(Method::POST, "/authorize");
        let decide = decide.header("content-type", "application/x-www-form-urlencoded").body(form);
        Client::send(decide).await.expect(303).header("location").to_owned()
    }
}

async fn get(url: &str) -> Reply {
    Client::new(url, "").get("").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn context_forge_offers_tools_with_the_registered_client() {
    let peer = Peer::start("context_forge.py", &[]).await;
    let gateway = Gateway::new(&peer, "contextforge", "/v1/gateways?include_inactive=true", "name");
    let stage = Stage::new(&format!("{}/oauth/callback", gateway.url)).await;
    let by_hand = json!({
        "name": "hand-made", "url": "http://127.0.0.1:9/mcp", "transport": "STREAMABLEHTTP", "auth_type": "oauth",
        "oauth_config": { "grant_type": "authorization_code", "client_id": "x", "token_url": "http://127.0.0.1:9/t",
            "authorization_url": "http://127.0.0.1:9/a", "redirect_uri": "http://127.0.0.1:9/cb" },
    });
    gateway.send(Method::POST, "/v1/gateways", Some(&by_hand)).await.expect(200);
    stage.follows_the_registry(&gateway, "hand-made", ["acme-notes", "acme-open"]).await;

    let notes = gateway.server("acme-notes").await;
    let config = &notes["oauthConfig"];
    let document = &stage.notes;
    for (theirs, ours) in [
        ("client_id", &document["client"]["client_id"]),
        ("token_endpoint_auth_method", &document["client"]["token_endpoint_auth_method"]),
        ("authorization_url", &document["authorization_server"]["authorization_endpoint"]),
        ("token_url", &document["authorization_server"]["token_endpoint"]),
        ("issuer", &document["client"]["issuer"]),
        ("resource", &document["resource"]),
        ("redirect_uri", &document["client"]["redirect_uris"][0]),
    ] {
        assert_eq!(&config[theirs], ours, "{theirs}");
    }
    assert_eq!(config["scopes"], json!(["mcp:read", "mcp:write"]));

    let id = notes["id"].as_str().expect("an id");
    let begun = gateway.send(Method::GET, &format!("/oauth/authorize/{id}"), None).await.expect(307);
    let back = stage.agree(begun.header("location")).await;
    get(&back).await.expect(200);
    gateway.send(Method::POST, &format!("/oauth/fetch-tools/{id}"), None).await.expect(200);
    let tools = gateway.tools("/mcp/").await;
    for tool in ["acme-notes-whoami", "acme-open-whoami"] {
        assert!(tools.contains(tool), "{tools:?}");
    }

    // A change of an OAuth server takes its tools away; they are fetched again for the token's own user.
    let change = json!({ "configurations": { "oauth_client_metadata": { "token_endpoint_auth_method": "client_secret_post" },
        "forward_headers": ["X-Request-Id"] } });
    stage.admin.put("/v1/mcp-integrations/notes", &change).await.expect(200);
    let (_, text) = stage.sync(&gateway, &["--once"]).await;
    assert!(text.contains("update  acme/notes"), "{text}");
    assert_eq!(gateway.server("acme-notes").await["passthroughHeaders"], json!(["X-Request-Id"]));
    assert!(gateway.tools("/mcp/").await.contains("acme-notes-whoami"));

    stage.deletes_only_its_own(&gateway, "hand-made", "acme-notes").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn litellm_offers_tools_with_the_registered_client() {
    let peer = Peer::start("lite_llm.py", &[]).await;
    let gateway = Gateway::new(&peer, "litellm", "/v1/mcp/server", "server_name");
    let stage = Stage::new(&format!("{}/callback", gateway.url)).await;
    let by_hand = json!({ "server_name": "hand_made", "url": "http://127.0.0.1:9/mcp", "transport": "http" });
    gateway.send(Method::POST, "/v1/mcp/server", Some(&by_hand)).await.expect(201);
    stage.follows_the_registry(&gateway, "hand_made", ["acme_notes", "acme_open"]).await;
    let notes = gateway.server("acme_notes").await;
    assert_eq!(notes["authorization_url"], stage.notes["authorization_server"]["authorization_endpoint"]);
    assert_eq!(notes["token_url"], stage.notes["authorization_server"]["token_endpoint"]);
    assert_eq!(notes["credentials"]["scopes"], json!(["mcp:read", "mcp:write"]));

    let client = Client::new(&gateway.url, "");
    // The verifier of RFC 7636, appendix B.
    let (verifier, challenge) =
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let callback = "http://127.0.0.1:9/cb";
    let authorize = format!(
        "/acme_notes/authorize?response_type=code&client_id=me&redirect_uri={callback}&state=s&code_challenge={challenge}&code_challenge_method=S256"
    );
    let begun = client.get(&authorize).await.expect(307);
    // The sign-in is bound to the browser by cookies.
    let cookies: Vec<&str> = begun
        .headers
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .collect();
    let back = stage.agree(begun.header("location")).await;
    let back = Client::new(&back, "").request(Method::GET, "").header("cookie", cookies.join("; "));
    let back = Client::send(back).await.expect(302);
    let url = Url::parse(back.header("location")).expect("a URL");
    let code = url.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("client_id", "me"),
            ("redirect_uri", callback),
            ("code_verifier", verifier),
        ])
        .finish();
    let exchange = client
        .request(Method::POST, "/acme_notes/token")
        .header("x-litellm-api-key", format!("Bearer {}", gateway.token))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    Client::send(exchange).await.expect(200);
    assert!(gateway.tools("/acme_notes/mcp").await.contains("acme_notes-whoami"));
    assert!(gateway.tools("/acme_open/mcp").await.contains("acme_open-whoami"));

    // Where the address changes, LiteLLM clears what stays the same: endpoints, issuer, client. All of it is there again.
    let moved =
        json!({ "server_id": notes["server_id"], "url": "http://127.0.0.1:9/mcp", "transport": "http" });
    gateway.send(Method::PUT, "/v1/mcp/server", Some(&moved)).await.expect(202);
    let (_, text) = stage.sync(&gateway, &["--once", "--rewrite"]).await;
    assert!(text.contains("2 written"), "{text}");
    let again = gateway.server("acme_notes").await;
    for member in ["url", "issuer", "authorization_url", "token_url", "oauth2_flow", "mcp_info"] {
        assert_eq!(again[member], notes[member], "{member}");
    }
    let begun = client.get(&authorize).await.expect(307);
    stage.agree(begun.header("location")).await;

    stage.deletes_only_its_own(&gateway, "hand_made", "acme_notes").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn litellm_serves_the_exported_configuration() {
    let stage = Stage::new("http://127.0.0.1:9/callback").await;
    let output = stage.command("litellm-config", &[]).output().await.expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let servers = String::from_utf8(output.stdout).expect("text");
    assert!(!servers.contains(HEADER_SECRET), "{servers}");
    let secret = stage.notes["client"]["client_secret"].as_str().expect("a secret");
    let environment = [
        ("MCP_SERVERS", servers.as_str()),
        ("MCP_ACME_OPEN_X_KEY", HEADER_SECRET),
        ("MCP_ACME_NOTES_CLIENT_SECRET", secret),
    ];
    let peer = Peer::start("lite_llm.py", &environment).await;
    let gateway = Gateway::new(&peer, "litellm", "/v1/mcp/server", "server_name");
    // The upstream answers with the header only, whose value came from the environment.
    assert!(gateway.tools("/acme_open/mcp").await.contains("acme_open-whoami"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sync_refuses_to_send_secrets_in_plain_text() {
    let stage = Stage::new("http://127.0.0.1:9/callback").await;
    for (arguments, part) in [
        (["--gateway", "http://gateway.example:4000"], "Secrets are not sent to http://gateway.example:4000"),
        (["--server", "http://registry.example"], "Secrets are not read from http://registry.example"),
    ] {
        let mut command = stage.installed.command(&["sync", "--to", "litellm", "--once"]);
        command.args(arguments).env("SYNC_REGISTRY_KEY", &stage.key).env("SYNC_GATEWAY_TOKEN", "t");
        if arguments[0] == "--gateway" {
            command.args(["--server", &stage.serving.url]);
        } else {
            command.args(["--gateway", "http://127.0.0.1:1"]);
        }
        let output = command.output().await.expect("the binary runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && text.contains(part), "{text}");
    }
}
