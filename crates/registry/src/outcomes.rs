//! How the outcome of a step is written: clients, attempts, failures. Called inside the worker's guarded writes.

use crate::budget::slow_down;
use crate::entity::{attempt, oauth_client, registration};
use crate::layers::ServerLayers;
use crate::reconciliation::Situation;
use crate::recording::Published;
use crate::registrations::{active_clients, workspace_of};
use crate::stored::{json, millis};
use crate::write::{Event, Write};
use crate::{Error, Registry, Result, orphans};
use chrono::Duration;
use registry_core::backoff;
use registry_core::id::{OauthClientId, SealedId, ServerId};
use registry_core::metadata::Credentials;
use registry_core::oauth::{Exchange, Failure, FailureClass, Issued};
use registry_core::registration::{
    ClientStatus, Consequence, Desired, Doubt, RegistrationMethod, State, after_failure,
};
use registry_core::secret::Secret;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The year 10000: an expiry beyond it (some count in microseconds) means never.
const NO_MORE: i64 = 253_402_300_800;
/// How often the deletion of a client is tried before it goes into the orphan ledger: over about two days.
const MOST_WITHDRAWALS: i64 = 14;

/// A client that a step brought.
#[derive(Debug)]
pub enum NewClient {
    /// Issued by RFC 7591.
    Issued(Box<Issued>),
    /// A Client ID Metadata Document that is published.
    Published(Published),
    /// Entered by an admin: its credentials, the method it authenticates with, and the metadata shown for it.
    Entered {
        /// `client_id` and the sealed secret.
        credentials: Credentials,
        /// How it authenticates at the token endpoint.
        token_endpoint_auth_method: String,
        /// What is handed out beside the id.
        metadata: Map<String, Value>,
    },
}

impl Registry {
    /// Adds the next generation and makes it the active one. Gives back what may be shown of the answer.
    pub(crate) async fn add_client(
        &self,
        write: &mut Write<'_>,
        row: &registration::Model,
        situation: &Situation,
        client: NewClient,
        request: Option<Map<String, Value>>,
    ) -> Result<Value> {
        let (discovery, _) = situation
            .observed
            .discovery
            .as_ref()
            .ok_or_else(|| Error::Internal("a client without a discovery".into()))?;
        if let NewClient::Published(published) = &client
            && let Some(active) = &situation.observed.client
            && active.method == RegistrationMethod::Cimd
            && active.client_id == published.url
            && active.belongs_to(discovery)
        {
            return republish(write, row, situation, active.id, published).await;
        }
        end_active(write, row.id, ClientStatus::Draining).await?;
        let newest: Option<i64> = oauth_client::Entity::find()
            .select_only()
            .column(oauth_client::Column::Generation)
            .filter(oauth_client::Column::RegistrationId.eq(row.id))
            .order_by_desc(oauth_client::Column::Generation)
            .limit(1)
            .into_tuple()
            .one(&write.txn)
            .await?;
        let generation = newest.unwrap_or(0) + 1;
        let id = self.new_id();
        let mut model = oauth_client::ActiveModel {
            id: Set(id),
            registration_id: Set(row.id),
            generation: Set(generation),
            status: Set(ClientStatus::Active.as_str().to_owned()),
            issuer: Set(discovery.issuer.clone()),
            metadata_digest: Set(situation.desired.digest.clone()),
            warnings: Set("[]".to_owned()),
            discovery: Set(serde_json::to_string(discovery)?),
            created_at: Set(write.millis()),
            secret_issued_at: Set(Some(write.millis())),
            request: Set(request.map(|request| Value::Object(request).to_string())),
            withdraw_failures: Set(0),
            ..Default::default()
        };
        let (method, client_id, response) = match client {
            NewClient::Issued(issued) => {
                model.client_secret_id =
                    Set(seal_member(write, id, "/client_secret", issued.client_secret.as_ref()).await?);
                model.registration_access_token_id = Set(seal_member(
                    write,
                    id,
                    "/registration_access_token",
                    issued.registration_access_token.as_ref(),
                )
                .await?);
                model.registration_client_uri = Set(issued.registration_client_uri.clone());
                model.auth_method = Set(issued.token_endpoint_auth_method.clone());
                model.client_id_issued_at = Set(issued.client_id_issued_at);
                model.client_secret_expires_at = Set(expiry_millis(&issued));
                model.warnings = Set(serde_json::to_string(&issued.warnings)?);
                (RegistrationMethod::Dcr, issued.client_id.clone(), issued.response)
            }
            NewClient::Published(published) => {
                model.auth_method = Set("none".to_owned());
                (RegistrationMethod::Cimd, published.url, serde_json::from_str(&published.text)?)
            }
            NewClient::Entered { credentials, token_endpoint_auth_method, metadata } => {
                let secret = match credentials.client_secret {
                    Some(sealed) => Some(self.open_sealed(&write.txn, sealed).await?),
                    None => None,
                };
                model.client_secret_id =
                    Set(seal_member(write, id, "/client_secret", secret.as_ref()).await?);
                model.auth_method = Set(token_endpoint_auth_method);
                (RegistrationMethod::PreRegistered, credentials.client_id, metadata)
            }
        };
        let shown = Value::Object(response);
        model.method = Set(method.as_str().to_owned());
        model.client_id = Set(client_id.clone());
        model.response = Set(shown.to_string());
        model.insert(&write.txn).await?;
        let event = event(situation, "registration.client_recorded", row.id).after(json!({
            "client_id": client_id, "issuer": discovery.issuer, "generation": generation, "method": method,
        }));
        write.audit(event);
        write.server_changed(workspace_of(&situation.layers), ServerId(row.server_id));
        Ok(shown)
    }

