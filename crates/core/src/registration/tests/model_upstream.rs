//! The steps of the model that reach an authorization server.

use super::model::*;
use crate::clock::Timestamp;
use crate::id::OauthClientId;
use crate::oauth::{Discovery, Failure, FailureClass};
use crate::registration::*;
use chrono::Duration;
use serde_json::json;

impl Scenario {
    pub(super) fn discover(&mut self) {
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

    pub(super) fn found(&self) -> usize {
        number(&self.observed.discovery.as_ref().unwrap().0.issuer)
    }

    pub(super) fn register(&mut self) {
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

    pub(super) fn publish(&mut self) {
        let at = self.found();
        if let Some(client) = &mut self.observed.client
            && client.method == RegistrationMethod::Cimd
            && client.issuer == issuer(at)
        {
            client.digest.clone_from(&self.desired.digest);
            client.verification = None;
            return self.settled();
        }
        self.add(RegistrationMethod::Cimd, "document".into(), at, false, None);
    }

    pub(super) fn adopt(&mut self) {
        let at = self.found();
        self.add(RegistrationMethod::PreRegistered, "entered".into(), at, false, None);
    }

    pub(super) fn add(
        &mut self,
        method: RegistrationMethod,
        client_id: String,
        at: usize,
        manageable: bool,
        expiry: Option<Timestamp>,
    ) {
        if let Some(old) = self.observed.client.take() {
            if old.verification == Some(Verification::Forgotten) {
                self.observed.replaced_at = Some(self.now);
            }
            self.observed.ending.push(EndingClient {
                id: old.id,
                ended_at: self.now,
                not_before: None,
                drains: true,
            });
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
            verification: None,
            withdraw_not_before: None,
        };
        let recorded = ModelRecord { token: manageable.then_some(1), issuer: at };
        self.recorded.insert(id, (recorded, client.clone()));
        self.observed.client = Some(client);
        self.settled();
    }

    pub(super) fn settled(&mut self) {
        (self.losses, self.lost, self.reported) = (0, None, false);
        self.observed.failures = 0;
        self.observed.lost = None;
        self.observed.failed = None;
        self.observed.not_before = None;
        self.observed.request = None;
    }

    /// What the server answers at the management address; with a digest to an update.
    pub(super) fn ask(&mut self, id: OauthClientId, update: Option<&str>) -> Result<u32, Failure> {
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

    pub(super) fn manage(&mut self, step: ManagementStep) {
        let digest = self.desired.digest.clone();
        let id = self.observed.client.as_ref().unwrap().id;
        let answer = self.ask(id, (step == ManagementStep::Update).then_some(&*digest));
        let now = self.now;
        let client = self.observed.client.as_mut().unwrap();
        match answer {
            Ok(token) => {
                client.verification = None;
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
                    Some(C::InDoubt) => client.verification = Some(Verification::UpdateLost),
                    Some(C::Forgotten) => return client.verification = Some(Verification::Forgotten),
                    Some(C::RefusedAndAsked) => {
                        client.update_refused = Some(digest);
                        return client.verification = Some(Verification::Reported);
                    }
                    Some(C::Refused) => {
                        client.update_refused = Some(digest);
                        return client.verification = None;
                    }
                    Some(C::Unreadable) => return client.verification = None,
                    Some(C::Unmanageable) => {
                        client.manageable = false;
                        client.verification = None;
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
    pub(super) fn failed(&mut self, step: &str, failure: &Failure, serves: bool) {
        let rules = RetryRules::default();
        let after = after_failure(failure, self.observed.failures, self.losses, rules, self.now, 0.5);
        self.observed.failures = after.failures;
        if after.state != State::Retrying {
            self.observed.request = None;
        }
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

    pub(super) fn withdraw(&mut self, id: OauthClientId) {
        let active = self.observed.client.as_ref().is_some_and(|client| client.id == id);
        let (recorded, client) = self.recorded[&id].clone();
        let forgotten = client.verification == Some(Verification::Forgotten)
            || active && self.observed.client.as_ref().unwrap().verification == Some(Verification::Forgotten);
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
}
