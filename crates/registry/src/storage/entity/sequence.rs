use sea_orm::entity::prelude::*;

/// Counters that order commits; the table has one row, which each commit locks last. Written only by
/// `Write::commit`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sequence")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// The last `change.revision`.
    pub revision: i64,
    /// The last `audit_event.number`.
    pub audit: i64,
    /// The `hash` of that event.
    pub audit_hash: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
