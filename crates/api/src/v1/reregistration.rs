//! Re-register the clients of an integration: a preview of the cost, then the action.

use crate::http::answer::{self, Answer};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::responses::ChangeProblems;
use crate::state::ApiState;
use actix_web::{post, web};
use registry::{Confirmed, ReregisterScope, Reregistration, SkippedRegistrations};
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(reregister_integration);
}

/// Whether to run a preview.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReregisterOptions {
    /// Whether the response only says what would happen. False when absent.
    #[param(example = true)]
    dry_run: Option<bool>,
}

/// The registrations that get a new client.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReregisterScope)]
pub(crate) enum ScopeView {
    /// Failed registrations. Working clients are not changed without `confirm`.
    #[default]
    Failed,
    /// Registrations whose active clients do not have the desired metadata. Their users must sign in again.
    Outdated,
    /// Registrations whose last request had no answer. Sending it again may orphan a client at the authorization server.
    Unconfirmed,
    /// All registrations, also working ones. Users of replaced clients must sign in again.
    All,
}

impl From<ScopeView> for ReregisterScope {
    fn from(scope: ScopeView) -> Self {
        match scope {
            ScopeView::Failed => Self::Failed,
            ScopeView::Outdated => Self::Outdated,
            ScopeView::Unconfirmed => Self::Unconfirmed,
            ScopeView::All => Self::All,
        }
    }
}

/// The consequences that the caller confirms, as the preview counted them.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[schema(as = ConfirmedConsequences)]
pub(crate) struct ConfirmedView {
    /// Registrations whose users must sign in again.
    #[schema(maximum = 1_000_000, example = 4)]
    users_sign_in_again: u64,
    /// Registrations that may orphan a client.
    #[schema(maximum = 1_000_000, example = 0)]
    may_leave_client: u64,
}

/// The registrations to re-register.
#[derive(Deserialize, ToSchema)]
#[schema(as = ReregisterMcpIntegration)]
pub(crate) struct ReregisterIntegration {
    /// The scope; `failed` when absent.
    which: Option<ScopeView>,
    /// Required when the consequences go beyond those of the scope (409 `confirmation_required`). When sent,
    /// the counts must be correct when the request is processed, else nothing is done (409
    /// `confirmation_outdated`).
    confirm: Option<ConfirmedView>,
}

impl RequestBody for ReregisterIntegration {
    const NEEDS: Permission = Permission::OperateRegistrations;
}

/// The result of a re-registration.
#[derive(Serialize, ToSchema)]
#[schema(as = Reregistration)]
pub(crate) struct ReregistrationView {
    /// Whether this is a preview, and nothing was done.
    dry_run: bool,
    /// Registrations that get a new client. 0 when there was nothing to do.
    #[schema(example = 5)]
    queued: u64,
    /// Of these: registrations whose replacement no user notices.
    #[schema(example = 1)]
    nobody_notices: u64,
    /// Of these: registrations whose users must sign in again. A registration may also be counted in `may_leave_client`.
    #[schema(example = 4)]
    users_sign_in_again: u64,
    /// Of these: registrations that may orphan a client at the authorization server; `GET /v1/orphans` lists it then.
    #[schema(example = 0)]
    may_leave_client: u64,
    /// Registrations that are not changed.
    skipped: Vec<SkippedView>,
    /// Whether there are more than 500: repeat the request for the next ones.
    more: bool,
}

/// Registrations that are not changed.
#[derive(Serialize, ToSchema)]
#[schema(as = SkippedRegistrations)]
pub(crate) struct SkippedView {
    /// The reason: a state (`failed`, `outdated`, `unconfirmed`, `retrying`), `access_disabled` or `no_client_wanted`.
    #[schema(example = "unconfirmed")]
    reason: &'static str,
    /// The reason as a sentence, with what to do.
    #[schema(
        example = "Their last request had no answer. Sending it again may leave a client behind: use the scope `unconfirmed` for these."
    )]
    detail: &'static str,
    /// The number of registrations.
    #[schema(example = 2)]
    count: u64,
}

impl From<SkippedRegistrations> for SkippedView {
    fn from(skipped: SkippedRegistrations) -> Self {
        let SkippedRegistrations { reason, detail, count } = skipped;
        Self { reason, detail, count }
    }
}

impl ReregistrationView {
    fn of(found: Reregistration, dry_run: bool) -> Self {
        Self {
            dry_run,
            queued: found.queued,
            nobody_notices: found.nobody_notices,
            users_sign_in_again: found.users_sign_in_again,
            may_leave_client: found.may_leave_client,
            skipped: found.skipped.into_iter().map(Into::into).collect(),
            more: found.more,
        }
    }

    fn example() -> Self {
        let skipped =
            SkippedView { reason: "retrying", detail: "They are tried again without your help.", count: 1 };
        Self {
            dry_run: false,
            queued: 2,
            nobody_notices: 2,
            users_sign_in_again: 0,
            may_leave_client: 0,
            skipped: vec![skipped],
            more: false,
        }
    }
}

/// Re-register the clients of an integration
///
/// Re-registers the failed registrations, unless `which` names others. With `?dry_run=true` the response says what
/// would happen, by consequence, and nothing is done. The scopes `outdated`, `unconfirmed` and `all` confirm their
/// own consequences; anything beyond that (such as a failed registration whose client is still in use) needs
/// `confirm`. When there is nothing to do the response is 200 with `queued` 0. 409 `integration_disabled` when the
/// integration is disabled.
#[utoipa::path(
    tag = "integrations",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"), ReregisterOptions),
    request_body(content = ReregisterIntegration, description = "The scope; optional.", example = json!({ "which": "failed" })),
    responses((status = 200, description = "The re-registrations are queued, or previewed.", body = ReregistrationView, example = json!(ReregistrationView::example())), ChangeProblems)
)]
#[post("/mcp-integrations/{integration}/re-register")]
pub(crate) async fn reregister_integration(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<ReregisterIntegration>,
) -> Answer {
    let (caller, body, _) = sent.into_parts();
    let asked: ReregisterOptions = caller.query()?;
    let (registry, reference) = (&state.registry, Reference::parse(&path));
    let scope = body.which.unwrap_or_default().into();
    let dry_run = asked.dry_run.unwrap_or_default();
    let found = if dry_run {
        registry.registrations().dry_run_reregistration(&caller.actor, &reference, scope).await?
    } else {
        let confirmed = body.confirm.map(|confirm| Confirmed {
            users_sign_in_again: confirm.users_sign_in_again,
            may_leave_client: confirm.may_leave_client,
        });
        registry.registrations().reregister_integration(&caller.actor, &reference, scope, confirmed).await?
    };
    Ok(answer::ok(&ReregistrationView::of(found, dry_run)))
}
