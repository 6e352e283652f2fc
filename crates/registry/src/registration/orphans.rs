//! Orphaned clients: they may exist at an authorization server and are not used here, because the answer that
//! named them was lost or because they could not be withdrawn (INV-11).

use crate::configuration::layers::ServerLayers;
use crate::lookup::workspaces;
use crate::pagination::{ListOrder, MAX_COUNTED, Page, PageRequest, Total};
use crate::registration::Orphans;
use crate::registration::brief::workspace_of;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{contains, json, moment};
use crate::storage::entity::{attempt, oauth_client, orphan};
use crate::storage::write::{Event, Write};
use crate::{Actor, ConflictCode, Error, Result, pagination};
use registry_core::clock::Timestamp;
use registry_core::id::{OrphanId, RegistrationId, WorkspaceId};
use registry_core::oauth::{Discovery, Failure, UnusableClient};
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, IntoSimpleExpr, Order,
    QueryFilter, QuerySelect,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// The kinds of entries. `answer_lost`: a registration was sent and its answer was lost. `unusable_answer`: a registration was
/// answered with success, and the answer yields no usable client. `not_withdrawn`: a client could not be deleted.
pub const ORPHAN_KINDS: [&str; 3] = ["answer_lost", "unusable_answer", "not_withdrawn"];

/// An entry of the ledger.
#[derive(Clone, Debug)]
pub struct Orphan {
    /// Its id.
    pub id: OrphanId,
    /// A word of [`ORPHAN_KINDS`].
    pub kind: String,
    /// The registration it came of.
    pub registration: RegistrationId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// `workspace/server`, as it was called then.
    pub server: String,
    /// The authorization server.
    pub issuer: Option<String>,
    /// The client's id there, if it could be read.
    pub client_id: Option<String>,
    /// The name it was to be registered with, by which the owner of the authorization server can find it.
    pub client_name: Option<String>,
    /// Where it could be managed (RFC 7592), if that is known.
    pub registration_client_uri: Option<String>,
    /// Stable code of why (`docs/registration-failures.md`).
    pub reason: String,
    /// The same as a sentence for users.
    pub detail: String,
    /// The `contacts` it was to be registered with.
    pub contacts: Vec<String>,
    /// Since when.
    pub since: Timestamp,
    /// When a user marked it as resolved.
    pub resolved_at: Option<Timestamp>,
    /// The name of that user.
    pub resolved_by: Option<String>,
    /// The note of that user.
    pub note: Option<String>,
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct OrphanFilter {
    /// A word of [`ORPHAN_KINDS`].
    pub kind: Option<String>,
    /// At this issuer, exactly.
    pub issuer: Option<String>,
    /// Of this workspace.
    pub workspace: Option<Reference>,
    /// Part of the server, issuer, `client_id` or client's name, ignoring case.
    pub search: Option<String>,
    /// Also those that are dealt with.
    pub resolved: bool,
}

impl Orphans<'_> {
    /// The ledger, newest first.
    pub async fn list(
        self,
        actor: &Actor,
        filter: OrphanFilter,
        request: PageRequest,
    ) -> Result<Page<Orphan>> {
        actor.require(Permission::ReadRegistrations)?;
        let mut select = orphan::Entity::find();
        if !filter.resolved {
            select = select.filter(orphan::Column::ResolvedAt.is_null());
        }
        if let Some(kind) = filter.kind {
            select = select.filter(orphan::Column::Kind.eq(kind));
        }
        if let Some(issuer) = filter.issuer {
            select = select.filter(orphan::Column::Issuer.eq(issuer));
        }
        if let Some(own) = actor.workspace() {
            select = select.filter(orphan::Column::WorkspaceId.eq(own.0));
        }
        if let Some(reference) = &filter.workspace {
            let workspace = workspaces::find(self.registry.db(), actor, reference).await?;
            select = select.filter(orphan::Column::WorkspaceId.eq(workspace.id));
        }
        if let Some(text) = filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            select = select.filter(
                Condition::any()
                    .add(contains(orphan::Column::Server, text))
                    .add(contains(orphan::Column::Issuer, text))
                    .add(contains(orphan::Column::ClientId, text))
                    .add(contains(orphan::Column::ClientName, text)),
            );
        }
        let place = request.cursor.map(|cursor| vec![cursor.key().into(), cursor.id().into()]);
        let db = &self.registry.list_db(actor);
        let order = newest_first();
        let found = pagination::fetch_ordered(db, select, &order, place, request, Total::Counted);
        found.await?.try_map(TryInto::try_into)
    }

    /// How many orphaned clients are unresolved, counted up to [`MAX_COUNTED`].
    pub async fn count_open(self, actor: &Actor) -> Result<u64> {
        actor.require(Permission::ReadRegistrations)?;
        let mut select = orphan::Entity::find().filter(orphan::Column::ResolvedAt.is_null());
        if let Some(own) = actor.workspace() {
            select = select.filter(orphan::Column::WorkspaceId.eq(own.0));
        }
        Ok(pagination::count(self.registry.db(), select).await?.min(MAX_COUNTED))
    }

    /// Says that an entry is dealt with: the client was deleted by hand, or never existed.
    pub async fn resolve(self, actor: &Actor, id: OrphanId, note: Option<String>) -> Result<Orphan> {
        actor.require(Permission::OperateRegistrations)?;
        let mut write = self.registry.begin_write(actor).await?;
        let missing = || Error::not_found("orphan", id);
        let row = orphan::Entity::find_by_id(id.0).lock_exclusive().one(&write.txn).await?;
        let row = row.ok_or_else(missing)?;
        if !actor.sees(WorkspaceId(row.workspace_id)) {
            return Err(missing());
        }
        if row.resolved_at.is_some() {
            return Err(Error::Conflict {
                code: ConflictCode::OrphanResolved,
                message: "This entry is dealt with already.".to_owned(),
                pointer: None,
            });
        }
        let name = row.server.clone();
        let workspace = WorkspaceId(row.workspace_id);
        let changed = orphan::ActiveModel {
            id: Set(id.0),
            resolved_at: Set(Some(write.millis())),
            resolved_by: Set(Some(write.actor_name())),
            note: Set(note.clone()),
            ..Default::default()
        }
        .update(&write.txn)
        .await?;
        let event =
            Event::new(AuditAction::OrphanResolved, "orphan", id).named(name).in_workspace(Some(workspace));
        write.audit(event.after(json!({ "client_id": changed.client_id, "note": note })));
        write.commit().await?;
        changed.try_into()
    }
}

