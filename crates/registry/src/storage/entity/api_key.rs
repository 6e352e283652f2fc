use sea_orm::entity::prelude::*;

/// An API key. Its text is not stored.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Name that its creator chose, 1 to 255 characters.
    pub name: String,
    /// The first nine characters of the key, for display.
    pub prefix: String,
    /// SHA-256 of the whole key, 32 bytes; unique.
    pub key_hash: Vec<u8>,
    /// Role, a word of `Role`.
    pub role: String,
    /// JSON array of scope names that narrow the role; `[]`: all that the role allows.
    pub scopes: String,
    /// The workspace that the key is bound to; null: the whole organisation.
    pub workspace_id: Option<Uuid>,
    /// When the key expires, in epoch milliseconds; null: never.
    pub expires_at: Option<i64>,
    /// When the key was last used, in epoch milliseconds, to the minute. Written by authentication.
    pub last_used_at: Option<i64>,
    /// IP address of the last use. Written with `last_used_at`.
    pub last_address: Option<String>,
    /// Name of the actor who created the key.
    pub created_by: String,
    /// When the key was created, in epoch milliseconds.
    pub created_at: i64,
    /// When the key was revoked, in epoch milliseconds; null: not revoked. Written by revocation, rotation
    /// and restore.
    pub revoked_at: Option<i64>,
    /// Free text of its creator, at most 500 characters.
    pub reason: Option<String>,
    /// The key that a rotation created in its place.
    pub replaced_by: Option<Uuid>,
    /// The key whose holder created this one; null: a user, a token or the operator did.
    pub made_by: Option<Uuid>,
    /// What the hosted product calls the key, a word of `ApiKeyKind`; null: it was made with a role.
    pub kind: Option<String>,
    /// The user that the key is for; null: it is for a program.
    pub user_id: Option<Uuid>,
    /// When name, scopes or expiry were last changed, in epoch milliseconds; null: never.
    pub updated_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
