//! Random histories: a model of authorization servers that forget, rotate, expire, refuse, vanish and lose answers; of
//! admins that change their minds; of gateways that complain. The plan must hold its rules through all of them and come to
//! rest when the scenario does.

use super::model::*;
use crate::metadata::Method;
use crate::registration::*;
use chrono::Duration;
use proptest::prelude::*;

/// Steps in all histories together, at least (issue 3).
const STEPS: usize = 10_000;

impl Scenario {
    /// Nothing goes wrong any more, and users decide pending approvals.
    fn calm_down(&mut self) {
        for server in &mut self.servers {
            let Server { clients, made, .. } = std::mem::take(server);
            (server.clients, server.made) = (clients, made);
        }
        self.desired.presence = DesiredPresence::Present;
        self.desired.effective.registration.method = Method::Auto;
        self.observed.skipped = None;
        self.observed.request = Some(Request::Retry);
        self.observed.rediscover_at = Some(self.now);
        for _ in 0..60 {
            self.reconcile();
            let step = plan(&self.desired, &self.observed, self.now);
            if matches!(step, Step::AwaitApproval(..) | Step::Blocked(..)) {
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
        // Invariant: every client upstream is ours, or in the orphan ledger.
        let at_servers: usize = self.servers.iter().map(|server| server.clients.len()).sum();
        let ours = usize::from(client.method == RegistrationMethod::Dcr);
        let ledger = (self.orphans + self.not_withdrawn) as usize;
        assert!(at_servers <= ours + ledger, "clients that nobody knows of: {self:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_invariants_and_becomes_idle(history in prop::collection::vec(events(), 20..80)) {
        let mut scenario = Scenario::new();
        scenario.reconcile();
        for event in &history {
            scenario.happen(event);
            // Sometimes the worker comes only later.
            if !matches!(event, Event::Down(_) | Event::Lose(_) | Event::Fetch) {
                scenario.reconcile();
            }
        }
        scenario.calm_down();
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
        let mut scenario = Scenario::new();
        for event in &history {
            scenario.happen(event);
            scenario.reconcile();
        }
        scenario.calm_down();
        steps += scenario.steps;
        registered += scenario.servers.iter().map(|server| server.made).sum::<u32>();
        lost += scenario.orphans;
        moved += scenario.not_withdrawn;
    }
    #[expect(clippy::print_stdout, reason = "figures, shown with --no-capture")]
    let () = println!(
        "{steps} steps, {registered} clients registered, {lost} answers lost, {moved} not withdrawn"
    );
    assert!(steps >= STEPS, "{steps} steps");
    assert!(registered > 500 && lost > 50, "{registered} clients, {lost} lost answers: too tame a scenario");
}