fn newest_first() -> ListOrder<orphan::Model> {
    let term = |column: orphan::Column| (column.into_simple_expr(), Order::Desc);
    ListOrder {
        terms: vec![term(orphan::Column::Since), term(orphan::Column::Id)],
        place: |row| (row.since, row.id),
    }
}

impl TryFrom<orphan::Model> for Orphan {
    type Error = Error;
    fn try_from(row: orphan::Model) -> Result<Self> {
        Ok(Self {
            id: OrphanId(row.id),
            contacts: json(&row.contacts, "orphan", "contacts", row.id)?,
            kind: row.kind,
            registration: RegistrationId(row.registration_id),
            workspace: WorkspaceId(row.workspace_id),
            server: row.server,
            issuer: row.issuer,
            client_id: row.client_id,
            client_name: row.client_name,
            registration_client_uri: row.registration_client_uri,
            reason: row.reason,
            detail: row.detail,
            since: moment(row.since),
            resolved_at: row.resolved_at.map(moment),
            resolved_by: row.resolved_by,
            note: row.note,
        })
    }
}

/// What an answer that cannot be used says of its client, and the row by which the client is deleted, if it can be.
#[derive(Clone, Copy)]
pub(crate) struct LeftBehind<'a> {
    pub(crate) client: &'a UnusableClient,
    pub(crate) deleting: Option<Uuid>,
}

/// Enters a registration whose answer was lost; with `left`, if its beginning was read.
pub(crate) async fn enter_lost_answer(
    write: &mut Write<'_>,
    layers: &ServerLayers,
    tried: &attempt::Model,
    issuer: Option<String>,
    failure: &Failure,
    left: Option<LeftBehind<'_>>,
) -> Result<()> {
    let detail = match left {
        Some(left) => format!("{} {}", failure.message, left.client.fate()),
        None => failure.message.clone(),
    };
    enter_attempt(write, layers, tried, ("answer_lost", failure.code, detail), issuer, left).await
}

/// Enters a registration whose answer yields no usable client.
pub(crate) async fn enter_unusable_answer(
    write: &mut Write<'_>,
    layers: &ServerLayers,
    tried: &attempt::Model,
    issuer: Option<String>,
    failure: &Failure,
    left: LeftBehind<'_>,
) -> Result<()> {
    let told = ("unusable_answer", failure.code, failure.message.clone());
    enter_attempt(write, layers, tried, told, issuer, Some(left)).await
}

async fn enter_attempt(
    write: &mut Write<'_>,
    layers: &ServerLayers,
    tried: &attempt::Model,
    (kind, reason, detail): (&str, &str, String),
    issuer: Option<String>,
    left: Option<LeftBehind<'_>>,
) -> Result<()> {
    let sent: Value = match &tried.request {
        Some(text) => json(text, "attempt", "request", tried.id)?,
        None => Value::Null,
    };
    let entry = orphan::ActiveModel {
        kind: Set(kind.to_owned()),
        registration_id: Set(tried.registration_id),
        attempt_id: Set(Some(tried.id)),
        oauth_client_id: Set(left.and_then(|left| left.deleting)),
        issuer: Set(issuer),
        client_id: Set(left.and_then(|left| left.client.client_id.clone())),
        client_name: Set(sent["client_name"].as_str().map(str::to_owned)),
        registration_client_uri: Set(left.and_then(|left| left.client.registration_client_uri.clone())),
        reason: Set(reason.to_owned()),
        detail: Set(detail),
        contacts: Set(contacts(&sent)),
        ..Default::default()
    };
    enter(write, layers, entry).await
}

