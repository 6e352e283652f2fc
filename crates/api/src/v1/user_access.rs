//! Which users may use a server.

use crate::http::answer::{self, Answer, Done};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::extract::Caller;
use crate::http::query;
use crate::http::responses::{ChangeProblems, ListProblems, ReadProblems};
use crate::state::ApiState;
use crate::v1::capabilities::numbered;
use crate::v1::servers::{InWorkspace, named};
use actix_web::{HttpRequest, get, put, web};
use registry::{UserAccess, UserAccessUpdate, UserDecision};
use registry_core::finding::{Finding, Report};
use registry_core::permission::Permission;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    // The longer path first: `check` is no user.
    config
        .service(check_server_user_access)
        .service(list_server_user_access)
        .service(update_server_user_access);
}

/// The header by which the Python SDK of the hosted product is known.
const SDK_RUNTIME: &str = "x-portkey-runtime";

/// The page and the filter.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListUserAccess {
    /// Part of the name or e-mail address, ignoring case.
    #[param(max_length = 300, example = "ada")]
    search: Option<String>,
    /// Page number, from 1.
    #[param(minimum = 1, example = 1)]
    page: Option<u64>,
    /// Page number, from 0; only when `page` is absent.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Items per page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
}

/// The default of a server.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DefaultUserAccess)]
pub(crate) enum DefaultAccess {
    /// Users without an entry of their own may use the server.
    Allow,
    /// They may not.
    Deny,
}

impl DefaultAccess {
    fn of(allows: bool) -> Self {
        if allows { Self::Allow } else { Self::Deny }
    }
}

/// Whether one user may use a server.
#[derive(Serialize, ToSchema)]
#[schema(as = UserAccess)]
pub(crate) struct UserAccessView {
    /// The id of the user or API key, or the subject of the token.
    #[schema(example = "0192f5c2-4a10-7c3e-9b1d-3f2a6c000007")]
    user_id: String,
    /// The name up to the first space.
    #[schema(example = "Ada")]
    first_name: String,
    /// The rest of the name.
    #[schema(example = "Lovelace")]
    last_name: String,
    /// Whether the user may use the server.
    #[schema(example = true)]
    enabled: bool,
    /// Whether that was set for this user, and is not the default of the server.
    #[schema(example = false)]
    has_override: bool,
    /// Always `not_connected`: gateways keep the tokens of users.
    #[schema(example = "not_connected")]
    connection_status: &'static str,
}

impl From<UserAccess> for UserAccessView {
    fn from(one: UserAccess) -> Self {
        let (first, last) = one.name.split_once(' ').unwrap_or((&one.name, ""));
        Self {
            first_name: first.to_owned(),
            last_name: last.trim().to_owned(),
            user_id: one.user_id,
            enabled: one.enabled,
            has_override: one.has_override,
            connection_status: "not_connected",
        }
    }
}

/// One page of users.
#[derive(Serialize, ToSchema)]
#[schema(as = UserAccessList)]
pub(crate) struct UserAccessListView {
    /// Always `list`.
    #[schema(example = "list")]
    object: &'static str,
    /// The users.
    data: Vec<UserAccessView>,
    /// What holds for users without an entry of their own. The Python SDK of the hosted product cannot read a text here,
    /// so its requests (`x-portkey-runtime: CPython`) get an object with `default`.
    #[schema(value_type = DefaultAccess)]
    default_user_access: Value,
    /// Number of users on all pages.
    #[schema(example = 1)]
    total: u64,
    /// Whether there are users after this page.
    #[schema(example = false)]
    has_more: bool,
}

impl UserAccessListView {
    fn example() -> Self {
        let one = UserAccess {
            user_id: crate::examples::id(7).to_string(),
            name: "Ada Lovelace".to_owned(),
            enabled: true,
            has_override: false,
        };
        Self {
            object: "list",
            data: vec![one.into()],
            default_user_access: json!(DefaultAccess::Allow),
            total: 1,
            has_more: false,
        }
    }
}

/// Users whose access changes; others keep theirs.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateUserAccess)]
pub(crate) struct UpdateUserAccess {
    /// The users to change.
    #[schema(max_items = 1000)]
    user_access: Option<Vec<UserAccessItem>>,
    /// What holds for users without an entry of their own: `allow` or `deny`; or an object whose `default` is that.
    #[schema(value_type = Option<Value>, example = "deny")]
    default_user_access: Option<Value>,
}

impl RequestBody for UpdateUserAccess {
    const NEEDS: Permission = Permission::UpdateServers;
    const CHANGES: bool = true;
}

/// A user whose access changes. `user_id` or `id` is required.
#[derive(Deserialize, ToSchema)]
#[schema(as = UserAccessItem)]
pub(crate) struct UserAccessItem {
    /// The id of the user or API key, or the subject of the token.
    #[schema(min_length = 1, max_length = 255, example = "0192f5c2-4a10-7c3e-9b1d-3f2a6c000007")]
    user_id: Option<String>,
    /// Another name of `user_id`; used where `user_id` is absent.
    #[schema(min_length = 1, max_length = 255)]
    id: Option<String>,
    /// Whether the user may use the server; null removes the user's entry, so that the default of the server holds.
    #[schema(required = true, example = false)]
    enabled: Option<bool>,
}

