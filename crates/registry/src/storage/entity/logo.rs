use sea_orm::DerivePartialModel;
use sea_orm::entity::prelude::*;

/// A logo that a configuration names. Fetched and written by the registration worker.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "logo")]
pub struct Model {
    /// Hex SHA-256 of `url`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Address of the logo.
    pub url: String,
    /// When a worker fetches it, in epoch milliseconds; null: not due. Written by saves and by users who ask
    /// for it.
    pub due_at: Option<i64>,
    /// When it was last fetched, in epoch milliseconds; null: never.
    pub fetched_at: Option<i64>,
    /// Media type that its bytes show; null: no usable picture.
    pub media_type: Option<String>,
    /// Media type that the response declared, where it differs.
    pub labelled: Option<String>,
    /// Width in pixels.
    pub width: Option<i32>,
    /// Height in pixels.
    pub height: Option<i32>,
    /// Size in bytes.
    pub size: Option<i32>,
    /// The picture; null: none.
    pub bytes: Option<Vec<u8>>,
    /// Hex SHA-256 of `bytes`.
    pub digest: Option<String>,
    /// Code of the problem of the last fetch; null: none.
    pub problem_code: Option<String>,
    /// The same as a sentence.
    pub problem: Option<String>,
}

/// A row without its picture; the columns as in [`Model`].
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct Info {
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
