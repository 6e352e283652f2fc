//! No secret leaks. Each is planted with its own word; then everything that any caller can read is read:
//! every operation and page, refusals, metrics, logs at their loudest, the audit log's exports, what the commands print,
//! the database and its copy.

use crate::admin::Browser;
use crate::admin::authorization::routes;
use crate::resilience::backup::rows;
use registry_core::permission::Role;
use registry_sandbox::{Options, Quirks, Refusal, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;
use support::{Client, Engine, FakeVault, Installation, TestDatabase};

const HEADER: &str = "canary-header-4fB1";
const REPLACED: &str = "canary-replaced-8Hs3";
const CLIENT: &str = "canary-client-9Qx2";
const INITIAL: &str = "canary-initial-2Lm7";
const FILE: &str = "canary-file-6Tz5";
const VARIABLE: &str = "canary-variable-3Wd8";
const VAULTED: &str = "canary-vaulted-7Rk1";
const VAULT_TOKEN: &str = "canary-vault-token-5Np4";
const PROVIDER: &str = "canary-provider-1Jc9";
const DATABASE: &str = "canary-database-0Vy6";
const SEALING: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const PASSWORD: &str = "canary-password-8Eu2";
const WRONG: &str = "canary-wrong-4Ga7";
const DRAFT: &str = "canary-draft-6Io3";
const REFUSED: &str = "canary-refused-2Xb5";
const BEARER: &str = "canary-bearer-9Mf1";
const LINK: &str = "canary-link-7Cq8";

/// What must be nowhere, and what was looked at.
struct Hunt {
    secrets: Vec<String>,
    found: Vec<String>,
    places: usize,
}

impl Hunt {
    fn look(&mut self, place: &str, text: &str) {
        self.places += 1;
        for secret in &self.secrets {
            // PostgreSQL shows bytes in hexadecimal.
            let mut hex = String::new();
            for byte in secret.bytes() {
                write!(hex, "{byte:02x}").unwrap();
            }
            if let Some(at) = text.find(secret.as_str()).or_else(|| text.find(&hex)) {
                let start = text[..at].char_indices().rev().nth(120).map_or(0, |(start, _)| start);
                self.found.push(format!("{secret} in {place}: …{}", &text[start..at]));
            }
        }
    }
}

async fn no_secret_is_anywhere(engine: Engine) {
    let issuing = Sandbox::start(Options::default()).await.unwrap();
    let refusal = Refusal { description: Some(format!("{INITIAL} is unknown.")), ..Refusal::forbidden() };
    let quirks = Quirks { registration_refusal: Some(refusal), ..Quirks::default() };
    let refusing =
        Sandbox::start(Options { host: "127.0.0.2".into(), quirks, ..Options::default() }).await.unwrap();
    let required_header = Some(format!("X-Key: {HEADER}"));
    let quirks = Quirks { no_auth: true, required_header, ..Quirks::default() };
    let open =
        Sandbox::start(Options { host: "127.0.0.3".into(), quirks, ..Options::default() }).await.unwrap();
    let vault = FakeVault::start(json!({ "X-Key": VAULTED }));
    let operators = tempfile::tempdir().unwrap();
    let installed = installation(engine, &vault, operators.path()).await;
    installed.run(&["migrate"]).await;
    let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
    let link = installed.run(&["user", "link", "--email", "ann@acme.com"]).await;
    let token = link.split("token=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();

    let serving = installed.serve(&[]).await;
    let client = serving.client(&admin);
    seed(&client, &issuing.mcp_url(), &refusing.mcp_url()).await;
    let looked = json!({ "name": "looked", "slug": "looked", "url": open.mcp_url(), "auth_type": "headers", "transport": "http",
        "configurations": { "headers": { "X-Key": HEADER } } });
    client.post("/v1/mcp-integrations", &looked).await.expect(200);
    let looked = client.post("/v1/mcp-integrations/looked/look", &json!({})).await.expect(200).json();
    assert_eq!(looked["sync_status"], "synced", "{looked}");
    let as_gateway = serving.client(&gateway);
    let documents = gateway_documents(&as_gateway).await;
    // Each is really there: gateways get what is theirs.
    for secret in [HEADER, CLIENT, FILE, VARIABLE, VAULTED] {
        assert!(documents.contains(secret), "{secret} never arrived: {documents}");
    }
    let issued = issuing.clients().pop().expect("a registered client");
    let secret = issued.secret().expect("a secret was issued").to_owned();
    assert!(documents.contains(&secret), "the issued secret never arrived");
    assert!(vault.state().asked.iter().all(|(_, token)| token == VAULT_TOKEN));

    let nobody = Browser::at(Client::new(&serving.url, ""));
    let signed_in = nobody.post("/ui/sign-in/link", &[("token", &token)]).await.expect(303);
    let ann = Browser::at(Client::new(&serving.url, "")).after(&signed_in);
    let session = signed_in.header("set-cookie").split(['=', ';']).nth(1).unwrap().to_owned();
    assert!(session.len() > 20, "{session}");
    let draft = make_draft(&ann, &issuing.mcp_url()).await;
    let all = [
        HEADER,
        REPLACED,
        CLIENT,
        INITIAL,
        FILE,
        VARIABLE,
        VAULTED,
        VAULT_TOKEN,
        PROVIDER,
        DATABASE,
        SEALING,
        PASSWORD,
        WRONG,
        DRAFT,
        REFUSED,
        BEARER,
        LINK,
    ];
    let mut secrets: Vec<String> = all.map(str::to_owned).to_vec();
    secrets.extend([admin.clone(), gateway, token, session, secret]);
    secrets.push(issued.registration_access_token().to_owned());
    let mut hunt = Hunt { secrets, found: Vec::new(), places: 0 };

    refusals(&mut hunt, &client, &serving.url, &nobody).await;
    ann.post("/ui/account/password", &[("current", ""), ("password", PASSWORD)]).await.expect(303);
    let mut things = vec![("{workspace}", "acme".to_owned()), ("{draft}", draft)];
    for (names, list) in [
        (["{registration}", "{registration}"], "registrations"),
        (["{user}", "{person}"], "users"),
        (["{key}", "{key}"], "api-keys"),
    ] {
        let listed = client.get(&format!("/v1/{list}")).await.expect(200).json();
        let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
        things.extend(names.map(|name| (name, id.clone())));
    }
    every_operation(&mut hunt, &client, &things).await;
    every_page(&mut hunt, &ann, &things).await;

    let log = serving.end().await;
    assert!(log.contains("DEBUG") && log.contains("step succeeded"), "the log was at its loudest: {log}");
    hunt.look("the log", &log);
    for arguments in [["check"].as_slice(), &["seal", "status"], &["audit", "verify"], &["openapi"]] {
        hunt.look(&format!("{arguments:?}"), &installed.run(arguments).await);
    }
    let folder = installed.database.folder.path();
    if engine == Engine::Sqlite {
        installed.run(&["backup", folder.join("copy.sqlite").to_str().unwrap()]).await;
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // It says how to reach what it names, and is the operator's.
        if path.extension().is_none_or(|extension| extension != "toml") {
            let bytes = std::fs::read(&path).unwrap();
            hunt.look(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
        }
    }
    for (table, rows) in rows(&installed.database.connect().await).await {
        hunt.look(&format!("the table {table}"), &rows.join("\n"));
    }
    assert!(hunt.found.is_empty(), "{}", hunt.found.join("\n"));
    assert!(hunt.places > 150, "{}", hunt.places);
}

/// With secrets of the operator's own: of the database, the identity provider, a vault, a file and a variable.
async fn installation(engine: Engine, vault: &FakeVault, folder: &std::path::Path) -> Installation {
    let database = TestDatabase::new(engine).await;
    let file = folder.join("headers.json");
    std::fs::write(&file, json!({ "X-Key": FILE }).to_string()).unwrap();
    let settings = format!(
        "[vault]\naddress = \"{}\"\ntoken = \"{VAULT_TOKEN}\"\n\
         [secrets.file]\nfile = \"{}\"\n[secrets.variable]\nenv = \"CANARY_HEADERS\"\n[secrets.vault]\nvault = \"kv/acme\"\n\
         [auth.oidc]\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"registry\"\nclient_secret = \"{PROVIDER}\"\n",
        vault.address,
        file.display()
    );
    std::fs::write(database.folder.path().join("registry.toml"), settings).unwrap();
    let url = database.url.replacen("registry@", &format!("registry:{DATABASE}@"), 1);
    assert!(engine == Engine::Sqlite || url.contains(DATABASE), "{url}");
    Installation::new(database)
        .with("DATABASE__URL", &url)
        .with("LOG__LEVEL", "trace,sea_orm=trace,sea_orm::database=trace,sqlx=trace")
        .with("SERVER__PUBLIC_URL", "http://127.0.0.1:8080")
        .variable("CANARY_HEADERS", &json!({ "X-Key": VARIABLE }).to_string())
}

/// An integration for each way in which a secret gets here, each with a server in the workspace `acme`.
async fn seed(client: &Client, issuing: &str, refusing: &str) {
    client.given().workspace("acme").await;
    let mapped = |name: &str| json!([{ "target_field": "configurations.headers", "secret_reference_id": name, "value_format": "json" }]);
    let secret = json!({ "oauth_client_metadata": { "token_endpoint_auth_method": "client_secret_basic" } });
    let entered = json!({ "oauth_client_metadata": { "client_id": "by-hand", "client_secret": CLIENT } });
    let refused = json!({ "registration": { "initial_access_token": INITIAL } });
    for (slug, url, auth_type, configurations, mappings) in [
        ("issued", issuing, "oauth_auto", secret, json!([])),
        ("entered", issuing, "oauth_auto", entered, json!([])),
        ("refused", refusing, "oauth_auto", refused, json!([])),
        ("headers", issuing, "headers", json!({ "headers": { "X-Key": REPLACED } }), json!([])),
        ("file", issuing, "headers", json!({}), mapped("file")),
        ("variable", issuing, "headers", json!({}), mapped("variable")),
        ("vault", issuing, "headers", json!({}), mapped("vault")),
    ] {
        let body = json!({ "name": slug, "slug": slug, "url": url, "auth_type": auth_type, "transport": "http",
            "configurations": configurations, "secret_mappings": mappings });
        client.post("/v1/mcp-integrations", &body).await.expect(200);
        client.given().server_of(slug, slug).await;
    }
    let body = json!({ "configurations": { "headers": { "X-Key": HEADER } } });
    client.put("/v1/mcp-integrations/headers", &body).await.expect(200);
}

/// What gateways get, once every registration came to its end.
async fn gateway_documents(client: &Client) -> String {
    let settled = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let page = client.get("/v1/gateway/servers").await.expect(200);
            let servers = page.json()["data"].as_array().unwrap().clone();
            let state = |slug: &str| {
                let one = servers.iter().find(|one| one["server"] == slug).unwrap();
                one["registration"]["state"].as_str().unwrap_or_default().to_owned()
            };
            if state("issued") == "registered"
                && state("entered") == "registered"
                && state("refused") == "failed"
            {
                return page.text;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    settled.await.expect("all registrations end")
}

/// A draft with a secret in it; its id.
async fn make_draft(ann: &Browser, url: &str) -> String {
    let typed = [("url", url), ("name", "Draft"), ("intent", "draft")];
    ann.post("/ui/integrations/new", &typed).await.expect(303);
    let list = ann.get("/ui/integrations/new").await.expect(200).text;
    let draft = list.split("/ui/drafts/").nth(1).unwrap().split(['/', '"']).next().unwrap().to_owned();
    let configuration = json!({ "headers": { "X-Key": DRAFT } }).to_string();
    let typed = [("configuration", configuration.as_str()), ("intent", "draft")];
    ann.post(&format!("/ui/drafts/{draft}/metadata"), &typed).await.expect(303);
    draft
}

/// What is typed in the wrong place, or is wrong itself, is not repeated.
async fn refusals(hunt: &mut Hunt, client: &Client, url: &str, nobody: &Browser) {
    let new = |more: Value| {
        let mut body = json!({ "name": "Odd", "url": "https://mcp.linear.app/mcp", "auth_type": "oauth_auto", "transport": "http" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for body in [
        new(json!({ "configurations": { "initial_access_token": REFUSED } })),
        new(json!({ "configurations": { "headers": REFUSED } })),
        new(json!({ "configurations": { "headers": [REFUSED] } })),
        new(json!({ "configurations": { "oauth_client_metadata": { "client_secret": REFUSED } } })),
        new(
            json!({ "configurations": { "oauth_client_metadata": { "client_id": "x", "client_secret": [REFUSED] } } }),
        ),
        new(json!({ "configurations": REFUSED })),
        new(json!({ "secret_mappings": REFUSED })),
        new(json!({ "url": format!("https://user:{REFUSED}@mcp.linear.app/mcp") })),
    ] {
        let reply = client.post("/v1/mcp-integrations", &body).await;
        assert!(reply.status.is_client_error(), "{body}: {}", reply.text);
        hunt.look(&format!("the refusal of {body}"), &reply.text);
    }
    let half = format!("{{\"configurations\": {{\"headers\": {{\"X\": \"{REFUSED}\"");
    let cut = client
        .request(Method::POST, "/v1/mcp-integrations")
        .header("content-type", "application/json")
        .body(half);
    hunt.look("the refusal of half a body", &Client::send(cut).await.expect(400).text);
    let refused = Client::new(url, BEARER).get("/v1/workspaces").await.expect(401);
    hunt.look("the refusal of a key", &refused.text);
    let refused = nobody.get(&format!("/ui/integrations?token={LINK}")).await.expect(303);
    assert!(refused.header("location").contains("/ui/sign-in"));
    nobody.get(&format!("/ui/sign-in/link?token={LINK}")).await.expect(200);
    hunt.look(
        "the refusal of a link",
        &nobody.post("/ui/sign-in/link", &[("token", LINK)]).await.expect(422).text,
    );
    let typed = [("email", "ann@acme.com"), ("password", WRONG)];
    hunt.look("the refusal of a password", &nobody.post("/ui/sign-in", &typed).await.expect(422).text);
    // The provider cannot be reached; what went wrong with it says nothing of its secret.
    hunt.look("the provider", &nobody.get("/ui/sign-in/provider").await.text);
}

fn fill(path: &str, slug: &str, things: &[(&str, String)]) -> String {
    let path = path.replace("{integration}", slug).replace("{server}", slug);
    things.iter().fold(path, |path, (name, thing)| path.replace(name, thing))
}

/// Everything that can be read through the API, as an admin reads it.
async fn every_operation(hunt: &mut Hunt, client: &Client, things: &[(&str, String)]) {
    let document = serde_json::to_value(registry_api::document()).unwrap();
    let mut read = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for slug in ["issued", "entered", "refused", "headers", "file", "variable", "vault"] {
            if methods["get"].is_null() || path == "/v1/gateway/changes" {
                continue;
            }
            let filled = fill(path, slug, things);
            let reply = client.get(&filled).await;
            read += usize::from(reply.status.is_success());
            hunt.look(&filled, &reply.text);
            if filled == *path {
                break;
            }
        }
    }
    assert!(read > 70, "{read}");
}

/// Every page, as an admin sees it.
async fn every_page(hunt: &mut Hunt, ann: &Browser, things: &[(&str, String)]) {
    let mut read = 0;
    for route in routes() {
        let Some(path) = route.strip_prefix("GET ") else { continue };
        for slug in ["issued", "entered", "refused", "headers", "file"] {
            let filled = fill(path, slug, things).replace("/restore", "/restore?number=1");
            if filled.starts_with("/sign-in") {
                break;
            }
            let reply = ann.get(&format!("/ui{filled}")).await;
            read += usize::from(reply.status.is_success());
            hunt.look(&filled, &reply.text);
            if filled == *path {
                break;
            }
        }
    }
    assert!(read > 70, "{read}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_leaks_on_sqlite() {
    no_secret_is_anywhere(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_leaks_on_postgres() {
    no_secret_is_anywhere(Engine::Postgres).await;
}
