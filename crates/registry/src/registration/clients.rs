//! How clients are written: a new generation, an update, the end of one. Called inside the worker's guarded writes.

use crate::lookup::clients::active_clients;
use crate::ports::step_record::{NewClient, Published};
use crate::registration::brief::workspace_of;
use crate::registration::context::Context;
use crate::registration::failures::event;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::set_word;
use crate::storage::entity::{oauth_client, registration};
use crate::storage::owner::OwnerKind;
use crate::storage::write::Write;
use crate::{Error, Registry, Result};
use registry_core::id::{OauthClientId, SealedId, ServerId};
use registry_core::oauth::Issued;
use registry_core::registration::{ClientStatus, RegistrationMethod};
use registry_core::secret::Secret;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The year 10000: an expiry beyond it (some count in microseconds) means never.
const NO_MORE: i64 = 253_402_300_800;

/// Whether a client was entered with a secret that another one took the place of since.
pub(crate) async fn is_superseded(
    registry: &Registry,
    write: &Write<'_>,
    client: &NewClient,
) -> Result<bool> {
    let NewClient::PreRegistered { credentials, .. } = client else { return Ok(false) };
    let Some(sealed) = credentials.client_secret else { return Ok(false) };
    Ok(registry.open_sealed_if_present(&write.txn, sealed).await?.is_none())
}

/// Adds the next generation and makes it the active one. Gives back what may be shown of the answer.
pub(crate) async fn add_client(
    write: &mut Write<'_>,
    row: &registration::Model,
    context: &Context,
    client: NewClient,
    request: Option<Map<String, Value>>,
) -> Result<Value> {
    let (discovery, _) = context
        .observed
        .discovery
        .as_ref()
        .ok_or_else(|| Error::Internal("a client without a discovery".into()))?;
    if let NewClient::Published(published) = &client
        && let Some(active) = &context.observed.client
        && active.method == RegistrationMethod::Cimd
        && active.client_id == published.url
        && active.belongs_to(discovery)
    {
        return republish(write, row, context, active.id, published).await;
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
    let id = write.registry.new_id();
    let mut model = oauth_client::ActiveModel {
        id: Set(id),
        registration_id: Set(row.id),
        generation: Set(generation),
        status: set_word(ClientStatus::Active),
        issuer: Set(discovery.issuer.clone()),
        metadata_digest: Set(context.desired.digest.clone()),
        // Such as PKCE that is not offered: then no user can sign in with the client, although it is registered.
        warnings: Set(serde_json::to_string(&discovery.warnings)?),
        discovery: Set(serde_json::to_string(discovery)?),
        created_at: Set(write.millis()),
        secret_issued_at: Set(Some(write.millis())),
        request: Set(request.map(|request| Value::Object(request).to_string())),
        withdraw_failures: Set(0),
        settings_generation: Set(Some(context.row.layers.in_force.generation)),
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
            let warnings: Vec<_> = discovery.warnings.iter().chain(&issued.warnings).collect();
            model.warnings = Set(serde_json::to_string(&warnings)?);
            (RegistrationMethod::Dcr, issued.client_id.clone(), issued.response)
        }
        NewClient::Published(published) => {
            model.auth_method = Set("none".to_owned());
            (RegistrationMethod::Cimd, published.url, serde_json::from_str(&published.text)?)
        }
        NewClient::PreRegistered { credentials, token_endpoint_auth_method, metadata } => {
            let secret = match credentials.client_secret {
                Some(sealed) => Some(write.registry.open_sealed(&write.txn, sealed).await?),
                None => None,
            };
            model.client_secret_id = Set(seal_member(write, id, "/client_secret", secret.as_ref()).await?);
            model.auth_method = Set(token_endpoint_auth_method);
            (RegistrationMethod::PreRegistered, credentials.client_id, metadata)
        }
    };
    let shown = Value::Object(response);
    model.method = set_word(method);
    model.client_id = Set(client_id.clone());
    model.response = Set(shown.to_string());
    model.insert(&write.txn).await?;
    let event = event(context, AuditAction::RegistrationClientRecorded, row.id).after(json!({
        "client_id": client_id, "issuer": discovery.issuer, "generation": generation, "method": method,
    }));
    write.audit(event);
    write.server_changed(workspace_of(&context.row.layers), ServerId(row.server_id));
    Ok(shown)
}

