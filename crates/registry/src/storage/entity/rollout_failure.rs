use sea_orm::entity::prelude::*;

/// A server that could not take the change of a rollout, because its metadata would contradict itself. Written by the
/// worker; the server keeps the revision that it had.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rollout_failure")]
pub struct Model {
    /// The rollout.
    #[sea_orm(primary_key, auto_increment = false)]
    pub rollout_id: Uuid,
    /// The server.
    #[sea_orm(primary_key, auto_increment = false)]
    pub server_id: Uuid,
    /// JSON list of the findings.
    pub findings: String,
    /// When it was found, in epoch milliseconds.
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
