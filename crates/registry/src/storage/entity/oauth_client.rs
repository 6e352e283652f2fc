use sea_orm::entity::prelude::*;

/// One generation of the OAuth client of a registration. Written by the registration worker unless said
/// otherwise.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "oauth_client")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The registration.
    pub registration_id: Uuid,
    /// Number among the clients of the registration, from 1.
    pub generation: i64,
    /// A word of `ClientStatus`; at most one client of a registration is `active`.
    pub status: String,
    /// How it was obtained, a word of `RegistrationMethod`.
    pub method: String,
    /// Issuer of the authorization server, verbatim (RFC 8414 §2).
    pub issuer: String,
    /// The `client_id` at that issuer; of an unusable client as far as it could be read, with invisible characters marked.
    pub client_id: String,
    /// The sealed client secret; null: a public client.
    pub client_secret_id: Option<Uuid>,
    /// The sealed registration access token (RFC 7592); null: none.
    pub registration_access_token_id: Option<Uuid>,
    /// Address of the client configuration endpoint (RFC 7592); null: none.
    pub registration_client_uri: Option<String>,
    /// The `token_endpoint_auth_method`.
    pub auth_method: String,
    /// The `client_id_issued_at` of the answer, in epoch **seconds** as sent.
    pub client_id_issued_at: Option<i64>,
    /// When its secret expires, in epoch milliseconds; null: never.
    pub client_secret_expires_at: Option<i64>,
    /// Hex SHA-256 of the effective metadata that it was registered with, or last updated to.
    pub metadata_digest: String,
    /// JSON of the last answer about it, without secrets.
    pub response: String,
    /// JSON array of sentences: what was unexpected in that answer.
    pub warnings: String,
    /// JSON of the `Discovery` of its authorization server.
    pub discovery: String,
    /// When it was recorded, in epoch milliseconds.
    pub created_at: i64,
    /// When a gateway first fetched it, in epoch milliseconds. Written by the access log of gateways.
    pub fetched_at: Option<i64>,
    /// When it stopped to be active, in epoch milliseconds; null: it is active.
    pub ended_at: Option<i64>,
    /// When its present secret was received, in epoch milliseconds.
    pub secret_issued_at: Option<i64>,
    /// When it was last updated upstream (RFC 7592 §2.2), in epoch milliseconds.
    pub updated_at: Option<i64>,
    /// When the authorization server last confirmed it (RFC 7592 §2.1), in epoch milliseconds.
    pub verified_at: Option<i64>,
    /// When a gateway first reported it as unknown, in epoch milliseconds. Written by gateway feedback.
    pub reported_at: Option<i64>,
    /// Before when its deletion is not tried, in epoch milliseconds.
    pub withdraw_not_before: Option<i64>,
    /// JSON of the body that it was registered with, or last updated to; null: none was sent.
    pub request: Option<String>,
    /// Why the authorization server may not know it any more, a word of `Verification`; null: no reason. Also
    /// written by gateway feedback.
    pub doubt: Option<String>,
    /// The gateway that reported it (id or name of the actor). Written by gateway feedback.
    pub reported_by: Option<String>,
    /// Hex SHA-256 of the metadata that the authorization server refused to update it to.
    pub update_refused: Option<String>,
    /// How it ended: `deleted`, `unpublished`, `entered`, `shared`, `forgotten` or `not_possible`; null: not
    /// yet.
    pub withdrawal: Option<String>,
    /// The result of its last deletion as a sentence.
    pub withdrawal_detail: Option<String>,
    /// Count of failed deletions in a row.
    pub withdraw_failures: i64,
    /// Generation of the shared settings that it was registered with, or last updated to; null: from a
    /// release without generations.
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
