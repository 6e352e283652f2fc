//! The largest requests that are read: every operation with a body answers them quickly and briefly, while probes and
//! gateways are answered beside it. The operations come from the OpenAPI document, so that a new one is asked by itself.
//!
//! With the release binary, as fast as it has to be there, and with a table of the worst answers:
//! `MCP_REGISTRY_TEST_BINARY=$PWD/target/release/mcp-registry MCP_REGISTRY_TEST_MILLISECONDS=100 cargo nextest run
//! --no-capture largest_bodies`.

use super::authorization::{NOWHERE, body};
use registry_core::permission::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use support::{Client, Engine, Installation, Reply, Serving, TestDatabase, optional_variable};

/// The longest body of the API.
const BODY: usize = 512 * 1024;

fn patience() -> Duration {
    let wanted = optional_variable("MCP_REGISTRY_TEST_MILLISECONDS").and_then(|text| text.parse().ok());
    Duration::from_millis(wanted.unwrap_or(1_000))
}

/// A real process with one of everything in the workspace `acme`.
struct Process {
    serving: Serving,
    admin: Client,
    gateway: Client,
    ids: BTreeMap<&'static str, String>,
    _installed: Installation,
}

impl Process {
    async fn start(engine: Engine) -> Self {
        let installed = Installation::new(TestDatabase::new(engine).await)
            .with("LOG__LEVEL", "error")
            .with("GATEWAY__PORTKEY__ENABLED", "true");
        installed.run(&["migrate"]).await;
        let (admin, gateway) = (installed.key(Role::Admin).await, installed.key(Role::Gateway).await);
        let serving = installed.serve(&["--no-worker"]).await;
        let (admin, gateway) = (serving.client(&admin), serving.client(&gateway));
        for (path, body) in [
            ("/v1/workspaces", json!({ "name": "Acme", "slug": "acme" })),
            (
                "/v1/mcp-integrations",
                json!({ "name": "Linear", "slug": "linear", "url": NOWHERE, "auth_type": "oauth_auto", "transport": "http" }),
            ),
            (
                "/v1/mcp-servers",
                json!({ "name": "Linear", "slug": "linear", "mcp_integration_id": "linear", "workspace_id": "acme" }),
            ),
            ("/v1/users", json!({ "email": "grace@acme.com", "role": "viewer" })),
        ] {
            admin.post(path, &body).await.expect(200);
        }
        let first = async |path: &str| {
            admin.get(path).await.expect(200).json()["data"][0]["id"].as_str().unwrap().to_owned()
        };
        let ids = BTreeMap::from([
            ("{workspace}", "acme".to_owned()),
            ("{integration}", "linear".to_owned()),
            ("{server}", "linear".to_owned()),
            ("{number}", "1".to_owned()),
            ("{registration}", first("/v1/registrations").await),
            ("{orphan}", first("/v1/registrations").await),
            ("{rollout}", first("/v1/registrations").await),
            ("{key}", first("/v1/api-keys").await),
            ("{user}", first("/v1/users").await),
            ("{session}", first("/v1/users").await),
            ("{document}", "unknown".to_owned()),
        ]);
        let this = Self { serving, admin, gateway, ids, _installed: installed };
        // From now on it is in memory.
        this.gateway.get("/v1/gateway/servers/acme/linear").await.expect(200);
        this
    }

    fn fill(&self, path: &str) -> String {
        self.ids.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
    }

    /// The answer to `request`, and the processor time that the process took for it, a probe and a gateway's document
    /// beside it. Not the time on the wall: other tests run on the same processors.
    async fn ask(&self, request: reqwest::RequestBuilder) -> (Reply, Duration) {
        let nobody = self.serving.client("");
        let before = self.spent();
        let (reply, probe, document) = tokio::join!(
            Client::send(request),
            Client::send(nobody.request(Method::GET, "/healthz")),
            Client::send(self.gateway.request(Method::GET, "/v1/gateway/servers/acme/linear")),
        );
        probe.expect(200);
        document.expect(200);
        (reply, self.spent().saturating_sub(before))
    }

    /// The processor time of the process so far (proc(5): `utime` and `stime`, in hundredths of a second).
    fn spent(&self) -> Duration {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.serving.child.id().unwrap())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }
}

/// Every operation: its id, method and path, and the schema of its body if it has one.
fn operations(document: &Value) -> Vec<(String, String, String, Option<Value>)> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(id) = operation["operationId"].as_str() else { continue };
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let schema = (!schema.is_null()).then(|| schema.clone());
            found.push((id.to_owned(), method.to_uppercase(), path.clone(), schema));
        }
    }
    found
}

fn resolved<'a>(document: &'a Value, mut schema: &'a Value) -> &'a Value {
    loop {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            schema = &document["components"]["schemas"][name];
        } else if let Some(one) =
            schema["oneOf"].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null"))
        {
            schema = one;
        } else {
            return schema;
        }
    }
}

