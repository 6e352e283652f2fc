//! Each reason code follows its own advice: a registration is brought into the state, the text is read from the API, what it
//! says is done literally, with the values that it shows, and a usable client (or a resolved entry) comes of it.
//!
//! [`table`] holds one row per code, [`WITHOUT_A_CASE`] the codes that nobody can act on through the API, with the reason.

mod lifecycle;
mod table;

use super::{Case, Expectation, Field, Seen, begin, check};
use registry_core::registration::REASONS;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use support::{Engine, UpstreamScript};

/// Codes without a case here.
const WITHOUT_A_CASE: &[(&str, &str)] = &[
    ("timeout", "nothing is to be done, or the operator raises a limit: worker::recovery"),
    ("certificate_not_trusted", "the operator's `egress.ca_file`: outbound's tests of TLS"),
    ("client_failed", "the operator's machine"),
    ("interrupted", "nothing is to be done: worker::crash"),
    ("address_blocked", "the operator's `egress.allow`: outbound's tests of names"),
    (
        "cimd_not_available",
        "the operator's `cimd.public_url`; another method is tried in `document_reasons_follow_their_advice`",
    ),
    (
        "token_not_sendable",
        "saving refuses such a token; the operator's secret store can hold one: outbound's tests",
    ),
    (
        "cimd_document_too_large",
        "saving refuses such metadata, and an organisation that grows later is told the same: core",
    ),
    (
        "redirect_not_allowed",
        "of a document: it is passed over, and the next address asked: field::candidates",
    ),
    ("waiting_turn", "nothing is to be done: worker::isolation"),
    ("management_token_refused", "nothing is to be done: worker::recovery"),
    ("management_not_allowed", "nothing is to be done: worker::life"),
    ("client_forgotten", "nothing is to be done: worker::recovery"),
    ("cooling_down", "nothing is to be done: worker::recovery"),
];

/// What a user does.
enum Action {
    /// Saves this Advanced Configuration; it may use the text.
    Enter(fn(&UpstreamScript, &str) -> Value),
    /// Corrects the integration's URL; it may use the text.
    Url(fn(&UpstreamScript, &str) -> String),
    /// Tells the upstream's owner, who mends it; then Retry.
    OwnerMends(fn(&mut UpstreamScript)),
    /// Nothing: the upstream recovers, and it is tried again by itself.
    Waits(fn(&mut UpstreamScript)),
    /// Presses the button `approve`.
    Approve,
    /// Resolves the entry of the ledger.
    Resolve,
}

/// What happens to a registered client before the reason is there.
enum Event {
    /// None: the first registration ends so.
    None,
    /// An admin saves this, after the upstream changed.
    Saves(fn(&mut UpstreamScript), fn(&UpstreamScript) -> Value),
    /// The upstream changes, and somebody registers again.
    Reregisters(fn(&mut UpstreamScript)),
    /// A gateway reports that the client is refused, twice.
    Reported(fn(&mut UpstreamScript)),
    /// The clock moves by days.
    Ages(i64),
    /// The server is deleted.
    Deleted(fn(&mut UpstreamScript)),
}

/// One row: how a reason comes to be, the words that tell what to do, and the action.
struct Row {
    code: &'static str,
    case: Case,
    event: Event,
    says: &'static [&'static str],
    action: Action,
}

