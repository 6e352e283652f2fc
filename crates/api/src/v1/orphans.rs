//! Orphaned clients: clients that may exist at an authorization server and are not used by this deployment.

use crate::examples;
use crate::http::answer::{self, Answer, Listed};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use crate::http::responses::{ChangeProblems, ListProblems};
use crate::state::ApiState;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use registry::{Error, ORPHAN_KINDS, Orphan, OrphanFilter};
use registry_core::id::OrphanId;
use registry_core::permission::Permission;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_orphans).service(resolve_orphan);
}

/// The filters of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListOrphans {
    /// `answer_lost`, `unusable_answer` or `not_withdrawn`.
    #[param(example = "not_withdrawn")]
    kind: Option<String>,
    /// Only clients at this authorization server.
    #[param(example = "https://mcp.linear.app")]
    issuer: Option<String>,
    /// Only clients of this workspace (id or slug).
    #[param(example = "acme")]
    workspace_id: Option<String>,
    /// Whether resolved entries are included.
    #[param(example = false)]
    resolved: Option<bool>,
    /// `json`, or `csv` for a spreadsheet.
    #[param(example = "csv")]
    format: Option<String>,
    /// Where the page begins: the `next_cursor` of the page before, with the same filters. The cost of a page does not
    /// depend on its place. `current_page` is ignored.
    #[param(max_length = 64)]
    cursor: Option<String>,
    /// Page number, from 0. All items before the page are read: use `cursor` to read a whole list.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Items per page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
}

/// An orphaned client: it may exist upstream and is not used by this deployment.
#[derive(Serialize, ToSchema)]
#[schema(as = Orphan)]
pub(crate) struct OrphanView {
    /// Always `orphan`.
    #[schema(example = "orphan")]
    object: &'static str,
    /// Id of the entry.
    id: Uuid,
    /// `answer_lost`: a registration request was sent and its answer was lost. `unusable_answer`: a registration
    /// was answered with success, and the answer yields no usable client; it is deleted where the answer says
    /// how, and the entry is resolved then. `not_withdrawn`: a client of this deployment could not be deleted.
    kind: String,
    /// Id of the registration that the client belonged to.
    registration_id: Uuid,
    /// Id of the workspace.
    workspace_id: Uuid,
    /// `workspace/server`, with the slugs at that time.
    server: String,
    /// Issuer of the authorization server.
    issuer: Option<String>,
    /// The `client_id`; null when it could not be read. Control and invisible characters are written as `\u{…}`.
    client_id: Option<String>,
    /// The `client_name` of the registration request, by which the client can be found.
    client_name: Option<String>,
    /// The client configuration endpoint (RFC 7592), if known.
    #[schema(format = "uri")]
    registration_client_uri: Option<String>,
    /// Stable code of the reason.
    reason: String,
    /// The reason as a sentence.
    detail: String,
    /// The `contacts` of the registration request.
    contacts: Vec<String>,
    /// When the entry was created (RFC 3339).
    since: DateTime<Utc>,
    /// When the entry was resolved.
    resolved_at: Option<DateTime<Utc>>,
    /// Name of the actor who resolved the entry.
    resolved_by: Option<String>,
    /// The comment of that actor.
    note: Option<String>,
}

impl From<Orphan> for OrphanView {
    fn from(orphan: Orphan) -> Self {
        Self {
            object: "orphan",
            id: orphan.id.0,
            kind: orphan.kind,
            registration_id: orphan.registration.0,
            workspace_id: orphan.workspace.0,
            server: orphan.server,
            issuer: orphan.issuer,
            client_id: orphan.client_id,
            client_name: orphan.client_name,
            registration_client_uri: orphan.registration_client_uri,
            reason: orphan.reason,
            detail: orphan.detail,
            contacts: orphan.contacts,
            since: orphan.since,
            resolved_at: orphan.resolved_at,
            resolved_by: orphan.resolved_by,
            note: orphan.note,
        }
    }
}

