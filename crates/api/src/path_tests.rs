//! Responses to paths without an operation, and to paths that contain NUL.

use crate::http::failure::Failure;
use crate::http::nul::refuse_in;
use crate::openapi::document::paths;

#[test]
fn known_paths_name_their_methods() {
    let allow = |method, path| match paths().failure(method, path) {
        Failure::Request { kind, allow, .. } => (kind.status, allow),
        Failure::Application(error) => panic!("{error}"),
    };
    assert_eq!(allow("PATCH", "/v1/mcp-servers/linear"), (405, Some("GET, PUT, DELETE".to_owned())));
    assert_eq!(allow("DELETE", "/v1/gateway/servers/acme/linear"), (405, Some("GET".to_owned())));
    assert_eq!(allow("GET", "/v1/nothing"), (404, None));
    assert_eq!(paths().parameter_at("/v1/gateway/servers/acme/linear", 4), Some("server"));
    assert_eq!(paths().parameter_at("/v1/gateway/servers/acme/linear", 1), None);
    assert_eq!(paths().parameter_at("/oauth/clients/abc.json", 2), Some("document"));
}

#[test]
fn nul_parameter_is_named() {
    let refusal = |address: &str| {
        let refused = refuse_in(&address.parse().unwrap(), &paths());
        refused.map_err(|failure| failure.to_string().split(" contains").next().unwrap().to_owned())
    };
    assert_eq!(refusal("/v1/workspaces/%00"), Err("The path parameter `workspace`".to_owned()));
    assert_eq!(refusal("/v1/workspaces?search=%00"), Err("The query parameter `search`".to_owned()));
    assert_eq!(refusal("/v1/workspaces?se%00arch=a"), Err("The name of a query parameter".to_owned()));
    assert_eq!(refusal("/v1/%00"), Err("The path".to_owned()));
    assert_eq!(refusal("/v1/workspaces/%2500?search=%2500"), Ok(()));
}
