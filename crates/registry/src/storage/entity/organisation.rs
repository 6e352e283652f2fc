use sea_orm::entity::prelude::*;

/// The organisation; the table has one row. Written by `migrate` and by saves of its configuration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organisation")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Name for display.
    pub name: String,
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
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
