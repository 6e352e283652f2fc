use sea_orm::DerivePartialModel;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "logo")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub url: String,
    pub due_at: Option<i64>,
    pub fetched_at: Option<i64>,
    pub media_type: Option<String>,
    pub labelled: Option<String>,
    pub width: Option<i32>,
    pub height: Option<i32>,
    pub size: Option<i32>,
    pub bytes: Option<Vec<u8>>,
    pub digest: Option<String>,
    pub problem_code: Option<String>,
    pub problem: Option<String>,
}

/// A row without its picture.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct Facts {
    pub id: String,
    pub url: String,
    pub due_at: Option<i64>,
    pub fetched_at: Option<i64>,
    pub media_type: Option<String>,
    pub labelled: Option<String>,
    pub width: Option<i32>,
    pub height: Option<i32>,
    pub size: Option<i32>,
    pub digest: Option<String>,
    pub problem_code: Option<String>,
    pub problem: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
