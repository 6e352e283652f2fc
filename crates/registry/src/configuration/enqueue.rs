//! Makes registrations due after a change, many with a few statements.

use crate::Result;
use crate::configuration::costs::KnownClients;
use crate::configuration::layers::{ServerLayers, auth_type};
use crate::storage::columns::set_word;
use crate::storage::entity::registration;
use crate::storage::write::{MAX_ROWS_PER_STATEMENT, Write};
use registry_core::origin::origin_of;
use registry_core::registration::State;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, SimpleExpr};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

/// Why registrations are enqueued.
#[derive(Clone, Copy)]
pub(crate) struct Cause<'a> {
    /// A few words for display.
    pub(crate) because: &'a str,
    /// The rollout that does it.
    pub(crate) rollout: Option<Uuid>,
}

impl<'a> From<&'a str> for Cause<'a> {
    fn from(because: &'a str) -> Self {
        Self { because, rollout: None }
    }
}

/// Makes the registrations of these servers due now; creates them where servers need one.
pub(crate) async fn enqueue(
    write: &Write<'_>,
    servers: &[&ServerLayers],
    known: &KnownClients,
    cause: Cause<'_>,
) -> Result<()> {
    let (mut enabled, mut disabled, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for layers in servers {
        match known.registration_and_client(layers) {
            Some((row, _)) if layers.enabled => enabled.push(row.id),
            Some((row, _)) => disabled.push(row.id),
            None if auth_type(&layers.integration)?.needs_client() => new.push(new_row(write, layers, cause)),
            None => {}
        }
    }
    for (ids, enabled) in [(enabled, true), (disabled, false)] {
        for chunk in ids.chunks(MAX_ROWS_PER_STATEMENT) {
            make_due(write, chunk, enabled, cause).await?;
        }
    }
    for chunk in new.chunks(MAX_ROWS_PER_STATEMENT) {
        registration::Entity::insert_many(chunk.iter().cloned()).exec_without_returning(&write.txn).await?;
    }
    Ok(())
}

/// Makes the first registration of a server, due now. Returns its id.
pub(crate) async fn enqueue_first(
    write: &Write<'_>,
    layers: &ServerLayers,
    cause: Cause<'_>,
) -> Result<Uuid> {
    let row = new_row(write, layers, cause);
    let id = row.id.clone().take().unwrap_or_default();
    registration::Entity::insert(row).exec_without_returning(&write.txn).await?;
    Ok(id)
}

fn new_row(write: &Write<'_>, layers: &ServerLayers, cause: Cause<'_>) -> registration::ActiveModel {
    let now = write.millis();
    registration::ActiveModel {
        id: Set(write.registry.new_id()),
        server_id: Set(layers.server.id),
        workspace_id: Set(layers.server.workspace_id),
        integration_id: Set(layers.server.integration_id),
        state: set_word(State::Queued),
        due_at: Set(now),
        wanted: Set(1),
        wanted_because: Set(Some(cause.because.to_owned())),
        unwanted_since: Set((!layers.enabled).then_some(now)),
        upstream: Set(Some(origin_of(&layers.integration.url))),
        rollout_id: Set(cause.rollout),
        settled: Set(0),
        failures: Set(0),
        lost_answers: Set(0),
        lease_until: Set(0),
        fence: Set(0),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    }
}

async fn make_due(write: &Write<'_>, ids: &[Uuid], enabled: bool, cause: Cause<'_>) -> Result<()> {
    use registration::Column;
    let now = write.millis();
    // The change may have fixed the failure: show `queued` instead of the old failure.
    let ended = || Column::State.is_in([State::Failed.as_str(), State::Withdrawn.as_str()]);
    let unless_ended = |column: Column| -> SimpleExpr {
        CaseStatement::new().case(ended(), Expr::value(None::<String>)).finally(Expr::col(column)).into()
    };
    let state = CaseStatement::new().case(ended(), State::Queued.as_str()).finally(Expr::col(Column::State));
    // A registration that failed before does not count as a failure of the rollout.
    let rollout = CaseStatement::new()
        .case(Column::State.eq(State::Failed.as_str()), Expr::value(None::<Uuid>))
        .finally(Expr::value(cause.rollout));
    let since: SimpleExpr =
        if enabled { Expr::value(None::<i64>) } else { Expr::col(Column::UnwantedSince).if_null(now) };
    registration::Entity::update_many()
        .col_expr(Column::Wanted, Expr::col(Column::Wanted).add(1))
        .col_expr(Column::WantedBecause, Expr::value(cause.because))
        .col_expr(Column::DueAt, Expr::value(now))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .col_expr(Column::UnwantedSince, since)
        .col_expr(Column::Reason, unless_ended(Column::Reason))
        .col_expr(Column::Detail, unless_ended(Column::Detail))
        .col_expr(Column::Error, unless_ended(Column::Error))
        .col_expr(Column::ErrorDescription, unless_ended(Column::ErrorDescription))
        .col_expr(Column::RolloutId, rollout.into())
        .col_expr(Column::State, state.into())
        .filter(Column::Id.is_in(ids.iter().copied()))
        .exec(&write.txn)
        .await?;
    Ok(())
}

/// Records that the client of a registration is replaced for these inputs only after approval.
pub(crate) async fn require_approval(write: &Write<'_>, registration: Uuid, inputs: &str) -> Result<()> {
    registration::ActiveModel {
        id: Set(registration),
        held: Set(Some(inputs.to_owned())),
        ..Default::default()
    }
    .update(&write.txn)
    .await?;
    Ok(())
}
