use sea_orm::entity::prelude::*;

/// The ledger of orphaned clients (INV-11). Entered by the registration worker; resolved by a user, or by the worker when it
/// deleted an unusable client.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orphan")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `answer_lost`: the answer to a registration was lost. `unusable_answer`: it yields no usable client.
    /// `not_withdrawn`: a client could not be deleted.
    pub kind: String,
    /// The registration that it belongs to.
    pub registration_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// The attempt whose answer was lost or not usable; unique.
    pub attempt_id: Option<Uuid>,
    /// The client that could not be deleted, or the unusable one that is being deleted; unique.
    pub oauth_client_id: Option<Uuid>,
    /// `workspace/server`, the slugs at that time.
    pub server: String,
    /// Issuer of the authorization server, if known.
    pub issuer: Option<String>,
    /// The `client_id` there, if known.
    pub client_id: Option<String>,
    /// The `client_name` that was sent.
    pub client_name: Option<String>,
    /// Address of the client configuration endpoint (RFC 7592), if known.
    pub registration_client_uri: Option<String>,
    /// Code of the failure (`docs/registration-failures.md`).
    pub reason: String,
    /// The failure as a sentence.
    pub detail: String,
    /// JSON array of the `contacts` that were sent.
    pub contacts: String,
    /// When the entry was made, in epoch milliseconds.
    pub since: i64,
    /// When a user marked the entry as resolved, or the worker deleted the client, in epoch milliseconds; null: open.
    pub resolved_at: Option<i64>,
    /// Name of the actor who resolved it.
    pub resolved_by: Option<String>,
    /// Free text of that actor.
    pub note: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