/// The users of a change.
fn users_of(items: Vec<UserAccessItem>) -> Result<Vec<(String, Option<bool>)>, registry::Error> {
    let mut report = Report::default();
    let mut users = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        if let Some(user) = item.user_id.or(item.id) {
            users.push((user, item.enabled));
        } else {
            let pointer = format!("/user_access/{index}/user_id");
            report.push(Finding::error(pointer, "missing_member", "`user_id` is missing. Add it."));
        }
    }
    if report.has_errors() { Err(registry::Error::Invalid(report.into_findings())) } else { Ok(users) }
}

/// Whether a caller may use a server.
#[derive(Serialize, ToSchema)]
#[schema(as = UserAccessDecision)]
pub(crate) struct DecisionView {
    /// The answer.
    #[schema(example = true)]
    allowed: bool,
    /// The same, by the name that the SDKs of the hosted product read.
    #[schema(example = true)]
    has_access: bool,
    /// The user that was asked about; null where the credential is not valid.
    #[schema(example = "0192f5c2-4a10-7c3e-9b1d-3f2a6c000007")]
    user_id: Option<String>,
    /// Id of the server; null where the user may not know of it.
    mcp_server_id: Option<Uuid>,
    /// Why not; null: allowed.
    reason: Option<&'static str>,
}

impl From<UserDecision> for DecisionView {
    fn from(decision: UserDecision) -> Self {
        Self {
            allowed: decision.allowed,
            has_access: decision.allowed,
            user_id: Some(decision.user_id),
            mcp_server_id: Some(decision.server.0),
            reason: decision.reason,
        }
    }
}

impl DecisionView {
    pub(crate) fn example() -> Self {
        Self {
            allowed: true,
            has_access: true,
            user_id: Some(crate::examples::id(7).to_string()),
            mcp_server_id: Some(crate::examples::id(4)),
            reason: None,
        }
    }
}

/// Check whether the caller may use a server
///
/// For the credential of this request. It must be allowed by the workspace, by the integration and for this user; a key
/// or token with a scope list needs `mcp.invoke`.
#[utoipa::path(
    tag = "user access",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    responses((status = 200, description = "The answer.", body = DecisionView, example = json!(DecisionView::example())), ReadProblems)
)]
#[get("/mcp-servers/{server}/user-access/check")]
pub(crate) async fn check_server_user_access(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let server = named(&caller, &path)?;
    let decision = state.registry.access().check_user(&caller.actor, &server).await?;
    Ok(answer::ok(&DecisionView::from(decision)))
}

/// List which users may use a server
///
/// Users of this registry by name, then API keys and subjects of tokens that gateways asked about.
#[utoipa::path(
    tag = "user access",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace, ListUserAccess),
    responses((status = 200, description = "The users.", body = UserAccessListView, example = json!(UserAccessListView::example())), ListProblems)
)]
#[get("/mcp-servers/{server}/user-access")]
pub(crate) async fn list_server_user_access(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let asked: ListUserAccess = caller.query()?;
    let page = numbered(asked.page, asked.current_page, asked.page_size)?;
    let (server, search) = (named(&caller, &path)?, query::filled(asked.search));
    let found = state.registry.access().users(&caller.actor, &server, search, page).await?;
    let default = json!(DefaultAccess::of(found.allows_users));
    let runtime =
        request.headers().get(SDK_RUNTIME).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_python = runtime.ends_with("Python") || runtime == "PyPy";
    let view = UserAccessListView {
        object: "list",
        default_user_access: if is_python { json!({ "default": default }) } else { default },
        total: found.page.total,
        has_more: found.page.has_more,
        data: found.page.items.into_iter().map(Into::into).collect(),
    };
    Ok(answer::ok(&view))
}

/// Change which users may use a server
///
/// Only narrows: a user without access through the workspace has none here. Gateways are told. `enabled: null` removes
/// what was set for a user.
#[utoipa::path(
    tag = "user access",
    params(("server" = String, Path, description = "Id or slug of the server.", example = "linear"), InWorkspace),
    request_body(content = UpdateUserAccess, description = "At least one member.", example = json!({ "user_access": [{ "user_id": "0192f5c2-4a10-7c3e-9b1d-3f2a6c000007", "enabled": false }], "default_user_access": "allow" })),
    responses((status = 200, description = "It is saved.", body = Done, example = json!(Done::yes())), ChangeProblems)
)]
#[put("/mcp-servers/{server}/user-access")]
pub(crate) async fn update_server_user_access(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<UpdateUserAccess>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let server = named(&caller, &path)?;
    let update = UserAccessUpdate {
        users: users_of(body.user_access.unwrap_or_default())?,
        allows_users: default_of(body.default_user_access)?,
    };
    state.registry.access().update_users(&caller.actor, &server, update).await?;
    Ok(answer::ok(&Done::yes()))
}

/// The default as a truth value; the word alone, or an object with it.
fn default_of(value: Option<Value>) -> Result<Option<bool>, registry::Error> {
    let Some(value) = value else { return Ok(None) };
    let word = value.as_object().and_then(|object| object.values().find(|value| value.is_string()));
    match word.unwrap_or(&value).as_str() {
        Some("allow") => Ok(Some(true)),
        Some("deny") => Ok(Some(false)),
        _ => {
            let message = "`default_user_access` must be \"allow\" or \"deny\".";
            let finding = Finding::error("/default_user_access", "wrong_value", message);
            Err(registry::Error::Invalid(finding.into()))
        }
    }
}
