//! The character NUL, and other texts that databases treat differently: the same clear answer from both.

use futures_util::future::join_all;
use registry_core::permission::Role;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Map, Value, json};
use support::{Client, Engine, Reply, TestServer};

/// One operation of the OpenAPI document.
struct Operation {
    id: String,
    method: Method,
    path: String,
    in_path: Vec<String>,
    /// Query parameters that take a text.
    in_query: Vec<String>,
    /// Pointers of the members of its body that take a text, with a body that holds nothing else.
    in_body: Vec<(String, Value)>,
}

/// Every operation that is built.
fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(registry_api::document()).unwrap();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(id) = operation["operationId"].as_str() else { continue };
            if operation["tags"] == json!(["not built yet"]) {
                continue;
            }
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let named = |place: &str, texts: bool| {
                let fits = |one: &&Value| {
                    one["in"] == place && (!texts || one["schema"].to_string().contains("\"string\""))
                };
                parameters.iter().filter(fits).map(|one| one["name"].as_str().unwrap().to_owned()).collect()
            };
            let mut in_body = Vec::new();
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            texts(&document, schema, &mut Vec::new(), &mut in_body);
            found.push(Operation {
                id: id.to_owned(),
                method: Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(),
                path: path.clone(),
                in_path: named("path", false),
                in_query: named("query", true),
                in_body,
            });
        }
    }
    assert!(found.len() > 60, "{}", found.len());
    found
}

/// The texts in a body of this schema: where, and such a body with `PLACE` there.
fn texts(document: &Value, schema: &Value, way: &mut Vec<Option<String>>, found: &mut Vec<(String, Value)>) {
    if way.len() > 4 {
        return;
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return texts(document, &document["components"]["schemas"][name], way, found);
    }
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        texts(document, one, way, found);
    }
    let kind = schema["type"].to_string();
    if kind.contains("\"string\"") && !way.is_empty() {
        found.push((pointer(way), body(way, &json!("PLACE"))));
    }
    if schema["items"].is_object() {
        way.push(None);
        texts(document, &schema["items"], way, found);
        way.pop();
    }
    let members = schema["properties"].as_object();
    for (name, member) in members.into_iter().flatten() {
        way.push(Some(name.clone()));
        texts(document, member, way, found);
        way.pop();
    }
    // A free object, such as `configurations`: any depth.
    if members.is_none() && kind.contains("\"object\"") && !way.is_empty() {
        for step in [Some("deep".to_owned()), None, Some("deeper".to_owned())] {
            way.push(step);
        }
        found.push((pointer(way), body(way, &json!("PLACE"))));
        way.truncate(way.len() - 3);
    }
}

fn pointer(way: &[Option<String>]) -> String {
    way.iter().flat_map(|step| ["/", step.as_deref().unwrap_or("0")]).collect()
}

fn body(way: &[Option<String>], value: &Value) -> Value {
    way.iter().rev().fold(value.clone(), |value, step| match step {
        Some(name) => Value::Object(Map::from_iter([(name.clone(), value)])),
        None => json!([value]),
    })
}

/// A caller of each kind that an operation may need.
struct Callers {
    admin: Client,
    gateway: Client,
    nobody: Client,
}

impl Callers {
    async fn of(t: &TestServer) -> Self {
        t.inner.workspace("acme").await;
        Self {
            admin: t.client(Role::Admin, None).await,
            gateway: t.client(Role::Gateway, None).await,
            nobody: t.anonymous(),
        }
    }

    fn best(&self, operation: &Operation) -> &Client {
        if operation.path.starts_with("/v1/gateway") { &self.gateway } else { &self.admin }
    }

    async fn send(&self, operation: &Operation, path: &str, body: Option<String>) -> Reply {
        let mut request = self.best(operation).request(operation.method.clone(), path);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        Client::send(request).await
    }
}

