//! Clients that an authorization server made and that cannot be used here: entered in the ledger of orphaned clients, and deleted
//! upstream where their answer says how (INV-11). The step that deletes former clients deletes them too.

use crate::registration::clients::{next_generation, seal_member};
use crate::registration::context::Context;
use crate::registration::orphans;
use crate::storage::columns::set_word;
use crate::storage::entity::{attempt, oauth_client, registration};
use crate::storage::write::Write;
use crate::{Error, Result};
use registry_core::oauth::{Failure, FailureClass, UnusableClient};
use registry_core::registration::{ClientStatus, RegistrationMethod};
use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

/// Records what `failure` of the registration that `tried` sent may have left behind at the authorization server.
pub(crate) async fn record_left_behind(
    write: &mut Write<'_>,
    row: &registration::Model,
    context: &Context,
    tried: &attempt::Model,
    failure: &Failure,
) -> Result<()> {
    let issuer = context.observed.discovery.as_ref().map(|(found, _)| found.issuer.clone());
    let layers = &context.row.layers;
    let deleting = match &failure.unusable {
        Some(client) => add_unusable_client(write, row, context, tried, client).await?,
        None => None,
    };
    match (failure.class, &failure.unusable) {
        (FailureClass::Unusable, client) => {
            let unknown = UnusableClient::default();
            let left = orphans::LeftBehind { client: client.as_deref().unwrap_or(&unknown), deleting };
            orphans::enter_unusable_answer(write, layers, tried, issuer, failure, left).await
        }
        (FailureClass::Ambiguous, client) => {
            let left = client.as_deref().map(|client| orphans::LeftBehind { client, deleting });
            orphans::enter_lost_answer(write, layers, tried, issuer, failure, left).await
        }
        _ => Ok(()),
    }
}

/// Records `client`, so that it is deleted; `None` if that is not possible.
async fn add_unusable_client(
    write: &mut Write<'_>,
    row: &registration::Model,
    context: &Context,
    tried: &attempt::Model,
    client: &UnusableClient,
) -> Result<Option<Uuid>> {
    let (Some(client_id), Some((uri, token))) = (&client.client_id, &client.management) else {
        return Ok(None);
    };
    let (discovery, _) = context
        .observed
        .discovery
        .as_ref()
        .ok_or_else(|| Error::Internal("a registration without a discovery".into()))?;
    let id = write.registry.new_id();
    let token = seal_member(write, id, "/registration_access_token", Some(token)).await?;
    oauth_client::ActiveModel {
        id: Set(id),
        registration_id: Set(row.id),
        generation: Set(next_generation(write, row.id).await?),
        status: set_word(ClientStatus::Unusable),
        method: set_word(RegistrationMethod::Dcr),
        issuer: Set(discovery.issuer.clone()),
        client_id: Set(client_id.clone()),
        registration_access_token_id: Set(token),
        registration_client_uri: Set(Some(uri.clone())),
        auth_method: Set("none".to_owned()),
        metadata_digest: Set(context.desired.digest.clone()),
        response: Set("{}".to_owned()),
        warnings: Set("[]".to_owned()),
        discovery: Set(serde_json::to_string(discovery)?),
        created_at: Set(write.millis()),
        ended_at: Set(Some(write.millis())),
        request: Set(tried.request.clone()),
        withdraw_failures: Set(0),
        settings_generation: Set(Some(context.row.layers.in_force.generation)),
        ..Default::default()
    }
    .insert(&write.txn)
    .await?;
    Ok(Some(id))
}
