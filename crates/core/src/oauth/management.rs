//! Registration management (RFC 7592): the body of an update, and what an answer changes of what is known.

use super::answer::{Asked, Issued, issue, not_json};
use super::auth_method::{echoed, usable_auth_method};
use super::callbacks::names_callbacks;
use super::clean::clean;
use super::discovery::endpoint_is_sane;
use super::failure::{Failure, FailureClass, classify_refusal};
use super::http_answer::HttpAnswer;
use super::management_address::foreign_management;
use super::reading::{Reading, read_members};
use super::refusal_words::says_failure;
use crate::clock::Timestamp;
use crate::egress::Scope;
use crate::origin::is_same_origin;
use crate::secret::Secret;
use serde_json::{Map, Value, json};

/// Members that an update must not hold (RFC 7592 §2.2).
const NOT_SENT: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

/// A client as it is recorded: everything an answer may leave out.
#[derive(Clone, Debug)]
pub struct ManagedClient {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Option<Secret>,
    /// When that expires, in seconds since 1970; `None`: never.
    pub client_secret_expires_at: Option<i64>,
    /// When the id was issued, in seconds since 1970.
    pub client_id_issued_at: Option<i64>,
    /// How it authenticates.
    pub token_endpoint_auth_method: String,
    /// Where it is managed.
    pub registration_client_uri: String,
    /// The token for that.
    pub registration_access_token: Secret,
    /// What was last sent for it.
    pub request: Map<String, Value>,
    /// What was last answered, without secrets.
    pub response: Map<String, Value>,
    /// For which hosts `egress.allow` counts there.
    pub scope: Scope,
}