    /// Records what an update or a read answered, all of it, before anyone may use what it replaced (`domain.md` §5
    /// rule 5). With `request` the client is now as wanted. Gives back what may be shown of the answer.
    pub(crate) async fn update_client(
        &self,
        write: &mut Write<'_>,
        row: &registration::Model,
        situation: &Situation,
        id: OauthClientId,
        issued: Issued,
        request: Option<Map<String, Value>>,
    ) -> Result<Value> {
        let old = oauth_client::Entity::find_by_id(id.0)
            .one(&write.txn)
            .await?
            .ok_or_else(|| Error::not_found("client", id))?;
        let mut model = oauth_client::ActiveModel { id: Set(old.id), ..Default::default() };
        let secret =
            reseal(write, &old, old.client_secret_id, "/client_secret", issued.client_secret.as_ref());
        let (secret, secret_changed) = secret.await?;
        let token = issued.registration_access_token.as_ref();
        let token =
            reseal(write, &old, old.registration_access_token_id, "/registration_access_token", token);
        let (token, _) = token.await?;
        let expires_at = expiry_millis(&issued);
        if secret_changed || expires_at != old.client_secret_expires_at {
            model.secret_issued_at = Set(Some(write.millis()));
        }
        model.client_secret_id = Set(secret);
        model.registration_access_token_id = Set(token);
        model.registration_client_uri = Set(issued.registration_client_uri.clone());
        model.client_secret_expires_at = Set(expires_at);
        model.auth_method = Set(issued.token_endpoint_auth_method.clone());
        model.warnings = Set(serde_json::to_string(&issued.warnings)?);
        model.verified_at = Set(Some(write.millis()));
        model.doubt = Set(None);
        model.reported_at = Set(None);
        model.reported_by = Set(None);
        let shown = Value::Object(issued.response);
        model.response = Set(shown.to_string());
        let updated = request.is_some();
        if let Some(request) = request {
            model.updated_at = Set(Some(write.millis()));
            if issued.callbacks_honoured {
                model.metadata_digest = Set(situation.desired.digest.clone());
                model.update_refused = Set(None);
                model.request = Set(Some(Value::Object(request).to_string()));
            } else {
                model.update_refused = Set(Some(situation.desired.digest.clone()));
            }
        }
        model.update(&write.txn).await?;
        if updated || secret_changed {
            let action = if updated { "registration.client_updated" } else { "registration.client_read" };
            let event = event(situation, action, row.id).after(json!({
                "client_id": old.client_id, "issuer": old.issuer, "generation": old.generation,
                "secret_replaced": secret_changed,
            }));
            write.audit(event);
            write.server_changed(workspace_of(&situation.layers), ServerId(row.server_id));
        }
        Ok(shown)
    }
}

fn expiry_millis(issued: &Issued) -> Option<i64> {
    issued.client_secret_expires_at.filter(|seconds| *seconds < NO_MORE).map(|seconds| seconds * 1000)
}

/// Keeps the sealed value `kept` if it holds `secret`, else seals the new one and forgets the old. True if it changed.
async fn reseal(
    write: &mut Write<'_>,
    client: &oauth_client::Model,
    kept: Option<Uuid>,
    pointer: &str,
    secret: Option<&Secret>,
) -> Result<(Option<Uuid>, bool)> {
    if let (Some(id), Some(secret)) = (kept, secret) {
        let known = write.registry.open_sealed(&write.txn, SealedId(id)).await?;
        if known.expose() == secret.expose() {
            return Ok((kept, false));
        }
    } else if kept.is_none() && secret.is_none() {
        return Ok((None, false));
    }
    write.unseal(kept.map(SealedId)).await?;
    Ok((seal_member(write, client.id, pointer, secret).await?, true))
}

