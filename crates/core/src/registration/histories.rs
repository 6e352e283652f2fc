//! Random histories: a model of authorization servers that forget, rotate, expire, refuse, vanish and lose answers; of
//! admins that change their minds; of gateways that complain. The plan must hold its rules through all of them and come to
//! rest when the world does.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::clock::Timestamp;
use crate::id::OauthClientId;
use crate::metadata::{Credentials, EffectiveMetadata, Level, Method, ReplacePolicy};
use crate::oauth::{Discovery, Failure, FailureClass};
use chrono::{DateTime, Duration};
use proptest::prelude::*;
use serde_json::json;
use std::collections::HashMap;

/// Steps in all histories together, at least (issue 3).
const STEPS: usize = 10_000;

/// An authorization server.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a switch for each way of misbehaving")]
struct Server {
    clients: HashMap<String, Known>,
    made: u32,
    down: bool,
    /// So many answers are lost after the request was carried out.
    loses: u32,
    no_registration: bool,
    no_management: bool,
    refuses_metadata: bool,
    refuses_updates: bool,
    no_deletion: bool,
    rotates: bool,
    reads_documents: bool,
    /// How long secrets live; none: no secrets.
    secret_life: Option<Duration>,
}

/// A client as the server knows it.
#[derive(Clone, Debug)]
struct Known {
    token: u32,
    digest: String,
}

/// What is recorded of a client besides what the plan sees.
#[derive(Clone, Debug)]
struct Recorded {
    token: Option<u32>,
    issuer: usize,
}

/// Everything.
#[derive(Debug)]
struct World {
    now: Timestamp,
    servers: [Server; 2],
    /// The one that the MCP server names.
    named: usize,
    desired: Desired,
    observed: Observed,
    recorded: HashMap<OauthClientId, (Recorded, ActiveClient)>,
    failures: u32,
    losses: u32,
    /// When the last registration's answer was lost, the inputs it was sent for, and where to.
    lost: Option<(Timestamp, String, usize)>,
    reported: bool,
    orphans: u32,
    not_withdrawn: u32,
    generation: u128,
    steps: usize,
    due: Option<Timestamp>,
}

#[derive(Clone, Debug)]
enum Event {
    Metadata(u8),
    Method(Method),
    Replace(Option<ReplacePolicy>),
    Enter(bool),
    Access(bool),
    Publish(bool),
    Name(usize),
    Forget,
    Down(bool),
    Lose(u32),
    Capable { registration: bool, management: bool, updates: bool, deletion: bool, documents: bool },
    Rotate(bool),
    Secrets(Option<i64>),
    RefuseMetadata(bool),
    Fetch,
    Report,
    IssuerReport,
    Person(Request),
    Skip,
    Hold,
    Wait(i64),
}

fn events() -> impl Strategy<Value = Event> {
    let method = prop_oneof![
        3 => Just(Method::Auto), 1 => Just(Method::Dcr), 1 => Just(Method::Cimd), 1 => Just(Method::PreRegistered)
    ];
    let replace =
        prop_oneof![Just(None), Just(Some(ReplacePolicy::Ask)), Just(Some(ReplacePolicy::Automatic))];
    let capable = any::<(bool, bool, bool, bool, bool)>().prop_map(|bits| Event::Capable {
        registration: bits.0,
        management: bits.1,
        updates: bits.2,
        deletion: bits.3,
        documents: bits.4,
    });
    prop_oneof![
        4 => (0u8..5).prop_map(Event::Metadata),
        1 => method.prop_map(Event::Method),
        1 => replace.prop_map(Event::Replace),
        1 => any::<bool>().prop_map(Event::Enter),
        1 => any::<bool>().prop_map(Event::Access),
        1 => any::<bool>().prop_map(Event::Publish),
        1 => (0usize..2).prop_map(Event::Name),
        2 => Just(Event::Forget),
        2 => any::<bool>().prop_map(Event::Down),
        2 => (0u32..3).prop_map(Event::Lose),
        1 => capable,
        1 => any::<bool>().prop_map(Event::Rotate),
        1 => prop::option::of(1i64..3000).prop_map(Event::Secrets),
        1 => any::<bool>().prop_map(Event::RefuseMetadata),
        2 => Just(Event::Fetch),
        3 => Just(Event::Report),
        1 => Just(Event::IssuerReport),
        1 => prop_oneof![Just(Request::Retry), Just(Request::Reregister)].prop_map(Event::Person),
        1 => Just(Event::Skip),
        1 => Just(Event::Hold),
        6 => (1i64..60 * 24 * 40).prop_map(Event::Wait),
    ]
}

