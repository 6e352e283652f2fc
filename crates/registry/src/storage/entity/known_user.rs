use sea_orm::entity::prelude::*;

/// A caller of gateways that is no user of this registry: an API key, or the subject of a token. Written when a gateway asks
/// whether it may use a server.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "known_user")]
pub struct Model {
    /// The id of the API key, or the subject of the token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Name for display.
    pub name: String,
    /// The workspace that it is bound to; null: none.
    pub workspace_id: Option<Uuid>,
    /// When a gateway last asked, in epoch milliseconds, to about ten minutes.
    pub seen_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
