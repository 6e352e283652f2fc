//! People: who may sign in, what they may do where, their sessions.

use super::api_keys::Done;
use crate::examples;
use crate::http::answer::{self, Answer, Listed};
use crate::http::body::{Clearable, RequestBody, Sent, present};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::{
    InviteProblems, ListProblems, ReadProblems, UserChangeProblems, UserStateProblems,
};
use crate::state::ApiState;
use actix_web::{delete, get, post, put, web};
use chrono::{DateTime, Utc};
use registry::{Error, Invited, NewUser, Roles, Session, User, UserChange};
use registry_core::id::{SessionId, UserId};
use registry_core::permission::{Permission, Role};
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;
use validator::Validate;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(create_user)
        .service(list_users)
        .service(read_user)
        .service(update_user)
        .service(deactivate_user)
        .service(reactivate_user)
        .service(create_sign_in_link)
        .service(list_user_sessions)
        .service(end_user_sessions)
        .service(end_user_session);
}

/// A role in one workspace.
#[derive(Deserialize, Serialize, ToSchema)]
pub(crate) struct WorkspaceRole {
    /// Id or slug of the workspace.
    #[schema(example = "acme")]
    workspace_id: String,
    /// What they may do there: `viewer`, `manager` or `admin`.
    role: Role,
}

/// Somebody to make known.
#[derive(Deserialize, Validate, ToSchema)]
pub(crate) struct CreateUser {
    /// What they sign in with.
    #[validate(length(min = 3, max = 254))]
    #[schema(min_length = 3, max_length = 254, format = "email", example = "grace@acme.com")]
    email: String,
    /// Their name; what stands before the `@` when absent.
    #[validate(length(max = 255))]
    #[schema(max_length = 255, example = "Grace")]
    name: Option<String>,
    /// What they may do in the whole organisation: `viewer`, `manager` or `admin`. Without it they need a workspace.
    role: Option<Role>,
    /// What they may do in single workspaces beside that.
    #[validate(length(max = 1000))]
    #[schema(max_items = 1000)]
    workspaces: Option<Vec<WorkspaceRole>>,
}

impl RequestBody for CreateUser {
    const NEEDS: Permission = Permission::ManagePeople;
}

/// What is to be changed; members that are absent stay as they are.
#[derive(Deserialize, Validate, ToSchema)]
pub(crate) struct UpdateUser {
    /// Their name.
    #[validate(length(min = 1, max = 255))]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// What they may do in the whole organisation; null: nothing.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Role>)]
    role: Clearable<Role>,
    /// What they may do in single workspaces, all of them.
    #[validate(length(max = 1000))]
    #[schema(max_items = 1000)]
    workspaces: Option<Vec<WorkspaceRole>>,
}

impl RequestBody for UpdateUser {
    const NEEDS: Permission = Permission::ManagePeople;
    const CHANGES: bool = true;
}

/// Which part of the list of people.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListUsers {
    /// The page, from 0.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Items a page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
}

/// Whether somebody may sign in, and did.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum UserStatus {
    /// Made known, never signed in.
    Invited,
    /// Signed in before.
    Active,
    /// May not sign in any more.
    Deactivated,
}

/// What somebody may do in one workspace.
#[derive(Serialize, ToSchema)]
struct UserWorkspace {
    /// Id of the workspace.
    workspace_id: Uuid,
    /// Its slug.
    #[schema(example = "acme")]
    slug: String,
    /// What they may do there.
    role: Role,
}

