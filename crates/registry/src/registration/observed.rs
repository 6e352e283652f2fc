//! A registration as its plan sees it: what is wanted, what is known.

use crate::actor::Actor;
use crate::lookup::clients::active_client;
use crate::ports::registration_queue::{Claim, StepError};
use crate::registration::context::{Context, LoadedRow, claimed};
use crate::registration::failures::leave_open;
use crate::registration::situation::{LoadedRegistration, clients_of, load_situations};
use crate::storage::columns::{json, moment};
use crate::storage::entity::{attempt, oauth_client, registration};
use crate::{Error, Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::id::OauthClientId;
use registry_core::oauth::Discovery;
use registry_core::registration::{ClientStatus, EndingClient, Observed, Request};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

/// What is wanted and known. A request that another worker sent and never recorded
/// an answer for becomes a lost answer here: its lease has ended, so no worker waits for it.
pub(crate) async fn load(registry: &Registry, claim: &Claim) -> Result<Context, StepError> {
    let mut write = registry.begin_unchecked_write(&Actor::worker(&claim.worker)).await?;
    let row = claimed(&write, claim).await?;
    // After the row is locked: what enqueues a registration changes the row in the same transaction, so that the row and
    // what is read here fit together.
    let mut loaded = load_situations(registry, &write.txn, &[row.id]).await?;
    write.check_deployment(loaded.deployment)?;
    let situation = loaded.situations.pop();
    let mut situation =
        situation.ok_or_else(|| Error::corrupt("registration", "server_id", row.server_id))?;
    if !situation.is_open {
        write.txn.rollback().await?;
        return Ok(context_of(registry, situation)?);
    }
    let open = attempt::Entity::find()
        .filter(attempt::Column::RegistrationId.eq(row.id))
        .filter(attempt::Column::FinishedAt.is_null())
        .filter(attempt::Column::Fence.lt(claim.fence))
        .order_by_asc(attempt::Column::Number)
        .all(&write.txn)
        .await?;
    let layers = situation.layers?;
    let desired = registry.configurations().desired(&layers, Some(&situation.row))?;
    for left in open {
        situation.row = leave_open(&mut write, situation.row, &layers, &desired, &left).await?;
    }
    situation.clients = clients_of(&write.txn, [row.id]).await?.remove(&row.id).unwrap_or_default();
    situation.layers = Ok(layers);
    let context = context_of(registry, situation)?;
    write.commit().await?;
    Ok(context)
}

/// What is wanted and known of a registration that was loaded.
pub(crate) fn context_of(registry: &Registry, situation: LoadedRegistration) -> Result<Context> {
    let LoadedRegistration { row, layers, clients, newest_generation, .. } = situation;
    let layers = layers?;
    Ok(Context {
        name: format!("{}/{}", layers.workspace.slug, layers.server.slug),
        observed: observed(registry, &row, &clients, discovery_of(&row)?)?,
        desired: registry.configurations().desired(&layers, Some(&row))?,
        row: LoadedRow { row, layers, newest_generation },
    })
}

/// The last discovery of a registration that succeeded, and when.
fn discovery_of(row: &registration::Model) -> Result<Option<(Discovery, Timestamp)>> {
    match (&row.discovery, row.discovered_at) {
        (Some(text), Some(at)) => Ok(Some((json(text, "registration", "discovery", row.id)?, moment(at)))),
        _ => Ok(None),
    }
}

/// What is known of a registration with these `clients` and this `discovery`.
pub(crate) fn observed(
    registry: &Registry,
    row: &registration::Model,
    clients: &[oauth_client::Model],
    discovery: Option<(Discovery, Timestamp)>,
) -> Result<Observed> {
    let (active, ending): (Vec<_>, Vec<_>) =
        clients.iter().partition(|client| client.status == ClientStatus::Active.as_str());
    let ending = ending.into_iter().map(|client| EndingClient {
        id: OauthClientId(client.id),
        ended_at: moment(client.ended_at.unwrap_or(client.created_at)),
        not_before: client.withdraw_not_before.map(moment),
        drains: client.status != ClientStatus::Unusable.as_str(),
    });
    Ok(Observed {
        client: active.first().map(|client| active_client(client)).transpose()?,
        ending: ending.collect(),
        // What an earlier release found does not say whether it lies in the operator's network: it is looked for again.
        rediscover_at: match &discovery {
            Some((found, at)) if found.scope.is_none() && !registry.settings().egress.allow.is_empty() => {
                Some(*at)
            }
            _ => row.rediscover_at.map(moment),
        },
        discovery,
        failed: row.reason.clone().zip(row.failed_inputs.clone()),
        lost: row
            .lost_inputs
            .clone()
            .map(|inputs| (u32::try_from(row.lost_answers).unwrap_or(u32::MAX), inputs)),
        failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
        not_before: row.not_before.map(moment),
        request: row.request.as_deref().and_then(Request::parse),
        skipped: row.skipped.clone(),
        held: row.held.clone(),
        document_unreachable_at: row.document_unreachable_at.map(moment),
        replaced_at: row.replaced_at.map(moment),
    })
}