fn issuer(number: usize) -> String {
    format!("https://as{number}")
}

fn number(issuer: &str) -> usize {
    issuer.trim_start_matches("https://as").parse().unwrap()
}

impl World {
    fn new() -> Self {
        Self {
            now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            servers: [Server::default(), Server::default()],
            named: 0,
            desired: Desired {
                effective: EffectiveMetadata::default(),
                digest: "0".into(),
                mcp_url: "https://h/mcp".into(),
                auth_type: AuthType::OauthAuto,
                standing: Standing::Wanted,
                publishes_documents: false,
                rules: LifeRules::default(),
            },
            observed: Observed::default(),
            recorded: HashMap::new(),
            failures: 0,
            losses: 0,
            lost: None,
            reported: false,
            orphans: 0,
            not_withdrawn: 0,
            generation: 0,
            steps: 0,
            due: None,
        }
    }

    fn redigest(&mut self, name: u8) {
        let entered = self.desired.effective.credentials.is_some();
        self.desired.digest = format!("{name}{}", if entered { " entered" } else { "" });
    }

    fn name(&self) -> u8 {
        self.desired.digest.as_bytes()[0] - b'0'
    }

    fn happen(&mut self, event: &Event) {
        let named = self.named;
        match event {
            Event::Metadata(name) => self.redigest(*name),
            Event::Method(method) => self.desired.effective.registration.method = *method,
            Event::Replace(policy) => self.desired.effective.registration.replace = *policy,
            Event::Enter(entered) => {
                self.desired.effective.credentials = entered.then(|| Credentials {
                    client_id: "entered".into(),
                    client_secret: None,
                    level: Level::Server,
                });
                let name = self.name();
                self.redigest(name);
            }
            Event::Access(on) => {
                let until = self.now + self.desired.rules.withdraw_after;
                self.desired.standing = if *on { Standing::Wanted } else { Standing::Paused(until) };
            }
            Event::Publish(on) => self.desired.publishes_documents = *on,
            Event::Name(server) => self.named = *server,
            Event::Forget => self.servers[named].clients.clear(),
            Event::Down(down) => self.servers[named].down = *down,
            Event::Lose(count) => self.servers[named].loses = *count,
            Event::Capable { registration, management, updates, deletion, documents } => {
                let server = &mut self.servers[named];
                server.no_registration = !registration;
                server.no_management = !management;
                server.refuses_updates = !updates;
                server.no_deletion = !deletion;
                server.reads_documents = *documents;
            }
            Event::Rotate(on) => self.servers[named].rotates = *on,
            Event::Secrets(minutes) => self.servers[named].secret_life = minutes.map(Duration::minutes),
            Event::RefuseMetadata(on) => self.servers[named].refuses_metadata = *on,
            Event::Fetch => {
                if let Some(client) = &mut self.observed.client {
                    client.fetched = true;
                }
            }
            Event::Report => self.report(),
            Event::IssuerReport => self.observed.rediscover_at = Some(self.now),
            Event::Person(request) => {
                self.observed.request = Some(*request);
                if *request == Request::Retry {
                    self.observed.rediscover_at = Some(self.now);
                }
            }
            Event::Skip => self.observed.skipped = Some(self.desired.inputs()),
            Event::Hold => self.observed.held = Some(self.desired.inputs()),
            Event::Wait(minutes) => self.now += Duration::minutes(*minutes),
        }
    }

    /// As `Registry::report` does, by one gateway and then another.
    fn report(&mut self) {
        let Some(client) = &mut self.observed.client else { return };
        if client.doubt.is_some() {
            return;
        }
        if self.reported {
            client.doubt = Some(Doubt::Forgotten);
        } else {
            self.reported = true;
            client.doubt = client.manageable.then_some(Doubt::Reported);
        }
    }

