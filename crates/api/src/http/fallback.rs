//! The response where there is no operation: 404, or 405 for a path that exists with other methods.
//!
//! The framework's route macros answer 404 for a wrong method, so the documented paths are matched again here.

use crate::http::error_handler;
use crate::http::failure::Failure;
use crate::http::problem::MAX_SHOWN_PATH;
use crate::http::problem_kinds::{METHOD_NOT_ALLOWED, UNKNOWN_PATH};
use actix_web::dev::ResourceDef;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, web};
use registry::Error;
use registry_core::finding::{Findings, shorten};
use utoipa::openapi::OpenApi;

/// The paths of the OpenAPI document with their methods; `configure` stores them as app data.
pub(crate) struct DocumentedPaths(Vec<(ResourceDef, String)>);

impl DocumentedPaths {
    /// The paths of `document`.
    pub(crate) fn of(document: &OpenApi) -> Self {
        let paths = document.paths.paths.iter().map(|(path, item)| {
            let methods =
                [("GET", &item.get), ("PUT", &item.put), ("POST", &item.post), ("DELETE", &item.delete)];
            let allowed: Vec<_> =
                methods.iter().filter(|(_, one)| one.is_some()).map(|(name, _)| *name).collect();
            (ResourceDef::new(path.as_str()), allowed.join(", "))
        });
        Self(paths.collect())
    }

    /// The name of the path parameter at this segment index of `path`.
    pub(crate) fn parameter_at(&self, path: &str, index: usize) -> Option<&str> {
        let (pattern, _) = self.find(path)?;
        let segment = pattern.pattern()?.split('/').skip(1).nth(index)?;
        segment.split_once('{')?.1.split(['}', ':']).next()
    }

    fn find(&self, path: &str) -> Option<&(ResourceDef, String)> {
        self.0.iter().find(|(pattern, _)| pattern.is_match(path))
    }

    /// Why there is no operation for this method and path.
    pub(crate) fn failure(&self, method: &str, path: &str) -> Failure {
        let mut shown = path.to_owned();
        shorten(&mut shown, MAX_SHOWN_PATH);
        let Some((_, allowed)) = self.find(path) else {
            return Failure::request(
                &UNKNOWN_PATH,
                format!("There is no operation at `{shown}`. See `/openapi.json`."),
            );
        };
        Failure::Request {
            kind: &METHOD_NOT_ALLOWED,
            detail: format!("`{method}` is not possible here; these are: {allowed}."),
            findings: Findings::default(),
            allow: Some(allowed.clone()),
        }
    }
}

/// Documented paths outside the scopes of the API.
const PATHS_OUTSIDE_SCOPES: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/oauth/clients/{document}.json"];

/// Mounts the fallback for those paths. After the operations, because the first match answers.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    for path in PATHS_OUTSIDE_SCOPES {
        config.service(
            web::resource(path).wrap(from_fn(error_handler::handle_errors)).default_service(web::to(refuse)),
        );
    }
}

/// The default service of the API.
pub(crate) async fn refuse(request: HttpRequest) -> Result<HttpResponse, Failure> {
    let paths = request
        .app_data::<web::Data<DocumentedPaths>>()
        .ok_or_else(|| Error::Internal("the API was mounted without its paths".into()))?;
    Err(paths.failure(request.method().as_str(), request.path()))
}
