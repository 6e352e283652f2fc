use sea_orm::entity::prelude::*;

/// A signed checkpoint of the audit log. Written once a day by the maintenance job.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_checkpoint")]
pub struct Model {
    /// Number of the audit event that the checkpoint covers last.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// When it was signed, in epoch milliseconds.
    pub at: i64,
    /// Hash of that event (`audit_event.hash`), hex SHA-256.
    pub hash: String,
    /// Whether the events up to this one were deleted because they are older than the retention period.
    pub pruned: bool,
    /// The Ed25519 public key that verifies the signature, hex.
    pub public_key: String,
    /// Ed25519 signature of number, hash, time and `pruned`, base64.
    pub signature: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