    /// Works as a worker does until there is nothing to do now.
    fn reconcile(&mut self) {
        for _ in 0..40 {
            let step = plan(&self.desired, &self.observed, self.now);
            self.steps += 1;
            self.judge(&step);
            match step {
                Step::Discover => self.discover(),
                Step::Register => self.register(),
                Step::Publish => self.publish(),
                Step::Adopt => self.adopt(),
                Step::Update => self.manage(ManagementStep::Update),
                Step::Verify => self.manage(ManagementStep::Verify),
                Step::Withdraw(id) => self.withdraw(id),
                Step::Wait(until) => return self.rest(Some(until)),
                Step::Block(block, until) => {
                    self.observed.failed = Some((block.code, self.desired.inputs()));
                    return self.rest(until);
                }
                Step::Ask(_, until) => return self.rest(until),
                Step::Rest(state, until) => {
                    if state == State::Registered {
                        self.failures = 0;
                        self.observed.failed = None;
                    }
                    return self.rest(until);
                }
            }
        }
        panic!("it does not come to rest: {self:#?}");
    }

    fn rest(&mut self, until: Option<Timestamp>) {
        if let Some(until) = until {
            assert!(until > self.now, "it would spin: {self:#?}");
        }
        self.observed.request = None;
        self.due = until;
    }

    /// The rules of `domain.md` §5.
    fn judge(&self, step: &Step) {
        let asked = self.observed.request.is_some();
        let sends = !matches!(
            step,
            Step::Wait(_) | Step::Block(..) | Step::Ask(..) | Step::Rest(..) | Step::Withdraw(_)
        );
        if sends && !asked {
            let early = self.observed.not_before.is_some_and(|moment| moment > self.now);
            assert!(!early, "{step:?} before its time: {self:#?}");
        }
        let gone = self.desired.is_gone(self.now);
        assert!(!(gone && sends), "{step:?} for what is not wanted: {self:#?}");
        let client = self.observed.client.as_ref();
        match step {
            // Rule 3: a registration whose answer was lost is never repeated silently.
            Step::Register => {
                if let Some((at, inputs, server)) = &self.lost
                    && *server == self.found()
                {
                    let pause = RetryRules::default().unconfirmed_pause;
                    let once = self.losses < 2 && self.now >= *at + pause;
                    let changed = *inputs != self.desired.inputs();
                    assert!(once || changed || asked, "sent again in silence: {self:#?}");
                }
                // Rule 6: where whoever saved wanted to be asked, a client that serves is not replaced unasked.
                let inputs = Some(self.desired.inputs());
                // Somebody may have skipped since what was held; then the client is kept like any other.
                let held = self.observed.held == inputs && self.observed.skipped != inputs;
                let serves = client.is_some_and(|client| {
                    client.usable(self.now) && client.doubt.is_none() && client.digest != self.desired.digest
                });
                let dynamic = client.is_some_and(|client| client.method == RegistrationMethod::Dcr);
                assert!(asked || !(held && serves && dynamic), "replaced though held: {self:#?}");
            }
            // Rule 2: managed with the token of its own server only.
            Step::Update | Step::Verify => assert!(client.unwrap().manageable, "{self:#?}"),
            Step::Rest(State::Registered, _) if self.desired.standing == Standing::Wanted => {
                let client = client.unwrap();
                assert!(client.usable(self.now), "rests on a client nobody can use: {self:#?}");
                let skipped = self.observed.skipped.as_ref() == Some(&self.desired.inputs());
                let (found, _) = self.observed.discovery.as_ref().unwrap();
                assert!(client.belongs_to(found) || skipped, "rests at a foreign issuer: {self:#?}");
                assert!(client.digest == self.desired.digest || skipped, "rests outdated: {self:#?}");
            }
            // Make before break: while it is wanted, the active client is not taken away.
            Step::Withdraw(id) if !gone => assert_ne!(Some(*id), client.map(|client| client.id), "{self:#?}"),
            _ => {}
        }
    }