fn has_type(schema: &Value, kind: &str) -> bool {
    schema["type"] == kind || schema["type"].as_array().is_some_and(|all| all.iter().any(|one| one == kind))
}

/// Members of `schema` of a type, outermost only.
fn members(document: &Value, schema: &Value, kind: &str) -> Vec<String> {
    let properties = resolved(document, schema)["properties"].as_object().cloned().unwrap_or_default();
    properties
        .iter()
        .filter(|(_, schema)| has_type(resolved(document, schema), kind))
        .map(|(name, _)| name.clone())
        .collect()
}

/// `make(0), make(1), …` with commas between, as many as fit.
fn repeated(room: usize, make: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(room);
    for number in 0.. {
        let next = make(number);
        if text.len() + next.len() + 1 > room {
            break;
        }
        if number > 0 {
            text.push(',');
        }
        text.push_str(&next);
    }
    text
}

/// The largest bodies that `good` can become, each with a word for it.
fn bodies(document: &Value, schema: &Value, good: &Value) -> Vec<(String, String)> {
    let room = BODY - good.to_string().len() - 100;
    let with = |name: &str, value: &str| {
        let mut whole = good.as_object().cloned().unwrap_or_default();
        whole.remove(name);
        let mut text = Value::Object(whole).to_string();
        text.pop();
        let comma = if text.len() > 1 { "," } else { "" };
        format!("{text}{comma}{}:{value}}}", Value::from(name))
    };
    let extended = |more: &str| {
        let mut text = good.to_string();
        text.pop();
        let comma = if text.len() > 1 { "," } else { "" };
        format!("{text}{comma}{more}}}")
    };
    let numbers = |room| repeated(room, |number| format!("\"m{number}\":0"));
    let mut bodies = vec![
        ("unknown members".to_owned(), extended(&numbers(room))),
        ("twins".to_owned(), extended(&repeated(room, |_| "\"m\":0".to_owned()))),
        ("names of 5 kB".to_owned(), extended(&repeated(room, |n| format!("\"{}{n}\":0", "é".repeat(2500))))),
        ("one name".to_owned(), extended(&format!("\"{}\":0", "n".repeat(room - 10)))),
        (
            "depth 120".to_owned(),
            with("x", &format!("{}{}{}", "[".repeat(120), numbers_in(room), "]".repeat(120))),
        ),
        (
            "depth without end".to_owned(),
            with("x", &format!("{}{}", "[".repeat(room / 2), "]".repeat(room / 2))),
        ),
        ("a list in place of the body".to_owned(), format!("[{}]", repeated(room, |_| "{}".to_owned()))),
    ];
    for name in members(document, schema, "array") {
        for (word, item) in [("objects", "{}"), ("texts", "\"acme\"")] {
            let list = format!("[{}]", repeated(room, |_| item.to_owned()));
            bodies.push((format!("{name} of {word}"), with(&name, &list)));
        }
        let items = repeated(room / 5_000, |_| "x".to_owned()).len().clamp(1, 50);
        let item = format!("{{{}}}", numbers(room / items - 10));
        let list = vec![item; items].join(",");
        bodies.push((format!("{name} of objects with unknown members"), with(&name, &format!("[{list}]"))));
    }
    for name in members(document, schema, "string").into_iter().take(1) {
        bodies.push((format!("{name} of one text"), with(&name, &format!("\"{}\"", "x".repeat(room - 300)))));
    }
    let text = 250 * 1024;
    for name in members(document, schema, "object") {
        let wrapped = |inner: &str| format!("{{\"oauth_client_metadata\":{{{inner}}}}}");
        let strings = repeated(text, |number| format!("\"m{number}\":\"s\""));
        let near = repeated(text, |number| format!("\"client_secre{number}\":\"s\""));
        let deep = format!("{{\"{}\":", "d".repeat(250)).repeat(120);
        let deep = format!(
            "{deep}[{}]{}",
            repeated(text - 60_000, |_| "{\"a\":1,\"a\":2}".to_owned()),
            "}".repeat(120)
        );
        let variants = repeated(text, |number| format!("\"client_name#a{}\":\"s\"", base26(number)));
        for (word, value) in [
            ("unknown members", format!("{{{}}}", numbers(text))),
            ("unknown client metadata", wrapped(&strings)),
            ("almost secrets", wrapped(&near)),
            ("twins far below", format!("{{\"x\":{deep}}}")),
            ("languages", wrapped(&variants)),
            ("headers", format!("{{\"headers\":{{{strings}}}}}")),
            ("markers", format!("{{\"x\":[{}]}}", repeated(text, |_| "\"$sealed:x\"".to_owned()))),
            ("contacts", wrapped(&format!("\"contacts\":[{}]", repeated(text, |_| "\"a\"".to_owned())))),
            ("scopes", wrapped(&format!("\"scope\":\"{}\"", "a ".repeat(text / 2)))),
            ("as many values as may be", wrapped(&repeated(90_000, |number| format!("\"m{number}\":0")))),
        ] {
            bodies.push((format!("{name}: {word}"), with(&name, &value)));
        }
    }
    if members(document, schema, "string").iter().any(|name| name == "text") {
        let text = Value::from(format!("{{{}}}", numbers(200 * 1024))).to_string();
        bodies.push(("text of unknown members".to_owned(), format!("{{\"text\":{text}}}")));
    }
    bodies
}

