//! Writes to `oauth_client`: a new generation, an update, the end of a client. Called in the worker's transactions, which the
//! fence guards.

use crate::lookup::clients::active_clients;
use crate::ports::step_record::{NewClient, Published};
use crate::registration::brief::workspace_of;
use crate::registration::context::Context;
use crate::registration::failures::event;
use crate::secrets::sealed_rows::SealedRow;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::set_word;
use crate::storage::entity::{oauth_client, registration};
use crate::storage::owner::OwnerKind;
use crate::storage::write::Write;
use crate::{Error, Registry, Result};
use registry_core::id::{OauthClientId, SealedId, ServerId};
use registry_core::oauth::{Discovery, Issued};
use registry_core::registration::{ClientStatus, RegistrationMethod};
use registry_core::secret::Secret;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Whether `client` is pre-registered with a secret that a user has replaced since the step read it.
pub(crate) async fn is_superseded(
    registry: &Registry,
    write: &Write<'_>,
    client: &NewClient,
) -> Result<bool> {
    let NewClient::PreRegistered { credentials, .. } = client else { return Ok(false) };
    let Some(sealed) = credentials.client_secret else { return Ok(false) };
    Ok(registry.open_sealed_if_present(&write.txn, sealed).await?.is_none())
}

/// A client that a step brought, ready to be stored.
pub(crate) struct PreparedClient {
    /// Its row.
    pub(crate) model: oauth_client::Model,
    /// The response that brought it, without secrets.
    pub(crate) response: Value,
    sealed: Vec<SealedRow>,
    method: RegistrationMethod,
}

/// Whether `client` is the Client ID Metadata Document at the URL of the active client: then it updates this client.
pub(crate) fn republishes<'a>(
    context: &Context,
    client: &'a NewClient,
) -> Option<(OauthClientId, &'a Published)> {
    let NewClient::Published(published) = client else { return None };
    let (discovery, _) = context.observed.discovery.as_ref()?;
    let active = context.observed.client.as_ref()?;
    let same = active.method == RegistrationMethod::Cimd
        && active.client_id == published.url
        && active.belongs_to(discovery);
    same.then_some((active.id, published))
}

/// The next generation of the client of a registration; nothing is written. `request` is the registration request that was
/// sent, if any.
pub(crate) async fn prepare_client(
    write: &Write<'_>,
    context: &Context,
    client: NewClient,
    request: Option<Map<String, Value>>,
) -> Result<PreparedClient> {
    let (discovery, _) = context
        .observed
        .discovery
        .as_ref()
        .ok_or_else(|| Error::Internal("a client without a discovery".into()))?;
    let id = write.registry.new_id();
    let mut sealing = Sealing { registry: write.registry, client: id, rows: Vec::new() };
    let mut model = new_model(write, context, id, discovery)?;
    model.request = request.map(|request| Value::Object(request).to_string());
    let (method, client_id, response) = match client {
        NewClient::Issued(issued) => {
            model.client_secret_id = sealing.member("/client_secret", issued.client_secret.as_ref())?;
            model.registration_access_token_id =
                sealing.member("/registration_access_token", issued.registration_access_token.as_ref())?;
            model.registration_client_uri.clone_from(&issued.registration_client_uri);
            model.auth_method.clone_from(&issued.token_endpoint_auth_method);
            model.client_id_issued_at = issued.client_id_issued_at;
            model.client_secret_expires_at = expiry_millis(&issued);
            let warnings: Vec<_> = discovery.warnings.iter().chain(&issued.warnings).collect();
            model.warnings = serde_json::to_string(&warnings)?;
            (RegistrationMethod::Dcr, issued.client_id.clone(), issued.response)
        }
        NewClient::Published(published) => {
            (RegistrationMethod::Cimd, published.url, serde_json::from_str(&published.text)?)
        }
        NewClient::PreRegistered { credentials, token_endpoint_auth_method, metadata } => {
            let secret = match credentials.client_secret {
                Some(sealed) => Some(write.registry.open_sealed(&write.txn, sealed).await?),
                None => None,
            };
            model.client_secret_id = sealing.member("/client_secret", secret.as_ref())?;
            model.auth_method = token_endpoint_auth_method;
            (RegistrationMethod::PreRegistered, credentials.client_id, metadata)
        }
    };
    let response = Value::Object(response);
    method.as_str().clone_into(&mut model.method);
    model.client_id = client_id;
    model.response = response.to_string();
    Ok(PreparedClient { model, response, sealed: sealing.rows, method })
}