/// A document that changed is the same client: its id is its address.
async fn republish(
    write: &mut Write<'_>,
    row: &registration::Model,
    situation: &Situation,
    id: OauthClientId,
    published: &Published,
) -> Result<Value> {
    oauth_client::ActiveModel {
        id: Set(id.0),
        metadata_digest: Set(situation.desired.digest.clone()),
        response: Set(published.text.clone()),
        updated_at: Set(Some(write.millis())),
        verified_at: Set(Some(write.millis())),
        doubt: Set(None),
        ..Default::default()
    }
    .update(&write.txn)
    .await?;
    let event = event(situation, "registration.client_updated", row.id)
        .after(json!({ "client_id": published.url, "method": RegistrationMethod::Cimd }));
    write.audit(event);
    write.server_changed(workspace_of(&situation.layers), ServerId(row.server_id));
    Ok(serde_json::from_str(&published.text)?)
}

/// The active client goes on with a newer discovery of its own authorization server.
pub(crate) async fn take_over(
    write: &mut Write<'_>,
    row: &registration::Model,
    situation: &Situation,
    id: OauthClientId,
    discovery: String,
) -> Result<()> {
    let client = oauth_client::Entity::find_by_id(id.0).one(&write.txn).await?;
    if client.is_some_and(|client| client.discovery != discovery) {
        oauth_client::ActiveModel { id: Set(id.0), discovery: Set(discovery), ..Default::default() }
            .update(&write.txn)
            .await?;
        write.server_changed(workspace_of(&situation.layers), ServerId(row.server_id));
    }
    Ok(())
}

/// What a failure of reading or updating the active client means for the client, if it means something: then the effort
/// goes on with another way, and nothing has failed yet.
pub(crate) async fn manage_failed(
    write: &mut Write<'_>,
    row: &registration::Model,
    situation: &Situation,
    step: &str,
    failure: &Failure,
) -> Result<bool> {
    let Some(active) = &situation.observed.client else { return Ok(false) };
    if !matches!(step, "update" | "verify") || failure.class == FailureClass::Transient {
        return Ok(false);
    }
    let client = oauth_client::Entity::find_by_id(active.id.0)
        .one(&write.txn)
        .await?
        .ok_or_else(|| Error::not_found("client", active.id))?;
    let mut changed = oauth_client::ActiveModel { id: Set(client.id), ..Default::default() };
    if failure.class == FailureClass::Ambiguous {
        // Secret and token may have been replaced: said so until the next answer.
        changed.doubt = Set(Some(Doubt::UpdateLost.as_str().to_owned()));
        changed.update(&write.txn).await?;
        return Ok(false);
    }
    let forgotten = failure.code == "client_forgotten";
    let token_refused = failure.code == "management_token_refused";
    let unused = !active.fetched && active.doubt.is_none();
    let reported = active.doubt == Some(Doubt::Reported);
    if forgotten && step == "update" {
        // Or clients can be read at that address and not changed (npm `oidc-provider` without management): reading tells.
        changed.update_refused = Set(Some(situation.desired.digest.clone()));
        changed.doubt = Set(Some(Doubt::Reported.as_str().to_owned()));
    } else if forgotten || token_refused && step == "verify" && (reported || unused) {
        changed.doubt = Set(Some(Doubt::Forgotten.as_str().to_owned()));
    } else if token_refused {
        // The client may live on; only we cannot manage it any more (RFC 7592 §2.1).
        write.unseal(client.registration_access_token_id.map(SealedId)).await?;
        changed.registration_access_token_id = Set(None);
        changed.doubt = Set(None);
    } else if step == "update" {
        changed.update_refused = Set(Some(situation.desired.digest.clone()));
        changed.doubt = Set(None);
    } else {
        // It cannot be read: what was reported stays to be confirmed by a second report.
        changed.doubt = Set(None);
        changed.verified_at = Set(Some(write.millis()));
    }
    changed.warnings = Set(with_warning(&client, &failure.message)?);
    changed.update(&write.txn).await?;
    let event = event(situation, "registration.client_doubted", row.id).after(json!({
        "client_id": client.client_id, "generation": client.generation, "reason": failure.code,
    }));
    write.audit(event);
    write.server_changed(workspace_of(&situation.layers), ServerId(row.server_id));
    Ok(true)
}

