use sea_orm::entity::prelude::*;

/// The access of one workspace to one integration, where it differs from the default.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The integration.
    pub integration_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// Whether the workspace may use the integration; null: as `integration.global_access` says.
    pub enabled: Option<bool>,
    /// JSON of the Advanced Configuration of this layer, secrets replaced by markers; null: none.
    pub configuration: Option<String>,
    /// Number of the newest revision of `configuration`; 0: none was ever saved.
    pub configuration_revision: i64,
    /// Count of writes of the row, from 1; optimistic locking (`If-Match`).
    pub version: i64,
    /// When the row was created, in epoch milliseconds.
    pub created_at: i64,
    /// When the row was last written, in epoch milliseconds.
    pub updated_at: i64,
    /// Name of the actor who created the row.
    pub created_by: String,
    /// Name of the actor who last wrote the row.
    pub updated_by: String,
    /// Whether the API last named the workspace of the row by its slug, and shows it so. Written by changes of access.
    pub by_slug: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::integration::Entity",
        from = "Column::IntegrationId",
        to = "super::integration::Column::Id"
    )]
    Integration,
    #[sea_orm(
        belongs_to = "super::workspace::Entity",
        from = "Column::WorkspaceId",
        to = "super::workspace::Column::Id"
    )]
    Workspace,
}

impl Related<super::integration::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Integration.def()
    }
}

impl Related<super::workspace::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Workspace.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
