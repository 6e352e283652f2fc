use sea_orm::entity::prelude::*;

/// A browser session. Written by sign-in and by requests; deleted by sign-out, by administrators, or when it
/// expired.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// Id of the session (UUIDv7); not the value of the cookie.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// SHA-256 of the value of the cookie, 32 bytes; unique.
    pub token_hash: Vec<u8>,
    /// When the user signed in, in epoch milliseconds.
    pub created_at: i64,
    /// When it was last used, in epoch milliseconds, to the minute.
    pub last_seen_at: i64,
    /// When it expires unless it is used, in epoch milliseconds.
    pub expires_at: i64,
    /// IP address at sign-in.
    pub address: Option<String>,
    /// `User-Agent` at sign-in, the first 300 characters.
    pub user_agent: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "super::user::Entity", from = "Column::UserId", to = "super::user::Column::Id")]
    User,
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
