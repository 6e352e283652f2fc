use sea_orm::entity::prelude::*;

/// Counts of servers, registrations and clients, by scope and kind (ADR 25). A view: written by the triggers of `server`,
/// `registration` and `oauth_client` in the transaction of each write. A scope has several rows of a kind while some are
/// not added up yet, so readers sum them.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tally_now")]
pub struct Model {
    /// Id of an integration or a workspace; nil: the whole organisation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope_id: Uuid,
    /// What is counted: `servers`, `configured` (servers with a configuration of their own), `pairs` (of integration and
    /// workspace with a server), a state of registrations (of retried ones `retrying:` and the reason), the same after
    /// `gone:` for registrations of deleted servers, or `method:` and the method of an active client.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    /// How many; may be negative in a row that is not added up yet.
    pub n: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
