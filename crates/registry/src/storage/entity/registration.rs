use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registration")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub server_id: Uuid,
    pub state: String,
    pub reason: Option<String>,
    pub detail: Option<String>,
    pub error: Option<String>,
    pub error_description: Option<String>,
    pub due_at: i64,
    pub not_before: Option<i64>,
    pub wanted: i64,
    pub wanted_because: Option<String>,
    pub request: Option<String>,
    pub failures: i64,
    pub lost_answers: i64,
    pub failed_inputs: Option<String>,
    pub lease_owner: Option<String>,
    pub lease_until: i64,
    pub fence: i64,
    pub discovery: Option<String>,
    pub discovered_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
    pub rediscover_at: Option<i64>,
    pub unwanted_since: Option<i64>,
    pub stopped_at: Option<i64>,
    pub cimd_refused_at: Option<i64>,
    pub replaced_at: Option<i64>,
    pub slot_at: Option<i64>,
    pub failed_step: Option<String>,
    pub lost_inputs: Option<String>,
    pub skipped: Option<String>,
    pub upstream: Option<String>,
    pub document_id: Option<String>,
    pub document: Option<String>,
    pub held: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::server::Entity",
        from = "Column::ServerId",
        to = "super::server::Column::Id"
    )]
    Server,
}

impl Related<super::server::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Server.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
