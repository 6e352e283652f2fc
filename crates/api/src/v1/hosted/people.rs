//! Users, members and their roles as the hosted product names them: `admin` and `member` of the organisation; `admin`,
//! `manager` and `member` of a workspace.

use crate::examples;
use crate::http::failure::Failure;
use chrono::{DateTime, Utc};
use registry::{Error, User};
use registry_core::finding::Finding;
use registry_core::permission::Role;
use registry_core::slug::Reference;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A user, as the hosted product shows one.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminUser)]
pub(super) struct AdminUserView {
    /// Always `user`.
    #[schema(example = "user")]
    object: &'static str,
    /// Id of the user.
    id: Uuid,
    /// The first word of the name.
    first_name: String,
    /// The rest of the name.
    last_name: String,
    /// E-mail address, with which the user signs in.
    #[schema(example = "grace@acme.com")]
    email: String,
    /// `admin` of the organisation, or `member`.
    #[schema(example = "member")]
    role: &'static str,
    /// `active`, `invited` (never signed in) or `deactivated`.
    #[schema(example = "active")]
    status: &'static str,
    /// Ids of the workspaces in which the user has a role.
    workspace_ids: Vec<Uuid>,
    /// When the user was created (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the user last signed in, was created or was deactivated (RFC 3339).
    last_updated_at: DateTime<Utc>,
}

impl From<User> for AdminUserView {
    fn from(user: User) -> Self {
        let (first_name, last_name) = names(&user.name);
        Self {
            object: "user",
            id: user.id.0,
            first_name,
            last_name,
            role: organisation_word(user.role),
            status: status(&user),
            workspace_ids: user.workspaces.iter().map(|one| one.workspace.id.0).collect(),
            created_at: user.created_at,
            last_updated_at: changed(&user),
            email: user.email,
        }
    }
}

impl AdminUserView {
    pub(super) fn example() -> Self {
        Self {
            object: "user",
            id: examples::id(10),
            first_name: "Grace".to_owned(),
            last_name: "Hopper".to_owned(),
            email: "grace@acme.com".to_owned(),
            role: "member",
            status: "active",
            workspace_ids: vec![examples::id(1)],
            created_at: examples::moment(),
            last_updated_at: examples::moment(),
        }
    }
}

/// A member of a workspace.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkspaceMember)]
pub(super) struct MemberView {
    /// Always `workspace-user`.
    #[schema(example = "workspace-user")]
    object: &'static str,
    /// Id of the user.
    id: Uuid,
    /// The same id, by another name of the hosted product.
    user_id: Uuid,
    /// The first word of the name.
    first_name: String,
    /// The rest of the name.
    last_name: String,
    /// E-mail address of the user.
    #[schema(example = "grace@acme.com")]
    email: String,
    /// Role in the organisation: `admin` or `member`.
    #[schema(example = "member")]
    org_role: &'static str,
    /// Role in the workspace: `admin`, `manager` or `member`.
    #[schema(example = "manager")]
    role: &'static str,
    /// `active`, `invited` (never signed in) or `deactivated`.
    #[schema(example = "active")]
    status: &'static str,
    /// The workspace, as the request named it.
    #[schema(example = "acme")]
    workspace_id: String,
    /// When the user was created (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the user last signed in, was created or was deactivated (RFC 3339).
    last_updated_at: DateTime<Utc>,
}

impl MemberView {
    /// The member `user` of the workspace that the request named `named`.
    pub(super) fn of(user: User, named: &str) -> Result<Self, Failure> {
        let reference = Reference::parse(named);
        let is_here = |id: Uuid, slug: &str| match &reference {
            Reference::Id(wanted) => *wanted == id,
            Reference::Slug(wanted) => wanted.eq_ignore_ascii_case(slug),
        };
        let here =
            user.workspaces.iter().find(|one| is_here(one.workspace.id.0, one.workspace.slug.as_str()));
        let Some(here) = here else {
            return Err(Error::NotFound { what: "user", reference: user.id.to_string() }.into());
        };
        let (first_name, last_name) = names(&user.name);
        Ok(Self {
            object: "workspace-user",
            id: user.id.0,
            user_id: user.id.0,
            first_name,
            last_name,
            org_role: organisation_word(user.role),
            role: workspace_word(here.role),
            status: status(&user),
            workspace_id: named.to_owned(),
            created_at: user.created_at,
            last_updated_at: changed(&user),
            email: user.email,
        })
    }

    pub(super) fn example() -> Self {
        Self {
            object: "workspace-user",
            id: examples::id(10),
            user_id: examples::id(10),
            first_name: "Grace".to_owned(),
            last_name: "Hopper".to_owned(),
            email: "grace@acme.com".to_owned(),
            org_role: "member",
            role: "manager",
            status: "active",
            workspace_id: "acme".to_owned(),
            created_at: examples::moment(),
            last_updated_at: examples::moment(),
        }
    }
}

/// The role in the organisation that this word means; `None`: no role there.
pub(super) fn organisation_role(word: &str) -> Result<Option<Role>, Failure> {
    match word {
        "admin" | "owner" => Ok(Some(Role::Admin)),
        "member" => Ok(None),
        _ => Err(unknown_role("/role", "`admin` or `member`")),
    }
}

/// The role in a workspace that this word means.
pub(super) fn workspace_role(pointer: String, word: &str) -> Result<Role, Failure> {
    match word.strip_prefix("ws-").unwrap_or(word) {
        "admin" => Ok(Role::Admin),
        "manager" => Ok(Role::Manager),
        "member" => Ok(Role::Viewer),
        _ => Err(unknown_role(pointer, "`admin`, `manager` or `member`")),
    }
}

/// The hosted product's word for a role in a workspace.
fn workspace_word(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Manager => "manager",
        Role::Viewer | Role::Gateway => "member",
    }
}

fn organisation_word(role: Option<Role>) -> &'static str {
    if role == Some(Role::Admin) { "admin" } else { "member" }
}

fn unknown_role(pointer: impl Into<String>, words: &str) -> Failure {
    let message = format!("There is no such role here. Use {words}.");
    Failure::finding(Finding::error(pointer.into(), "invalid_value", message))
}

/// `active`, `invited` or `deactivated`.
fn status(user: &User) -> &'static str {
    match (&user.deactivated_at, &user.last_sign_in_at) {
        (Some(_), _) => "deactivated",
        (None, Some(_)) => "active",
        (None, None) => "invited",
    }
}

fn changed(user: &User) -> DateTime<Utc> {
    [user.deactivated_at, user.last_sign_in_at].into_iter().flatten().max().unwrap_or(user.created_at)
}

fn names(name: &str) -> (String, String) {
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    (first.to_owned(), last.to_owned())
}
