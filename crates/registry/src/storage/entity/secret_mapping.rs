use sea_orm::entity::prelude::*;

/// A member of a configuration whose value comes from a declared secret. Written by saves, refreshed by the
/// maintenance job.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "secret_mapping")]
pub struct Model {
    /// Id of the row that the configuration belongs to.
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: Uuid,
    /// JSON Pointer of the member that gets the value.
    #[sea_orm(primary_key, auto_increment = false)]
    pub target: String,
    /// Table of that row, as in `revision.subject_kind`.
    pub owner_kind: String,
    /// Name of the declared secret (`secrets` in the settings).
    pub reference: String,
    /// Member of the secret, where it is a JSON object; null: the whole text.
    pub secret_key: Option<String>,
    /// How the value is written, a word of `ValueFormat`; null: as it is.
    pub value_format: Option<String>,
    /// JSON of a configuration with only this member, as it was read last, secrets replaced by markers.
    pub value: String,
    /// When it was last read, in epoch milliseconds.
    pub read_at: i64,
    /// Why it could not be read, a sentence; null: it could.
    pub problem: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
