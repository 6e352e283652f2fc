use sea_orm::entity::prelude::*;

/// One step of a registration against its upstream. Written by the registration worker: before the step, and
/// after it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempt")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The registration.
    pub registration_id: Uuid,
    /// Number among the attempts of the registration, from 1.
    pub number: i64,
    /// What was tried, a word of `AttemptStep`.
    pub step: String,
    /// Fencing token of the claim that made the attempt (`registration.fence`).
    pub fence: i64,
    /// When the step began, in epoch milliseconds; written before anything is sent.
    pub started_at: i64,
    /// When the outcome was recorded, in epoch milliseconds; null: not yet.
    pub finished_at: Option<i64>,
    /// What came of it, a word of `AttemptOutcome`.
    pub outcome: String,
    /// Code of the failure (`docs/registration-failures.md`).
    pub reason: Option<String>,
    /// The failure as a sentence.
    pub detail: Option<String>,
    /// The OAuth `error` that the authorization server answered.
    pub error: Option<String>,
    /// The OAuth `error_description` that the authorization server answered.
    pub error_description: Option<String>,
    /// JSON of the body that was sent, without secrets.
    pub request: Option<String>,
    /// JSON array of `Adjustment`: how the body differs from the effective metadata.
    pub adjustments: String,
    /// JSON of the answer, without secrets.
    pub response: Option<String>,
    /// JSON array of `Exchange`: every HTTP request and response of the step, without secrets.
    pub exchanges: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
