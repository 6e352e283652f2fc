use sea_orm::entity::prelude::*;

/// One event of the hash-chained audit log. Written only by `Write::commit`; deleted only by retention.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_event")]
pub struct Model {
    /// Number in commit order, from 1, without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// Id of the event (UUIDv7).
    pub id: Uuid,
    /// When the write began, in epoch milliseconds.
    pub at: i64,
    /// `user`, `api_key`, `token`, `operator` or `system`.
    pub actor_kind: String,
    /// Id of the actor: of a user or key its row, of a token its `sub`; null: none.
    pub actor_id: Option<String>,
    /// Name of the actor at that time.
    pub actor_name: String,
    /// Channel of the request: `api`, `web`, `worker` or `cli`.
    pub door: String,
    /// What happened, for example `integration.updated`.
    pub action: String,
    /// Kind of the object that was changed, for example `integration`.
    pub subject_kind: String,
    /// Id of that object.
    pub subject_id: Option<String>,
    /// Name of that object at that time.
    pub subject_name: Option<String>,
    /// The workspace that the event belongs to; null: the organisation.
    pub workspace_id: Option<Uuid>,
    /// Id of the HTTP request, as in the log and the response.
    pub request_id: Option<String>,
    /// IP address of the client.
    pub address: Option<String>,
    /// JSON of the changed members before, without secrets.
    pub before: Option<String>,
    /// JSON of the changed members after, without secrets.
    pub after: Option<String>,
    /// `hash` of the event before; empty for the first one.
    pub previous_hash: String,
    /// Hex SHA-256 over all other columns: each event confirms the one before.
    pub hash: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
