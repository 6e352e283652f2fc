//! What answers where no operation does: 404, or 405 for a path that exists with other methods.
//!
//! The framework's route macros answer 404 for a wrong method, so the documented paths are matched again here.

use crate::document::document;
use crate::failure::Failure;
use crate::{finish, problem};
use actix_web::dev::ResourceDef;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, web};
use registry_core::finding::shorten;
use std::sync::LazyLock;

/// Documented paths with their methods.
static PATHS: LazyLock<Vec<(ResourceDef, String)>> = LazyLock::new(|| {
    let document = document();
    let paths = document.paths.paths.iter();
    paths
        .map(|(path, item)| {
            let methods =
                [("GET", &item.get), ("PUT", &item.put), ("POST", &item.post), ("DELETE", &item.delete)];
            let allowed: Vec<_> =
                methods.iter().filter(|(_, one)| one.is_some()).map(|(name, _)| *name).collect();
            (ResourceDef::new(path.as_str()), allowed.join(", "))
        })
        .collect()
});

/// Documented paths that no scope of the API takes in.
const ALONE: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/oauth/clients/{document}.json"];

/// Answers there where no operation does. After the operations: what is mounted first answers first.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    for path in ALONE {
        config.service(web::resource(path).wrap(from_fn(finish::finish)).default_service(web::to(answer)));
    }
}

/// The default service of the API.
pub(crate) async fn answer(request: HttpRequest) -> Result<HttpResponse, Failure> {
    Err(failure(request.method().as_str(), request.path()))
}

/// The name of the parameter that is the segment with this index of `path`, as the document calls it.
pub(crate) fn parameter_at(path: &str, index: usize) -> Option<&'static str> {
    let (pattern, _) = PATHS.iter().find(|(pattern, _)| pattern.is_match(path))?;
    let segment = pattern.pattern()?.split('/').skip(1).nth(index)?;
    segment.split_once('{')?.1.split(['}', ':']).next()
}

fn failure(method: &str, path: &str) -> Failure {
    let mut shown = path.to_owned();
    shorten(&mut shown, finish::MAX_SHOWN_PATH);
    let Some((_, allowed)) = PATHS.iter().find(|(pattern, _)| pattern.is_match(path)) else {
        return Failure::request(
            &problem::UNKNOWN_PATH,
            format!("There is no operation at `{shown}`. See `/openapi.json`."),
        );
    };
    Failure::Request {
        kind: &problem::METHOD_NOT_ALLOWED,
        detail: format!("`{method}` is not possible here; these are: {allowed}."),
        findings: registry_core::finding::Findings::default(),
        allow: Some(allowed.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_paths_name_their_methods() {
        let allow = |method, path| match failure(method, path) {
            Failure::Request { kind, allow, .. } => (kind.status, allow),
            Failure::Application(error) => panic!("{error}"),
        };
        assert_eq!(allow("PATCH", "/v1/mcp-servers/linear"), (405, Some("GET, PUT, DELETE".to_owned())));
        assert_eq!(allow("DELETE", "/v1/gateway/servers/acme/linear"), (405, Some("GET".to_owned())));
        assert_eq!(allow("GET", "/v1/nothing"), (404, None));
        assert_eq!(parameter_at("/v1/gateway/servers/acme/linear", 4), Some("server"));
        assert_eq!(parameter_at("/v1/gateway/servers/acme/linear", 1), None);
        assert_eq!(parameter_at("/oauth/clients/abc.json", 2), Some("document"));
    }
}