impl OrphanView {
    fn example() -> Self {
        Self {
            object: "orphan",
            id: examples::id(11),
            kind: "not_withdrawn".to_owned(),
            registration_id: examples::id(5),
            workspace_id: examples::id(2),
            server: "acme/linear".to_owned(),
            issuer: Some(examples::ISSUER.to_owned()),
            client_id: Some(examples::CLIENT_ID.to_owned()),
            client_name: Some("Acme Corp MCP Gateway".to_owned()),
            registration_client_uri: None,
            reason: "deletion_not_offered".to_owned(),
            detail: "The authorization server gave no way to delete the client (RFC 7592), so it may still exist there.".to_owned(),
            contacts: vec!["security@acme.com".to_owned()],
            since: examples::moment(),
            resolved_at: None,
            resolved_by: None,
            note: None,
        }
    }
}

/// List orphans
///
/// Clients that may exist at an authorization server and are not used by this deployment: the answer that named
/// them was lost or could not be used, or they could not be deleted. `format=csv` gives the same list as a table for the owners of
/// authorization servers.
#[utoipa::path(
    tag = "orphans",
    params(ListOrphans),
    responses(
        (
            status = 200, description = "The entries the caller may see, newest first.",
            content(
                (Listed<OrphanView> = "application/json", example = json!(Listed::example(OrphanView::example()))),
                (String = "text/csv", example = json!("kind,server,issuer,client_id\r\n")),
            ),
        ),
        ListProblems,
    )
)]
#[get("/orphans")]
pub(crate) async fn list_orphans(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let asked: ListOrphans = caller.query()?;
    let page = query::page_at(asked.cursor, asked.current_page, asked.page_size)?;
    let kind = query::filled(asked.kind);
    if kind.as_deref().is_some_and(|kind| !ORPHAN_KINDS.contains(&kind)) {
        return Err(Failure::parameter("kind", "takes `answer_lost`, `unusable_answer` or `not_withdrawn`."));
    }
    let filter = OrphanFilter {
        kind,
        issuer: query::filled(asked.issuer),
        workspace: query::reference(asked.workspace_id),
        search: None,
        resolved: asked.resolved.unwrap_or(false),
    };
    let found = state.registry.orphans().list(&caller.actor, filter, page).await?;
    match query::filled(asked.format).as_deref() {
        None | Some("json") => Ok(answer::ok(&Listed::new(found, |one| Ok(OrphanView::from(one)))?)),
        Some("csv") => Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
            .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"orphans.csv\""))
            .body(registry::orphan_table(found.items)?)),
        Some(_) => Err(Failure::parameter("format", "takes `json` or `csv`.")),
    }
}

/// How an orphaned client was dealt with.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ResolveOrphan {
    /// A comment for later readers of the list.
    #[schema(max_length = 500, example = "Deleted by the vendor, ticket 4711.")]
    note: Option<String>,
}

impl RequestBody for ResolveOrphan {
    const NEEDS: Permission = Permission::OperateRegistrations;
}

/// Resolve an orphan
///
/// Marks the entry as resolved: the client was deleted manually, or never existed.
#[utoipa::path(
    tag = "orphans",
    params(("orphan" = Uuid, Path, description = "Id of the entry.")),
    request_body(content = ResolveOrphan, description = "The comment.", example = json!({ "note": "Deleted by the vendor, ticket 4711." })),
    responses(
        (status = 200, description = "The entry is resolved.", body = OrphanView, example = json!(OrphanView { resolved_at: Some(examples::moment()), ..OrphanView::example() })),
        ChangeProblems,
    )
)]
#[post("/orphans/{orphan}/resolve")]
pub(crate) async fn resolve_orphan(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<ResolveOrphan>,
) -> Answer {
    let ValidatedJson { caller, body, .. } = sent;
    let missing = || Error::NotFound { what: "orphan", reference: path.to_string() };
    let id = path.parse::<OrphanId>().map_err(|_| missing())?;
    let found = state.registry.orphans().resolve(&caller.actor, id, query::filled(body.note)).await?;
    Ok(answer::ok(&OrphanView::from(found)))
}
