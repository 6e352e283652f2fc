//! The authorization server: metadata, registration and its management, authorize, token, revoke.

mod authorize;
mod client_metadata;
mod management;
pub(crate) mod metadata;
mod registration;
mod token;

use crate::state::State;
use actix_web::{HttpRequest, web};

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    type Shared = web::Data<State>;
    config
        .route(
            "/register",
            web::post().to(|state: Shared, request: HttpRequest, body: web::Bytes| async move {
                registration::register(&state, &request, &body).await
            }),
        )
        .route(
            "/register/{client_id}",
            web::to(
                |state: Shared, request: HttpRequest, path: web::Path<String>, body: web::Bytes| async move {
                    management::manage(&state, &request, &path, &body)
                },
            ),
        )
        .route(
            "/authorize",
            web::get()
                .to(|state: Shared, request: HttpRequest| async move { authorize::ask(&state, &request) }),
        )
        .route(
            "/authorize",
            web::post().to(|state: Shared, body: web::Bytes| async move { authorize::decide(&state, &body) }),
        )
        .route(
            "/token",
            web::post().to(|state: Shared, request: HttpRequest, body: web::Bytes| async move {
                token::token(&state, &request, &body)
            }),
        )
        .route(
            "/revoke",
            web::post().to(|state: Shared, request: HttpRequest, body: web::Bytes| async move {
                token::revoke(&state, &request, &body)
            }),
        );
}

/// The pairs of a form or query; the first of repeated names wins.
struct Form(Vec<(String, String)>);

impl Form {
    fn of(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    /// A value that is present and not empty (RFC 6749 §3.1: empty counts as omitted).
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}
