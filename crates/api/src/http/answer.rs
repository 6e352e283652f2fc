//! Successful responses, and the members they share.

use actix_web::HttpResponse;
use actix_web::http::header::ETAG;
use registry::{Affected, Deleted, Page, Saved};
use registry_core::finding::{Finding, Findings};
use registry_core::id::RolloutId;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::examples;
use crate::http::failure::Failure;

/// The result of a handler.
pub(crate) type Answer = Result<HttpResponse, Failure>;

/// Responds 200 with `view`.
pub(crate) fn ok(view: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(view)
}

/// Responds 200 with `view`, and its version as `ETag` for a later `If-Match`.
pub(crate) fn versioned(version: i64, view: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, format!("\"{version}\""))).json(view)
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listed<T: ToSchema> {
    /// Always `list`.
    #[schema(example = "list")]
    object: &'static str,
    /// Number of items on all pages; a lower bound where `total_is_exact` is false.
    #[schema(example = 1)]
    total: u64,
    /// Whether `total` is exact. Filtered lists are counted up to 10,000 items.
    #[schema(example = true)]
    total_is_exact: bool,
    /// Whether there are items after this page.
    #[schema(example = false)]
    has_more: bool,
    /// The `cursor` of the next page, with the same filters; null on the last page, and in lists without the parameter
    /// `cursor`.
    #[schema(example = json!(null))]
    next_cursor: Option<String>,
    /// The items of this page.
    data: Vec<T>,
}

impl<T: ToSchema> Listed<T> {
    /// The response for `page` of a list.
    pub(crate) fn new<U>(page: Page<U>, view: impl FnMut(U) -> Result<T, Failure>) -> Result<Self, Failure> {
        Ok(Self {
            object: "list",
            total: page.total,
            total_is_exact: page.total_is_exact,
            has_more: page.has_more,
            next_cursor: page.next.map(|cursor| cursor.to_string()),
            data: page.items.into_iter().map(view).collect::<Result<_, _>>()?,
        })
    }

    /// A list without pages.
    pub(crate) fn whole(data: Vec<T>) -> Self {
        let total = data.len() as u64;
        Self { object: "list", total, total_is_exact: true, has_more: false, next_cursor: None, data }
    }

    pub(crate) fn example(one: T) -> Self {
        Self::whole(vec![one])
    }
}

/// The effect of a change, and its cost.
#[derive(Serialize, ToSchema)]
pub(crate) struct AffectedView {
    /// Servers under the layer: the change reaches them, but need not change them.
    #[schema(example = 3)]
    reached: u64,
    /// Whether the other counts are estimated from a sample of these servers. Up to 1,000 servers are counted one by
    /// one.
    #[schema(example = false)]
    estimated: bool,
    /// Servers whose document changed.
    #[schema(example = 3)]
    servers: u64,
    /// Registrations that are reconciled again.
    #[schema(example = 2)]
    registrations: u64,
    /// Of these: servers that get a first client.
    #[schema(example = 0)]
    registered: u64,
    /// Clients that are updated (RFC 7592) or taken over; their `client_id` stays, and users notice nothing.
    #[schema(example = 1)]
    updated: u64,
    /// Clients whose authorization server is discovered again at another URL first; the rest depends on the result.
    #[schema(example = 0)]
    rediscovered: u64,
    /// Clients that are replaced without approval; users who signed in through them must sign in again.
    #[schema(example = 0)]
    replaced: u64,
    /// Clients that stay in use while their replacement is pending approval.
    #[schema(example = 1)]
    asked: u64,
    /// Clients that are deregistered (withdrawn).
    #[schema(example = 0)]
    withdrawn: u64,
}

impl From<Affected> for AffectedView {
    fn from(affected: Affected) -> Self {
        Self {
            reached: affected.reached,
            estimated: affected.estimated,
            servers: affected.servers,
            registrations: affected.registrations,
            registered: affected.registered,
            updated: affected.updated,
            rediscovered: affected.rediscovered,
            replaced: affected.replaced,
            asked: affected.asked,
            withdrawn: affected.withdrawn,
        }
    }
}

