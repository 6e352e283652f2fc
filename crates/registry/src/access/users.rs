//! Which users may use a server: a default of the server, and what differs for single users. It only narrows: a user without
//! access through the workspace has none here.

use crate::access::IntegrationAccess;
use crate::lookup::integrations::access_enabled;
use crate::lookup::servers::{self, ServerRef};
use crate::pagination::{Page, PageRequest, count};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{contains, millis};
use crate::storage::entity::{access, integration, known_user, membership, server, user, user_access};
use crate::storage::write::{Event, MAX_ROWS_PER_STATEMENT, Write};
use crate::{Actor, Error, Result};
use registry_core::finding::{Finding, Findings, Report};
use registry_core::id::{ServerId, WorkspaceId};
use registry_core::permission::Permission;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// How long `seen_at` of a user is not written again, in milliseconds.
const SEEN_FOR: i64 = 600_000;
/// Maximum number of users that one request changes.
const MAX_CHANGES: usize = 1_000;
/// The longest id of a user, in bytes.
const MAX_USER_ID: usize = 255;

/// Whether one user may use a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAccess {
    /// The id of a user or API key, or the subject of a token.
    pub user_id: String,
    /// Name for display.
    pub name: String,
    /// Whether the user may use the server.
    pub enabled: bool,
    /// Whether that was set for this user, and is not the default of the server.
    pub has_override: bool,
}

/// One page of users, with the default of the server.
#[derive(Debug)]
pub struct UserAccessPage {
    /// The page.
    pub page: Page<UserAccess>,
    /// Whether users without an entry of their own may use the server.
    pub allows_users: bool,
}

/// A change of access to a server; users that are not named keep theirs.
#[derive(Clone, Debug, Default)]
pub struct UserAccessUpdate {
    /// User and whether the user may use the server; `None`: as the default of the server, without an entry.
    pub users: Vec<(String, Option<bool>)>,
    /// The default for all others; `None`: as it is.
    pub allows_users: Option<bool>,
}

/// Whether a caller may use a server.
#[derive(Clone, Debug)]
pub struct UserDecision {
    /// The answer.
    pub allowed: bool,
    /// The user that was asked about.
    pub user_id: String,
    /// The server.
    pub server: ServerId,
    /// Why not, a sentence; `None`: allowed.
    pub reason: Option<&'static str>,
}