/// Records what an update or a read answered, all of it, before anyone may use what it replaced
/// (INV-5). With `request` the client is now as wanted. Gives back what may be shown of the answer.
pub(crate) async fn update_client(
    write: &mut Write<'_>,
    row: &registration::Model,
    context: &Context,
    id: OauthClientId,
    issued: Issued,
    request: Option<Map<String, Value>>,
) -> Result<Value> {
    let old = oauth_client::Entity::find_by_id(id.0)
        .one(&write.txn)
        .await?
        .ok_or_else(|| Error::not_found("client", id))?;
    let mut model = oauth_client::ActiveModel { id: Set(old.id), ..Default::default() };
    let secret = reseal(write, &old, old.client_secret_id, "/client_secret", issued.client_secret.as_ref());
    let (secret, secret_changed) = secret.await?;
    let token = issued.registration_access_token.as_ref();
    let token = reseal(write, &old, old.registration_access_token_id, "/registration_access_token", token);
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
            model.settings_generation = Set(Some(context.row.layers.in_force.generation));
            model.metadata_digest = Set(context.desired.digest.clone());
            model.update_refused = Set(None);
            model.request = Set(Some(Value::Object(request).to_string()));
        } else {
            model.update_refused = Set(Some(context.desired.digest.clone()));
        }
    }
    model.update(&write.txn).await?;
    if updated || secret_changed {
        let action = if updated {
            AuditAction::RegistrationClientUpdated
        } else {
            AuditAction::RegistrationClientRead
        };
        let event = event(context, action, row.id).after(json!({
            "client_id": old.client_id, "issuer": old.issuer, "generation": old.generation,
            "secret_replaced": secret_changed,
        }));
        write.audit(event);
        write.server_changed(workspace_of(&context.row.layers), ServerId(row.server_id));
    }
    Ok(shown)
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
        match write.registry.open_sealed(&write.txn, SealedId(id)).await {
            Ok(known) if known.expose() == secret.expose() => return Ok((kept, false)),
            Ok(_) | Err(Error::KeyMissing(_)) => {}
            Err(error) => return Err(error),
        }
    } else if kept.is_none() && secret.is_none() {
        return Ok((None, false));
    }
    write.delete_sealed(kept.map(SealedId)).await?;
    Ok((seal_member(write, client.id, pointer, secret).await?, true))
}

/// A document that changed is the same client: its id is its address.
async fn republish(
    write: &mut Write<'_>,
    row: &registration::Model,
    context: &Context,
    id: OauthClientId,
    published: &Published,
) -> Result<Value> {
    oauth_client::ActiveModel {
        id: Set(id.0),
        metadata_digest: Set(context.desired.digest.clone()),
        settings_generation: Set(Some(context.row.layers.in_force.generation)),
        response: Set(published.text.clone()),
        updated_at: Set(Some(write.millis())),
        verified_at: Set(Some(write.millis())),
        doubt: Set(None),
        ..Default::default()
    }
    .update(&write.txn)
    .await?;
    let event = event(context, AuditAction::RegistrationClientUpdated, row.id)
        .after(json!({ "client_id": published.url, "method": RegistrationMethod::Cimd }));
    write.audit(event);
    write.server_changed(workspace_of(&context.row.layers), ServerId(row.server_id));
    Ok(serde_json::from_str(&published.text)?)
}

/// The active client goes on with a newer discovery of its own authorization server.
pub(crate) async fn take_over(
    write: &mut Write<'_>,
    row: &registration::Model,
    context: &Context,
    id: OauthClientId,
    discovery: String,
) -> Result<()> {
    let client = oauth_client::Entity::find_by_id(id.0).one(&write.txn).await?;
    if client.is_some_and(|client| client.discovery != discovery) {
        oauth_client::ActiveModel { id: Set(id.0), discovery: Set(discovery), ..Default::default() }
            .update(&write.txn)
            .await?;
        write.server_changed(workspace_of(&context.row.layers), ServerId(row.server_id));
    }
    Ok(())
}

pub(crate) async fn seal_member(
    write: &mut Write<'_>,
    client: Uuid,
    pointer: &str,
    secret: Option<&Secret>,
) -> Result<Option<Uuid>> {
    let Some(secret) = secret else { return Ok(None) };
    let id = SealedId(write.registry.new_id());
    write.seal(id, OwnerKind::OauthClient.with_id(client), pointer, secret.expose()).await?;
    Ok(Some(id.0))
}

/// Ends the active client, if there is one.
pub(crate) async fn end_active(write: &Write<'_>, registration: Uuid, status: ClientStatus) -> Result<()> {
    for client in active_clients(&write.txn, [registration]).await? {
        oauth_client::ActiveModel {
            id: Set(client.id),
            status: set_word(status),
            ended_at: Set(Some(write.millis())),
            ..Default::default()
        }
        .update(&write.txn)
        .await?;
    }
    Ok(())
}
