//! How fast pages are on a large organisation, beside a small one in the same run. `docs/page-speed.md` tells how to run it
//! and what came of it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for people, which may stop at any fault"
)]

use registry::{Channel, ConfigurationScope, RequestContext};
use registry_core::permission::Role;
use registry_core::slug::Reference;
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder};
use sea_orm::{ConnectionTrait, Statement};
use std::time::{Duration, Instant};
use support::dataset::{self, Dataset, Size};
use support::{Engine, TestRegistry, TestServer, statements};

/// A fiftieth of the large one, but for the servers that one save touches.
const SMALL: Size = Size { integrations: 5, workspaces: 50, servers: 60, saves: 60 };
const LARGE: Size = Size { integrations: 200, workspaces: 50, servers: 2000, saves: 60 };
/// Rounds in which both organisations are asked for each page, in turn.
const ROUNDS: usize = 300;
const SAVES: usize = 100;
/// Requests before anything is measured.
const WARM: usize = 20;

/// An organisation behind its server, and a signed-in user.
struct Side {
    server: TestServer,
    dataset: Dataset,
    client: reqwest::Client,
    cookie: String,
    key: String,
}

/// What one kind of request cost on one side.
#[derive(Default)]
struct Measured {
    times: Vec<Duration>,
    statements: u64,
    bytes: usize,
}

impl Measured {
    /// The time that a `share` of all requests did not need, in milliseconds.
    fn quantile(&mut self, share: f64) -> f64 {
        self.times.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let at = ((self.times.len() - 1) as f64 * share).round() as usize;
        self.times[at].as_secs_f64() * 1000.0
    }
}

impl Side {
    async fn new(size: Size) -> Self {
        let began = Instant::now();
        let t = TestRegistry::new(Engine::Sqlite).await;
        // The server sets up what counts statements; it comes before the first of them.
        let server = TestServer::over(t);
        let dataset = Dataset::seed(&server.inner, size).await;
        let token = server
            .inner
            .registry
            .users()
            .create_sign_in_link("ann@acme.com", RequestContext::new(Channel::Cli))
            .await
            .unwrap();
        let key = server.key(Role::Admin, None).await;
        #[expect(clippy::disallowed_methods, reason = "a client, on loopback only")]
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let mut person = Self { server, dataset, client, cookie: String::new(), key };
        let signed_in =
            person.request(Method::POST, "/ui/sign-in/link").form(&[("token", &token)]).send().await.unwrap();
        let cookie = signed_in.headers()[SET_COOKIE].to_str().unwrap();
        cookie.split(';').next().unwrap().clone_into(&mut person.cookie);
        println!("{size:?} made in {:.1} s", began.elapsed().as_secs_f64());
        person
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.server.url));
        if path.starts_with("/v1") {
            return request.header("x-portkey-api-key", &self.key);
        }
        request.header(COOKIE, &self.cookie).header("sec-fetch-site", "same-origin")
    }

    /// How often the registrations of this organisation were told to look at what is wanted of them.
    async fn touched(&self) -> i64 {
        let db = self.server.inner.database.connect().await;
        let asked =
            Statement::from_string(db.get_database_backend(), "SELECT SUM(wanted) AS sum FROM registration");
        let sum = db.query_one_raw(asked).await.unwrap().unwrap().try_get("", "sum").unwrap();
        db.close().await.unwrap();
        sum
    }

    /// Sends one request and adds what it cost.
    async fn measure(&self, request: RequestBuilder, status: u16, into: &mut Measured) {
        let request = request.build().unwrap();
        let path = request.url().path().to_owned();
        let before = statements();
        let began = Instant::now();
        let reply = self.client.execute(request).await.unwrap();
        let got = reply.status();
        let body = reply.bytes().await.unwrap();
        into.times.push(began.elapsed());
        assert_eq!(got, status, "{path}: {}", String::from_utf8_lossy(&body));
        into.statements = statements() - before;
        into.bytes = body.len();
    }

    /// A save of the configuration that all servers of the first integration inherit.
    async fn save(&self, turn: usize, into: &mut Measured) {
        let subject = ConfigurationScope::Integration(Reference::parse(&dataset::integration(0)));
        let registry = &self.server.inner.registry;
        let now = registry.configurations().get(&self.server.inner.admin(), &subject).await.unwrap();
        let form = [
            ("configuration", dataset::configuration(&format!("Acme gateway, turn {turn}"))),
            ("version", now.version.to_string()),
            ("base", now.revision.to_string()),
            ("note", "Measured".to_owned()),
            ("intent", "save".to_owned()),
        ];
        let path = format!("/ui/integrations/{}/config", dataset::integration(0));
        self.measure(self.request(Method::POST, &path).form(&form), 303, into).await;
    }
}

fn line(name: &str, mut small: Measured, mut large: Measured) {
    let (a, b) = (small.quantile(0.5), large.quantile(0.5));
    println!(
        "| {name} | {a:.2} / {:.2} | **{b:.2}** / {:.2} | {:.2} | {} / {} | {:.0} |",
        small.quantile(0.95),
        large.quantile(0.95),
        b / a,
        small.statements,
        large.statements,
        f64::from(u32::try_from(large.bytes).unwrap()) / 1000.0,
    );
}

#[tokio::main]
async fn main() {
    let (small, large) = (Side::new(SMALL).await, Side::new(LARGE).await);
    println!(
        "\n| request | small p50 / p95, ms | large p50 / p95, ms | large : small | SQL statements | answer, kB |"
    );
    println!("|---|---|---|---|---|---|");
    let mut pages = small.dataset.pages().into_iter().zip(large.dataset.pages()).collect::<Vec<_>>();
    let floor = || dataset::Asked { name: "nothing: `/healthz`", path: "/healthz".to_owned() };
    pages.insert(0, (floor(), floor()));
    for (of_small, of_large) in pages {
        let (mut a, mut b) = (Measured::default(), Measured::default());
        for round in 0..WARM + ROUNDS {
            if round == WARM {
                (a, b) = (Measured::default(), Measured::default());
            }
            small.measure(small.request(Method::GET, &of_small.path), 200, &mut a).await;
            large.measure(large.request(Method::GET, &of_large.path), 200, &mut b).await;
        }
        line(of_large.name, a, b);
    }
    let before = large.touched().await;
    let (mut a, mut b) = (Measured::default(), Measured::default());
    for turn in 0..SAVES {
        small.save(turn, &mut a).await;
        large.save(turn, &mut b).await;
    }
    let each = (large.touched().await - before) / i64::try_from(SAVES).unwrap();
    assert_eq!(each, 50, "so many servers each save touched");
    line("a save that touches 50 servers", a, b);
}
