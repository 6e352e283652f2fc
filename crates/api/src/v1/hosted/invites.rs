//! Invitations: users who never signed in. The id of an invitation is that of its user.

use super::page::HostedPage;
use super::people::{organisation_role, workspace_role};
use super::users::AdminListUsers;
use crate::examples;
use crate::http::answer::{self, Answer, Done, Listed};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::responses::{InviteProblems, ListProblems, ReadProblems, UserStateProblems};
use crate::state::ApiState;
use crate::v1::users::id;
use actix_web::{delete, get, post, web};
use chrono::{DateTime, Duration, Utc};
use registry::{Invited, NewUser, Roles, User, UserFilter};
use registry_core::finding::Finding;
use registry_core::permission::{Permission, Role};
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A user to invite.
#[derive(Deserialize, ToSchema)]
#[schema(as = CreateInvite)]
pub(crate) struct CreateInvite {
    /// E-mail address, with which the user signs in.
    #[schema(min_length = 3, max_length = 254, format = "email", example = "grace@acme.com")]
    email: String,
    /// `admin` of the organisation, or `member`, who needs a role in a workspace.
    #[schema(max_length = 20, example = "member")]
    role: String,
    /// Roles in workspaces.
    #[schema(max_items = 1000)]
    workspaces: Option<Vec<InviteWorkspace>>,
}

/// A role in one workspace.
#[derive(Deserialize, ToSchema)]
#[schema(as = InviteWorkspace)]
pub(crate) struct InviteWorkspace {
    /// Id or slug of the workspace.
    #[schema(example = "acme")]
    id: String,
    /// `admin`, `manager` or `member`.
    #[schema(max_length = 20, example = "manager")]
    role: String,
}

impl RequestBody for CreateInvite {
    const NEEDS: Permission = Permission::ManagePeople;
    const HOSTED: &'static [&'static str] = &["workspace_api_key_details"];
}

/// An invitation.
#[derive(Serialize, ToSchema)]
#[schema(as = Invite)]
pub(crate) struct InviteView {
    /// Always `invite`.
    #[schema(example = "invite")]
    object: &'static str,
    /// Id of the invitation, and of the user.
    id: Uuid,
    /// E-mail address of the user.
    #[schema(example = "grace@acme.com")]
    email: String,
    /// `admin` or `member`.
    #[schema(example = "member")]
    role: &'static str,
    /// `pending`, `accepted` or `cancelled`.
    #[schema(example = "pending")]
    status: &'static str,
    /// When the user was invited (RFC 3339).
    created_at: DateTime<Utc>,
    /// When the first link of the invitation expires (RFC 3339).
    expires_at: DateTime<Utc>,
    /// When the user last signed in (RFC 3339); null while the user never did.
    accepted_at: Option<DateTime<Utc>>,
    /// A link that signs the user in once, within 24 hours. Only in the response that creates it. It is a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://mcp.acme.com/ui/sign-in/link?token=…")]
    invite_link: Option<String>,
    /// The same link, by another name of the hosted product.
    #[serde(rename = "inviteLink", skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://mcp.acme.com/ui/sign-in/link?token=…")]
    link: Option<String>,
    /// Notices about what was sent. Only in the response that creates the invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<Finding>>,
}

impl From<User> for InviteView {
    fn from(user: User) -> Self {
        Self {
            object: "invite",
            id: user.id.0,
            role: if user.role == Some(Role::Admin) { "admin" } else { "member" },
            status: match (&user.deactivated_at, &user.last_sign_in_at) {
                (_, Some(_)) => "accepted",
                (Some(_), None) => "cancelled",
                (None, None) => "pending",
            },
            created_at: user.created_at,
            expires_at: user.created_at + Duration::hours(24),
            accepted_at: user.last_sign_in_at,
            email: user.email,
            invite_link: None,
            link: None,
            findings: None,
        }
    }
}

impl InviteView {
    fn example() -> Self {
        Self {
            object: "invite",
            id: examples::id(10),
            email: "grace@acme.com".to_owned(),
            role: "member",
            status: "pending",
            created_at: examples::moment(),
            expires_at: examples::moment() + Duration::hours(24),
            accepted_at: None,
            invite_link: None,
            link: None,
            findings: None,
        }
    }

    fn with_link(state: &ApiState, invited: Invited, findings: Vec<Finding>) -> Self {
        let base = state.registry.settings().public_url.clone().unwrap_or_default();
        let link = format!("{base}/ui/sign-in/link?token={}", invited.token);
        Self {
            invite_link: Some(link.clone()),
            link: Some(link),
            findings: Some(findings),
            ..invited.user.into()
        }
    }
}