impl ManagedClient {
    /// The body of the update to `request`: full replacement, so everything that was answered is repeated, what we asked
    /// for before and do not want any more is left out (which deletes it), and the rest is as wanted now (RFC 7592 §2.2).
    pub fn update(&self, request: &Map<String, Value>) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("client_id".to_owned(), json!(self.client_id));
        if let Some(secret) = &self.client_secret {
            body.insert("client_secret".to_owned(), json!(secret.expose()));
        }
        let dropped = |name: &String| self.request.contains_key(name) && !request.contains_key(name);
        let kept = self.response.iter().filter(|(name, value)| {
            !NOT_SENT.contains(&name.as_str()) && *name != "client_id" && !dropped(name) && !value.is_null()
        });
        body.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        body.extend(request.iter().map(|(name, value)| (name.clone(), value.clone())));
        body
    }

    /// Whether the answer to an update says that it was done, and not what the client is now: then it is read (RFC 7592 §2.1).
    pub fn must_be_read_back(&self, answer: &HttpAnswer<'_>) -> bool {
        answer.is_success() && (answer.says_nothing() || read_members(answer).members.is_err())
    }

    /// Reads the answer to the update to `request` (RFC 7592 §2.2). One that says nothing means that it was done as asked.
    pub fn read_update(
        &self,
        answer: &HttpAnswer<'_>,
        request: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Issued, Failure> {
        if !answer.is_success() {
            return Err(refusal(answer));
        }
        if answer.says_nothing() {
            let mut issued = self.merge(Map::new(), request, now)?;
            issued.warnings.push(format!(
                "The update was answered with {} and nothing else; the client is taken to be as it was asked for.",
                answer.status
            ));
            return Ok(issued);
        }
        self.read_members(answer, request, now)
    }

    /// Reads the answer to the question what the client is after the update to `request`, which was answered without it.
    /// `None`: that cannot be told from this answer.
    pub fn read_back(
        &self,
        answer: &HttpAnswer<'_>,
        request: &Map<String, Value>,
        now: Timestamp,
    ) -> Option<Result<Issued, Failure>> {
        if answer.status != 200 || answer.says_nothing() {
            return None;
        }
        let Reading { members, .. } = read_members(answer);
        let members = members.ok()?;
        let result = self.read_members(answer, request, now).map(|mut issued| {
            let other: Vec<&str> = request
                .iter()
                .filter(|(name, wanted)| *name != "redirect_uris" && members.get(*name).is_some_and(|is| is != *wanted))
                .map(|(name, _)| name.as_str())
                .collect();
            if !other.is_empty() {
                issued.warnings.push(format!(
                    "The update was answered without the client, and reading it shows other values than those asked for in {}.",
                    clean(&other.join(", "), 200)
                ));
            }
            issued
        });
        Some(result)
    }

    /// Reads the answer to the question whether the client is known (RFC 7592 §2.1).
    pub fn read_read(&self, answer: &HttpAnswer<'_>, now: Timestamp) -> Result<Issued, Failure> {
        if answer.is_success() {
            return self.read_members(answer, &self.request, now);
        }
        Err(refusal(answer))
    }

    fn read_members(
        &self,
        answer: &HttpAnswer<'_>,
        request: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Issued, Failure> {
        let Reading { members, value, warnings } = read_members(answer);
        let members = members.map_err(|what| not_json(answer.status, &what))?;
        if !members.contains_key("client_id") && value.as_ref().is_some_and(says_failure) {
            return Err(classify_refusal(answer));
        }
        let mut issued = self.merge(members, request, now)?;
        issued.warnings.splice(0..0, warnings);
        Ok(issued)
    }

    /// What is known after `answer`: its members, then what was asked for, then what was known. Answers leave things out
    /// (INV-5), so an absent member says nothing.
    fn merge(
        &self,
        mut answer: Map<String, Value>,
        request: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Issued, Failure> {
        answer.retain(|_, value| !value.is_null() && value.as_str() != Some(""));
        let number = answer.get("client_id").and_then(Value::as_number).map(ToString::to_string);
        if number.as_ref() == Some(&self.client_id) {
            answer.insert("client_id".to_owned(), json!(self.client_id));
        }
        if answer.get("client_id").is_some_and(|id| id.as_str() != Some(&self.client_id)) {
            return Err(Failure::new(
                FailureClass::Protocol,
                "client_id_changed",
                "The authorization server answered about another client than the requested one.",
            ));
        }
        // The token is still sent to the known management address, even if the response names another one.
        let endpoint = &self.registration_client_uri;
        let foreign = answer.get("registration_client_uri").and_then(|uri| match uri.as_str() {
            Some(uri) if !is_same_origin(endpoint, uri) => Some(foreign_management(endpoint, uri)),
            Some(uri) if endpoint_is_sane(uri) => None,
            _ => Some(
                "The answer names an address for managing the client that cannot be used. The known one stays in use.".to_owned(),
            ),
        });
        if foreign.is_some() {
            answer.shift_remove("registration_client_uri");
        }
        if answer.get("registration_access_token").is_some_and(|token| !token.is_string()) {
            answer.shift_remove("registration_access_token");
        }
        if answer.get("redirect_uris").is_some_and(|uris| !names_callbacks(uris)) {
            answer.shift_remove("redirect_uris");
        }
        let has_secret = self.client_secret.is_some() || answer.contains_key("client_secret");
        let unusable = echoed(&answer, has_secret).filter(|method| !usable_auth_method(method));
        if unusable.is_some() {
            answer.shift_remove("token_endpoint_auth_method");
        }
        let new_secret = answer.contains_key("client_secret");
        let new_expiry = answer.contains_key("client_secret_expires_at");
        let mut whole = self.update(request);
        whole.insert("registration_client_uri".to_owned(), json!(self.registration_client_uri));
        whole.insert("registration_access_token".to_owned(), json!(self.registration_access_token.expose()));
        whole.entry("token_endpoint_auth_method").or_insert_with(|| json!(self.token_endpoint_auth_method));
        whole.extend(answer);
        if !new_expiry && !new_secret && self.client_secret.is_some() {
            // 0 is never; the expiry that is known is put back below, past or not.
            whole.insert("client_secret_expires_at".to_owned(), json!(0));
        }
        // Where an answer leaves the method open, the known one stays.
        let known_method = std::slice::from_ref(&self.token_endpoint_auth_method);
        let asked = Asked { request, listed_methods: Some(known_method) };
        let mut issued = match issue(whole.clone(), endpoint, asked, now) {
            Err(failure) if failure.code == "redirect_uris_not_honoured" => {
                let mut without = request.clone();
                without.shift_remove("redirect_uris");
                let mut issued = issue(whole, endpoint, Asked { request: &without, ..asked }, now)?;
                issued.warnings.push(failure.message);
                issued.callbacks_honoured = false;
                // The response contains none of our callbacks: the known registered callbacks are kept.
                issued.response.shift_remove("redirect_uris");
                if let Some(known) = self.known_callbacks() {
                    issued.response.insert("redirect_uris".to_owned(), known);
                }
                issued
            }
            result => result?,
        };
        if !new_expiry && !new_secret {
            issued.client_secret_expires_at = self.client_secret_expires_at;
        }
        issued.client_id_issued_at = issued.client_id_issued_at.or(self.client_id_issued_at);
        issued.warnings.extend(foreign);
        issued.warnings.extend(unusable.map(|method| {
            format!(
                "The answer names the auth method `{}`, which cannot be used here; `{}` stays in use.",
                clean(&method, 100),
                issued.token_endpoint_auth_method
            )
        }));
        Ok(issued)
    }

    /// The callbacks that were asked for before, as far as they were answered.
    fn known_callbacks(&self) -> Option<Value> {
        let asked = self.request.get("redirect_uris")?.as_array()?;
        let answered = self.response.get("redirect_uris").and_then(Value::as_array);
        let known = asked.iter().filter(|uri| answered.is_none_or(|answered| answered.contains(uri)));
        Some(Value::Array(known.cloned().collect()))
    }
}

fn refusal(answer: &HttpAnswer<'_>) -> Failure {
    let failure = classify_refusal(answer);
    let (code, message) = match answer.status {
        401 => (
            "management_token_refused",
            "The authorization server no longer accepts the registration access token, or does not know the client (RFC 7592 §2.1 does not distinguish the two).",
        ),
        404 | 410 => ("client_forgotten", "The authorization server does not know the client any more."),
        300..=399 | 403 | 405 | 501 => (
            "management_not_allowed",
            "The authorization server does not let this client be read or changed (RFC 7592).",
        ),
        _ => return failure,
    };
    Failure { class: FailureClass::NeedsAdmin, code, message: message.to_owned(), ..failure }
}
