//! Secrets that are entered again. One that is stored already keeps its row and its marker, so that a text that says the
//! same again is the same text.

use crate::secrets::rotation::sealed;
use crate::storage::entity::{access, registration, sealed_value};
use crate::storage::owner::{Owner, OwnerKind};
use crate::storage::write::MAX_ROWS_PER_STATEMENT;
use crate::{Registry, Result};
use registry_core::id::SealedId;
use registry_core::metadata::NewSecret;
use registry_core::secret::Secret;
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};
use std::collections::HashMap;
use uuid::Uuid;

/// The secrets of a text, each with the stored value at its place (`None`: there is none that may be kept).
pub(crate) type Entered<'a> = (&'a NewSecret, Option<SealedId>);

/// Stored values that were read beforehand, by id.
pub(crate) type SealedRows = HashMap<Uuid, sealed_value::Model>;

/// The values of these ids.
pub(crate) async fn read_sealed(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<SealedRows> {
    let mut rows = HashMap::new();
    for chunk in ids.chunks(MAX_ROWS_PER_STATEMENT) {
        let select =
            sealed_value::Entity::find().filter(sealed_value::Column::Id.is_in(chunk.iter().copied()));
        rows.extend(select.all(db).await?.into_iter().map(|row| (row.id, row)));
    }
    Ok(rows)
}

/// For each entered secret the id of the stored value that equals it. A value that cannot be opened equals nothing: what
/// was entered repairs it. `read`: the stored values, where they were read for many texts at once.
pub(crate) async fn stored_equals(
    registry: &Registry,
    db: &impl ConnectionTrait,
    owner: Owner,
    entered: &[Entered<'_>],
    read: Option<&SealedRows>,
) -> Result<Vec<Option<SealedId>>> {
    let ids: Vec<Uuid> = entered.iter().filter_map(|(_, stored)| stored.map(|id| id.0)).collect();
    let mut rows = match read {
        Some(read) => ids.iter().filter_map(|id| Some((*id, read.get(id)?.clone()))).collect(),
        None => read_sealed(db, &ids).await?,
    };
    let is_bound = rows.values().any(|row| row.bound_to.is_some());
    // Where a registration was stopped because its secret belongs to another issuer, the secret that is entered again is
    // meant for the new issuer (INV-2): its row must not stay bound to the old one.
    if is_bound && waits_for_confirmation(db, owner).await? {
        rows.retain(|_, row| row.bound_to.is_none());
    }
    let equals = |(secret, id): &Entered<'_>| {
        let id = (*id)?;
        let known = registry.ring().open(id, &sealed(rows.remove(&id.0)?)).ok()?;
        (known == Secret::from(secret.expose())).then_some(id)
    };
    Ok(entered.iter().map(equals).collect())
}

/// Whether a registration that uses the secrets of `owner` was stopped with `issuer_changed`.
async fn waits_for_confirmation(db: &impl ConnectionTrait, owner: Owner) -> Result<bool> {
    use registration::Column;
    let stopped = registration::Entity::find().filter(Column::Reason.eq("issuer_changed"));
    let stopped = match owner.kind {
        OwnerKind::Organisation => stopped,
        OwnerKind::Integration => stopped.filter(Column::IntegrationId.eq(owner.id)),
        OwnerKind::Server => stopped.filter(Column::ServerId.eq(owner.id)),
        OwnerKind::Access => {
            let of_row = |column| {
                let mut select = Query::select();
                select.column(column).from(access::Entity).and_where(access::Column::Id.eq(owner.id));
                select
            };
            stopped
                .filter(Column::IntegrationId.in_subquery(of_row(access::Column::IntegrationId)))
                .filter(Column::WorkspaceId.in_subquery(of_row(access::Column::WorkspaceId)))
        }
        OwnerKind::Draft | OwnerKind::OauthClient | OwnerKind::Audit => return Ok(false),
    };
    Ok(stopped.count(db).await? > 0)
}