/// The row of an active client with everything that is known before its response is read.
fn new_model(
    write: &Write<'_>,
    context: &Context,
    id: Uuid,
    discovery: &Discovery,
) -> Result<oauth_client::Model> {
    Ok(oauth_client::Model {
        id,
        registration_id: context.row.row.id,
        generation: context.row.newest_generation + 1,
        status: ClientStatus::Active.as_str().to_owned(),
        method: String::new(),
        issuer: discovery.issuer.clone(),
        client_id: String::new(),
        client_secret_id: None,
        registration_access_token_id: None,
        registration_client_uri: None,
        auth_method: "none".to_owned(),
        client_id_issued_at: None,
        client_secret_expires_at: None,
        metadata_digest: context.desired.digest.clone(),
        response: String::new(),
        // For example: PKCE is not offered. Then no user can sign in with the client, although it is registered.
        warnings: serde_json::to_string(&discovery.warnings)?,
        discovery: serde_json::to_string(discovery)?,
        created_at: write.millis(),
        fetched_at: None,
        ended_at: None,
        secret_issued_at: Some(write.millis()),
        updated_at: None,
        verified_at: None,
        reported_at: None,
        withdraw_not_before: None,
        request: None,
        doubt: None,
        reported_by: None,
        update_refused: None,
        withdrawal: None,
        withdrawal_detail: None,
        withdraw_failures: 0,
        settings_generation: Some(context.row.layers.in_force.generation),
    })
}

/// Stores `client` and makes it the active one; the former active client becomes draining.
pub(crate) async fn store_client(
    write: &mut Write<'_>,
    context: &Context,
    client: PreparedClient,
) -> Result<Value> {
    let PreparedClient { model, response, sealed, method } = client;
    if context.row.newest_generation > 0 {
        end_active(write, model.registration_id, ClientStatus::Draining).await?;
    }
    write.insert_sealed(sealed).await?;
    let event = event(context, AuditAction::RegistrationClientRecorded, model.registration_id).after(json!({
        "client_id": model.client_id, "issuer": model.issuer, "generation": model.generation, "method": method,
    }));
    let row = model.into_active_model().reset_all();
    oauth_client::Entity::insert(row).exec_without_returning(&write.txn).await?;
    write.audit(event);
    let layers = &context.row.layers;
    write.server_changed(workspace_of(layers), ServerId(layers.server.id));
    Ok(response)
}

/// Secrets of one client, sealed ahead.
struct Sealing<'a> {
    registry: &'a Registry,
    client: Uuid,
    rows: Vec<SealedRow>,
}

impl Sealing<'_> {
    /// Seals `secret` for the member of the client that `pointer` names. Returns the id of the sealed value; `None` without a
    /// secret.
    fn member(&mut self, pointer: &str, secret: Option<&Secret>) -> Result<Option<Uuid>> {
        let Some(secret) = secret else { return Ok(None) };
        let id = SealedId(self.registry.new_id());
        let owner = OwnerKind::OauthClient.with_id(self.client);
        self.rows.push(self.registry.sealed_row(id, owner, pointer, secret.expose())?);
        Ok(Some(id.0))
    }
}

/// The number of the next client of a registration.
pub(crate) async fn next_generation(write: &Write<'_>, registration: Uuid) -> Result<i64> {
    let newest: Option<i64> = oauth_client::Entity::find()
        .select_only()
        .column(oauth_client::Column::Generation)
        .filter(oauth_client::Column::RegistrationId.eq(registration))
        .order_by_desc(oauth_client::Column::Generation)
        .limit(1)
        .into_tuple()
        .one(&write.txn)
        .await?;
    Ok(newest.unwrap_or(0) + 1)
}

