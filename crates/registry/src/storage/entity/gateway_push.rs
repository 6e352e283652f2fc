use sea_orm::entity::prelude::*;

/// How far a configured gateway was told of changes. Written by the process that tells it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "gateway_push")]
pub struct Model {
    /// The address of the gateway, from the settings.
    #[sea_orm(primary_key, auto_increment = false)]
    pub url: String,
    /// The revision of the last change that it was told.
    pub position: i64,
    /// Name of the process that tells it; null: none yet.
    pub lease_owner: Option<String>,
    /// Until when no other process takes over, in epoch milliseconds.
    pub lease_until: i64,
    /// When it was last told something, or there was nothing to tell, in epoch milliseconds; null: never.
    pub told_at: Option<i64>,
    /// Since when it cannot be told, in epoch milliseconds; null: it can.
    pub failing_since: Option<i64>,
    /// How many tries failed in a row.
    pub tries: i64,
    /// When the next try may begin, in epoch milliseconds.
    pub next_at: i64,
    /// Why the last try failed, a sentence; null: it did not.
    pub error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
