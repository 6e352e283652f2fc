use sea_orm::entity::prelude::*;

/// The rate limit of one authorization server (GCRA), shared by all workers. Written with each reservation
/// and each 429.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "issuer_budget")]
pub struct Model {
    /// Origin that is contacted (scheme, host, port); with a space and a workspace id: the pause of that
    /// workspace there.
    #[sea_orm(primary_key, auto_increment = false)]
    pub origin: String,
    /// Theoretical arrival time of the next request, in epoch milliseconds.
    pub next_at: i64,
    /// Factor of the interval between requests; 1: not slowed down.
    pub slowdown: i64,
    /// When `slowdown` ends, in epoch milliseconds.
    pub slowed_until: i64,
    /// Until when nothing is sent, in epoch milliseconds.
    pub paused_until: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
