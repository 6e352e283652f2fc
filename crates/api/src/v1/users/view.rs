//! A user as the API shows one.

use crate::examples;

use crate::state::ApiState;
use chrono::{DateTime, Utc};
use registry::{Invited, User};
use registry_core::permission::Role;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Whether the user may sign in, and has signed in before.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum UserStatus {
    /// Invited, never signed in.
    Invited,
    /// Signed in before.
    Active,
    /// Deactivated: cannot sign in.
    Deactivated,
}

/// The role of a user in one workspace.
#[derive(Serialize, ToSchema)]
pub(super) struct UserWorkspace {
    /// Id of the workspace.
    workspace_id: Uuid,
    /// Slug of the workspace.
    #[schema(example = "acme")]
    slug: String,
    /// Role in that workspace.
    role: Role,
}

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView {
    /// Always `user`.
    #[schema(example = "user")]
    object: &'static str,
    /// Id of the user.
    id: Uuid,
    /// E-mail address, with which the user signs in.
    #[schema(example = "grace@acme.com")]
    email: String,
    /// Display name.
    name: String,
    /// Role in the whole organisation; null when there is none.
    role: Option<Role>,
    /// Additional roles in single workspaces.
    workspaces: Vec<UserWorkspace>,
    /// Whether the user may sign in, and has signed in before.
    status: UserStatus,
    /// Whether the user has set a password.
    has_password: bool,
    /// Whether the user signs in by the identity provider.
    from_identity_provider: bool,
    /// When the user was created (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the user last signed in (RFC 3339).
    last_sign_in_at: Option<DateTime<Utc>>,
    /// When the user was deactivated (RFC 3339).
    deactivated_at: Option<DateTime<Utc>>,
    /// A link that signs the user in once, within 24 hours. Only in the response that creates it. It is a
    /// secret: send it over a confidential channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://mcp.acme.com/ui/sign-in/link?token=…")]
    sign_in_link: Option<String>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            object: "user",
            id: user.id.0,
            email: user.email,
            name: user.name,
            role: user.role,
            workspaces: user
                .workspaces
                .into_iter()
                .map(|one| UserWorkspace {
                    workspace_id: one.workspace.id.0,
                    slug: one.workspace.slug.into(),
                    role: one.role,
                })
                .collect(),
            status: match (&user.deactivated_at, &user.last_sign_in_at) {
                (Some(_), _) => UserStatus::Deactivated,
                (None, Some(_)) => UserStatus::Active,
                (None, None) => UserStatus::Invited,
            },
            has_password: user.has_password,
            from_identity_provider: user.from_provider,
            created_at: user.created_at,
            last_sign_in_at: user.last_sign_in_at,
            deactivated_at: user.deactivated_at,
            sign_in_link: None,
        }
    }
}

impl UserView {
    pub(super) fn example() -> Self {
        Self {
            object: "user",
            id: examples::id(10),
            email: "grace@acme.com".to_owned(),
            name: "Grace".to_owned(),
            role: None,
            workspaces: vec![UserWorkspace {
                workspace_id: examples::id(1),
                slug: "acme".to_owned(),
                role: Role::Manager,
            }],
            status: UserStatus::Active,
            has_password: true,
            from_identity_provider: false,
            created_at: examples::moment(),
            last_sign_in_at: Some(examples::moment()),
            deactivated_at: None,
            sign_in_link: None,
        }
    }

    pub(super) fn example_with_link() -> Self {
        Self {
            status: UserStatus::Invited,
            has_password: false,
            last_sign_in_at: None,
            sign_in_link: Some("https://mcp.acme.com/ui/sign-in/link?token=…".to_owned()),
            ..Self::example()
        }
    }

    pub(super) fn with_link(state: &ApiState, invited: Invited) -> Self {
        let base = state.registry.settings().public_url.clone().unwrap_or_default();
        let link = format!("{base}/ui/sign-in/link?token={}", invited.token);
        Self { sign_in_link: Some(link), ..invited.user.into() }
    }
}
