use sea_orm::entity::prelude::*;

/// An integration that is available in one workspace.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "server")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The integration.
    pub integration_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// Name in URLs, as the user wrote it.
    pub slug: String,
    /// `slug` in lower case; unique in the workspace among rows that are not deleted.
    pub slug_key: String,
    /// Name for display, 1 to 255 characters.
    pub name: String,
    /// Description for display.
    pub description: Option<String>,
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
    /// When the row was deleted, in epoch milliseconds; null: not deleted. Deleted rows are kept for history.
    pub deleted_at: Option<i64>,
    /// The revision of the organisation's layer that the server is resolved from. Written when the server is created and
    /// by rollouts, never by other saves of the row.
    pub organisation_revision: i64,
    /// Whether users without a row in `user_access` may use the server.
    pub allows_users: bool,
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
