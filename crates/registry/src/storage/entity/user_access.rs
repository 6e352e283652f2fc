use sea_orm::entity::prelude::*;

/// Whether one user may use one server, where that differs from `server.allows_users`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_access")]
pub struct Model {
    /// The server.
    #[sea_orm(primary_key, auto_increment = false)]
    pub server_id: Uuid,
    /// The user: the id of a user or API key, or the subject of a token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// Whether the user may use the server.
    pub enabled: bool,
    /// When the row was last written, in epoch milliseconds.
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
