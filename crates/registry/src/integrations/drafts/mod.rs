//! Drafts: unfinished integrations of the setup in steps. Only the owner and the organisation's admins can see a draft;
//! it expires 30 days after its last change.

mod finish;
mod probe;
mod steps;

use crate::integrations::Drafts;
use crate::lookup::slugs::stored_slug;
use crate::lookup::workspaces;
use crate::lookup::workspaces::WorkspaceRef;
use crate::pagination::{Page, PageRequest};
use crate::secrets::markers::sealed_ids;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{json, millis, moment, word};
use crate::storage::entity::{draft, workspace};
use crate::storage::write::{Event, Write};
use crate::{Actor, ConflictCode, Error, Result, pagination};
use chrono::Duration;
pub use finish::Finished;
use registry_core::clock::Timestamp;
use registry_core::id::{DraftId, IntegrationId, WorkspaceId};
use registry_core::known_servers::{self, KnownServer};
use registry_core::permission::{Permission, Role};
use registry_core::preflight::{Approach, Examination};
use registry_core::registration::Transport;
use registry_core::slug::Slug;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};
use serde_json::Value;
pub use steps::{DraftAddress, DraftCheck, SavedDraft};
use uuid::Uuid;

/// A draft expires this long after its last change.
const DRAFT_TTL: Duration = Duration::days(30);

/// An unfinished integration.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its id.
    pub id: DraftId,
    /// Display name of the owner.
    pub owner: String,
    /// The workspace the integration will belong to; `None`: the organisation.
    pub workspace: Option<WorkspaceId>,
    /// The upstream MCP server's address.
    pub url: String,
    /// Display name.
    pub name: String,
    /// Its name in URLs; free when it was chosen.
    pub slug: Slug,
    /// The MCP transport.
    pub transport: Transport,
    /// How gateways will identify themselves there; `None`: not chosen yet.
    pub approach: Option<Approach>,
    /// The Advanced Configuration as the user wrote it, secrets replaced by markers.
    pub configuration: Option<String>,
    /// Where a server will be made, by slug; without those that were deleted since.
    pub workspaces: Vec<WorkspaceRef>,
    /// Whether every workspace made later may use it.
    pub every_new: bool,
    /// What the last check of this address showed.
    pub examination: Option<Examination>,
    /// When that was.
    pub examined_at: Option<Timestamp>,
    /// The furthest step that was reached.
    pub step: DraftStep,
    /// The integration that was made from it; `None`: not finished.
    pub integration: Option<IntegrationId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it expires unless it is changed.
    pub expires_at: Timestamp,
}

impl Draft {
    /// The row of the table of known servers that the last check led to, else the one of the address.
    pub fn known_server(&self) -> Option<&'static KnownServer> {
        let found = self.examination.as_ref().and_then(|found| found.known_server.as_deref());
        found.and_then(known_servers::find).or_else(|| known_servers::recognise(&self.url, None))
    }
}

/// A step on the way to an integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DraftStep {
    /// Address, name, slug.
    Url,
    /// Discovery, and how to identify oneself.
    Check,
    /// The Advanced Configuration.
    Metadata,
    /// Who can use it.
    Workspaces,
    /// The summary, and afterwards the first registrations.
    Register,
}

impl DraftStep {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Url, Self::Check, Self::Metadata, Self::Workspaces, Self::Register];

    /// The word used in the database and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Check => "check",
            Self::Metadata => "metadata",
            Self::Workspaces => "workspaces",
            Self::Register => "register",
        }
    }

    /// The value of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

impl Drafts<'_> {
    /// The caller's own unfinished drafts, most recently changed first.
    pub async fn list(self, actor: &Actor, request: PageRequest) -> Result<Page<Draft>> {
        actor.require(Permission::CreateIntegrations)?;
        let (kind, id) = owner(actor);
        let select = draft::Entity::find()
            .filter(draft::Column::OwnerKind.eq(kind))
            .filter(draft::Column::OwnerId.eq(id))
            .filter(draft::Column::IntegrationId.is_null())
            .filter(draft::Column::ExpiresAt.gt(millis(self.registry.now())))
            .order_by_desc(draft::Column::UpdatedAt)
            .order_by_desc(draft::Column::Id);
        let mut found = pagination::fetch(self.registry.db(), select, request).await?;
        let mut items = Vec::with_capacity(found.items.len());
        for row in std::mem::take(&mut found.items) {
            items.push(show(self.registry.db(), actor, row).await?);
        }
        Ok(found.with_items(items))
    }

    /// One draft.
    pub async fn get(self, actor: &Actor, id: DraftId) -> Result<Draft> {
        actor.require(Permission::CreateIntegrations)?;
        let row = self.find(self.registry.db(), actor, id).await?;
        show(self.registry.db(), actor, row).await
    }

    /// Deletes a draft with its secrets. An integration made from it stays.
    pub async fn delete(self, actor: &Actor, id: DraftId) -> Result<()> {
        actor.require(Permission::CreateIntegrations)?;
        let mut write = self.registry.begin_write(actor).await?;
        let row = self.find(&write.txn, actor, id).await?;
        delete(&mut write, row, AuditAction::DraftDiscarded).await?;
        write.commit().await
    }

    /// Deletes every expired draft; returns how many.
    pub async fn remove_expired(self) -> Result<usize> {
        let expired = draft::Entity::find().filter(draft::Column::ExpiresAt.lte(millis(self.registry.now())));
        if expired.clone().one(self.registry.db()).await?.is_none() {
            return Ok(0);
        }
        let mut write = self.registry.begin_write(&Actor::worker("housekeeping")).await?;
        let rows = expired.all(&write.txn).await?;
        let count = rows.len();
        for row in rows {
            delete(&mut write, row, AuditAction::DraftExpired).await?;
        }
        write.commit().await?;
        Ok(count)
    }

    /// The draft of this id, if `actor` may know of it.
    async fn find(self, db: &impl ConnectionTrait, actor: &Actor, id: DraftId) -> Result<draft::Model> {
        let row = draft::Entity::find_by_id(id.0).one(db).await?;
        let administers = actor.role() == Role::Admin && actor.workspace().is_none();
        row.filter(|row| administers || owner(actor) == (row.owner_kind.as_str(), row.owner_id.as_str()))
            .filter(|row| row.expires_at > millis(self.registry.now()))
            .ok_or_else(|| Error::not_found("draft", id))
    }

    /// The draft with this id, if it is unfinished.
    async fn open(self, write: &Write<'_>, actor: &Actor, id: DraftId) -> Result<draft::Model> {
        let row = self.find(&write.txn, actor, id).await?;
        if row.integration_id.is_some() {
            return Err(Error::Conflict {
                code: ConflictCode::DraftFinished,
                message: "This draft is finished. Change its integration instead.".to_owned(),
                pointer: None,
            });
        }
        Ok(row)
    }
}