/// Records the whole response to an update or a read (RFC 7592 §2.2, §2.1) of the client `id`, before anyone may use
/// credentials that the response replaced (INV-5). `request` is the request of an update; `None`: the client was only read.
/// Returns the response without secrets.
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
    let (secret_id, secret_changed) =
        reseal(write, &old, old.client_secret_id, "/client_secret", issued.client_secret.as_ref()).await?;
    let (token_id, _) = reseal(
        write,
        &old,
        old.registration_access_token_id,
        "/registration_access_token",
        issued.registration_access_token.as_ref(),
    )
    .await?;
    let expires_at = expiry_millis(&issued);
    if secret_changed || expires_at != old.client_secret_expires_at {
        model.secret_issued_at = Set(Some(write.millis()));
    }
    model.client_secret_id = Set(secret_id);
    model.registration_access_token_id = Set(token_id);
    model.registration_client_uri = Set(issued.registration_client_uri.clone());
    model.client_secret_expires_at = Set(expires_at);
    model.auth_method = Set(issued.token_endpoint_auth_method.clone());
    model.warnings = Set(serde_json::to_string(&issued.warnings)?);
    model.verified_at = Set(Some(write.millis()));
    model.doubt = Set(None);
    model.reported_at = Set(None);
    model.reported_by = Set(None);
    let response = Value::Object(issued.response);
    model.response = Set(response.to_string());
    let is_update = request.is_some();
    if let Some(request) = request {
        model.updated_at = Set(Some(write.millis()));
        if issued.callbacks_honoured {
            model.settings_generation = Set(Some(context.row.layers.in_force.generation));
            model.metadata_digest = Set(context.desired.digest.clone());
            model.update_refused = Set(None);
            model.request = Set(Some(Value::Object(request).to_string()));
        } else {
            // The server kept the former callbacks: this metadata is not sent again as an update.
            model.update_refused = Set(Some(context.desired.digest.clone()));
        }
    }
    model.update(&write.txn).await?;
    if is_update || secret_changed {
        let action = if is_update {
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
    Ok(response)
}

/// When the client secret expires, in epoch milliseconds; `None`: never.
fn expiry_millis(issued: &Issued) -> Option<i64> {
    // Core reads no moment after the year 9999.
    issued.client_secret_expires_at.map(|seconds| seconds.saturating_mul(1000))
}

/// Makes the sealed value of a client's member equal to `secret`: keeps the sealed value `old_id` if it decrypts to `secret`,
/// otherwise deletes it and seals `secret`. Returns the id of the sealed value, and whether the value changed.
async fn reseal(
    write: &mut Write<'_>,
    client: &oauth_client::Model,
    old_id: Option<Uuid>,
    pointer: &str,
    secret: Option<&Secret>,
) -> Result<(Option<Uuid>, bool)> {
    if let (Some(id), Some(secret)) = (old_id, secret) {
        match write.registry.open_sealed(&write.txn, SealedId(id)).await {
            Ok(old) if old.expose() == secret.expose() => return Ok((old_id, false)),
            // The sealing key of the old value may be lost: the new value replaces it.
            Ok(_) | Err(Error::KeyMissing(_)) => {}
            Err(error) => return Err(error),
        }
    } else if old_id.is_none() && secret.is_none() {
        return Ok((None, false));
    }
    write.delete_sealed(old_id.map(SealedId)).await?;
    Ok((seal_member(write, client.id, pointer, secret).await?, true))
}

/// Records that the Client ID Metadata Document of the client `id` changed. It stays the same generation, because its
/// `client_id` is the URL of the document. Returns the document.
pub(crate) async fn republish(
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

/// Stores a newer discovery (JSON) of the client's own authorization server with the client `id`, if it differs.
pub(crate) async fn update_client_discovery(
    write: &mut Write<'_>,
    row: &registration::Model,
    context: &Context,
    id: OauthClientId,
    discovery: String,
) -> Result<()> {
    let changed = oauth_client::Entity::update_many()
        .col_expr(oauth_client::Column::Discovery, Expr::value(discovery.clone()))
        .filter(oauth_client::Column::Id.eq(id.0))
        .filter(oauth_client::Column::Discovery.ne(discovery))
        .exec(&write.txn)
        .await?;
    if changed.rows_affected > 0 {
        write.server_changed(workspace_of(&context.row.layers), ServerId(row.server_id));
    }
    Ok(())
}

/// Seals `secret` for the member of the client that `pointer` names. Returns the id of the sealed value; `None` without a secret.
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

/// Gives the active client the status `status` and records now as its end, if the registration has one.
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