fn with_warning(client: &oauth_client::Model, message: &str) -> Result<String> {
    let mut warnings: Vec<String> = json(&client.warnings, "oauth_client", "warnings", client.id)?;
    if !warnings.iter().any(|known| known == message) {
        warnings.push(message.to_owned());
    }
    Ok(serde_json::to_string(&warnings)?)
}

/// Plans the next try of a deletion that may still succeed; false when it is given up.
pub(crate) async fn keep_withdrawing(
    write: &Write<'_>,
    id: OauthClientId,
    failure: &Failure,
) -> Result<bool> {
    let client = oauth_client::Entity::find_by_id(id.0)
        .one(&write.txn)
        .await?
        .ok_or_else(|| Error::not_found("client", id))?;
    let failures = client.withdraw_failures + 1;
    let hiccup = matches!(failure.class, FailureClass::Transient | FailureClass::Ambiguous);
    if !hiccup || failures >= MOST_WITHDRAWALS {
        return Ok(false);
    }
    let asked = failure.retry_after.and_then(|seconds| i64::try_from(seconds.min(86_400)).ok());
    let step = u32::try_from(failures).unwrap_or(u32::MAX);
    let wait = Duration::from_std(backoff::wait(step, jitter()?)).unwrap_or(Duration::hours(6));
    let wait = asked.map_or(wait, |seconds| wait.max(Duration::seconds(seconds)));
    let mut changed = client.into_active_model();
    changed.withdraw_failures = Set(failures);
    changed.withdraw_not_before = Set(Some(millis(write.now + wait)));
    if failure.class == FailureClass::Ambiguous {
        changed.withdrawal = Set(Some("answer_lost".to_owned()));
    }
    changed.withdrawal_detail = Set(Some(failure.message.clone()));
    changed.update(&write.txn).await?;
    Ok(true)
}

/// An attempt whose worker was never heard of again: what was sent and may have been acted on is a lost answer.
pub(crate) async fn leave_open(
    write: &mut Write<'_>,
    row: registration::Model,
    layers: &ServerLayers,
    desired: &Desired,
    left: &attempt::Model,
) -> Result<registration::Model> {
    let (outcome, failure) = match left.step.as_str() {
        "register" => ("lost", Failure::answer_lost()),
        "update" | "verify" => ("lost", Failure::management_answer_lost()),
        _ => ("failed", interrupted()),
    };
    finish(write, left, outcome, Some(&failure), Vec::new(), None).await?;
    let active = active_clients(&write.txn, [row.id]).await?.pop();
    match left.step.as_str() {
        "register" => {
            let issuer = orphans::issuer_of(row.discovery.as_deref(), row.id)?;
            orphans::enter_lost_answer(write, layers, left, issuer, &failure).await?;
        }
        "update" | "verify" => {
            if let Some(client) = &active {
                oauth_client::ActiveModel {
                    id: Set(client.id),
                    doubt: Set(Some(Doubt::UpdateLost.as_str().to_owned())),
                    ..Default::default()
                }
                .update(&write.txn)
                .await?;
            }
        }
        // Deleting twice does no harm; which client it was is planned again.
        "withdraw" => return Ok(row),
        _ => {}
    }
    let now = write.now;
    let serves = active.is_some_and(|client| crate::registrations::usable(&client, now));
    fail(write, row, layers, desired, (&left.step, &failure), serves, true).await
}

/// A step that reached out and was never heard of again: its worker died, or was slower than its lease.
fn interrupted() -> Failure {
    Failure::new(
        FailureClass::Transient,
        "interrupted",
        "A worker stopped in the middle of this. It is tried again later.",
    )
}

pub(crate) fn event(situation: &Situation, action: &'static str, row: Uuid) -> Event {
    Event::new(action, "registration", row)
        .named(&situation.name)
        .in_workspace(Some(workspace_of(&situation.layers)))
}

pub(crate) async fn seal_member(
    write: &mut Write<'_>,
    client: Uuid,
    pointer: &str,
    secret: Option<&Secret>,
) -> Result<Option<Uuid>> {
    let Some(secret) = secret else { return Ok(None) };
    let id = SealedId(write.registry.new_id());
    write.seal(id, ("oauth_client", client), pointer, secret.expose()).await?;
    Ok(Some(id.0))
}

/// Ends the active client, if there is one.
pub(crate) async fn end_active(write: &Write<'_>, registration: Uuid, status: ClientStatus) -> Result<()> {
    for client in active_clients(&write.txn, [registration]).await? {
        oauth_client::ActiveModel {
            id: Set(client.id),
            status: Set(status.as_str().to_owned()),
            ended_at: Set(Some(write.millis())),
            ..Default::default()
        }
        .update(&write.txn)
        .await?;
    }
    Ok(())
}