impl Row {
    fn new(code: &'static str, case: Case, says: &'static [&'static str], action: Action) -> Self {
        Self { code, case, event: Event::None, says, action }
    }

    fn after(self, event: Event) -> Self {
        Self { event, ..self }
    }

    /// Whether the reason is there: of the registration, of its newest attempts, or of its entry in the ledger.
    fn is_reached(&self, seen: &Seen) -> Result<(), String> {
        let attempts = seen.registration["attempts"].as_array().cloned().unwrap_or_default();
        let mut reasons = vec![seen.registration["reason"].clone()];
        reasons.extend(attempts.iter().take(2).map(|one| one["reason"].clone()));
        reasons.extend(seen.orphans.iter().map(|one| one["reason"].clone()));
        check(reasons.iter().any(|one| one == self.code), || format!("reasons {reasons:?}; {}", seen.state()))
    }

    /// What an admin reads about it.
    fn text(&self, seen: &Seen) -> String {
        let attempts = seen.registration["attempts"].as_array().cloned().unwrap_or_default();
        let others = attempts.iter().take(2).chain(&seen.orphans).filter(|one| one["reason"] == self.code);
        let details: Vec<String> =
            others.filter_map(|one| one["detail"].as_str().map(str::to_owned)).collect();
        let advice = REASONS.iter().find(|one| one.code == self.code).map_or("", |one| one.next);
        format!("{} | {} | {advice}", seen.text(), details.join(" | "))
    }

    fn words_are_said(&self, text: &str) -> Result<(), String> {
        let missing = self.says.iter().find(|word| !text.to_lowercase().contains(&word.to_lowercase()));
        missing.map_or(Ok(()), |word| Err(format!("`{word}` is not said: {text}")))
    }
}

impl Field {
    async fn happens(&self, row: &Row, slug: &str, seen: &mut Seen) {
        let id = seen.registration["id"].as_str().unwrap_or_default().to_owned();
        let document = format!("/v1/gateway/servers/acme/{slug}");
        match &row.event {
            Event::None => {}
            Event::Saves(change, configuration) => {
                seen.upstream.change(change);
                let configuration = configuration(&seen.upstream.script());
                self.configure(slug, &configuration, seen).await.unwrap();
            }
            Event::Reregisters(change) => {
                seen.upstream.change(change);
                // What was discovered is believed for an hour.
                self.settle().await;
                self.t.inner.clock.advance(chrono::Duration::hours(2));
                self.admin.post(&format!("/v1/registrations/{id}/re-register"), &json!({})).await;
            }
            Event::Reported(change) => {
                seen.upstream.change(change);
                let report = json!({ "generation": 1, "error": "invalid_client" });
                self.gateway.post(&format!("{document}/report"), &report).await.expect(200);
                self.t.inner.clock.advance(chrono::Duration::minutes(2));
                self.gateway.post(&format!("{document}/report"), &report).await.expect(200);
            }
            Event::Ages(days) => {
                self.settle().await;
                self.t.inner.clock.advance(chrono::Duration::days(*days));
            }
            Event::Deleted(change) => {
                seen.upstream.change(change);
                let path = format!("/v1/mcp-servers/{slug}?workspace_id=acme");
                self.admin.delete(&path).await.expect(200);
            }
        }
    }

