use sea_orm::entity::prelude::*;

/// A one-time sign-in link. Written by user administration and by the operator.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_link")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The user whom the link signs in.
    pub user_id: Uuid,
    /// SHA-256 of the token of the link, 32 bytes; unique.
    pub token_hash: Vec<u8>,
    /// When the row was created, in epoch milliseconds.
    pub created_at: i64,
    /// When the link expires, in epoch milliseconds.
    pub expires_at: i64,
    /// When it was used, in epoch milliseconds; null: not yet.
    pub used_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