impl IntegrationAccess<'_> {
    /// The users that are known, with their access to a server: users of this registry by name, then API keys and subjects
    /// that gateways asked about.
    pub async fn users(
        self,
        actor: &Actor,
        reference: &ServerRef,
        search: Option<String>,
        request: PageRequest,
    ) -> Result<UserAccessPage> {
        actor.require(Permission::ReadServers)?;
        let db = self.registry.db();
        let server = servers::find(db, actor, reference).await?;
        let mut people = user::Entity::find().filter(user::Column::DeactivatedAt.is_null());
        let mut others = known_user::Entity::find();
        let mut inside = Condition::any().add(known_user::Column::WorkspaceId.eq(server.workspace_id));
        if actor.workspace().is_some() {
            // A caller that is bound to a workspace learns of no user outside of it.
            people = people.filter(
                user::Column::Id.in_subquery(
                    membership::Entity::find()
                        .select_only()
                        .column(membership::Column::UserId)
                        .filter(membership::Column::WorkspaceId.eq(server.workspace_id))
                        .into_query(),
                ),
            );
        } else {
            inside = inside.add(known_user::Column::WorkspaceId.is_null());
        }
        others = others.filter(inside);
        if let Some(text) = search.filter(|text| !text.is_empty()) {
            let any = Condition::any();
            people = people.filter(
                any.clone()
                    .add(contains(user::Column::Name, &text))
                    .add(contains(user::Column::Email, &text)),
            );
            others = others.filter(
                any.add(contains(known_user::Column::Name, &text))
                    .add(contains(known_user::Column::Id, &text)),
            );
        }
        let (first, second) = (count(db, people.clone()).await?, count(db, others.clone()).await?);
        let mut found: Vec<(String, String)> = Vec::new();
        let (offset, size) = (request.offset(), request.size);
        if offset < first {
            let select = people.order_by_asc(user::Column::Name).order_by_asc(user::Column::Id);
            let rows = select.offset(offset).limit(size).all(db).await?;
            found.extend(rows.into_iter().map(|row| (row.id.to_string(), row.name)));
        }
        let left = size.saturating_sub(found.len() as u64);
        if left > 0 {
            let select = others.order_by_asc(known_user::Column::Id).offset(offset.saturating_sub(first));
            let rows = select.limit(left).all(db).await?;
            found.extend(rows.into_iter().map(|row| (row.id, row.name)));
        }
        let overrides = user_access::Entity::find()
            .filter(user_access::Column::ServerId.eq(server.id))
            .filter(user_access::Column::UserId.is_in(found.iter().map(|(id, _)| id.clone())))
            .all(db)
            .await?;
        let overrides: HashMap<String, bool> =
            overrides.into_iter().map(|row| (row.user_id, row.enabled)).collect();
        let (shown, total) = (offset + found.len() as u64, first + second);
        let items = found
            .into_iter()
            .map(|(user_id, name)| UserAccess {
                enabled: overrides.get(&user_id).copied().unwrap_or(server.allows_users),
                has_override: overrides.contains_key(&user_id),
                user_id,
                name,
            })
            .collect();
        let page = Page { total, total_is_exact: true, has_more: shown < total, ..Page::whole(items) };
        Ok(UserAccessPage { page, allows_users: server.allows_users })
    }

    /// Changes which users may use a server.
    pub async fn update_users(
        self,
        actor: &Actor,
        reference: &ServerRef,
        update: UserAccessUpdate,
    ) -> Result<Findings> {
        actor.require(Permission::UpdateServers)?;
        check(&update)?;
        let mut write = self.registry.begin_workspace_write(actor).await?;
        let server = servers::find(&write.txn, actor, reference).await?;
        let workspace = WorkspaceId(server.workspace_id);
        write.lock_workspace(workspace).await?;
        let wanted: BTreeMap<String, Option<bool>> = update.users.into_iter().collect();
        let stored = user_access::Entity::find()
            .filter(user_access::Column::ServerId.eq(server.id))
            .filter(user_access::Column::UserId.is_in(wanted.keys().cloned()))
            .all(&write.txn)
            .await?;
        let stored: HashMap<String, bool> =
            stored.into_iter().map(|row| (row.user_id, row.enabled)).collect();
        let changed: BTreeMap<String, Option<bool>> =
            wanted.into_iter().filter(|(user, enabled)| stored.get(user) != enabled.as_ref()).collect();
        let default = update.allows_users.filter(|allows| *allows != server.allows_users);
        if changed.is_empty() && default.is_none() {
            return Ok(Findings::default());
        }
        save_overrides(&write, server.id, &changed).await?;
        if let Some(allows) = default {
            let row =
                server::ActiveModel { id: Set(server.id), allows_users: Set(allows), ..Default::default() };
            row.update(&write.txn).await?;
        }
        let event = Event::new(AuditAction::UserAccessChanged, "server", server.id).named(&server.slug);
        let users: Vec<_> =
            changed.iter().map(|(user, enabled)| json!({ "user_id": user, "enabled": enabled })).collect();
        let before = default.map(|_| json!({ "allows_users": server.allows_users }));
        let mut event = event.in_workspace(Some(workspace));
        event.before = before;
        write.audit(event.after(json!({ "users": users, "allows_users": default })));
        write.server_changed(workspace, ServerId(server.id));
        write.commit().await?;
        Ok(Findings::default())
    }

    /// Whether the caller `user` may use a server. A gateway asks with its own credential beside the user's.
    pub async fn check_user(self, user: &Actor, reference: &ServerRef) -> Result<UserDecision> {
        let db = self.registry.db();
        // A server of another workspace is not found.
        let server = servers::find(db, user, reference).await?;
        self.note_user(user).await?;
        let user_id = user.who().to_owned();
        let decision = |reason: Option<&'static str>| UserDecision {
            allowed: reason.is_none(),
            user_id: user_id.clone(),
            server: ServerId(server.id),
            reason,
        };
        if !user.may_invoke() {
            return Ok(decision(Some("This key or token lacks the scope `mcp.invoke`.")));
        }
        let integration = integration::Entity::find_by_id(server.integration_id)
            .filter(integration::Column::DeletedAt.is_null())
            .one(db)
            .await?
            .ok_or_else(|| Error::corrupt("server", "integration_id", server.id))?;
        if !integration.enabled {
            return Ok(decision(Some("The integration is disabled.")));
        }
        let row = access::Entity::find()
            .filter(access::Column::IntegrationId.eq(integration.id))
            .filter(access::Column::WorkspaceId.eq(server.workspace_id))
            .one(db)
            .await?;
        if !access_enabled(&integration, row.as_ref(), WorkspaceId(server.workspace_id)) {
            return Ok(decision(Some("The workspace has no access to the integration.")));
        }
        let own = user_access::Entity::find_by_id((server.id, user_id.clone())).one(db).await?;
        Ok(decision(match own {
            Some(row) if row.enabled => None,
            Some(_) => Some("This user's access to the server is switched off."),
            None if server.allows_users => None,
            None => Some("The server allows only users who are named, and this user is not."),
        }))
    }

    /// Remembers that gateways know this caller, so that its access can be switched.
    async fn note_user(self, user: &Actor) -> Result<()> {
        if user.kind() == "user" || user.who().len() > MAX_USER_ID {
            return Ok(());
        }
        let now = millis(self.registry.now());
        let known = known_user::Entity::find_by_id(user.who().to_owned()).one(self.registry.db()).await?;
        let workspace: Option<Uuid> = user.workspace().map(|id| id.0);
        let is_fresh = known.is_some_and(|row| {
            row.seen_at > now - SEEN_FOR && row.name == user.name() && row.workspace_id == workspace
        });
        if is_fresh {
            return Ok(());
        }
        let write = self.registry.begin_record(user).await?;
        let row = known_user::ActiveModel {
            id: Set(user.who().to_owned()),
            name: Set(user.name().to_owned()),
            workspace_id: Set(workspace),
            seen_at: Set(now),
        };
        let conflict = OnConflict::column(known_user::Column::Id)
            .update_columns([
                known_user::Column::Name,
                known_user::Column::WorkspaceId,
                known_user::Column::SeenAt,
            ])
            .to_owned();
        known_user::Entity::insert(row).on_conflict(conflict).exec_without_returning(&write.txn).await?;
        write.commit().await
    }
}