/// The open entry of a client that was never usable.
async fn open_entry(write: &Write<'_>, client: &oauth_client::Model) -> Result<Option<orphan::Model>> {
    Ok(orphan::Entity::find()
        .filter(orphan::Column::OauthClientId.eq(client.id))
        .filter(orphan::Column::ResolvedAt.is_null())
        .one(&write.txn)
        .await?)
}

/// Resolves the entry of a client that was never usable, and that does not exist any more or belongs to another server here.
pub(crate) async fn resolve_unusable(
    write: &mut Write<'_>,
    layers: &ServerLayers,
    client: &oauth_client::Model,
    how: &str,
) -> Result<()> {
    let Some(entry) = open_entry(write, client).await? else { return Ok(()) };
    let note = match how {
        "shared" => "The same client is in use for another server here.",
        _ => "The client was deleted at the authorization server.",
    };
    let resolved = orphan::ActiveModel {
        id: Set(entry.id),
        resolved_at: Set(Some(write.millis())),
        resolved_by: Set(Some(write.actor_name())),
        note: Set(Some(note.to_owned())),
        ..Default::default()
    };
    resolved.update(&write.txn).await?;
    let event = Event::new(AuditAction::OrphanResolved, "orphan", OrphanId(entry.id))
        .named(entry.server)
        .in_workspace(Some(workspace_of(layers)));
    write.audit(event.after(json!({ "client_id": entry.client_id, "note": note })));
    Ok(())
}

/// Says in the entry of a client that was never usable why it was not deleted.
pub(crate) async fn explain_unusable(
    write: &Write<'_>,
    client: &oauth_client::Model,
    failure: &Failure,
) -> Result<()> {
    let Some(entry) = open_entry(write, client).await? else { return Ok(()) };
    let not_deleted = format!("It could not be deleted: {}", failure.message);
    let expected = UnusableClient::default();
    let detail = if entry.detail.contains(expected.fate()) {
        entry.detail.replace(expected.fate(), &not_deleted)
    } else {
        format!("{} {not_deleted}", entry.detail)
    };
    orphan::ActiveModel { id: Set(entry.id), detail: Set(detail), ..Default::default() }
        .update(&write.txn)
        .await?;
    Ok(())
}

/// Enters a client that could not be deleted.
pub(crate) async fn enter_not_withdrawn(
    write: &mut Write<'_>,
    layers: &ServerLayers,
    client: &oauth_client::Model,
    failure: &Failure,
) -> Result<()> {
    let response: Value = json(&client.response, "oauth_client", "response", client.id)?;
    let requested: Value = match &client.request {
        Some(text) => json(text, "oauth_client", "request", client.id)?,
        None => Value::Null,
    };
    let name = response["client_name"].as_str().or(requested["client_name"].as_str());
    let named = if response["contacts"].is_array() { &response } else { &requested };
    let entry = orphan::ActiveModel {
        kind: Set("not_withdrawn".to_owned()),
        registration_id: Set(client.registration_id),
        oauth_client_id: Set(Some(client.id)),
        issuer: Set(Some(client.issuer.clone())),
        client_id: Set(Some(client.client_id.clone())),
        client_name: Set(name.map(str::to_owned)),
        registration_client_uri: Set(client.registration_client_uri.clone()),
        reason: Set(failure.code.to_owned()),
        detail: Set(failure.message.clone()),
        contacts: Set(contacts(named)),
        ..Default::default()
    };
    enter(write, layers, entry).await
}

async fn enter(write: &mut Write<'_>, layers: &ServerLayers, mut entry: orphan::ActiveModel) -> Result<()> {
    let id = write.registry.new_id();
    let name = format!("{}/{}", layers.workspace.slug, layers.server.slug);
    entry.id = Set(id);
    entry.workspace_id = Set(layers.workspace.id);
    entry.server = Set(name.clone());
    entry.since = Set(write.millis());
    let row = entry.insert(&write.txn).await?;
    let event = Event::new(AuditAction::OrphanEntered, "orphan", OrphanId(id))
        .named(name)
        .in_workspace(Some(workspace_of(layers)));
    write.audit(event.after(json!({
        "kind": row.kind, "issuer": row.issuer, "client_id": row.client_id, "reason": row.reason,
    })));
    Ok(())
}

fn contacts(document: &Value) -> String {
    let listed = document["contacts"].as_array().cloned().unwrap_or_default();
    Value::Array(listed.into_iter().filter(Value::is_string).collect()).to_string()
}

/// The issuer of a discovery kept as text.
pub(crate) fn issuer_of(discovery: Option<&str>, registration: Uuid) -> Result<Option<String>> {
    let read = |text| json::<Discovery>(text, "registration", "discovery", registration);
    Ok(discovery.map(read).transpose()?.map(|discovery| discovery.issuer))
}
