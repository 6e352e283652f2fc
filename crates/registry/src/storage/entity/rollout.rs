use sea_orm::entity::prelude::*;

/// A saved change on its way to the servers under its layer. Written by saves of many servers, by the worker with each
/// batch, and by user actions.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rollout")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What changed, a word of `RolloutKind`.
    pub kind: String,
    /// The integration whose servers it reaches; null: all servers, or those of `workspace_id`.
    pub integration_id: Option<Uuid>,
    /// JSON list of the ids of the workspaces whose servers it reaches; null: of all workspaces.
    pub workspaces: Option<String>,
    /// The revision of the organisation's layer that servers move to; null for other kinds.
    pub revision: Option<i64>,
    /// Why registrations are enqueued, a few words for display.
    pub because: String,
    /// Whether clients that cannot be updated in place stay in use until a user approves.
    pub holds_replacements: bool,
    /// A word of `RolloutState`.
    pub state: String,
    /// How many servers it reaches in all.
    pub total: i64,
    /// Whether `total` was counted to the end.
    pub total_is_exact: bool,
    /// How many servers it has reached.
    pub processed: i64,
    /// JSON of the impact so far (`Affected`).
    pub affected: String,
    /// How many servers could not take the change, because their metadata would contradict itself.
    pub refused: i64,
    /// It stops when it has more failures than this; null: never.
    pub max_failures: Option<i64>,
    /// How many servers are reached before the rest waits for their registrations; 0: no canary.
    pub canary_size: i64,
    /// Whether the rest may follow.
    pub canary_passed: bool,
    /// The id of the server that it reached last; null: none yet. Servers are reached in the order of their ids.
    pub position: Option<Uuid>,
    /// JSON list of the ids of sealed values that only the revisions before contain; they are deleted when no server
    /// uses those revisions.
    pub old_secrets: Option<String>,
    /// Name of the worker that carries it out; null: none yet.
    pub lease_owner: Option<String>,
    /// Until when no other worker takes it over, in epoch milliseconds; 0: any may.
    pub lease_until: i64,
    /// When the row was created, in epoch milliseconds.
    pub created_at: i64,
    /// Name of the actor who saved the change.
    pub created_by: String,
    /// When the row was last written, in epoch milliseconds.
    pub updated_at: i64,
    /// When it ended, in epoch milliseconds; null: it has not.
    pub finished_at: Option<i64>,
    /// The deleted workspace whose servers it deletes; null for other kinds, and for a deleted integration.
    pub workspace_id: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
