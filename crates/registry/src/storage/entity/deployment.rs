use sea_orm::entity::prelude::*;

/// Values that all processes of the deployment share: schema, settings, check values of the
/// sealing keys, clock.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deployment")]
pub struct Model {
    /// Name of the value; unique.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// JSON of the value.
    pub value: String,
    /// When the value was last written, in epoch milliseconds.
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
