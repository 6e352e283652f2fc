//! How the outcome of a step is written: clients, attempts, failures. Called inside the worker's guarded writes.

use crate::entity::{attempt, oauth_client, registration};
use crate::layers::ServerLayers;
use crate::reconciliation::{NewClient, Situation};
use crate::registrations::{active_clients, workspace_of};
use crate::stored::millis;
use crate::write::{Event, Write};
use crate::{Error, Registry, Result};
use registry_core::id::{SealedId, ServerId};
use registry_core::oauth::{Exchange, Failure};
use registry_core::registration::{ClientStatus, Desired, RegistrationMethod, State, after_failure};
use registry_core::secret::Secret;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// The year 10000: an expiry beyond it (some count in microseconds) means never.
const NO_MORE: i64 = 253_402_300_800;

impl Registry {
    /// Adds the next generation and makes it the active one. Gives back what may be shown of the answer.
    pub(crate) async fn add_client(
        &self,
        write: &mut Write<'_>,
        row: &registration::Model,
        situation: &Situation,
        client: NewClient,
    ) -> Result<Value> {
        let (discovery, _) = situation
            .observed
            .discovery
            .as_ref()
            .ok_or_else(|| Error::Internal("a client without a discovery".into()))?;
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
                model.client_secret_expires_at = Set(issued
                    .client_secret_expires_at
                    .filter(|seconds| *seconds < NO_MORE)
                    .map(|seconds| seconds * 1000));
                model.warnings = Set(serde_json::to_string(&issued.warnings)?);
                (RegistrationMethod::Dcr, issued.client_id.clone(), issued.response)
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
        not_before: Set(None),
        updated_at: Set(now),
        ..Default::default()
    }
}

/// Writes a failure on the registration: its state, its reason, when to try again.
pub(crate) async fn fail(
    write: &mut Write<'_>,
    row: registration::Model,
    layers: &ServerLayers,
    desired: &Desired,
    failure: &Failure,
    keep_request: bool,
) -> Result<registration::Model> {
    let consequence = after_failure(
        failure,
        u32::try_from(row.failures).unwrap_or(u32::MAX),
        u32::try_from(row.lost_answers).unwrap_or(u32::MAX),
        write.registry.settings().retry,
        write.now,
        jitter()?,
    );
    let old_state = row.state.clone();
    let changed = registration::ActiveModel {
        id: Set(row.id),
        state: Set(consequence.state.as_str().to_owned()),
        reason: Set(Some(failure.code.to_string())),
        detail: Set(Some(failure.message.clone())),
        error: Set(failure.error.clone()),
        error_description: Set(failure.error_description.clone()),
        request: if keep_request { NotSet } else { Set(None) },
        failures: Set(i64::from(consequence.failures)),
        lost_answers: Set(i64::from(consequence.lost_answers)),
        failed_inputs: Set(consequence.not_before.is_none().then(|| desired.inputs())),
        not_before: Set(consequence.not_before.map(millis)),
        updated_at: Set(write.millis()),
        ..Default::default()
    }
    .update(&write.txn)
    .await?;
    if old_state != changed.state {
        let event = Event::new("registration.failed", "registration", row.id)
            .named(format!("{}/{}", layers.workspace.slug, layers.server.slug))
            .in_workspace(Some(workspace_of(layers)))
            .before(json!({ "state": old_state }))
            .after(json!({ "state": consequence.state, "reason": failure.code, "not_before": consequence.not_before }));
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
