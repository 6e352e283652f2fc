use sea_orm::entity::prelude::*;

/// An integration that a user is about to add, step by step. Written by the wizard; deleted when it expires.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "draft")]
pub struct Model {
    /// Id of the row (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Kind of the actor it belongs to (`audit_event.actor_kind`).
    pub owner_kind: String,
    /// Id of that actor; empty: it has none.
    pub owner_id: String,
    /// Name of that actor at creation.
    pub owner_name: String,
    /// The workspace that the integration will belong to; null: the organisation.
    pub workspace_id: Option<Uuid>,
    /// Address of the upstream MCP server.
    pub url: String,
    /// Name of the integration.
    pub name: String,
    /// Name of the integration in URLs.
    pub slug: String,
    /// MCP transport, a word of `Transport`.
    pub transport: String,
    /// How gateways will authenticate, a word of `Approach`; null: not chosen yet.
    pub approach: Option<String>,
    /// JSON of the Advanced Configuration, secrets replaced by markers; null: none.
    pub configuration: Option<String>,
    /// JSON array of ids of the workspaces that get a server.
    pub workspaces: String,
    /// Whether workspaces that are created later may use the integration.
    pub every_new: bool,
    /// JSON of the `Examination` that the last check gave; null: not checked yet.
    pub examination: Option<String>,
    /// When that check ended, in epoch milliseconds.
    pub examined_at: Option<i64>,
    /// The furthest step that was reached, a word of `DraftStep`.
    pub step: String,
    /// The integration that was created from it; null: none yet.
    pub integration_id: Option<Uuid>,
    /// When the row was created, in epoch milliseconds.
    pub created_at: i64,
    /// When the row was last written, in epoch milliseconds.
    pub updated_at: i64,
    /// When the draft is deleted unless it is changed, in epoch milliseconds.
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
