use sea_orm::entity::prelude::*;

/// What an upstream server said about itself, of an integration or of one server. Written by gateways' syncs and by the
/// registry's own look.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "server_info")]
pub struct Model {
    /// The integration or the server.
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: Uuid,
    /// JSON of `ServerInfo`.
    pub info: String,
    /// A word of `SyncStatus`.
    pub status: String,
    /// When `info` was last confirmed, in epoch milliseconds, to about ten minutes; null: never.
    pub synced_at: Option<i64>,
    /// When somebody last tried to connect, in epoch milliseconds, to about ten minutes.
    pub tried_at: i64,
    /// Why the last try failed, a sentence; null: it did not.
    pub error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
