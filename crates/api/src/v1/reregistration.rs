//! New clients for an integration's registrations: what it costs, then the act.

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

/// Whether anything is done.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReregisterOptions {
    /// Whether the answer only says what would be done. False when absent.
    #[param(example = true)]
    dry_run: Option<bool>,
}

/// Which registrations get a new client.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReregisterScope)]
pub(crate) enum ScopeView {
    /// Those that failed. Nothing that works is touched unless you confirm it.
    #[default]
    Failed,
    /// Those whose clients serve but are not as wanted. Their users must sign in again.
    Outdated,
    /// Those whose last request had no answer. Sending it again may leave a client behind at the authorization server.
    Unconfirmed,
    /// All, also those that work. Users of replaced clients must sign in again.
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

/// The consequences that you agree to, as the preview counted them.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[schema(as = ConfirmedConsequences)]
pub(crate) struct ConfirmedView {
    /// Registrations whose users must sign in again.
    #[schema(maximum = 1_000_000, example = 4)]
    users_sign_in_again: u64,
    /// Registrations that may leave a client behind.
    #[schema(maximum = 1_000_000, example = 0)]
    may_leave_client: u64,
}

/// Which registrations of an integration are meant.
#[derive(Deserialize, ToSchema)]
#[schema(as = ReregisterMcpIntegration)]
pub(crate) struct ReregisterIntegration {
    /// `failed` when absent.
    which: Option<ScopeView>,
    /// Needed where more happens than the scope says by its name (409 `confirmation_required`). When sent, the counts must
    /// be correct when the request is processed, else nothing is done (409 `confirmation_outdated`).
    confirm: Option<ConfirmedView>,
}

impl RequestBody for ReregisterIntegration {
    const NEEDS: Permission = Permission::OperateRegistrations;
}

/// What a re-registration does.
#[derive(Serialize, ToSchema)]
#[schema(as = Reregistration)]
pub(crate) struct ReregistrationView {
    /// Whether this is a preview, and nothing was done.
    dry_run: bool,
    /// Registrations that get a new client. 0: there was nothing to do.
    #[schema(example = 5)]
    queued: u64,
    /// Of these: those whose replacement no user notices.
    #[schema(example = 1)]
    nobody_notices: u64,
    /// Of these: those whose users must sign in again. A registration may be counted here and in `may_leave_client`.
    #[schema(example = 4)]
    users_sign_in_again: u64,
    /// Of these: those that may leave a client behind at the authorization server, which `GET /v1/orphans` then lists.
    #[schema(example = 0)]
    may_leave_client: u64,
    /// Registrations that are left alone.
    skipped: Vec<SkippedView>,
    /// Whether there are more than 500: send the same again for the next.
    more: bool,
}

/// Registrations that are left alone.
#[derive(Serialize, ToSchema)]
#[schema(as = SkippedRegistrations)]
pub(crate) struct SkippedView {
    /// Why: a state (`failed`, `outdated`, `unconfirmed`, `retrying`), `access_disabled` or `no_client_wanted`.
    #[schema(example = "unconfirmed")]
    reason: &'static str,
    /// The same as a sentence, with what to do.
    #[schema(
        example = "Their last request had no answer. Sending it again may leave a client behind: use the scope `unconfirmed` for these."
    )]
    detail: &'static str,
    /// How many.
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

/// Get new clients for an integration's registrations
///
/// For those that failed, unless `which` names others. With `?dry_run=true` the answer says what would happen, by
/// consequence, and nothing is done. Naming `outdated`, `unconfirmed` or `all` is your agreement to what these say; anything
/// beyond that (such as a failed registration whose client is still in use) needs `confirm`. Where there is nothing to do
/// the answer is 200 with `queued` 0. 409 `integration_disabled` where the integration is switched off.
#[utoipa::path(
    tag = "integrations",
    params(("integration" = String, Path, description = "Id or slug of the integration.", example = "linear"), ReregisterOptions),
    request_body(content = ReregisterIntegration, description = "Which.", example = json!({ "which": "failed" })),
    responses((status = 200, description = "They are queued.", body = ReregistrationView, example = json!(ReregistrationView::example())), ChangeProblems)
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