    async fn act(&self, row: &Row, slug: &str, seen: &mut Seen) -> Result<(), String> {
        let (id, text) = (seen.registration["id"].as_str().unwrap_or_default().to_owned(), row.text(seen));
        let script = seen.upstream.script();
        match &row.action {
            Action::Enter(configuration) => self.configure(slug, &configuration(&script, &text), seen).await,
            Action::Url(url) => {
                let body = json!({ "url": url(&script, &text) });
                let reply = self.admin.put(&format!("/v1/mcp-integrations/{slug}"), &body).await;
                check(reply.status == 200, || format!("{body}: {}", reply.text))
            }
            Action::OwnerMends(change) => {
                seen.upstream.change(change);
                let reply = self.admin.post(&format!("/v1/registrations/{id}/retry"), &json!({})).await;
                check(reply.status.is_success(), || reply.text.clone())
            }
            Action::Waits(change) => {
                seen.upstream.change(change);
                Ok(())
            }
            Action::Approve => {
                let reply = self.admin.post(&format!("/v1/registrations/{id}/approve"), &json!({})).await;
                check(reply.status.is_success(), || reply.text.clone())
            }
            Action::Resolve => {
                let entry = seen.orphans.iter().find(|one| one["reason"] == row.code);
                let entry = entry.and_then(|one| one["id"].as_str()).unwrap_or_default();
                let body = json!({ "note": "its owner deleted it" });
                let reply = self.admin.post(&format!("/v1/orphans/{entry}/resolve"), &body).await;
                check(reply.status.is_success(), || reply.text.clone())
            }
        }
    }
}

/// Brings every row into its state, follows its advice, and fails with all that did not work.
async fn follow(field: Field, rows: Vec<Row>) {
    let mut failed = Vec::new();
    let mut rows = rows;
    let cases: Vec<Case> =
        rows.iter_mut().map(|row| std::mem::replace(&mut row.case, super::case("", |_| {}))).collect();
    let mut all = begin(&field, &cases).await;
    for (row, (slug, seen)) in rows.iter().zip(&mut all) {
        field.happens(row, slug, seen).await;
    }
    field.settle_repeated().await;
    let mut acted = Vec::new();
    for (row, (slug, seen)) in rows.iter().zip(&mut all) {
        field.look(slug, seen).await;
        let reached = row.is_reached(seen).and_then(|()| row.words_are_said(&row.text(seen)));
        let done = match reached {
            Ok(()) => field.act(row, slug, seen).await,
            Err(wrong) => Err(wrong),
        };
        match done {
            Ok(()) => acted.push((row, slug.clone(), seen)),
            Err(wrong) => failed.push(format!("{}: {wrong}", row.code)),
        }
    }
    field.settle_repeated().await;
    for (row, slug, seen) in acted {
        field.look(&slug, seen).await;
        let wanted: Expectation = match row.action {
            Action::Resolve => Box::new(|seen| {
                check(seen.orphans.is_empty(), || format!("still listed: {:?}", seen.orphans))
            }),
            _ => Box::new(Seen::registered),
        };
        failed.extend(wanted(seen).err().map(|wrong| format!("{} (done): {wrong}", row.code)));
    }
    field.end().await;
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

#[test]
fn every_reason_has_a_case_or_a_reason_in_words() {
    let known: BTreeSet<&str> = REASONS.iter().map(|one| one.code).collect();
    let mut cases: BTreeSet<&str> = table::first_registrations().iter().map(|row| row.code).collect();
    cases.extend(lifecycle::later().iter().map(|row| row.code));
    cases.extend(lifecycle::ageing().iter().map(|row| row.code));
    cases.extend(lifecycle::documents().iter().map(|row| row.code));
    let without: BTreeSet<&str> = WITHOUT_A_CASE.iter().map(|(code, _)| *code).collect();
    let missing: Vec<_> =
        known.iter().filter(|code| !cases.contains(*code) && !without.contains(*code)).collect();
    assert!(missing.is_empty(), "no case follows the advice of {missing:?}");
    let gone: Vec<_> = cases.union(&without).filter(|code| !known.contains(*code)).collect();
    assert!(gone.is_empty(), "these codes are no more: {gone:?}");
    let twice: Vec<_> = cases.intersection(&without).collect();
    assert!(twice.is_empty(), "these have a case after all: {twice:?}");
}

#[rstest::rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reason_of_a_first_registration_follows_its_advice(#[case] engine: Engine) {
    // PostgreSQL gets a selection: what differs between the engines is not the text.
    let step = if engine == Engine::Sqlite { 1 } else { 3 };
    let rows = table::first_registrations().into_iter().step_by(step).collect();
    follow(Box::pin(Field::new(engine)).await, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reason_of_a_later_event_follows_its_advice() {
    follow(Box::pin(Field::new(Engine::Sqlite)).await, lifecycle::later()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reason_of_an_old_client_follows_its_advice() {
    follow(Box::pin(Field::new(Engine::Sqlite)).await, lifecycle::ageing()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn document_reasons_follow_their_advice() {
    let field = Field::with(Engine::Sqlite, |settings| {
        settings.cimd_public_url = Some("https://docs.gw.invalid".to_owned());
    });
    follow(Box::pin(field).await, lifecycle::documents()).await;
}
