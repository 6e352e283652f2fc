//! Three books kept by three parties: what the registry recorded, what its ledger admits to not knowing, and what the
//! proxy saw. They must agree for every server.

use super::scenario::{SERVERS, Scenario};
use sea_orm::{DatabaseConnection, FromQueryResult, Statement};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use support::{Fate, SeenRegistration};
use uuid::Uuid;

/// An attempt to register.
#[derive(Clone, Debug, FromQueryResult)]
struct Attempt {
    id: Uuid,
    server: String,
    started_at: i64,
    finished_at: Option<i64>,
    outcome: String,
}

/// A recorded client.
#[derive(Clone, Debug, FromQueryResult)]
struct Recorded {
    server: String,
    generation: i64,
    status: String,
    client_id: String,
}

/// An entry of the orphan ledger.
#[derive(Clone, Debug, FromQueryResult)]
struct Entry {
    kind: String,
    server: String,
    attempt_id: Option<Uuid>,
    client_id: Option<String>,
    client_name: Option<String>,
}

/// How a registration was left.
#[derive(Clone, Debug, FromQueryResult)]
struct Row {
    server: String,
    state: String,
    lease_owner: Option<String>,
    lease_until: i64,
    request: Option<String>,
}

/// Everything that was written down.
pub(super) struct Invariants {
    rows: Vec<Row>,
    attempts: Vec<Attempt>,
    recorded: Vec<Recorded>,
    ledger: Vec<Entry>,
    seen: Vec<SeenRegistration>,
    /// Ids of the clients that the authorization server made, by its own book.
    made: BTreeSet<String>,
    /// Ids of the clients that it still has.
    existing: BTreeSet<String>,
}

/// What came of it, once it balanced.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) attempts: usize,
    pub(super) made: usize,
    pub(super) recorded: usize,
    /// Clients that were made and never recorded: each has its entry.
    pub(super) unrecorded: usize,
    /// Entries of the ledger: the above, and those whose request never arrived.
    pub(super) orphans: usize,
    /// Replaced clients that were deleted.
    pub(super) deleted: usize,
    /// Replaced clients that could not be deleted: each has its entry.
    pub(super) not_deleted: usize,
    /// Requests that the proxy handled faultlessly and whose client was lost all the same.
    pub(super) cut_by_kills: usize,
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} attempts to register, {} clients made, {} recorded, {} orphans accounted for ({} clients, {} requests \
             that never arrived; {} by kills alone), {} deleted, {} not deleted, duplicates = 0",
            self.attempts,
            self.made,
            self.recorded,
            self.orphans,
            self.unrecorded,
            self.orphans - self.unrecorded,
            self.cut_by_kills,
            self.deleted,
            self.not_deleted,
        )
    }
}

const OF_SERVER: &str = "JOIN registration r ON r.id = x.registration_id JOIN server s ON s.id = r.server_id \
                         JOIN workspace w ON w.id = s.workspace_id";

impl Invariants {
    pub(super) async fn read(scenario: &Scenario) -> Self {
        let db = scenario.installed.database.connect().await;
        let name = "w.slug || '/' || s.slug AS server";
        Self {
            rows: rows(
                &db,
                &format!(
                    "SELECT {name}, r.state, r.lease_owner, r.lease_until, r.request FROM registration r \
                     JOIN server s ON s.id = r.server_id JOIN workspace w ON w.id = s.workspace_id"
                ),
            )
            .await,
            attempts: rows(
                &db,
                &format!(
                    "SELECT x.id, {name}, x.started_at, x.finished_at, x.outcome FROM attempt x {OF_SERVER} \
                     WHERE x.step = 'register' ORDER BY x.registration_id, x.number"
                ),
            )
            .await,
            recorded: rows(
                &db,
                &format!(
                    "SELECT {name}, x.generation, x.status, x.client_id FROM oauth_client x {OF_SERVER} \
                     ORDER BY x.registration_id, x.generation"
                ),
            )
            .await,
            ledger: rows(&db, "SELECT kind, server, attempt_id, client_id, client_name FROM orphan").await,
            seen: scenario.proxy.seen(),
            made: scenario.sandbox.registrations().into_iter().filter_map(|one| one.client_id).collect(),
            existing: scenario.sandbox.clients().into_iter().map(|one| one.client_id).collect(),
        }
    }

    /// Checks the invariants; panics with what does not agree.
    pub(super) fn check(&self) -> Figures {
        self.nothing_is_stuck();
        self.one_active_client_each();
        let forwarded: Vec<&SeenRegistration> =
            self.seen.iter().filter(|one| one.fate != Fate::Dropped).collect();
        let answered: BTreeSet<&str> = forwarded.iter().filter_map(|one| one.client_id.as_deref()).collect();
        assert_eq!(answered.len(), forwarded.len(), "each request that arrived made one client");
        assert_eq!(answered, self.made.iter().map(String::as_str).collect(), "nothing went past the proxy");
        let recorded: BTreeSet<&str> = self.recorded.iter().map(|one| one.client_id.as_str()).collect();
        assert_eq!(recorded.len(), self.recorded.len(), "a client is recorded once");
        assert!(recorded.is_subset(&answered), "a client nobody made is recorded");

        let unrecorded: Vec<&SeenRegistration> = forwarded
            .into_iter()
            .filter(|one| !recorded.contains(one.client_id.as_deref().unwrap_or_default()))
            .collect();
        self.every_lost_attempt_has_one_entry();
        self.every_client_upstream_is_accounted_for(&unrecorded);
        let servers: BTreeSet<&str> = self.rows.iter().map(|row| row.server.as_str()).collect();
        for server in servers {
            self.check_one(server, &unrecorded);
        }
        Figures {
            attempts: self.attempts.len(),
            made: self.made.len(),
            recorded: recorded.len(),
            unrecorded: unrecorded.len(),
            orphans: self.of_kind("answer_lost").count(),
            deleted: recorded.iter().filter(|id| !self.existing.contains(**id)).count(),
            not_deleted: self.of_kind("not_withdrawn").count(),
            cut_by_kills: unrecorded.iter().filter(|one| one.fate != Fate::AnswerCut).count(),
        }
    }

