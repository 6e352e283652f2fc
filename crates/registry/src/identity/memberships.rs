//! Roles of users: in the whole organisation and in single workspaces, and where a user acts now.

use crate::identity::Callers;
use crate::lookup::workspaces;
use crate::lookup::workspaces::WorkspaceRef;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{set_word, word};
use crate::storage::entity::{membership, user, workspace};
use crate::storage::write::{Event, Write};
use crate::{Actor, Error, Result};
use registry_core::finding::{Finding, Findings};
use registry_core::id::WorkspaceId;
use registry_core::permission::Role;
use registry_core::slug::Reference;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter,
};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Workspaces that a user may have a role in, at most.
const MAX_MEMBERSHIPS: usize = 1_000;

/// `user.role` of a user without a role in the whole organisation.
const NO_ROLE: &str = "none";

/// The role of a user in one workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The workspace.
    pub workspace: WorkspaceRef,
    /// The role there.
    pub role: Role,
}

/// All roles that a user should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// Role in the whole organisation; `None`: no role there.
    pub organisation: Option<Role>,
    /// Roles in single workspaces, each workspace once.
    pub workspaces: Vec<(Reference, Role)>,
}

impl Roles {
    /// One role, in one workspace or in the whole organisation.
    pub fn one(role: Role, workspace: Option<Reference>) -> Self {
        match workspace {
            Some(workspace) => Self { organisation: None, workspaces: vec![(workspace, role)] },
            None => Self { organisation: Some(role), workspaces: Vec::new() },
        }
    }
}

/// Roles with the ids of their workspaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolvedRoles {
    pub(crate) organisation: Option<Role>,
    pub(crate) workspaces: Vec<(Uuid, Role)>,
}

impl ResolvedRoles {
    /// The word for `user.role`.
    pub(crate) fn word(&self) -> &'static str {
        self.organisation.map_or(NO_ROLE, Role::as_str)
    }

    /// Whether these roles include admin, of the organisation or of a workspace.
    pub(crate) fn is_admin(&self) -> bool {
        self.organisation == Some(Role::Admin) || self.workspaces.iter().any(|(_, role)| *role == Role::Admin)
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.organisation.is_none() && self.workspaces.is_empty()
    }

    /// For the audit log.
    pub(crate) fn shown(&self) -> Value {
        let workspaces: Vec<_> = self
            .workspaces
            .iter()
            .map(|(id, role)| json!({ "workspace_id": id, "role": role.as_str() }))
            .collect();
        json!({ "role": self.organisation.map(Role::as_str), "workspaces": workspaces })
    }
}

impl Callers<'_> {
    /// From the next request on, the caller acts in this workspace, or in the whole organisation (`None`).
    pub async fn act_in(self, actor: &Actor, place: Option<&Reference>) -> Result<()> {
        let user = self.registry.users().row(actor).await?;
        let write = self.registry.begin_write(actor).await?;
        let workspace = match place {
            None if organisation_role(&user)?.is_some() => None,
            None => return Err(Error::not_found("role", "in the whole organisation")),
            Some(reference) => {
                let missing = || Error::not_found("workspace", crate::lookup::slugs::show(reference));
                let found = workspaces::by_reference(&write.txn, reference).await?.ok_or_else(missing)?;
                let member = membership::Entity::find_by_id((user.id, found.id)).one(&write.txn).await?;
                Some(member.ok_or_else(missing)?.workspace_id)
            }
        };
        if user.workspace_id == workspace {
            return Ok(());
        }
        act(write, user, workspace).await
    }
}

async fn act(mut write: Write<'_>, user: user::Model, workspace: Option<Uuid>) -> Result<()> {
    let event = Event::new(AuditAction::UserActsIn, "user", user.id).named(&user.email);
    write.audit(
        event
            .in_workspace(workspace.map(WorkspaceId))
            .before(json!({ "workspace_id": user.workspace_id }))
            .after(json!({ "workspace_id": workspace })),
    );
    let mut changed = user.into_active_model();
    changed.workspace_id = Set(workspace);
    changed.update(&write.txn).await?;
    write.commit().await
}

/// The role in the whole organisation; `None`: no role there.
pub(crate) fn organisation_role(user: &user::Model) -> Result<Option<Role>> {
    if user.role == NO_ROLE {
        return Ok(None);
    }
    word(Role::parse, &user.role, "user", "role", user.id).map(Some)
}

