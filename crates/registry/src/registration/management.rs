//! What is sent to manage a client: its stored credentials, opened for a claimed registration.
use crate::lookup::clients::{foreign_management, managed_at, method};
use crate::ports::registration_queue::{Claim, DeletionPlan, StepError};
use crate::registration::failures::{ANSWER_LOST, superseded};
use crate::secrets::rotation::is_key_abandoned;
use crate::storage::columns::json;
use crate::storage::entity::{oauth_client, registration, sealed_value};
use crate::{Error, Registry, Result};
use registry_core::id::{OauthClientId, SealedId};
use registry_core::oauth::{Discovery, Failure, FailureClass, ManagedClient};
use registry_core::registration::{ClientStatus, RegistrationMethod, Verification};
use registry_core::secret::Secret;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Map, Value};

/// A client with everything needed to manage it (RFC 7592); `None` when it is not manageable.
pub(crate) async fn managed_client(
    registry: &Registry,
    claim: &Claim,
    id: OauthClientId,
) -> Result<Option<ManagedClient>, StepError> {
    require_lease(registry, claim).await?;
    Ok(stored_client(registry, id).await?)
}

/// As [`managed_client`], for what is not sent anywhere.
pub(crate) async fn stored_client(registry: &Registry, id: OauthClientId) -> Result<Option<ManagedClient>> {
    match oauth_client::Entity::find_by_id(id.0).one(registry.db()).await? {
        Some(client) => open_managed_client(registry, &client).await,
        None => Ok(None),
    }
}

/// How a client of a claimed registration can be deregistered.
pub(crate) async fn plan_deletion(
    registry: &Registry,
    claim: &Claim,
    id: OauthClientId,
) -> Result<DeletionPlan, StepError> {
    require_lease(registry, claim).await?;
    let client = oauth_client::Entity::find_by_id(id.0)
        .one(registry.db())
        .await?
        .ok_or_else(|| Error::not_found("client", id))?;
    Ok(match method(&client)? {
        RegistrationMethod::PreRegistered => DeletionPlan::NotNeeded("entered"),
        RegistrationMethod::Cimd => DeletionPlan::NotNeeded("unpublished"),
        // The same id may be in use for another server (RFC 7591 §3.2.1): then it is not ours alone to delete.
        RegistrationMethod::Dcr if is_used_elsewhere(registry, &client).await? => {
            DeletionPlan::NotNeeded("shared")
        }
        RegistrationMethod::Dcr => match open_managed_client(registry, &client).await? {
            Some(client_there) => DeletionPlan::Request {
                client: Box::new(client_there),
                gone_if_refused: if client.withdrawal.as_deref() == Some(ANSWER_LOST) {
                    Some("deleted")
                } else {
                    let forgotten = client.doubt.as_deref() == Some(Verification::Forgotten.as_str());
                    forgotten.then_some("forgotten")
                },
            },
            None => DeletionPlan::Unmanageable(foreign_management(&client)?),
        },
    })
}

async fn is_used_elsewhere(registry: &Registry, client: &oauth_client::Model) -> Result<bool> {
    let others = oauth_client::Entity::find()
        .filter(oauth_client::Column::Issuer.eq(&client.issuer))
        .filter(oauth_client::Column::ClientId.eq(&client.client_id))
        .filter(oauth_client::Column::Id.ne(client.id))
        .filter(oauth_client::Column::Status.ne(ClientStatus::Withdrawn.as_str()))
        .count(registry.db())
        .await?;
    Ok(others > 0)
}

async fn open_managed_client(
    registry: &Registry,
    client: &oauth_client::Model,
) -> Result<Option<ManagedClient>> {
    match read_managed_client(registry, client).await {
        // Without its token the client cannot be managed any more, as if the server had never offered it.
        Err(error) if is_key_abandoned(registry.db(), &error).await? => {
            tracing::warn!(client = %client.id, %error, "the token of a client is lost");
            Ok(None)
        }
        read => read,
    }
}

async fn read_managed_client(
    registry: &Registry,
    client: &oauth_client::Model,
) -> Result<Option<ManagedClient>> {
    let (Some(uri), Some(token)) = (managed_at(client)?, client.registration_access_token_id) else {
        return Ok(None);
    };
    let read =
        |text: &str, column| -> Result<Map<String, Value>> { json(text, "oauth_client", column, client.id) };
    let client_secret = match client.client_secret_id {
        Some(id) => Some(registry.open_sealed(registry.db(), SealedId(id)).await?),
        None => None,
    };
    Ok(Some(ManagedClient {
        client_id: client.client_id.clone(),
        client_secret,
        client_secret_expires_at: client.client_secret_expires_at.map(|millis| millis / 1000),
        client_id_issued_at: client.client_id_issued_at,
        token_endpoint_auth_method: client.auth_method.clone(),
        registration_client_uri: uri,
        registration_access_token: registry.open_sealed(registry.db(), SealedId(token)).await?,
        request: client.request.as_deref().map(|text| read(text, "request")).transpose()?.unwrap_or_default(),
        response: read(&client.response, "response")?,
        scope: json::<Discovery>(&client.discovery, "oauth_client", "discovery", client.id)?
            .scope(&registry.settings().egress),
    }))
}

/// Refuses what a worker asks that lost its lease.
async fn require_lease(registry: &Registry, claim: &Claim) -> Result<(), StepError> {
    let held = registration::Entity::find_by_id(claim.registration.0)
        .filter(registration::Column::Fence.eq(claim.fence))
        .one(registry.db())
        .await?;
    held.map(drop).ok_or(StepError::LeaseLost)
}

/// Opens a sealed value that a step sends upstream. The secret belongs to one issuer: it
/// is bound to the first one it is used with, and to no other after that. An MCP server that changes its metadata
/// cannot have it sent elsewhere.
pub(crate) async fn reveal_bound(
    registry: &Registry,
    claim: &Claim,
    id: SealedId,
    issuer: &str,
) -> Result<Secret, StepError> {
    require_lease(registry, claim).await?;
    let Some(secret) = registry.open_sealed_if_present(registry.db(), id).await? else {
        return Err(StepError::Refused(superseded()));
    };
    sealed_value::Entity::update_many()
        .col_expr(sealed_value::Column::BoundTo, Expr::value(issuer))
        .filter(sealed_value::Column::Id.eq(id.0))
        .filter(sealed_value::Column::BoundTo.is_null())
        .exec(registry.db())
        .await?;
    let row = sealed_value::Entity::find_by_id(id.0).one(registry.db()).await?;
    let bound = row.and_then(|row| row.bound_to);
    if bound.as_deref() == Some(issuer) {
        return Ok(secret);
    }
    Err(StepError::Refused(Failure::new(
        FailureClass::Security,
        "issuer_changed",
        "The server names another authorization server than the one your secret or token was used with. If that is right, enter it again.",
    )))
}