    fn discover(&mut self) {
        let usable = self.observed.client.as_ref().is_some_and(|client| client.usable(self.now));
        let named = &self.servers[self.named];
        if named.down {
            let failure = Failure::new(FailureClass::Transient, "upstream_unavailable", "x");
            self.failed("discover", &failure, usable);
            return;
        }
        let mut metadata = serde_json::Map::new();
        if !named.no_registration {
            metadata.insert("registration_endpoint".into(), json!("https://h/register"));
        }
        metadata.insert("client_id_metadata_document_supported".into(), json!(named.reads_documents));
        let found = Discovery {
            mcp_url: self.desired.mcp_url.clone(),
            issuer: issuer(self.named),
            metadata,
            found_with: self.desired.effective.discovery_inputs(),
            scope: None,
            ..Discovery::default()
        };
        self.observed.discovery = Some((found, self.now));
        self.observed.rediscover_at = Some(self.now + self.desired.rules.rediscover_every);
    }

    fn found(&self) -> usize {
        number(&self.observed.discovery.as_ref().unwrap().0.issuer)
    }

    fn register(&mut self) {
        let at = self.found();
        let digest = self.desired.digest.clone();
        let (now, down) = (self.now, self.servers[at].down);
        let server = &mut self.servers[at];
        if down {
            let failure = Failure::new(FailureClass::Transient, "upstream_unavailable", "x");
            return self.failed("register", &failure, false);
        }
        if server.no_registration || server.refuses_metadata {
            let failure = Failure::new(FailureClass::Configuration, "invalid_client_metadata", "x");
            return self.failed("register", &failure, false);
        }
        server.made += 1;
        let client_id = format!("c{at}.{}", server.made);
        server.clients.insert(client_id.clone(), Known { token: 1, digest });
        if server.loses > 0 {
            server.loses -= 1;
            self.orphans += 1;
            self.lost = Some((self.now, self.desired.inputs(), at));
            return self.failed("register", &Failure::answer_lost(), false);
        }
        let manageable = !server.no_management;
        let expiry = server.secret_life.map(|life| now + life);
        self.add(RegistrationMethod::Dcr, client_id, at, manageable, expiry);
    }

    fn publish(&mut self) {
        let at = self.found();
        if let Some(client) = &mut self.observed.client
            && client.method == RegistrationMethod::Cimd
            && client.issuer == issuer(at)
        {
            client.digest.clone_from(&self.desired.digest);
            client.doubt = None;
            return self.settled();
        }
        self.add(RegistrationMethod::Cimd, "document".into(), at, false, None);
    }

    fn adopt(&mut self) {
        let at = self.found();
        self.add(RegistrationMethod::PreRegistered, "entered".into(), at, false, None);
    }

    fn add(
        &mut self,
        method: RegistrationMethod,
        client_id: String,
        at: usize,
        manageable: bool,
        expiry: Option<Timestamp>,
    ) {
        if let Some(old) = self.observed.client.take() {
            if old.doubt == Some(Doubt::Forgotten) {
                self.observed.replaced_at = Some(self.now);
            }
            self.observed.ending.push(EndingClient { id: old.id, ended_at: self.now, not_before: None });
            self.recorded.entry(old.id).and_modify(|(_, client)| *client = old);
        }
        self.generation += 1;
        let id = OauthClientId(uuid::Uuid::from_u128(self.generation));
        let client = ActiveClient {
            id,
            client_id,
            method,
            issuer: issuer(at),
            legacy_issuer: false,
            digest: self.desired.digest.clone(),
            mcp_url: self.desired.mcp_url.clone(),
            created_at: self.now,
            updated_at: None,
            verified_at: None,
            secret_issued_at: self.now,
            secret_expires_at: expiry,
            manageable,
            update_refused: None,
            fetched: false,
            doubt: None,
            withdraw_not_before: None,
        };
        let recorded = Recorded { token: manageable.then_some(1), issuer: at };
        self.recorded.insert(id, (recorded, client.clone()));
        self.observed.client = Some(client);
        self.settled();
    }

