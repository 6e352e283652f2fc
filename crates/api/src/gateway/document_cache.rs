//! The fast path for the most frequent gateway request: a cached document is served before any other middleware runs.

use super::servers::{PREFIX, respond_with};
use crate::http::extract::credential;
use crate::state::ApiState;
use actix_web::Error;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::Method;
use futures_util::future::{Either, MapOk, Ready, TryFutureExt, ready};
use metrics::{Counter, counter};

/// Middleware for the whole app, outermost. Requests that it does not answer are passed on unchanged.
#[derive(Clone)]
pub struct DocumentCacheMiddleware {
    state: ApiState,
    answered: Counter,
}

impl std::fmt::Debug for DocumentCacheMiddleware {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DocumentCacheMiddleware")
    }
}

impl DocumentCacheMiddleware {
    /// Creates the middleware for the gateway documents of this application.
    pub fn new(state: ApiState) -> Self {
        Self { state, answered: counter!("mcp_registry_gateway_documents_total", "from" => "memory") }
    }
}

impl<S, B> Transform<S, ServiceRequest> for DocumentCacheMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = DocumentCacheService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(DocumentCacheService { middleware: self.clone(), inner }))
    }
}

/// The service that [`DocumentCacheMiddleware`] wraps around another.
#[derive(Debug)]
pub struct DocumentCacheService<S> {
    middleware: DocumentCacheMiddleware,
    inner: S,
}

impl<S, B> Service<ServiceRequest> for DocumentCacheService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Either<
        Ready<Result<Self::Response, Error>>,
        MapOk<S::Future, fn(ServiceResponse<B>) -> Self::Response>,
    >;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if let Some(response) = self.middleware.answer(&request) {
            return Either::Left(ready(Ok(request.into_response(response.map_into_right_body()))));
        }
        Either::Right(self.inner.call(request).map_ok(ServiceResponse::map_into_left_body))
    }
}

impl DocumentCacheMiddleware {
    fn answer(&self, request: &ServiceRequest) -> Option<actix_web::HttpResponse<BoxBody>> {
        let name = request.path().strip_prefix(PREFIX)?;
        if request.method() != Method::GET || !request.query_string().is_empty() {
            return None;
        }
        let credential = credential(request.headers()).ok()?;
        let registry = &self.state.registry;
        let document = registry.gateway().cached_document(credential, name)?;
        self.answered.increment(1);
        Some(respond_with(request.headers(), registry.gateway().away_since(), &document))
    }
}
