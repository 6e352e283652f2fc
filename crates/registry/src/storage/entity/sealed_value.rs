use sea_orm::entity::prelude::*;

/// A secret at rest, encrypted with AES-256-GCM. Written by the code that owns the secret; `seal rotate`
/// re-encrypts it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sealed_value")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Table of the row that the secret belongs to: `organisation`, `integration`, `access`, `server`,
    /// `draft`, `oauth_client` or `audit`.
    pub owner_kind: String,
    /// Id of that row.
    pub owner_id: Uuid,
    /// JSON Pointer of the secret in the configuration of that row, or its name.
    pub pointer: String,
    /// Id of the sealing key that encrypts the data key.
    pub key_id: String,
    /// Nonce and encrypted data key; null: the sealing key encrypts the secret itself (releases without data
    /// keys).
    pub data_key: Option<Vec<u8>>,
    /// Nonce of `ciphertext`, 12 bytes.
    pub nonce: Vec<u8>,
    /// The encrypted secret with its authentication tag.
    pub ciphertext: Vec<u8>,
    /// Issuer that the secret may be sent to only; null: no such limit. Written by the worker.
    pub bound_to: Option<String>,
    /// When the secret was stored, in epoch milliseconds.
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