/// Who a draft belongs to: two columns.
fn owner(actor: &Actor) -> (&str, &str) {
    (actor.kind, actor.id.as_deref().unwrap_or_default())
}

async fn delete(write: &mut Write<'_>, row: draft::Model, action: AuditAction) -> Result<()> {
    write.delete_sealed(sealed_ids(row.configuration.as_deref()).into_values()).await?;
    draft::Entity::delete_by_id(row.id).exec(&write.txn).await?;
    write.audit(event(action, &row).before(snapshot(&row)));
    Ok(())
}

/// Saves a changed draft and extends its expiry.
async fn save(
    write: &mut Write<'_>,
    before: &draft::Model,
    mut after: draft::Model,
    action: AuditAction,
) -> Result<draft::Model> {
    if after != *before {
        write.audit(event(action, &after).before(snapshot(before)).after(snapshot(&after)));
        after.updated_at = write.millis();
    }
    // A step that says the same again shows that the draft is still in use.
    after.expires_at = millis(write.now + DRAFT_TTL);
    after.clone().into_active_model().reset_all().update(&write.txn).await?;
    Ok(after)
}

/// Records the furthest step.
fn advance_to(row: &mut draft::Model, step: DraftStep) {
    if DraftStep::parse(&row.step).is_none_or(|reached| reached < step) {
        step.as_str().clone_into(&mut row.step);
    }
}

fn event(action: AuditAction, row: &draft::Model) -> Event {
    Event::new(action, "draft", row.id).named(&row.slug).in_workspace(row.workspace_id.map(WorkspaceId))
}

fn snapshot(row: &draft::Model) -> Value {
    serde_json::json!({
        "url": row.url, "name": row.name, "slug": row.slug, "transport": row.transport, "approach": row.approach,
        "configurations": row.configuration, "workspaces": row.workspaces, "every_new": row.every_new,
    })
}

fn chosen(row: &draft::Model) -> Result<Vec<Uuid>> {
    json(&row.workspaces, "draft", "workspaces", row.id)
}

fn approach(row: &draft::Model) -> Result<Option<Approach>> {
    let parse = |text: &String| word(Approach::parse, text, "draft", "approach", row.id);
    row.approach.as_ref().map(parse).transpose()
}

async fn show(db: &impl ConnectionTrait, actor: &Actor, row: draft::Model) -> Result<Draft> {
    let workspaces = workspace::Entity::find()
        .filter(workspace::Column::Id.is_in(chosen(&row)?))
        .filter(workspace::Column::DeletedAt.is_null())
        .order_by_asc(workspace::Column::SlugKey)
        .all(db)
        .await?;
    let examination = row.examination.as_ref();
    Ok(Draft {
        id: DraftId(row.id),
        workspace: row.workspace_id.map(WorkspaceId),
        slug: stored_slug(&row.slug, "draft", row.id)?,
        transport: row.transport()?,
        approach: approach(&row)?,
        workspaces: workspaces
            .iter()
            .filter(|workspace| actor.sees(WorkspaceId(workspace.id)))
            .map(workspaces::as_ref)
            .collect::<Result<_>>()?,
        examination: examination.map(|text| json(text, "draft", "examination", row.id)).transpose()?,
        examined_at: row.examined_at.map(moment),
        step: word(DraftStep::parse, &row.step, "draft", "step", row.id)?,
        integration: row.integration_id.map(IntegrationId),
        every_new: row.every_new,
        created_at: moment(row.created_at),
        updated_at: moment(row.updated_at),
        expires_at: moment(row.expires_at),
        owner: row.owner_name,
        url: row.url,
        name: row.name,
        configuration: row.configuration,
    })
}