fn numbers_in(room: usize) -> String {
    repeated(room - 300, |_| "{}".to_owned())
}

/// A word of letters for a number.
fn base26(mut number: usize) -> String {
    let mut word = String::new();
    loop {
        word.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
        number /= 26;
        if number == 0 {
            return word;
        }
    }
}

/// The worst of each operation, for people.
#[derive(Default)]
struct Worst(BTreeMap<String, (Duration, String, usize)>);

impl Worst {
    fn note(&mut self, operation: &str, word: &str, took: Duration, answer: usize) {
        let worst = self.0.entry(operation.to_owned()).or_default();
        if took > worst.0 {
            *worst = (took, word.to_owned(), answer);
        }
    }
}

impl Drop for Worst {
    fn drop(&mut self) {
        for (operation, (took, word, answer)) in &self.0 {
            eprintln!("{:>6} ms {:>7} bytes  {operation} ({word})", took.as_millis(), answer);
        }
    }
}

/// Asks every `PARTS`th operation.
async fn largest_bodies(part: usize) {
    let process = Process::start(Engine::Sqlite).await;
    let document = serde_json::to_value(registry_api::document()).unwrap();
    let (mut worst, mut wrong, mut asked) = (Worst::default(), Vec::new(), 0);
    let all = operations(&document).into_iter().filter(|operation| operation.3.is_some());
    for (id, method, path, schema) in all.skip(part).step_by(PARTS) {
        let Some(schema) = schema else { continue };
        let client = if path.starts_with("/v1/gateway/") || path.starts_with("/v2/") {
            &process.gateway
        } else {
            &process.admin
        };
        let path = process.fill(&path);
        for (word, text) in bodies(&document, &schema, &body(&id)) {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = client.request(method, &path).header("content-type", "application/json");
            let (reply, took) = process.ask(request.body(text.clone())).await;
            asked += 1;
            worst.note(&id, &word, took, reply.text.len());
            let status = reply.status.as_u16();
            if status >= 500 && status != 501 {
                wrong.push(format!("{id} ({word}): {status} {}", &reply.text[..reply.text.len().min(300)]));
            }
            if took > patience() {
                wrong.push(format!("{id} ({word}): {} ms", took.as_millis()));
            }
            if reply.text.len() > (64 * 1024).max(2 * text.len()) {
                wrong.push(format!("{id} ({word}): {} bytes for {}", reply.text.len(), text.len()));
            }
        }
    }
    assert!(asked > 20, "{asked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    process.serving.end().await;
}

/// So many tests share the operations.
const PARTS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn largest_bodies_get_fast_short_answers_1() {
    largest_bodies(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn largest_bodies_get_fast_short_answers_2() {
    largest_bodies(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn largest_bodies_get_fast_short_answers_3() {
    largest_bodies(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn largest_bodies_get_fast_short_answers_4() {
    largest_bodies(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn largest_bodies_get_fast_short_answers_5() {
    largest_bodies(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn largest_bodies_get_fast_short_answers_6() {
    largest_bodies(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn largest_bodies_get_fast_short_answers_7() {
    largest_bodies(6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn largest_bodies_get_fast_short_answers_8() {
    largest_bodies(7).await;
}

/// A short request that says many times that something is wrong is not answered with a book either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_body_gets_a_short_answer() {
    let process = Process::start(Engine::Sqlite).await;
    let document = serde_json::to_value(registry_api::document()).unwrap();
    let many: Vec<String> = (0..1_000).map(|number| format!(",\"m{number}\":0")).collect();
    let many = many.concat();
    for (id, method, path, schema) in operations(&document) {
        if schema.is_none() {
            continue;
        }
        let client = if path.starts_with("/v1/gateway/") || path.starts_with("/v2/") {
            &process.gateway
        } else {
            &process.admin
        };
        let mut text = body(&id).to_string();
        text.pop();
        let many = if text.len() > 1 { &many } else { &many[1..] };
        let text = format!("{text}{many}}}");
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = client.request(method, &process.fill(&path)).header("content-type", "application/json");
        let reply = Client::send(request.body(text)).await;
        assert!(reply.text.len() < 64 * 1024, "{id}: {} bytes", reply.text.len());
        let listed = reply.json()["errors"].as_array().map_or(0, Vec::len);
        assert!(listed <= 101, "{id}: {listed} findings");
        if reply.status == 422 {
            assert_eq!(reply.json()["errors"][100]["code"], "more_findings", "{id}: {}", reply.text);
            assert!(reply.json()["errors"][99]["line"].is_u64(), "{id}: every finding has its place");
        }
    }
    process.serving.end().await;
}

async fn every_list_and_text_has_a_limit(engine: Engine) {
    let process = Process::start(engine).await;
    let document = serde_json::to_value(registry_api::document()).unwrap();
    let entries = vec!["acme"; 10_000];
    let mut lists = 0;
    for (id, method, path, schema) in operations(&document) {
        let client = if path.starts_with("/v1/gateway/") || path.starts_with("/v2/") {
            &process.gateway
        } else {
            &process.admin
        };
        let path = process.fill(&path);
        let operation =
            document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap());
        let operation = operation.map(|(_, one)| one).find(|one| one["operationId"] == id.as_str()).unwrap();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            if parameter["in"] != "query" || method != "GET" {
                continue;
            }
            if has_type(schema, "array") {
                lists += 1;
                let most = schema["maxItems"].as_u64().unwrap_or_else(|| panic!("{id} {name}: no maxItems"));
                let most = usize::try_from(most).unwrap();
                let one = if schema["items"]["$ref"].is_string() || schema["items"]["enum"].is_array() {
                    "failed"
                } else {
                    "a"
                };
                let list = |count| format!("{path}?{name}={}", vec![one; count].join(","));
                client.get(&list(most)).await.expect(200);
                let refused = client.get(&list(most + 1)).await.expect(400).json();
                let detail = refused["detail"].as_str().unwrap();
                assert!(
                    detail.contains(&format!("`{name}`")) && detail.contains(&most.to_string()),
                    "{id}: {detail}"
                );
                // 1,500 of them fit into 3 kB and once ended the process.
                let refused = client.get(&list(1_500)).await;
                assert!([400, 414].contains(&refused.status.as_u16()), "{id} {name}: {}", refused.text);
                // As many as the test's own HTTP client lets through: it takes addresses of up to 65,534 bytes.
                let refused = client.get(&list(65_000 / (one.len() + 1))).await;
                assert!([400, 414].contains(&refused.status.as_u16()), "{id} {name}: {}", refused.text);
            } else if has_type(schema, "string") {
                let long = client.get(&format!("{path}?{name}={}", "x".repeat(60_000))).await;
                assert_eq!(long.status, 414, "{id} {name}: {}", long.text);
                assert!(long.text.len() < 4_096, "{id} {name}: {} bytes", long.text.len());
                let long = client.get(&format!("{path}?{name}={}", "%25".repeat(2_500))).await;
                assert_eq!(long.status, 400, "{id} {name}: {}", long.text);
                assert!(
                    long.json()["detail"].as_str().unwrap().contains(&format!("`{name}`")),
                    "{id}: {}",
                    long.text
                );
            }
        }
        let Some(schema) = schema else { continue };
        for name in members(&document, &schema, "array") {
            lists += 1;
            let listed = &resolved(&document, &schema)["properties"][&name];
            let most = resolved(&document, listed)["maxItems"].as_u64();
            let most = most.unwrap_or_else(|| panic!("{id} {name}: no maxItems"));
            let mut whole = body(&id);
            whole[&name] = json!(entries);
            let request = client.request(Method::from_bytes(method.as_bytes()).unwrap(), &path).json(&whole);
            let refused = Client::send(request).await.expect(422);
            let errors = refused.errors();
            assert!(
                errors.contains(&("too_many".to_owned(), format!("/{name}"))),
                "{id} {name}: {}",
                refused.text
            );
            assert!(refused.text.contains(&most.to_string()), "{id} {name}: {}", refused.text);
        }
    }
    assert!(lists >= 8, "{lists}");
    // Names in paths.
    for path in ["/v1/workspaces", "/v1/mcp-integrations", "/v1/mcp-servers", "/v1/nothing"] {
        for length in [60_000, 5_000] {
            let lost = process.admin.get(&format!("{path}/{}", "n".repeat(length))).await;
            assert!([404, 414].contains(&lost.status.as_u16()), "{path}: {}", lost.text);
            assert!(lost.text.len() < 4_096, "{path}: {} bytes", lost.text.len());
        }
    }
    process.admin.get("/healthz").await.expect(200);
    process.serving.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_and_text_has_a_limit_on_sqlite() {
    every_list_and_text_has_a_limit(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_and_text_has_a_limit_on_postgres() {
    every_list_and_text_has_a_limit(Engine::Postgres).await;
}