    fn settled(&mut self) {
        (self.failures, self.losses, self.lost, self.reported) = (0, 0, None, false);
        self.observed.lost = None;
        self.observed.failed = None;
        self.observed.not_before = None;
        self.observed.request = None;
    }

    /// What the server answers at the management address; with a digest to an update.
    fn ask(&mut self, id: OauthClientId, update: Option<&str>) -> Result<u32, Failure> {
        let (recorded, client) = &self.recorded[&id];
        let token = recorded.token.unwrap();
        let server = &mut self.servers[recorded.issuer];
        if server.down {
            return Err(Failure::new(FailureClass::Transient, "upstream_unavailable", "x"));
        }
        let refusal = |code| Failure::new(FailureClass::NeedsAdmin, code, "x");
        let known = server.clients.get_mut(&client.client_id).filter(|known| known.token == token);
        let Some(known) = known else { return Err(refusal("management_token_refused")) };
        if let Some(digest) = update {
            if server.refuses_updates {
                return Err(refusal("management_not_allowed"));
            }
            known.digest = digest.to_owned();
        }
        if server.rotates {
            known.token += 1;
        }
        if server.loses > 0 {
            server.loses -= 1;
            return Err(Failure::management_answer_lost());
        }
        Ok(known.token)
    }

    fn manage(&mut self, step: ManagementStep) {
        let digest = self.desired.digest.clone();
        let id = self.observed.client.as_ref().unwrap().id;
        let answer = self.ask(id, (step == ManagementStep::Update).then_some(&*digest));
        let now = self.now;
        let client = self.observed.client.as_mut().unwrap();
        match answer {
            Ok(token) => {
                client.doubt = None;
                client.verified_at = Some(now);
                self.reported = false;
                if step == ManagementStep::Update {
                    client.updated_at = Some(now);
                    client.digest = digest;
                }
                self.recorded.get_mut(&id).unwrap().0.token = Some(token);
                if step == ManagementStep::Update {
                    self.settled();
                }
                self.observed.not_before = None;
            }
            Err(failure) => {
                use ManagementConsequence as C;
                match after_management_failure(&failure, step, client) {
                    None => {}
                    Some(C::InDoubt) => client.doubt = Some(Doubt::UpdateLost),
                    Some(C::Forgotten) => return client.doubt = Some(Doubt::Forgotten),
                    Some(C::RefusedAndAsked) => {
                        client.update_refused = Some(digest);
                        return client.doubt = Some(Doubt::Reported);
                    }
                    Some(C::Refused) => {
                        client.update_refused = Some(digest);
                        return client.doubt = None;
                    }
                    Some(C::Unreadable) => return client.doubt = None,
                    Some(C::Unmanageable) => {
                        client.manageable = false;
                        client.doubt = None;
                        self.recorded.get_mut(&id).unwrap().0.token = None;
                        return;
                    }
                }
                let name = if step == ManagementStep::Update { "update" } else { "verify" };
                self.failed(name, &failure, true);
            }
        }
    }

    /// As `fail` does.
    fn failed(&mut self, step: &str, failure: &Failure, serves: bool) {
        let rules = RetryRules::default();
        let after = after_failure(failure, self.failures, self.losses, rules, self.now, 0.5);
        self.failures = after.failures;
        self.observed.request = None;
        if serves && step == "discover" {
            let later = after.not_before.unwrap_or(self.now + self.desired.rules.rediscover_every);
            self.observed.rediscover_at = Some(later);
        }
        self.observed.not_before = after.not_before;
        if serves && after.state == State::Retrying && matches!(step, "discover" | "verify") {
            return;
        }
        if after.lost_answers > self.losses {
            self.losses = after.lost_answers;
            self.observed.lost = Some((self.losses, self.desired.inputs()));
        }
        self.observed.failed =
            after.not_before.is_none().then(|| (failure.code.to_owned(), self.desired.inputs()));
    }