/// The result of a creation.
#[derive(Serialize, ToSchema)]
pub(crate) struct Created {
    /// Id of the created object.
    id: Uuid,
    /// Slug of the created object: the one given, or one made from the name.
    #[schema(example = "linear")]
    slug: String,
    /// Warnings and notices about what was sent; nothing in it prevented saving.
    findings: Vec<Finding>,
    /// The effect of the change.
    affected: AffectedView,
}

impl Created {
    pub(crate) fn new(id: Uuid, slug: impl Into<String>, findings: Findings, affected: Affected) -> Self {
        Self { id, slug: slug.into(), findings: findings.bounded().0, affected: affected.into() }
    }

    pub(crate) fn example() -> Self {
        Self::new(examples::id(1), "linear", Findings::default(), Affected::default())
    }
}

/// The result of a change. A superset of the empty object that the hosted product returns.
#[derive(Serialize, ToSchema)]
pub(crate) struct Changed {
    /// Whether it was saved; always true.
    #[schema(example = true)]
    success: bool,
    /// Warnings and notices about what was sent; nothing in it prevented saving.
    findings: Vec<Finding>,
    /// The effect of the change.
    affected: AffectedView,
    /// The rollout that brings the change to the servers in the background, where they are more than 100: follow it
    /// with `GET /v1/rollouts/{id}`. Null: all servers were reached.
    rollout_id: Option<Uuid>,
}

impl Changed {
    pub(crate) fn new(findings: Findings, affected: Affected) -> Self {
        Self { success: true, findings: findings.bounded().0, affected: affected.into(), rollout_id: None }
    }

    /// Names the rollout.
    pub(crate) fn rolled_out_by(self, rollout: Option<RolloutId>) -> Self {
        Self { rollout_id: rollout.map(|id| id.0), ..self }
    }

    /// The result for an object whose value is not in the response.
    pub(crate) fn of<T>(saved: Saved<T>) -> Self {
        Self::new(saved.findings, saved.affected).rolled_out_by(saved.rollout)
    }

    pub(crate) fn example() -> Self {
        let finding = Finding::warning(
            "/configurations/oauth_client_metadata/client_nmae",
            "unknown_member",
            "`client_nmae` is not a member of `oauth_client_metadata`; it has no effect. Did you mean `client_name`?",
        );
        Self::new(finding.suggest("client_name").into(), examples::affected())
    }
}

/// The result of a deletion.
#[derive(Serialize, ToSchema)]
pub(crate) struct Removed {
    /// Whether it was deleted; always true.
    #[schema(example = true)]
    success: bool,
    /// Number of integrations deleted along with it.
    #[schema(example = 0)]
    integrations: u64,
    /// Number of servers deleted along with it; at most 100,000 are counted.
    #[schema(example = 2)]
    servers: u64,
    /// Number of registrations whose clients are withdrawn upstream.
    #[schema(example = 2)]
    registrations: u64,
    /// Whether `registrations` is estimated from a sample of the servers: that is so where they are more than 1,000.
    #[schema(example = false)]
    estimated: bool,
    /// The rollout that deletes the servers in the background, where they are more than 100: follow it with
    /// `GET /v1/rollouts/{id}`. They are gone for gateways, requests and pages at once; their slugs are free; only `total`
    /// of lists and counts may still contain them. Null: all servers are deleted.
    rollout_id: Option<Uuid>,
}

impl From<Deleted> for Removed {
    fn from(deleted: Deleted) -> Self {
        Self {
            success: true,
            integrations: deleted.integrations,
            servers: deleted.servers,
            registrations: deleted.registrations,
            estimated: deleted.estimated,
            rollout_id: deleted.rollout.map(|id| id.0),
        }
    }
}

impl Removed {
    pub(crate) fn example() -> Self {
        Deleted { servers: 2, registrations: 2, ..Deleted::default() }.into()
    }
}

/// Success without further data.
#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    /// Always true.
    #[schema(example = true)]
    success: bool,
}

impl Done {
    pub(crate) fn yes() -> Self {
        Self { success: true }
    }
}

/// A stored JSON text, returned character for character as the user wrote it.
pub(crate) fn stored(text: Option<String>) -> Result<Option<Box<RawValue>>, Failure> {
    Ok(text.map(RawValue::from_string).transpose().map_err(registry::Error::from)?)
}
