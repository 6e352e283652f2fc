use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "integration")]
#[expect(clippy::struct_excessive_bools, reason = "columns, each a fact of its own")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Option<Uuid>,
    pub slug: String,
    pub slug_key: String,
    pub name: String,
    pub description: Option<String>,
    pub url: String,
    pub auth_type: String,
    pub transport: String,
    pub global_access: bool,
    pub configuration: Option<String>,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub created_by: String,
    pub updated_by: String,
    pub deleted_at: Option<i64>,
    pub enabled: bool,
    pub custom_metadata: bool,
    pub pre_registered: bool,
    pub unreachable: bool,
    pub last_test: Option<String>,
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