    fn withdraw(&mut self, id: OauthClientId) {
        let active = self.observed.client.as_ref().is_some_and(|client| client.id == id);
        let (recorded, client) = self.recorded[&id].clone();
        let forgotten = client.doubt == Some(Doubt::Forgotten)
            || active && self.observed.client.as_ref().unwrap().doubt == Some(Doubt::Forgotten);
        let dcr = client.method == RegistrationMethod::Dcr;
        let server = &mut self.servers[recorded.issuer];
        if dcr && recorded.token.is_some() && server.down {
            let later = Some(self.now + Duration::hours(6));
            if active {
                self.observed.client.as_mut().unwrap().withdraw_not_before = later;
            }
            for ending in self.observed.ending.iter_mut().filter(|ending| ending.id == id) {
                ending.not_before = later;
            }
            return;
        }
        if dcr {
            let known = server.clients.get(&client.client_id).map(|known| known.token);
            if recorded.token.is_some() && known == recorded.token && !server.no_deletion {
                server.clients.remove(&client.client_id);
            } else if recorded.token.is_none() || !forgotten || known == recorded.token {
                self.not_withdrawn += 1;
            }
        }
        if active {
            self.observed.client = None;
        }
        self.observed.ending.retain(|ending| ending.id != id);
        self.recorded.remove(&id);
    }

    /// Nothing goes wrong any more, and people decide what waits for them.
    fn calm_down(&mut self) {
        for server in &mut self.servers {
            let Server { clients, made, .. } = std::mem::take(server);
            (server.clients, server.made) = (clients, made);
        }
        self.desired.standing = Standing::Wanted;
        self.desired.effective.registration.method = Method::Auto;
        self.observed.skipped = None;
        self.observed.request = Some(Request::Retry);
        self.observed.rediscover_at = Some(self.now);
        for _ in 0..60 {
            self.reconcile();
            let step = plan(&self.desired, &self.observed, self.now);
            if matches!(step, Step::Ask(..) | Step::Block(..)) {
                // Of an entered client at another issuer, only a new word of the admin's makes a difference.
                self.desired.effective.authorization_server.trusted_issuer = Some(issuer(self.named));
                self.observed.request = Some(Request::Reregister);
            }
            self.now += Duration::days(1);
        }
        let client = self.observed.client.as_ref().expect("a client");
        assert!(client.usable(self.now), "{self:#?}");
        assert_eq!(client.digest, self.desired.digest, "{self:#?}");
        assert_eq!(client.issuer, issuer(self.named), "{self:#?}");
        assert!(self.observed.ending.is_empty(), "old clients are withdrawn: {self:#?}");
        // The books: every client there is ours, or in the ledger.
        let at_servers: usize = self.servers.iter().map(|server| server.clients.len()).sum();
        let ours = usize::from(client.method == RegistrationMethod::Dcr);
        let ledger = (self.orphans + self.not_withdrawn) as usize;
        assert!(at_servers <= ours + ledger, "clients that nobody knows of: {self:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_rules_and_comes_to_rest(history in prop::collection::vec(events(), 20..80)) {
        let mut world = World::new();
        world.reconcile();
        for event in &history {
            world.happen(event);
            // Sometimes the worker comes only later.
            if !matches!(event, Event::Down(_) | Event::Lose(_) | Event::Fetch) {
                world.reconcile();
            }
        }
        world.calm_down();
    }
}

#[test]
fn the_histories_are_long_enough() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut steps, mut registered, mut lost, mut moved) = (0, 0, 0, 0);
    for _ in 0..256 {
        let history = prop::collection::vec(events(), 20..80).new_tree(&mut runner).unwrap().current();
        let mut world = World::new();
        for event in &history {
            world.happen(event);
            world.reconcile();
        }
        world.calm_down();
        steps += world.steps;
        registered += world.servers.iter().map(|server| server.made).sum::<u32>();
        lost += world.orphans;
        moved += world.not_withdrawn;
    }
    #[expect(clippy::print_stdout, reason = "figures for whoever runs it with --no-capture")]
    let () = println!(
        "{steps} steps, {registered} clients registered, {lost} answers lost, {moved} not withdrawn"
    );
    assert!(steps >= STEPS, "{steps} steps");
    assert!(registered > 500 && lost > 50, "{registered} clients, {lost} lost answers: too tame a world");
}