/// The path with `text` for one parameter, and something that fits for the others.
fn fill(operation: &Operation, name: &str, text: &str) -> String {
    operation.in_path.iter().fold(operation.path.clone(), |path, one| {
        let fits = match one.as_str() {
            "key" | "user" | "session" | "registration" | "orphan" | "rollout" => {
                "0192f5c2-4a10-7c3e-9b1d-3f2a6c000009"
            }
            "number" => "1",
            "type" => "organisation",
            "sub_type" => "service",
            _ => "acme",
        };
        path.replace(&format!("{{{one}}}"), if one == name { text } else { fits })
    })
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nul_is_refused_in_every_parameter_and_member_by_name(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let callers = Callers::of(&t).await;
    let mut tried = 0;
    for operation in operations() {
        for name in &operation.in_path {
            let path = fill(&operation, name, "a%00b");
            for reply in [callers.send(&operation, &path, None).await, {
                Client::send(callers.nobody.request(operation.method.clone(), &path)).await
            }] {
                let status = reply.status.as_u16();
                assert_eq!(status, 400, "{} {name}: {}", operation.id, reply.text);
                assert!(reply.text.contains(&format!("`{name}`")), "{} {name}: {}", operation.id, reply.text);
                tried += 1;
            }
        }
        for name in &operation.in_query {
            let path = fill(&operation, "", "");
            let reply = callers.send(&operation, &format!("{path}?{name}=%00"), None).await.expect(400);
            assert!(reply.text.contains(&format!("`{name}`")), "{} {name}: {}", operation.id, reply.text);
            tried += 1;
        }
        for (pointer, body) in &operation.in_body {
            let path = fill(&operation, "", "");
            let body = body.to_string().replace("PLACE", "before \\u0000 behind");
            let reply = callers.send(&operation, &path, Some(body.clone())).await;
            let status = reply.status.as_u16();
            assert_eq!(status, 422, "{} {body}: {}", operation.id, reply.text);
            let wanted = ("nul_character".to_owned(), pointer.clone());
            assert!(reply.errors().contains(&wanted), "{} {body}: {}", operation.id, reply.text);
            tried += 1;
        }
        if !operation.in_body.is_empty() {
            let path = fill(&operation, "", "");
            let body = r#"{"configurations": {"a": {"b\u0000": 1}}}"#;
            let reply = callers.send(&operation, &path, Some(body.to_owned())).await.expect(422);
            assert_eq!(reply.errors(), [("nul_character".to_owned(), "/configurations/a/b\0".to_owned())]);
        }
    }
    assert!(tried > 200, "{tried}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_texts_get_the_same_answer_from_both_databases() {
    let (one, two) = tokio::join!(TestServer::new(Engine::Sqlite), TestServer::new(Engine::Postgres));
    let (one, two) = tokio::join!(Callers::of(&one), Callers::of(&two));
    let both = async |operation: &Operation, path: &str, body: Option<String>| {
        let (first, second) =
            tokio::join!(one.send(operation, path, body.clone()), two.send(operation, path, body.clone()));
        let what = format!("{} {path} {body:?}", operation.id);
        assert_eq!(first.status, second.status, "{what}: {} / {}", first.text, second.text);
        assert!(first.status.as_u16() < 500, "{what}: {}", first.text);
    };
    for operation in operations() {
        if operation.id == "follow_gateway_changes" {
            continue;
        }
        let mut tries = Vec::new();
        for text in ["%ff", "%ED%A0%80", "%EF%BF%BE", "%5C%25", "99999999999999999999999999"] {
            for name in &operation.in_path {
                tries.push((fill(&operation, name, text), None));
            }
            for name in &operation.in_query {
                tries.push((format!("{}?{name}={text}", fill(&operation, "", "")), None));
            }
        }
        for (_, body) in &operation.in_body {
            for text in [r#""\ud800""#, r#""a\ufffe""#, r#""\\u0000""#, "1e400", "99999999999999999999"] {
                let body = body.to_string().replace("\"PLACE\"", text);
                tries.push((fill(&operation, "", ""), Some(body)));
            }
        }
        for some in tries.chunks(8) {
            join_all(some.iter().map(|(path, body)| both(&operation, path, body.clone()))).await;
        }
    }
}
