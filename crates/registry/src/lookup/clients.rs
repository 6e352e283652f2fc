//! Reads OAuth client rows as the reconciliation plan needs them.

use crate::Result;
use crate::storage::columns::{json, moment};
use crate::storage::entity::oauth_client;
use registry_core::clock::Timestamp;
use registry_core::id::OauthClientId;
use registry_core::oauth::{Discovery, is_same_origin};
use registry_core::registration::{ActiveClient, ClientStatus, RegistrationMethod, Verification};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

/// Where a client is managed: only at the origin of the endpoint that registered it. Judged at each use, because earlier
/// releases kept whatever address was answered.
pub(crate) fn managed_at(client: &oauth_client::Model) -> Result<Option<String>> {
    let Some(uri) = &client.registration_client_uri else { return Ok(None) };
    let endpoint = registered_by(client)?;
    Ok(is_same_origin(&endpoint, uri).then(|| uri.clone()))
}

/// The endpoint that registered a client of the authorization server that was found so.
fn endpoint_of(discovery: &Discovery) -> &str {
    discovery.authorization_server().registration_endpoint().unwrap_or(&discovery.issuer)
}

/// A client's row as the plan sees it.
pub(crate) fn active_client(client: &oauth_client::Model) -> Result<ActiveClient> {
    let discovery: Discovery = json(&client.discovery, "oauth_client", "discovery", client.id)?;
    let managed = client
        .registration_client_uri
        .as_ref()
        .is_some_and(|uri| is_same_origin(endpoint_of(&discovery), uri));
    Ok(ActiveClient {
        id: OauthClientId(client.id),
        client_id: client.client_id.clone(),
        method: method(client)?,
        issuer: client.issuer.clone(),
        legacy_issuer: discovery.is_legacy(),
        digest: client.metadata_digest.clone(),
        mcp_url: discovery.mcp_url,
        created_at: moment(client.created_at),
        updated_at: client.updated_at.map(moment),
        verified_at: client.verified_at.map(moment),
        secret_issued_at: moment(client.secret_issued_at.unwrap_or(client.created_at)),
        secret_expires_at: client.client_secret_expires_at.map(moment),
        manageable: managed && client.registration_access_token_id.is_some(),
        update_refused: client.update_refused.clone(),
        fetched: client.fetched_at.is_some(),
        verification: client.doubt.as_deref().and_then(Verification::parse),
        withdraw_not_before: client.withdraw_not_before.map(moment),
    })
}

/// The active clients of some registrations.
pub(crate) async fn active_clients(
    db: &impl ConnectionTrait,
    registrations: impl IntoIterator<Item = Uuid>,
) -> Result<Vec<oauth_client::Model>> {
    Ok(oauth_client::Entity::find()
        .filter(oauth_client::Column::RegistrationId.is_in(registrations))
        .filter(oauth_client::Column::Status.eq(ClientStatus::Active.as_str()))
        .all(db)
        .await?)
}

/// Whether gateways can use this client now.
pub(crate) fn usable(client: &oauth_client::Model, now: Timestamp) -> bool {
    client.doubt.as_deref() != Some(Verification::Forgotten.as_str())
        && client.client_secret_expires_at.is_none_or(|expiry| moment(expiry) > now)
}

pub(crate) fn method(client: &oauth_client::Model) -> Result<RegistrationMethod> {
    client.method()
}

/// A management address that was answered, but is not used because it is on another origin.
pub(crate) fn foreign_management(client: &oauth_client::Model) -> Result<Option<String>> {
    let response: Map<String, Value> = json(&client.response, "oauth_client", "response", client.id)?;
    let answered = response.get("registration_client_uri").and_then(Value::as_str).map(str::to_owned);
    let Some(uri) = client.registration_client_uri.clone().or(answered) else { return Ok(None) };
    // A relative address names no origin at all: that is an address that was not given.
    let is_foreign = Url::parse(&uri).is_ok() && !is_same_origin(&registered_by(client)?, &uri);
    Ok(is_foreign.then_some(uri))
}

/// The endpoint that registered a client.
pub(crate) fn registered_by(client: &oauth_client::Model) -> Result<String> {
    let discovery: Discovery = json(&client.discovery, "oauth_client", "discovery", client.id)?;
    Ok(endpoint_of(&discovery).to_owned())
}
