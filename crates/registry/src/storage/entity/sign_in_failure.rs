use sea_orm::entity::prelude::*;

/// Failed password sign-ins for one e-mail address (lockout). Written by sign-in; deleted after a success, or
/// after a day.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_failure")]
pub struct Model {
    /// SHA-256 of the e-mail address in lower case, 32 bytes; there need be no such user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub email_hash: Vec<u8>,
    /// Count of failures in a row.
    pub failures: i32,
    /// When the last one was, in epoch milliseconds.
    pub last_at: i64,
    /// Until when sign-in is refused, in epoch milliseconds; 0: it is not.
    pub locked_until: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
