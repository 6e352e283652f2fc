//! What real servers and real admins were seen to do: one small upstream per case, registered for by the real worker over
//! real HTTP on loopback, and judged through the API and the document that gateways read. A case with a second step does
//! what our own text tells an admin to do.
//!
//! All integrations of a test are created first; then they are settled together, and only then judged.

mod advice;
mod answers;
mod candidates;
mod documents;
mod echoes;
mod entered;
mod hand_entered;
mod hints;
mod lost_clients;
mod management;
mod pasted;
mod refusals;
mod runner;

use runner::{Field, begin, run};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use support::{FakeUpstream, UpstreamScript};

const PRM: &str = "GET /.well-known/oauth-protected-resource";
const PRM_MCP: &str = "GET /.well-known/oauth-protected-resource/mcp";
const ASM: &str = "GET /.well-known/oauth-authorization-server";
const OIDC: &str = "GET /.well-known/openid-configuration";
const REGISTER: &str = "POST /register";
const CALLBACK: &str = "https://gw.example/oauth/upstream-callback";

type Script = Box<dyn Fn(&mut UpstreamScript) + Send + Sync>;
type Configuration = Box<dyn Fn(&UpstreamScript, &Seen) -> Value + Send + Sync>;
type Expectation = Box<dyn Fn(&Seen) -> Result<(), String> + Send + Sync>;

/// One upstream, what an admin enters, and what must come of it.
struct Case {
    name: String,
    auth_type: &'static str,
    transport: &'static str,
    /// What follows `/mcp` in the integration's URL.
    suffix: &'static str,
    /// Another URL altogether.
    url: Option<&'static str>,
    script: Script,
    configuration: Configuration,
    expectations: Vec<Expectation>,
    then: Option<(Configuration, Vec<Expectation>)>,
}

/// A case about an upstream that is well-behaved but for `script`. Unless a judge is added, nothing is demanded.
fn case(name: impl Into<String>, script: impl Fn(&mut UpstreamScript) + Send + Sync + 'static) -> Case {
    Case {
        name: name.into(),
        auth_type: "oauth_auto",
        transport: "http",
        suffix: "",
        url: None,
        script: Box::new(script),
        configuration: Box::new(|_, _| json!({})),
        expectations: Vec::new(),
        then: None,
    }
}

impl Case {
    /// With this Advanced Configuration from the start.
    fn entered(mut self, configuration: impl Fn(&UpstreamScript) -> Value + Send + Sync + 'static) -> Self {
        self.configuration = Box::new(move |script, _| configuration(script));
        self
    }

    fn auth_type(self, auth_type: &'static str) -> Self {
        Self { auth_type, ..self }
    }

    fn transport(self, transport: &'static str) -> Self {
        Self { transport, ..self }
    }

    fn suffix(self, suffix: &'static str) -> Self {
        Self { suffix, ..self }
    }

    fn at(self, url: &'static str) -> Self {
        Self { url: Some(url), ..self }
    }

    /// Demands this of what is seen, of the last step.
    fn sees(mut self, judge: impl Fn(&Seen) -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.then
            .as_mut()
            .map_or(&mut self.expectations, |(_, expectations)| expectations)
            .push(Box::new(judge));
        self
    }

    /// Demands a client that gateways can use.
    fn registers(self) -> Self {
        self.sees(Seen::registered)
    }

    /// Demands that it does not register, for one of these reasons (none: any), and that the texts hold all `says`.
    fn stops(self, reasons: &'static [&'static str], says: &'static [&'static str]) -> Self {
        self.sees(move |seen| seen.stopped(reasons, says))
    }

    /// Demands that the texts shown do not hold this.
    fn never_says(self, words: &'static [&'static str]) -> Self {
        self.sees(move |seen| match words.iter().find(|word| seen.text().contains(*word)) {
            Some(word) => Err(format!("says `{word}`")),
            None => Ok(()),
        })
    }

    /// The second step: what the text tells an admin to enter. It may use what was seen.
    fn then(
        mut self,
        configuration: impl Fn(&UpstreamScript, &Seen) -> Value + Send + Sync + 'static,
    ) -> Self {
        self.then = Some((Box::new(configuration), Vec::new()));
        self
    }
}