/// A person.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView {
    /// Always `user`.
    #[schema(example = "user")]
    object: &'static str,
    /// Their id.
    id: Uuid,
    /// What they sign in with.
    #[schema(example = "grace@acme.com")]
    email: String,
    /// Their name.
    name: String,
    /// What they may do in the whole organisation; null: nothing.
    role: Option<Role>,
    /// What they may do in single workspaces beside that.
    workspaces: Vec<UserWorkspace>,
    /// Whether they may sign in, and did.
    status: UserStatus,
    /// Whether they set a password.
    has_password: bool,
    /// Whether the identity provider vouches for them.
    from_identity_provider: bool,
    /// When they were made known.
    created_at: DateTime<Utc>,
    /// When they last signed in.
    last_sign_in_at: Option<DateTime<Utc>>,
    /// Since when they may not sign in any more.
    deactivated_at: Option<DateTime<Utc>>,
    /// A link that signs them in once, within 24 hours. Only in the answer that makes it. A secret: pass it on where nobody
    /// else reads along.
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
    fn example() -> Self {
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

    fn example_with_link() -> Self {
        Self {
            status: UserStatus::Invited,
            has_password: false,
            last_sign_in_at: None,
            sign_in_link: Some("https://mcp.acme.com/ui/sign-in/link?token=…".to_owned()),
            ..Self::example()
        }
    }

    fn with_link(state: &ApiState, invited: Invited) -> Self {
        let base = state.registry.settings().public_url.clone().unwrap_or_default();
        let link = format!("{base}/ui/sign-in/link?token={}", invited.token);
        Self { sign_in_link: Some(link), ..invited.user.into() }
    }
}

/// A session of somebody: a browser that is signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = UserSession)]
pub(crate) struct SessionView {
    /// Always `user-session`.
    #[schema(example = "user-session")]
    object: &'static str,
    /// Its id; not what the browser holds.
    id: Uuid,
    /// When they signed in.
    created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    last_seen_at: DateTime<Utc>,
    /// When it ends if it is not used.
    expires_at: DateTime<Utc>,
    /// Where they signed in from.
    #[schema(example = "192.0.2.7")]
    address: Option<String>,
    /// What the browser calls itself.
    user_agent: Option<String>,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        Self {
            object: "user-session",
            id: session.id.0,
            created_at: session.started_at,
            last_seen_at: session.seen_at,
            expires_at: session.expires_at,
            address: session.address,
            user_agent: session.user_agent,
        }
    }
}

impl SessionView {
    fn example() -> Self {
        Self {
            object: "user-session",
            id: examples::id(11),
            created_at: examples::moment(),
            last_seen_at: examples::moment(),
            expires_at: examples::moment(),
            address: Some("192.0.2.7".to_owned()),
            user_agent: None,
        }
    }
}

fn roles(workspaces: Vec<WorkspaceRole>) -> Vec<(Reference, Role)> {
    workspaces.into_iter().map(|one| (Reference::parse(&one.workspace_id), one.role)).collect()
}

/// Invite somebody
///
/// No e-mail is sent. The answer holds a link that signs them in once, the only time it is shown; then they set a
/// password. Where people come from an identity provider nobody needs to be invited.
#[utoipa::path(
    tag = "users",
    request_body(content = CreateUser, description = "Who, and what they may do; at least one role.", example = json!({ "email": "grace@acme.com", "workspaces": [{ "workspace_id": "acme", "role": "manager" }] })),
    responses(
        (status = 200, description = "They are known. Pass `sign_in_link` on.", body = UserView, example = json!(UserView::example_with_link())),
        InviteProblems,
    )
)]
#[post("/users")]
pub(crate) async fn create_user(state: web::Data<ApiState>, sent: Sent<CreateUser>) -> Answer {
    let Sent { caller, body, .. } = sent;
    let new = NewUser {
        email: body.email,
        name: body.name.unwrap_or_default(),
        roles: Roles { organisation: body.role, workspaces: roles(body.workspaces.unwrap_or_default()) },
    };
    let invited = state.registry.users().invite(&caller.actor, new).await?;
    Ok(answer::ok(&UserView::with_link(&state, invited)))
}

/// List people
///
/// By name, those who may not sign in any more among them.
#[utoipa::path(
    tag = "users",
    params(ListUsers),
    responses(
        (status = 200, description = "The people.", body = Listed<UserView>, example = json!(Listed::example(UserView::example()))),
        ListProblems,
    )
)]
#[get("/users")]
pub(crate) async fn list_users(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListUsers = caller.query()?;
    let page = query::page(asked.current_page, asked.page_size)?;
    let found = state.registry.users().list(&caller.actor, page).await?;
    Ok(answer::ok(&Listed::new(found, page, |one| Ok(UserView::from(one)))?))
}