/// Invite a user, by the hosted product's path
///
/// No e-mail is sent: the response contains the link, the only time it is shown.
#[utoipa::path(
    tag = "hosted paths",
    request_body(content = CreateInvite, description = "The user, with at least one role.", example = json!({ "email": "grace@acme.com", "role": "member", "workspaces": [{ "id": "acme", "role": "manager" }] })),
    responses((status = 200, description = "The user is invited. Send the link to the user.", body = InviteView, example = json!(InviteView::example())), InviteProblems)
)]
#[post("/admin/users/invites")]
pub(crate) async fn create_invite(state: web::Data<ApiState>, sent: ValidatedJson<CreateInvite>) -> Answer {
    let ValidatedJson { caller, body, notices, .. } = sent;
    let mut workspaces = Vec::new();
    for (index, one) in body.workspaces.unwrap_or_default().into_iter().enumerate() {
        let role = workspace_role(format!("/workspaces/{index}/role"), &one.role)?;
        workspaces.push((Reference::parse(&one.id), role));
    }
    let roles = Roles { organisation: organisation_role(&body.role)?, workspaces };
    let new = NewUser { email: body.email, name: String::new(), roles };
    let invited = state.registry.users().invite(&caller.actor, new).await?;
    Ok(answer::ok(&InviteView::with_link(&state, invited, notices.0)))
}

/// List invitations, by the hosted product's path
///
/// Users who never signed in.
#[utoipa::path(
    tag = "hosted paths",
    params(AdminListUsers, HostedPage),
    responses((status = 200, description = "The invitations that are pending.", body = Listed<InviteView>, example = json!(Listed::example(InviteView::example()))), ListProblems)
)]
#[get("/admin/users/invites")]
pub(crate) async fn list_invites(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let page = caller.query::<HostedPage>()?.page()?;
    let filter = UserFilter { invited: Some(true), ..caller.query::<AdminListUsers>()?.filter() };
    let found = state.registry.users().search(&caller.actor, filter, page).await?;
    Ok(answer::ok(&Listed::new(found, |one| Ok(InviteView::from(one)))?))
}

/// Read an invitation, by the hosted product's path
#[utoipa::path(
    tag = "hosted paths",
    params(("user" = Uuid, Path, description = "Id of the invitation, and of the user.")),
    responses((status = 200, description = "The invitation.", body = InviteView, example = json!(InviteView::example())), ReadProblems)
)]
#[get("/admin/users/invites/{user}")]
pub(crate) async fn read_invite(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.users().get(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&InviteView::from(found)))
}

/// Cancel an invitation, by the hosted product's path
///
/// Deactivates the user, who never signed in. 409 after the user did.
#[utoipa::path(
    tag = "hosted paths",
    params(("user" = Uuid, Path, description = "Id of the invitation, and of the user.")),
    responses((status = 200, description = "The invitation is cancelled.", body = Done, example = json!(Done::yes())), UserStateProblems)
)]
#[delete("/admin/users/invites/{user}")]
pub(crate) async fn delete_invite(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.users().get(&caller.actor, id(&path)?).await?;
    if found.last_sign_in_at.is_some() {
        return Err(accepted());
    }
    state.registry.users().deactivate(&caller.actor, found.id).await?;
    Ok(answer::ok(&Done::yes()))
}

fn accepted() -> Failure {
    registry::Error::Conflict {
        code: registry::ConflictCode::Conflict,
        message: "This invitation was accepted. Deactivate the user instead.".to_owned(),
        pointer: None,
    }
    .into()
}

/// Make a new link for an invitation, by the hosted product's path
///
/// The earlier link stops working.
#[utoipa::path(
    tag = "hosted paths",
    params(("user" = Uuid, Path, description = "Id of the invitation, and of the user.")),
    responses((status = 200, description = "The invitation with its new link.", body = InviteView, example = json!(InviteView::example())), UserStateProblems)
)]
#[post("/admin/users/invites/{user}/resend")]
pub(crate) async fn resend_invite(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.users().get(&caller.actor, id(&path)?).await?;
    if found.last_sign_in_at.is_some() {
        return Err(accepted());
    }
    let invited = state.registry.users().new_sign_in_link(&caller.actor, found.id).await?;
    Ok(answer::ok(&InviteView::with_link(&state, invited, Vec::new())))
}
