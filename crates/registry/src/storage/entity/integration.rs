use sea_orm::entity::prelude::*;

/// An upstream MCP server that workspaces can use.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "integration")]
#[expect(clippy::struct_excessive_bools, reason = "columns, each a fact of its own")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace that owns it; null: the organisation.
    pub workspace_id: Option<Uuid>,
    /// Name in URLs, as the user wrote it.
    pub slug: String,
    /// `slug` in lower case; unique among rows that are not deleted.
    pub slug_key: String,
    /// Name for display, 1 to 255 characters.
    pub name: String,
    /// Description for display.
    pub description: Option<String>,
    /// Address of the upstream MCP server.
    pub url: String,
    /// How gateways authenticate there, a word of `AuthType`.
    pub auth_type: String,
    /// MCP transport, a word of `Transport`.
    pub transport: String,
    /// Whether workspaces without an `access` row may use it.
    pub global_access: bool,
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
    /// Whether it is in use; false: no server of it is served and its clients are suspended.
    pub enabled: bool,
    /// Whether `configuration` sets client metadata. Derived from it with each save, for filters.
    pub custom_metadata: bool,
    /// Whether `configuration` holds a pre-registered client. Derived from it with each save, for filters.
    pub pre_registered: bool,
    /// Whether the last connection test failed. Written by the connection test.
    pub unreachable: bool,
    /// JSON of the `LastTest` of the connection; null: never tested.
    pub last_test: Option<String>,
    /// Whether an actor who may write the configuration of the organisation chose `url`.
    pub address_by_admin: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::workspace::Entity",
        from = "Column::WorkspaceId",
        to = "super::workspace::Column::Id"
    )]
    Workspace,
}

impl Related<super::workspace::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Workspace.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
