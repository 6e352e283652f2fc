use sea_orm::entity::prelude::*;

/// A user. Written by user administration and by sign-in.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// E-mail address, as it was entered.
    pub email: String,
    /// `email` in lower case; unique.
    pub email_key: String,
    /// Name for display.
    pub name: String,
    /// Role in the whole organisation, a word of `Role`; `none`: no role there.
    pub role: String,
    /// The workspace that the user acts in; null: the whole organisation. Written by the user.
    pub workspace_id: Option<Uuid>,
    /// PHC string of the password (argon2id); null: no password.
    pub password_hash: Option<String>,
    /// Issuer and `sub` at the identity provider, separated by a space; unique; null: not linked.
    pub subject: Option<String>,
    /// When the row was created, in epoch milliseconds.
    pub created_at: i64,
    /// When the row was last written, in epoch milliseconds.
    pub updated_at: i64,
    /// When the user last signed in, in epoch milliseconds; null: never.
    pub last_sign_in_at: Option<i64>,
    /// When the user was deactivated, in epoch milliseconds; null: active.
    pub deactivated_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
