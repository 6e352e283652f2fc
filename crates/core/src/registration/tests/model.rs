//! The model of the random histories: authorization servers, admins and gateways, and the worker that acts on the plan.

use crate::clock::Timestamp;
use crate::id::OauthClientId;
use crate::metadata::{Credentials, EffectiveMetadata, Level, Method, ReplacePolicy};
use crate::registration::*;
use chrono::{DateTime, Duration};
use proptest::prelude::*;
use std::collections::HashMap;

/// An authorization server.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a switch for each way of misbehaving")]
pub(super) struct Server {
    pub(super) clients: HashMap<String, Known>,
    pub(super) made: u32,
    pub(super) down: bool,
    /// So many answers are lost after the request was carried out.
    pub(super) loses: u32,
    pub(super) no_registration: bool,
    pub(super) no_management: bool,
    pub(super) refuses_metadata: bool,
    pub(super) refuses_updates: bool,
    pub(super) no_deletion: bool,
    pub(super) rotates: bool,
    pub(super) reads_documents: bool,
    /// How long secrets live; none: no secrets.
    pub(super) secret_life: Option<Duration>,
}

/// A client as the server knows it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) token: u32,
    pub(super) digest: String,
}

/// What is recorded of a client besides what the plan sees.
#[derive(Clone, Debug)]
pub(super) struct ModelRecord {
    pub(super) token: Option<u32>,
    pub(super) issuer: usize,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) now: Timestamp,
    pub(super) servers: [Server; 2],
    /// The one that the MCP server names.
    pub(super) named: usize,
    pub(super) desired: Desired,
    pub(super) observed: Observed,
    pub(super) recorded: HashMap<OauthClientId, (ModelRecord, ActiveClient)>,
    pub(super) losses: u32,
    /// When the last registration's answer was lost, the inputs it was sent for, and where to.
    pub(super) lost: Option<(Timestamp, String, usize)>,
    pub(super) reported: bool,
    pub(super) orphans: u32,
    pub(super) not_withdrawn: u32,
    pub(super) generation: u128,
    pub(super) steps: usize,
    pub(super) due: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(super) enum Event {
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

pub(super) fn events() -> impl Strategy<Value = Event> {
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

pub(super) fn issuer(number: usize) -> String {
    format!("https://as{number}")
}

pub(super) fn number(issuer: &str) -> usize {
    issuer.trim_start_matches("https://as").parse().unwrap()
}

impl Scenario {
    pub(super) fn new() -> Self {
        Self {
            now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            servers: [Server::default(), Server::default()],
            named: 0,
            desired: Desired {
                effective: EffectiveMetadata::default(),
                digest: "0".into(),
                mcp_url: "https://h/mcp".into(),
                transport: Transport::Http,
                auth_type: AuthType::OauthAuto,
                presence: DesiredPresence::Present,
                publishes_documents: false,
                rules: LifecycleRules::default(),
            },
            observed: Observed::default(),
            recorded: HashMap::new(),
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

    pub(super) fn redigest(&mut self, name: u8) {
        let entered = self.desired.effective.credentials.is_some();
        self.desired.digest = format!("{name}{}", if entered { " entered" } else { "" });
    }

    pub(super) fn name(&self) -> u8 {
        self.desired.digest.as_bytes()[0] - b'0'
    }

    pub(super) fn happen(&mut self, event: &Event) {
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
                self.desired.presence =
                    if *on { DesiredPresence::Present } else { DesiredPresence::Suspended(until) };
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
                self.observed.failures = 0;
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
    pub(super) fn report(&mut self) {
        let Some(client) = &mut self.observed.client else { return };
        if client.verification.is_some() {
            return;
        }
        if self.reported {
            client.verification = Some(Verification::Forgotten);
        } else {
            self.reported = true;
            client.verification = client.manageable.then_some(Verification::Reported);
        }
    }

    /// Works as a worker does until there is nothing to do now.
    pub(super) fn reconcile(&mut self) {
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
                Step::Wait(until) => return self.wait(until),
                Step::Blocked(block, until) => {
                    self.observed.failed = Some((block.code, self.desired.inputs()));
                    return self.rest(until);
                }
                Step::AwaitApproval(_, until) => return self.rest(until),
                Step::Idle(state, until) => {
                    if state == State::Registered {
                        self.observed.failures = 0;
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

    /// What a user asked for is still to be done.
    fn wait(&mut self, until: Timestamp) {
        assert!(until > self.now, "it would spin: {self:#?}");
        self.due = Some(until);
    }

    /// The rules of the registration lifecycle (INV-1 to INV-8).
    pub(super) fn judge(&self, step: &Step) {
        let asked = self.observed.request.is_some();
        let at_once = asked && self.observed.failures == 0;
        let sends = !matches!(
            step,
            Step::Wait(_) | Step::Blocked(..) | Step::AwaitApproval(..) | Step::Idle(..) | Step::Withdraw(_)
        );
        if sends && !at_once {
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
                // Rule 6: where the save required approval, a client that serves is not replaced without it.
                let inputs = Some(self.desired.inputs());
                // A user may have skipped the held replacement since; then the client is kept like any other.
                let held = self.observed.held == inputs && self.observed.skipped != inputs;
                let serves = client.is_some_and(|client| {
                    client.usable(self.now)
                        && client.verification.is_none()
                        && client.digest != self.desired.digest
                });
                let dynamic = client.is_some_and(|client| client.method == RegistrationMethod::Dcr);
                assert!(asked || !(held && serves && dynamic), "replaced though held: {self:#?}");
            }
            // Rule 2: managed with the token of its own server only.
            Step::Update | Step::Verify => assert!(client.unwrap().manageable, "{self:#?}"),
            Step::Idle(State::Registered, _) if self.desired.presence == DesiredPresence::Present => {
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
}
