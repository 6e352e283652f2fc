use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "oauth_client")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub registration_id: Uuid,
    pub generation: i64,
    pub status: String,
    pub method: String,
    pub issuer: String,
    pub client_id: String,
    pub client_secret_id: Option<Uuid>,
    pub registration_access_token_id: Option<Uuid>,
    pub registration_client_uri: Option<String>,
    pub auth_method: String,
    pub client_id_issued_at: Option<i64>,
    pub client_secret_expires_at: Option<i64>,
    pub metadata_digest: String,
    pub response: String,
    pub warnings: String,
    pub discovery: String,
    pub created_at: i64,
    pub fetched_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub secret_issued_at: Option<i64>,
    pub updated_at: Option<i64>,
    pub verified_at: Option<i64>,
    pub reported_at: Option<i64>,
    pub withdraw_not_before: Option<i64>,
    pub request: Option<String>,
    pub doubt: Option<String>,
    pub reported_by: Option<String>,
    pub update_refused: Option<String>,
    pub withdrawal: Option<String>,
    pub withdrawal_detail: Option<String>,
    pub withdraw_failures: i64,
    /// The generation of shared settings that it was asked for with; null: before there were any.
    pub settings_generation: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::registration::Entity",
        from = "Column::RegistrationId",
        to = "super::registration::Column::Id"
    )]
    Registration,
}

impl Related<super::registration::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Registration.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
