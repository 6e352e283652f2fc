use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "draft")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_kind: String,
    pub owner_id: String,
    pub owner_name: String,
    pub workspace_id: Option<Uuid>,
    pub url: String,
    pub name: String,
    pub slug: String,
    pub transport: String,
    pub approach: Option<String>,
    pub configuration: Option<String>,
    pub workspaces: String,
    pub every_new: bool,
    pub examination: Option<String>,
    pub examined_at: Option<i64>,
    pub step: String,
    pub integration_id: Option<Uuid>,
    pub created_at: i64,
    pub updated_at: i64,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
