//! Members of a workspace: users with a role there.

use super::page::HostedPage;
use super::people::{MemberView, workspace_role};
use super::users::AdminListUsers;
use crate::http::answer::{self, Answer, Done, Listed};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::extract::Caller;
use crate::http::responses::{ListProblems, ReadProblems, UserChangeProblems, UserStateProblems};
use crate::state::ApiState;
use crate::v1::users::id;
use actix_web::{delete, get, post, put, web};
use registry::UserFilter;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::Deserialize;
use utoipa::ToSchema;

/// Users to add to a workspace.
#[derive(Deserialize, ToSchema)]
#[schema(as = AddWorkspaceMembers)]
pub(crate) struct AddMembers {
    /// The users, each with a role. At most 100.
    #[schema(max_items = 100)]
    users: Vec<NewMember>,
}

/// A user to add.
#[derive(Deserialize, ToSchema)]
#[schema(as = WorkspaceMemberToAdd)]
pub(crate) struct NewMember {
    /// Id of the user.
    id: String,
    /// `admin`, `manager` or `member`.
    #[schema(max_length = 20, example = "manager")]
    role: String,
}

impl RequestBody for AddMembers {
    const NEEDS: Permission = Permission::ManagePeople;
    const HOSTED: &'static [&'static str] = &["workspace_id"];
}

/// The role of a member.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateWorkspaceMember)]
pub(crate) struct UpdateMember {
    /// `admin`, `manager` or `member`.
    #[schema(max_length = 20, example = "manager")]
    role: String,
}

impl RequestBody for UpdateMember {
    const NEEDS: Permission = Permission::ManagePeople;
    const HOSTED: &'static [&'static str] = &["user_id"];
}

/// Add members to a workspace
///
/// Users who have a role there get the new one. The users are added one after the other: a refused one ends it.
#[utoipa::path(
    tag = "hosted paths",
    params(("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme")),
    request_body(content = AddMembers, description = "The users.", example = json!({ "users": [{ "id": "018f2f6a-0000-7000-8000-00000000000a", "role": "manager" }] })),
    responses((status = 200, description = "They are members.", body = Done, example = json!(Done::yes())), UserChangeProblems)
)]
#[post("/admin/workspaces/{workspace}/users")]
pub(crate) async fn add_workspace_members(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<AddMembers>,
) -> Answer {
    let ValidatedJson { caller, body, .. } = sent;
    let mut members = Vec::new();
    for (index, one) in body.users.iter().enumerate() {
        members.push((id(&one.id)?, workspace_role(format!("/users/{index}/role"), &one.role)?));
    }
    let workspace = Reference::parse(&path);
    for (user, role) in members {
        state.registry.users().set_membership(&caller.actor, user, &workspace, Some(role)).await?;
    }
    Ok(answer::ok(&Done::yes()))
}

/// List the members of a workspace
#[utoipa::path(
    tag = "hosted paths",
    params(("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme"), AdminListUsers, HostedPage),
    responses((status = 200, description = "The members, by name.", body = Listed<MemberView>, example = json!(Listed::example(MemberView::example()))), ListProblems)
)]
#[get("/admin/workspaces/{workspace}/users")]
pub(crate) async fn list_workspace_members(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let page = caller.query::<HostedPage>()?.page()?;
    // `role` is a role in the workspace here, by which this list is not filtered.
    let filter = UserFilter {
        workspace: Some(Reference::parse(&path)),
        admin: None,
        ..caller.query::<AdminListUsers>()?.filter()
    };
    let found = state.registry.users().search(&caller.actor, filter, page).await?;
    Ok(answer::ok(&Listed::new(found, |one| MemberView::of(one, &path))?))
}

/// Read a member of a workspace
#[utoipa::path(
    tag = "hosted paths",
    params(
        ("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme"),
        ("user" = Uuid, Path, description = "Id of the user."),
    ),
    responses((status = 200, description = "The member.", body = MemberView, example = json!(MemberView::example())), ReadProblems)
)]
#[get("/admin/workspaces/{workspace}/users/{user}")]
pub(crate) async fn read_workspace_member(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Answer {
    let (workspace, user) = path.into_inner();
    let found = state.registry.users().get(&caller.actor, id(&user)?).await?;
    Ok(answer::ok(&MemberView::of(found, &workspace)?))
}

/// Change the role of a member of a workspace
#[utoipa::path(
    tag = "hosted paths",
    params(
        ("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme"),
        ("user" = Uuid, Path, description = "Id of the user."),
    ),
    request_body(content = UpdateMember, description = "The role.", example = json!({ "role": "manager" })),
    responses((status = 200, description = "The changed member.", body = MemberView, example = json!(MemberView::example())), UserChangeProblems)
)]
#[put("/admin/workspaces/{workspace}/users/{user}")]
pub(crate) async fn update_workspace_member(
    state: web::Data<ApiState>,
    path: web::Path<(String, String)>,
    sent: ValidatedJson<UpdateMember>,
) -> Answer {
    let ValidatedJson { caller, body, .. } = sent;
    let (workspace, user) = path.into_inner();
    let role = workspace_role("/role".to_owned(), &body.role)?;
    let reference = Reference::parse(&workspace);
    let changed =
        state.registry.users().set_membership(&caller.actor, id(&user)?, &reference, Some(role)).await?;
    Ok(answer::ok(&MemberView::of(changed, &workspace)?))
}

/// Remove a member from a workspace
///
/// The user keeps the other roles; the last one cannot be taken away (422): deactivate the user instead.
#[utoipa::path(
    tag = "hosted paths",
    params(
        ("workspace" = String, Path, description = "Id or slug of the workspace.", example = "acme"),
        ("user" = Uuid, Path, description = "Id of the user."),
    ),
    responses((status = 200, description = "The user has no role there.", body = Done, example = json!(Done::yes())), UserStateProblems)
)]
#[delete("/admin/workspaces/{workspace}/users/{user}")]
pub(crate) async fn remove_workspace_member(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Answer {
    let (workspace, user) = path.into_inner();
    let reference = Reference::parse(&workspace);
    state.registry.users().set_membership(&caller.actor, id(&user)?, &reference, None).await?;
    Ok(answer::ok(&Done::yes()))
}
