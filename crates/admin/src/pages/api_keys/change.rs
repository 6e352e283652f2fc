//! Rotate and revoke a key, each after a confirmation.

use super::{Created, Query};
use crate::http::choice::Tick;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
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
    /// Active keys that this key created.
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
    signed_in: SignedInUser,
    path: web::Path<ApiKeyId>,
) -> Result<HttpResponse, Failure> {
    let key = signed_in.registry.api_keys().get(&signed_in.actor, *path).await?;
    let shell = Shell::of(&request, &signed_in, "api-keys", format!("Rotate {}", key.name));
    let page = RotatePage { shell, key, now: signed_in.registry.now() };
    Ok(html(StatusCode::OK, &page)?)
}

/// The response contains the new key, as at creation.
#[post("/api-keys/{key}/rotate")]
pub(super) async fn rotate(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<ApiKeyId>,
) -> Result<HttpResponse, Failure> {
    let made = signed_in.registry.api_keys().rotate(&signed_in.actor, *path).await?;
    let created = Created { name: made.record.name, key: made.key, rotated: true, findings: made.findings };
    super::render(&request, &signed_in, &Query::default(), Some(created)).await
}

#[get("/api-keys/{key}/revoke")]
pub(super) async fn confirm_revoke(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<ApiKeyId>,
) -> Result<HttpResponse, Failure> {
    let key = signed_in.registry.api_keys().get(&signed_in.actor, *path).await?;
    let shell = Shell::of(&request, &signed_in, "api-keys", format!("Revoke {}", key.name));
    let made = signed_in.registry.api_keys().made_by(&signed_in.actor, *path).await?;
    let page = RevokePage { shell, key, made, now: signed_in.registry.now() };
    Ok(html(StatusCode::OK, &page)?)
}

#[post("/api-keys/{key}/revoke")]
pub(super) async fn revoke(
    signed_in: SignedInUser,
    path: web::Path<ApiKeyId>,
    form: web::Form<Revoke>,
) -> Result<HttpResponse, Failure> {
    let ended = signed_in.registry.api_keys().revoke(&signed_in.actor, *path, form.made.is_some()).await?;
    Ok(go(format!("/ui/api-keys?done=revoked-{ended}")))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Revoke {
    /// Whether the keys that it created are revoked too.
    made: Option<Tick>,
}