    fn nothing_is_stuck(&self) {
        assert_eq!(self.rows.len(), SERVERS);
        for row in &self.rows {
            assert_eq!(row.state, "registered", "{row:?}");
            assert!(row.lease_owner.is_none() && row.lease_until == 0, "still leased: {row:?}");
            assert!(row.request.is_none(), "somebody asked and was not served: {row:?}");
        }
        let open: Vec<_> = self.attempts.iter().filter(|one| one.finished_at.is_none()).collect();
        assert!(open.is_empty(), "attempts without an outcome: {open:#?}");
    }

    fn one_active_client_each(&self) {
        let mut of: BTreeMap<&str, Vec<&Recorded>> = BTreeMap::new();
        for client in &self.recorded {
            of.entry(&client.server).or_default().push(client);
        }
        assert_eq!(of.len(), SERVERS, "every server has a client");
        for (server, clients) in of {
            let active: Vec<_> = clients.iter().filter(|one| one.status == "active").collect();
            assert_eq!(active.len(), 1, "{server}: {clients:#?}");
            assert!(self.existing.contains(&active[0].client_id), "{server}: its client is gone upstream");
            assert!(
                clients.iter().zip(1..).all(|(client, generation)| client.generation == generation),
                "generations of {server} count without gaps: {clients:#?}"
            );
        }
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Entry> {
        self.ledger.iter().filter(move |one| one.kind == kind)
    }

    /// What the authorization server still has is in use, or in the ledger; never both, and nothing twice.
    fn every_client_upstream_is_accounted_for(&self, unrecorded: &[&SeenRegistration]) {
        let active =
            self.recorded.iter().filter(|one| one.status == "active").map(|one| one.client_id.clone());
        let lost = unrecorded.iter().filter_map(|one| one.client_id.clone());
        let kept: Vec<String> =
            self.of_kind("not_withdrawn").filter_map(|one| one.client_id.clone()).collect();
        let gone: Vec<_> = kept.iter().filter(|id| !self.existing.contains(*id)).collect();
        assert!(gone.is_empty(), "the ledger calls for the deletion of what is deleted: {gone:?}");
        let mut accounted: Vec<String> = active.chain(lost).chain(kept).collect();
        accounted.sort_unstable();
        let existing: Vec<String> = self.existing.iter().cloned().collect();
        assert_eq!(accounted, existing, "clients upstream: accounted for here, existing there");
    }

    /// Lost answers are lost attempts, one entry each, and nothing else.
    fn every_lost_attempt_has_one_entry(&self) {
        let lost: BTreeSet<Uuid> =
            self.attempts.iter().filter(|one| one.outcome == "lost").map(|one| one.id).collect();
        let entered: Vec<Uuid> = self.of_kind("answer_lost").filter_map(|one| one.attempt_id).collect();
        let entries = entered.len();
        let entered: BTreeSet<Uuid> = entered.into_iter().collect();
        assert_eq!(entered.len(), entries, "an attempt is entered once");
        assert_eq!(entered, lost, "the ledger holds the attempts whose answer was lost");
        for entry in self.of_kind("answer_lost") {
            assert!(entry.client_id.is_none(), "nobody knows its id: {entry:?}");
            let named = entry.client_name.as_deref().is_some_and(|name| is_of(name, &entry.server));
            assert!(named, "its owner could not find it: {entry:?}");
        }
    }

    /// Gives every client of `server` that was not recorded the entry that accounts for it. What is left in the ledger
    /// must then be attempts whose request never reached the authorization server.
    fn check_one(&self, server: &str, unrecorded: &[&SeenRegistration]) {
        let tried: Vec<&Attempt> = self.attempts.iter().filter(|one| one.server == server).collect();
        let kept = tried.iter().filter(|one| one.outcome == "succeeded").count();
        let recorded = self.recorded.iter().filter(|one| one.server == server).count();
        assert_eq!(kept, recorded, "{server}: an attempt that succeeded is a recorded client");

        // The latest attempt that began before the request arrived sent it. Those that succeeded sent the request of the
        // client they recorded.
        let mut sent: BTreeSet<Uuid> = BTreeSet::new();
        for one in unrecorded.iter().filter(|one| is_of(&one.client_name, server)) {
            let by = tried
                .iter()
                .rfind(|tried| {
                    tried.outcome != "succeeded" && tried.started_at <= one.at && !sent.contains(&tried.id)
                })
                .unwrap_or_else(|| {
                    panic!("{server}: no attempt sent {one:?}; a request was repeated silently?")
                });
            assert_eq!(by.outcome, "lost", "{server}: {by:?} has no entry, but made {one:?}");
            sent.insert(by.id);
        }

        let entries = self.of_kind("answer_lost").filter(|one| one.server == server).count();
        let never_arrived =
            tried.iter().filter(|one| one.outcome == "lost" && !sent.contains(&one.id)).count();
        assert_eq!(entries, sent.len() + never_arrived, "{server}");
    }
}

/// Whether `client_name`, as shipped "Portkey (workspace/server)", names this server.
fn is_of(client_name: &str, server: &str) -> bool {
    client_name.ends_with(&format!("({server})"))
}

async fn rows<T: FromQueryResult>(db: &DatabaseConnection, query: &str) -> Vec<T> {
    let statement = Statement::from_string(db.get_database_backend(), query);
    T::find_by_statement(statement).all(db).await.unwrap()
}