/// What an admin and a gateway see of a case.
struct Seen {
    /// The registration with attempts and clients; null where the integration could not be saved.
    registration: Value,
    /// The document for gateways.
    document: Value,
    /// The entries of the ledger of orphans that belong to it.
    orphans: Vec<Value>,
    /// The answer to the request that saved the integration.
    saved: Value,
    upstream: Arc<FakeUpstream>,
}

impl Seen {
    fn client(&self) -> &Value {
        &self.document["client"]
    }

    /// Everything that the registration's page says in words.
    fn text(&self) -> String {
        let words = ["detail", "error", "error_description"].map(|name| self.registration[name].as_str());
        words.into_iter().flatten().collect::<Vec<_>>().join(" | ")
    }

    /// The warnings of clients and attempts.
    fn warnings(&self) -> String {
        let of = |name: &str| self.registration[name].as_array().cloned().unwrap_or_default();
        let all = of("clients").into_iter().chain(of("attempts"));
        all.map(|one| one["warnings"].to_string()).collect()
    }

    fn state(&self) -> String {
        let word = |name: &str| self.registration[name].as_str().unwrap_or("-").to_owned();
        format!("{}/{}: {}; saved {}", word("state"), word("reason"), self.text(), short(&self.saved))
    }

    fn registered(&self) -> Result<(), String> {
        let found = self.registration["state"] == "registered" && self.client()["client_id"].is_string();
        check(found, || self.state())
    }

    fn stopped(&self, reasons: &[&str], says: &[&str]) -> Result<(), String> {
        check(self.registration["state"] != "registered", || "registered".to_owned())?;
        let reason = self.registration["reason"].as_str().unwrap_or_default();
        check(reasons.is_empty() || reasons.contains(&reason), || self.state())?;
        let text = self.text().to_lowercase();
        let missing = says.iter().find(|word| !text.contains(&word.to_lowercase()));
        missing.map_or(Ok(()), |word| Err(format!("`{word}` is not said: {}", self.state())))
    }

    /// Every client that was ever made upstream is in use here, in the ledger, or was deleted there.
    fn nothing_forgotten(&self) -> Result<(), String> {
        let script = self.upstream.script();
        let known = self.registration["clients"].as_array().map_or(0, Vec::len);
        let deleted = script.made - script.clients.len();
        let counted = format!(
            "{} made, {deleted} deleted, {known} known, {} in the ledger; {}",
            script.made,
            self.orphans.len(),
            self.state()
        );
        check(script.made <= known + deleted + self.orphans.len(), || counted)
    }

    /// The bodies that the registration endpoint received.
    fn asked(&self) -> Vec<Value> {
        self.upstream.bodies("POST", "/register")
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}

/// The members of a JSON object.
fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("no object: {other}"),
    }
}

/// Issuer and endpoints, as an admin reads them in the server's manual.
fn by_hand(script: &UpstreamScript) -> Value {
    json!({ "oauth_client_metadata": {
        "issuer": script.origin,
        "authorization_endpoint": script.url("/authorize"),
        "token_endpoint": script.url("/token"),
        "registration_endpoint": script.url("/register"),
    }})
}

/// Both databases: `cases!(name = function that returns the cases)`.
macro_rules! cases {
    ($($(#[$doc:meta])* $name:ident = $cases:expr;)*) => {$(
        $(#[$doc])*
        #[rstest::rstest]
        #[case::sqlite(support::Engine::Sqlite)]
        #[case::postgres(support::Engine::Postgres)]
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name(#[case] engine: support::Engine) {
            Box::pin(super::run(engine, $cases)).await;
        }
    )*};
}
use cases;