/// A registration that reached `state`: nothing failed any more. With `keep_request` a person asked for something while
/// this was under way, and still waits for it.
pub(crate) fn settled(
    row: &registration::Model,
    state: State,
    now: i64,
    keep_request: bool,
) -> registration::ActiveModel {
    registration::ActiveModel {
        id: Set(row.id),
        state: Set(state.as_str().to_owned()),
        reason: Set(None),
        detail: Set(None),
        error: Set(None),
        error_description: Set(None),
        request: if keep_request { NotSet } else { Set(None) },
        failures: Set(0),
        lost_answers: Set(0),
        failed_inputs: Set(None),
        failed_step: Set(None),
        not_before: Set(None),
        updated_at: Set(now),
        ..Default::default()
    }
}

/// Writes a failure of a step on the registration: its state, its reason, when to try again. While a client `serves`, a
/// hiccup in looking after it is nobody's business.
pub(crate) async fn fail(
    write: &mut Write<'_>,
    row: registration::Model,
    layers: &ServerLayers,
    desired: &Desired,
    (step, failure): (&str, &Failure),
    serves: bool,
    keep_request: bool,
) -> Result<registration::Model> {
    let rules = write.registry.settings().retry;
    let counted = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    let consequence =
        after_failure(failure, counted(row.failures), counted(row.lost_answers), rules, write.now, jitter()?);
    if failure.code == "rate_limited"
        && let Some(issuer) = orphans::issuer_of(row.discovery.as_deref(), row.id)?
    {
        slow_down(write, &issuer, consequence.not_before).await?;
    }
    let mut changed = registration::ActiveModel {
        id: Set(row.id),
        request: if keep_request { NotSet } else { Set(None) },
        failures: Set(i64::from(consequence.failures)),
        updated_at: Set(write.millis()),
        ..Default::default()
    };
    if serves && step == "discover" {
        // The client serves on whatever becomes of looking for its server again; that is tried again in its own time.
        let later = consequence.not_before.unwrap_or(write.now + desired.rules.rediscover_every);
        changed.rediscover_at = Set(Some(millis(later)));
    } else {
        changed.not_before = Set(consequence.not_before.map(millis));
    }
    if serves && matches!(step, "discover" | "verify") && consequence.state == State::Retrying {
        return Ok(changed.update(&write.txn).await?);
    }
    let Consequence { state, not_before, lost_answers, .. } = consequence;
    let old_state = row.state.clone();
    changed.state = Set(state.as_str().to_owned());
    changed.reason = Set(Some(failure.code.to_string()));
    changed.detail = Set(Some(failure.message.clone()));
    changed.error = Set(failure.error.clone());
    changed.error_description = Set(failure.error_description.clone());
    changed.lost_answers = Set(i64::from(lost_answers));
    changed.failed_inputs = Set(not_before.is_none().then(|| desired.inputs()));
    changed.failed_step = Set(Some(step.to_owned()));
    let changed = changed.update(&write.txn).await?;
    if old_state != changed.state {
        let event = Event::new("registration.failed", "registration", row.id)
            .named(format!("{}/{}", layers.workspace.slug, layers.server.slug))
            .in_workspace(Some(workspace_of(layers)))
            .before(json!({ "state": old_state }))
            .after(json!({ "state": state, "reason": failure.code, "not_before": not_before }));
        write.audit(event);
        write.server_changed(workspace_of(layers), ServerId(row.server_id));
    }
    Ok(changed)
}

/// Closes an attempt.
pub(crate) async fn finish(
    write: &Write<'_>,
    tried: &attempt::Model,
    outcome: &str,
    failure: Option<&Failure>,
    exchanges: Vec<Exchange>,
    response: Option<Value>,
) -> Result<()> {
    attempt::ActiveModel {
        id: Set(tried.id),
        finished_at: Set(Some(write.millis())),
        outcome: Set(outcome.to_owned()),
        reason: Set(failure.map(|failure| failure.code.to_string())),
        detail: Set(failure.map(|failure| failure.message.clone())),
        error: Set(failure.and_then(|failure| failure.error.clone())),
        error_description: Set(failure.and_then(|failure| failure.error_description.clone())),
        exchanges: Set(serde_json::to_string(&exchanges)?),
        response: Set(response.map(|response| response.to_string())),
        ..Default::default()
    }
    .update(&write.txn)
    .await?;
    Ok(())
}

/// A random number in `[0, 1)`, so that many registrations do not come back in step.
pub(crate) fn jitter() -> Result<f64> {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Error::Internal("the system gave no random numbers".into()))?;
    Ok(f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX))
}
