//! Loading a claimed registration: what is wanted, what is known.

use crate::actor::Actor;
use crate::configuration::layers::{ServerLayers, ServerScope};
use crate::lookup::clients::{active_client, active_clients};
use crate::ports::registration_queue::{Claim, StepError};
use crate::registration::context::{Context, LoadedRow, claimed};
use crate::registration::failures::leave_open;
use crate::storage::columns::{json, moment};
use crate::storage::entity::{attempt, oauth_client, registration};
use crate::storage::write::Write;
use crate::{Error, Registry, Result};
use registry_core::id::{OauthClientId, ServerId};
use registry_core::oauth::Discovery;
use registry_core::registration::{ClientStatus, EndingClient, Observed, Request, State};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

/// What is wanted and known. A request that another worker sent and never recorded
/// an answer for becomes a lost answer here: its lease has ended, so no worker waits for it.
pub(crate) async fn load(registry: &Registry, claim: &Claim) -> Result<Context, StepError> {
    let mut write = registry.begin_write(&Actor::worker(&claim.worker)).await?;
    let mut row = claimed(&write, claim).await?;
    write.reload_settings().await?;
    let layers = layers_of(registry, &write, row.server_id).await?;
    let desired = registry.configurations().desired(&layers, Some(&row))?;
    let open = attempt::Entity::find()
        .filter(attempt::Column::RegistrationId.eq(row.id))
        .filter(attempt::Column::FinishedAt.is_null())
        .filter(attempt::Column::Fence.lt(claim.fence))
        .order_by_asc(attempt::Column::Number)
        .all(&write.txn)
        .await?;
    for left in open {
        row = leave_open(&mut write, row, &layers, &desired, &left).await?;
    }
    let context = Context {
        name: format!("{}/{}", layers.workspace.slug, layers.server.slug),
        observed: observed(&write, &row).await?,
        desired,
        row: LoadedRow {
            state: State::parse(&row.state).unwrap_or(State::Queued),
            desired_generation: row.wanted,
            layers,
        },
    };
    write.commit().await?;
    Ok(context)
}

pub(crate) async fn layers_of(registry: &Registry, write: &Write<'_>, server: Uuid) -> Result<ServerLayers> {
    registry
        .configurations()
        .load(&write.txn, ServerScope::Server(ServerId(server)), true)
        .await?
        .pop()
        .ok_or_else(|| Error::corrupt("registration", "server_id", server))
}

/// What is known of a registration.
pub(crate) async fn observed(write: &Write<'_>, row: &registration::Model) -> Result<Observed> {
    let clients = oauth_client::Entity::find()
        .filter(oauth_client::Column::RegistrationId.eq(row.id))
        .filter(
            oauth_client::Column::Status
                .is_in([ClientStatus::Draining.as_str(), ClientStatus::Unusable.as_str()]),
        )
        .all(&write.txn)
        .await?;
    let ending = clients.into_iter().map(|client| EndingClient {
        id: OauthClientId(client.id),
        ended_at: moment(client.ended_at.unwrap_or(client.created_at)),
        not_before: client.withdraw_not_before.map(moment),
        drains: client.status != ClientStatus::Unusable.as_str(),
    });
    let discovery = match (&row.discovery, row.discovered_at) {
        (Some(text), Some(at)) => {
            Some((json::<Discovery>(text, "registration", "discovery", row.id)?, moment(at)))
        }
        _ => None,
    };
    let active = active_clients(&write.txn, [row.id]).await?.pop();
    Ok(Observed {
        client: active.map(|client| active_client(&client)).transpose()?,
        ending: ending.collect(),
        // What an earlier release found does not say whether it lies in the operator's network: it is looked for again.
        rediscover_at: match &discovery {
            Some((found, at))
                if found.scope.is_none() && !write.registry.settings().egress.allow.is_empty() =>
            {
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
        not_before: row.not_before.map(moment),
        request: row.request.as_deref().and_then(Request::parse),
        skipped: row.skipped.clone(),
        held: row.held.clone(),
        document_unreachable_at: row.document_unreachable_at.map(moment),
        replaced_at: row.replaced_at.map(moment),
    })
}