/// Writes the entries of these users, and deletes those of users who get the default of the server.
async fn save_overrides(
    write: &Write<'_>,
    server: Uuid,
    changed: &BTreeMap<String, Option<bool>>,
) -> Result<()> {
    let now = write.millis();
    let set = changed.iter().filter_map(|(user, enabled)| Some((user, (*enabled)?)));
    let rows: Vec<_> = set
        .map(|(user, enabled)| user_access::ActiveModel {
            server_id: Set(server),
            user_id: Set(user.clone()),
            enabled: Set(enabled),
            updated_at: Set(now),
        })
        .collect();
    let conflict = OnConflict::columns([user_access::Column::ServerId, user_access::Column::UserId])
        .update_columns([user_access::Column::Enabled, user_access::Column::UpdatedAt])
        .to_owned();
    for chunk in rows.chunks(MAX_ROWS_PER_STATEMENT) {
        user_access::Entity::insert_many(chunk.iter().cloned())
            .on_conflict(conflict.clone())
            .exec_without_returning(&write.txn)
            .await?;
    }
    let removed = changed.iter().filter(|(_, enabled)| enabled.is_none()).map(|(user, _)| user.clone());
    let removed: Vec<String> = removed.collect();
    if !removed.is_empty() {
        user_access::Entity::delete_many()
            .filter(user_access::Column::ServerId.eq(server))
            .filter(user_access::Column::UserId.is_in(removed))
            .exec(&write.txn)
            .await?;
    }
    Ok(())
}

fn check(update: &UserAccessUpdate) -> Result<()> {
    let mut report = Report::default();
    if update.users.len() > MAX_CHANGES {
        let message =
            format!("These are {} users; one request takes {MAX_CHANGES}. Split it.", update.users.len());
        report.push(Finding::error("/user_access", "too_many", message));
    }
    for (index, (user, _)) in update.users.iter().enumerate() {
        if user.is_empty() || user.len() > MAX_USER_ID {
            let message = format!("The id of a user has 1 to {MAX_USER_ID} bytes.");
            report.push(Finding::error(format!("/user_access/{index}/user_id"), "wrong_length", message));
        }
    }
    if report.has_errors() { Err(Error::Invalid(report.into_findings())) } else { Ok(()) }
}
