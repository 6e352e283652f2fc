use sea_orm::entity::prelude::*;

/// The change feed that gateways watch. Written only by `Write::commit`; never deleted.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "change")]
pub struct Model {
    /// Number in commit order, from 1, without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i64,
    /// `server`: the document of a server changed. `identity`: API keys, users or shared settings changed. `integration`:
    /// an integration with many servers changed; their own changes follow. `integration_deleted`, `workspace_deleted`: what
    /// many servers belong to was deleted; their own changes follow.
    pub kind: String,
    /// The workspace of the server, or the deleted one; null for other kinds.
    pub workspace_id: Option<Uuid>,
    /// The server; null for other kinds than `server`.
    pub server_id: Option<Uuid>,
    /// When the write began, in epoch milliseconds.
    pub at: i64,
    /// The integration; null for other kinds.
    pub integration_id: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
