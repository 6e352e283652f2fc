use crate::storage::columns::{NEVER, moment};
use registry_core::clock::Timestamp;
use sea_orm::entity::prelude::*;

/// The registration of one server: the resource that the worker reconciles.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registration")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The server; unique.
    pub server_id: Uuid,
    /// The workspace of the server, for lists.
    pub workspace_id: Uuid,
    /// The integration of the server, for lists.
    pub integration_id: Uuid,
    /// A word of `State`. Written by the worker, and `queued` by saves and by user actions.
    pub state: String,
    /// Code of the present problem (`docs/registration-failures.md`); null: none.
    pub reason: Option<String>,
    /// The problem as a sentence.
    pub detail: Option<String>,
    /// The OAuth `error` that the authorization server answered last.
    pub error: Option<String>,
    /// The OAuth `error_description` that the authorization server answered last.
    pub error_description: Option<String>,
    /// When a worker looks at it next, in epoch milliseconds. Written by the worker and by every write that
    /// enqueues it.
    pub due_at: i64,
    /// Before when nothing is sent upstream, in epoch milliseconds; null: no limit. Written by the worker.
    pub not_before: Option<i64>,
    /// Desired generation: grows by one with each change of its inputs.
    pub wanted: i64,
    /// The last desired generation that the worker finished with: it is reached, or a user must act. Written by the worker.
    pub settled: i64,
    /// Why `wanted` last changed, a few words for display.
    pub wanted_because: Option<String>,
    /// Pending request of a user, a word of `Request`; null: none. Written by user actions, cleared by the
    /// worker.
    pub request: Option<String>,
    /// Count of failures in a row. Written by the worker, and set to 0 by a request of a user.
    pub failures: i64,
    /// Count of registrations whose answer was lost, for the inputs in `lost_inputs`. Written by the worker.
    pub lost_answers: i64,
    /// The inputs (`Desired::inputs`) for which `reason` is final; other inputs are tried again. Written by
    /// the worker.
    pub failed_inputs: Option<String>,
    /// Name of the worker that holds the lease; null: none.
    pub lease_owner: Option<String>,
    /// When the lease ends, in epoch milliseconds by the clock of the database; 0: no lease.
    pub lease_until: i64,
    /// Fencing token: grows by one with each claim.
    pub fence: i64,
    /// JSON of the `Discovery` of its authorization server; null: not discovered yet. Written by the worker.
    pub discovery: Option<String>,
    /// When that was, in epoch milliseconds.
    pub discovered_at: Option<i64>,
    /// When the row was created, in epoch milliseconds.
    pub created_at: i64,
    /// When the row was last written, in epoch milliseconds.
    pub updated_at: i64,
    /// When discovery is repeated, in epoch milliseconds. Written by the worker, gateway feedback and user
    /// actions.
    pub rediscover_at: Option<i64>,
    /// Since when its server may not be used, in epoch milliseconds; null: it may. Written by saves.
    pub unwanted_since: Option<i64>,
    /// When a user stopped it, in epoch milliseconds; null: not stopped. Written by user actions.
    pub stopped_at: Option<i64>,
    /// When its published document was last found unreachable from outside, in epoch milliseconds. Written by
    /// the worker.
    pub document_unreachable_at: Option<i64>,
    /// When a report of a gateway last led to a new client, in epoch milliseconds. Written by the worker.
    pub replaced_at: Option<i64>,
    /// The send slot that is reserved at its issuer, in epoch milliseconds; null: none. Written by the
    /// worker.
    pub slot_at: Option<i64>,
    /// The step that failed last, a word of `AttemptStep`. Written by the worker.
    pub failed_step: Option<String>,
    /// The inputs (`Desired::inputs`) whose answer was lost. Written by the worker.
    pub lost_inputs: Option<String>,
    /// The inputs (`Desired::inputs`) for which a user keeps the present client. Written by user actions.
    pub skipped: Option<String>,
    /// Origin that is contacted, for fair claims: of the MCP server, after discovery of the registration
    /// endpoint.
    pub upstream: Option<String>,
    /// Random id in the URL of its Client ID Metadata Document; unique. Written by the worker.
    pub document_id: Option<String>,
    /// JSON of the published Client ID Metadata Document; null: none.
    pub document: Option<String>,
    /// The inputs (`Desired::inputs`) for which a new client needs approval whatever the policy says. Written
    /// by saves.
    pub held: Option<String>,
    /// The rollout that enqueued it last; null: none, or it had failed before that rollout. Written by rollouts.
    pub rollout_id: Option<Uuid>,
    /// The issuer of its active client, for lists; null: it has none. Written by triggers of `oauth_client`.
    pub client_issuer: Option<String>,
    /// The method of its active client, for lists; null: it has none. Written by triggers of `oauth_client`.
    pub client_method: Option<String>,
}

impl Model {
    /// When it is tried again after a failure; `None` also where nothing is tried until something happens.
    pub(crate) fn next_try(&self) -> Option<Timestamp> {
        self.not_before.filter(|_| self.due_at != NEVER).map(moment)
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::server::Entity",
        from = "Column::ServerId",
        to = "super::server::Column::Id"
    )]
    Server,
}

impl Related<super::server::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Server.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