/// Read a person
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the person.")),
    responses((status = 200, description = "The person.", body = UserView, example = json!(UserView::example())), ReadProblems)
)]
#[get("/users/{user}")]
pub(crate) async fn read_user(state: web::Data<ApiState>, caller: Caller, path: web::Path<String>) -> Answer {
    let found = state.registry.users().get(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&UserView::from(found)))
}

/// Change a person
///
/// What they may do is in force with their next request. The last admin who has signed in stays one.
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the person.")),
    request_body(content = UpdateUser, description = "What changes.", example = json!({ "role": "viewer" })),
    responses((status = 200, description = "The person as they are now.", body = UserView, example = json!(UserView::example())), UserChangeProblems)
)]
#[put("/users/{user}")]
pub(crate) async fn update_user(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: Sent<UpdateUser>,
) -> Answer {
    let Sent { caller, body, .. } = sent;
    let change = UserChange { name: body.name, role: body.role, workspaces: body.workspaces.map(roles) };
    let changed = state.registry.users().update(&caller.actor, id(&path)?, change).await?;
    Ok(answer::ok(&UserView::from(changed)))
}

/// Deactivate a person
///
/// Their sessions and links stop working at once. They stay in the list, because the audit log names them.
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the person.")),
    responses((status = 200, description = "They may not sign in any more.", body = Done, example = json!(Done::yes())), UserStateProblems)
)]
#[delete("/users/{user}")]
pub(crate) async fn deactivate_user(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    state.registry.users().deactivate(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&Done::yes()))
}

/// Reactivate a person
///
/// They may sign in again, with the password they had.
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the person.")),
    responses((status = 200, description = "They may sign in.", body = Done, example = json!(Done::yes())), UserStateProblems)
)]
#[post("/users/{user}/reactivate")]
pub(crate) async fn reactivate_user(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    state.registry.users().reactivate(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&Done::yes()))
}

/// Make a one-time link for a person
///
/// Earlier links of theirs stop working.
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the person.")),
    responses((status = 200, description = "Pass `sign_in_link` on.", body = UserView, example = json!(UserView::example_with_link())), UserStateProblems)
)]
#[post("/users/{user}/sign-in-link")]
pub(crate) async fn create_sign_in_link(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let invited = state.registry.users().new_sign_in_link(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&UserView::with_link(&state, invited)))
}

/// List somebody's sessions
///
/// Where they are signed in, the last used first. All of them: people have few.
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the person.")),
    responses(
        (status = 200, description = "The sessions.", body = Listed<SessionView>, example = json!(Listed::example(SessionView::example()))),
        ReadProblems,
    )
)]
#[get("/users/{user}/sessions")]
pub(crate) async fn list_user_sessions(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.sessions().list_of(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&Listed::whole(found.into_iter().map(SessionView::from).collect())))
}

/// End all of somebody's sessions
#[utoipa::path(
    tag = "users",
    params(("user" = Uuid, Path, description = "Id of the person.")),
    responses((status = 200, description = "They must sign in again everywhere.", body = Done, example = json!(Done::yes())), ReadProblems)
)]
#[delete("/users/{user}/sessions")]
pub(crate) async fn end_user_sessions(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    state.registry.sessions().end_all_of(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&Done::yes()))
}

/// End one of somebody's sessions
#[utoipa::path(
    tag = "users",
    params(
        ("user" = Uuid, Path, description = "Id of the person."),
        ("session" = Uuid, Path, description = "Id of the session."),
    ),
    responses((status = 200, description = "That browser must sign in again.", body = Done, example = json!(Done::yes())), ReadProblems)
)]
#[delete("/users/{user}/sessions/{session}")]
pub(crate) async fn end_user_session(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Answer {
    let (user, session) = path.into_inner();
    let session: SessionId = session
        .parse()
        .map_err(|_| Failure::from(Error::NotFound { what: "session", reference: session.clone() }))?;
    state.registry.sessions().end_of(&caller.actor, id(&user)?, session).await?;
    Ok(answer::ok(&Done::yes()))
}

fn id(text: &str) -> Result<UserId, Failure> {
    text.parse().map_err(|_| Error::NotFound { what: "person", reference: text.to_owned() }.into())
}