/// The role and the workspace that a user acts with now; `None`: the user has no role any more.
pub(crate) async fn acting(
    db: &impl ConnectionTrait,
    user: &user::Model,
) -> Result<Option<(Role, Option<WorkspaceId>)>> {
    let own = organisation_role(user)?;
    if let (Some(role), None) = (own, user.workspace_id) {
        return Ok(Some((role, None)));
    }
    let places = of(db, &[user.id]).await?.remove(&user.id).unwrap_or_default();
    let here = places.iter().find(|one| Some(one.workspace.id.0) == user.workspace_id);
    let first = if own.is_none() { places.first() } else { None };
    Ok(match here.or(first) {
        Some(place) => Some((own.max(Some(place.role)).unwrap_or(place.role), Some(place.workspace.id))),
        None => own.map(|role| (role, None)),
    })
}

/// The memberships of users in workspaces that are not deleted, by user, sorted by slug.
pub(crate) async fn of(db: &impl ConnectionTrait, users: &[Uuid]) -> Result<HashMap<Uuid, Vec<Membership>>> {
    let rows = membership::Entity::find()
        .filter(membership::Column::UserId.is_in(users.iter().copied()))
        .find_also_related(workspace::Entity)
        .filter(workspace::Column::DeletedAt.is_null())
        .all(db)
        .await?;
    let mut found: HashMap<Uuid, Vec<Membership>> = HashMap::new();
    for (row, workspace) in rows {
        let Some(workspace) = workspace else { continue };
        found
            .entry(row.user_id)
            .or_default()
            .push(Membership { workspace: workspaces::as_ref(&workspace)?, role: row.role()? });
    }
    for places in found.values_mut() {
        places.sort_by(|one, other| one.workspace.slug.as_str().cmp(other.workspace.slug.as_str()));
    }
    Ok(found)
}

/// The present roles of a user.
pub(crate) async fn granted(db: &impl ConnectionTrait, user: &user::Model) -> Result<ResolvedRoles> {
    let places = of(db, &[user.id]).await?.remove(&user.id).unwrap_or_default();
    Ok(ResolvedRoles {
        organisation: organisation_role(user)?,
        workspaces: places.into_iter().map(|one| (one.workspace.id.0, one.role)).collect(),
    })
}

/// Finds the workspaces; refuses roles that users cannot have.
pub(crate) async fn check(write: &Write<'_>, roles: &Roles) -> Result<ResolvedRoles> {
    const NOT_GATEWAY: &str = "The role `gateway` is for API keys. Users are `viewer`, `manager` or `admin`.";
    let mut findings = Findings::default();
    let mut refuse = |pointer: String, code: &'static str, why: &str| {
        findings.push(Finding::error(pointer, code, why.to_owned()));
    };
    if roles.organisation.is_none() && roles.workspaces.is_empty() {
        refuse(
            "/role".to_owned(),
            "missing_member",
            "Give a role, in the whole organisation or in a workspace.",
        );
    }
    if roles.organisation == Some(Role::Gateway) {
        refuse("/role".to_owned(), "invalid_value", NOT_GATEWAY);
    }
    if roles.workspaces.len() > MAX_MEMBERSHIPS {
        let why = format!(
            "These are {} workspaces; at most {MAX_MEMBERSHIPS} may be named.",
            roles.workspaces.len()
        );
        return Err(Error::invalid(Finding::error("/workspaces", "too_many", why)));
    }
    let named: Vec<&Reference> = roles.workspaces.iter().map(|(reference, _)| reference).collect();
    let known = workspaces::find_all(&write.txn, write.actor(), &named).await?;
    let mut seen = HashSet::new();
    let mut workspaces = Vec::new();
    for (index, (reference, role)) in roles.workspaces.iter().enumerate() {
        let place = format!("/workspaces/{index}");
        if *role == Role::Gateway {
            refuse(format!("{place}/role"), "invalid_value", NOT_GATEWAY);
        }
        match known.get(reference) {
            Some(found) if !seen.insert(found.id) => {
                refuse(format!("{place}/workspace_id"), "duplicate", "This workspace is named twice.");
            }
            Some(found) => workspaces.push((found.id, *role)),
            None => refuse(format!("{place}/workspace_id"), "not_found", "There is no such workspace."),
        }
    }
    findings.into_result().map_err(Error::Invalid)?;
    Ok(ResolvedRoles { organisation: roles.organisation, workspaces })
}

/// Replaces the memberships of a user.
pub(crate) async fn store(write: &Write<'_>, user: Uuid, granted: &ResolvedRoles) -> Result<()> {
    let old = membership::Entity::delete_many().filter(membership::Column::UserId.eq(user));
    old.exec(&write.txn).await?;
    let rows: Vec<_> = granted
        .workspaces
        .iter()
        .map(|(workspace, role)| membership::ActiveModel {
            user_id: Set(user),
            workspace_id: Set(*workspace),
            role: set_word(*role),
        })
        .collect();
    if !rows.is_empty() {
        membership::Entity::insert_many(rows).exec_without_returning(&write.txn).await?;
    }
    Ok(())
}
