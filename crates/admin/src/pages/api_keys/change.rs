//! Rotating and revoking a key, each after a question.

use super::{Created, Query};
use crate::http::choice::Tick;
use crate::http::failure::Failure;
use crate::http::session::Visitor;
use crate::view::{Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::ApiKey;
use registry_core::clock::Timestamp;
use registry_core::id::ApiKeyId;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "pages/api_key_revoke.html")]
struct RevokePage {
    shell: Shell,
    key: ApiKey,
    /// Keys that came of it and still work.
    made: Vec<ApiKey>,
    now: Timestamp,
}

#[derive(Template)]
#[template(path = "pages/api_key_rotate.html")]
struct RotatePage {
    shell: Shell,
    key: ApiKey,
    now: Timestamp,
}

#[get("/api-keys/{key}/rotate")]
pub(super) async fn confirm_rotate(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<ApiKeyId>,
) -> Result<HttpResponse, Failure> {
    let key = visitor.registry.api_keys().get(&visitor.actor, *path).await?;
    let shell = Shell::of(&request, &visitor, "api-keys", format!("Rotate {}", key.name));
    let page = RotatePage { shell, key, now: visitor.registry.now() };
    Ok(html(StatusCode::OK, &page)?)
}

/// As with a new key, the answer holds it.
#[post("/api-keys/{key}/rotate")]
pub(super) async fn rotate(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<ApiKeyId>,
) -> Result<HttpResponse, Failure> {
    let made = visitor.registry.api_keys().rotate(&visitor.actor, *path).await?;
    let created = Created { name: made.record.name, key: made.key, rotated: true, findings: made.findings };
    super::render(&request, &visitor, &Query::default(), Some(created)).await
}

#[get("/api-keys/{key}/revoke")]
pub(super) async fn confirm_revoke(
    request: HttpRequest,
    visitor: Visitor,
    path: web::Path<ApiKeyId>,
) -> Result<HttpResponse, Failure> {
    let key = visitor.registry.api_keys().get(&visitor.actor, *path).await?;
    let shell = Shell::of(&request, &visitor, "api-keys", format!("Revoke {}", key.name));
    let made = visitor.registry.api_keys().made_by(&visitor.actor, *path).await?;
    let page = RevokePage { shell, key, made, now: visitor.registry.now() };
    Ok(html(StatusCode::OK, &page)?)
}

#[post("/api-keys/{key}/revoke")]
pub(super) async fn revoke(
    visitor: Visitor,
    path: web::Path<ApiKeyId>,
    form: web::Form<Revoke>,
) -> Result<HttpResponse, Failure> {
    let ended = visitor.registry.api_keys().revoke(&visitor.actor, *path, form.made.is_some()).await?;
    Ok(go(format!("/ui/api-keys?done=revoked-{ended}")))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Revoke {
    /// Whether the keys that came of it end, too.
    made: Option<Tick>,
}
