use sea_orm::entity::prelude::*;

/// What an upstream server offers, and whether the integration allows it. Written by gateways' syncs, by the registry's own
/// look, and by user actions.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "capability")]
pub struct Model {
    /// The integration.
    #[sea_orm(primary_key, auto_increment = false)]
    pub integration_id: Uuid,
    /// A word of `CapabilityKind`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    /// What it is called by: a name, a URI or a URI template.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// JSON object of its other members; `{}`: switched before anybody saw it.
    pub definition: String,
    /// Whether servers of the integration may offer it.
    pub enabled: bool,
    /// When the row was created, in epoch milliseconds.
    pub created_at: i64,
    /// When the row was last written, in epoch milliseconds.
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
