use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orphan")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    pub registration_id: Uuid,
    pub workspace_id: Uuid,
    pub attempt_id: Option<Uuid>,
    pub oauth_client_id: Option<Uuid>,
    pub server: String,
    pub issuer: Option<String>,
    pub client_id: Option<String>,
    pub client_name: Option<String>,
    pub registration_client_uri: Option<String>,
    pub reason: String,
    pub detail: String,
    pub contacts: String,
    pub since: i64,
    pub resolved_at: Option<i64>,
    pub resolved_by: Option<String>,
    pub note: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
