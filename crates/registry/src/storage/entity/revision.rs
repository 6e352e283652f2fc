use sea_orm::entity::prelude::*;

/// One version of an Advanced Configuration. Written with each save; never changed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "revision")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Kind of the configuration: `organisation`, `integration`, `access` or `server`.
    pub subject_kind: String,
    /// Id of the row that the configuration belongs to.
    pub subject_id: Uuid,
    /// Number among the versions of that configuration, from 1.
    pub number: i64,
    /// JSON of the configuration, secrets replaced by markers; null: it was removed.
    pub text: Option<String>,
    /// Name of the actor who saved it.
    pub actor: String,
    /// Channel of the request: `api`, `web`, `worker` or `cli`.
    pub door: String,
    /// Free text of that actor.
    pub note: Option<String>,
    /// Number of the version that was restored with it; null: none.
    pub restored_from: Option<i64>,
    /// When it was saved, in epoch milliseconds.
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
