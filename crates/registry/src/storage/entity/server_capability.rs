use sea_orm::entity::prelude::*;

/// What was seen at one server, and whether the server narrows it. Written by gateways' syncs and by user actions.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "server_capability")]
pub struct Model {
    /// The server.
    #[sea_orm(primary_key, auto_increment = false)]
    pub server_id: Uuid,
    /// A word of `CapabilityKind`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    /// What it is called by: a name, a URI or a URI template.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// JSON object of its other members as this server describes them; null: not seen at this server.
    pub definition: Option<String>,
    /// Whether the server offers it; null: as the integration says. True cannot widen what the integration forbids.
    pub enabled: Option<bool>,
    /// When the row was created, in epoch milliseconds.
    pub created_at: i64,
    /// When the row was last written, in epoch milliseconds.
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
