use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempt")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub registration_id: Uuid,
    pub number: i64,
    pub step: String,
    pub fence: i64,
    pub started_at: i64,
    pub finished_at: Option<i64>,
    pub outcome: String,
    pub reason: Option<String>,
    pub detail: Option<String>,
    pub error: Option<String>,
    pub error_description: Option<String>,
    pub request: Option<String>,
    pub adjustments: String,
    pub response: Option<String>,
    pub exchanges: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
