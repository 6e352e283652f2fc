//! Whether a published document is metadata at all, and whether it may be believed. Not every document that is answered with 200 is
//! metadata: catch-all routes, error objects and empty objects are passed over as if nothing were there.

use super::discovery::{
    AuthorizationServerMetadata, IssuerMatch, ProtectedResource, ResourceMatch, issuer_matches,
    resource_matches,
};
use serde_json::{Map, Value};

/// What protected resource metadata (RFC 9728 §2) are for one MCP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceVerdict {
    /// Its metadata.
    Ours(ResourceMatch),
    /// The metadata of another resource, which they name so.
    Another(String),
    /// They name authorization servers, but no `resource` (which RFC 9728 §2 requires) or one that is not text.
    Unnamed,
    /// No protected resource metadata.
    NotMetadata,
}

/// Judges `document`, found where the metadata of the MCP server at `server` may be. `entered`: the resource that an admin
/// entered for it; metadata of that resource belong to the server too.
pub fn judge_resource(document: &Map<String, Value>, server: &str, entered: Option<&str>) -> ResourceVerdict {
    let read = ProtectedResource(document);
    match read.resource() {
        Some(resource) if entered == Some(resource) => ResourceVerdict::Ours(ResourceMatch::Entered),
        Some(resource) => match resource_matches(server, resource) {
            Some(matched) => ResourceVerdict::Ours(matched),
            None => ResourceVerdict::Another(resource.to_owned()),
        },
        None if read.authorization_servers().is_empty() => ResourceVerdict::NotMetadata,
        None => ResourceVerdict::Unnamed,
    }
}

/// What authorization server metadata (RFC 8414 §2) are for one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerVerdict {
    /// Its metadata, which name the issuer so.
    Ours(String, IssuerMatch),
    /// The metadata of another issuer, which they name so.
    Another(String),
    /// They name endpoints, but no `issuer` (which RFC 8414 §2 requires) or one that is not text.
    Unnamed,
    /// No authorization server metadata.
    NotMetadata,
}

/// Judges `document`, found where the metadata of the issuer `expected` may be. `trusted`: an issuer that an admin trusts
/// although another one was expected.
pub fn judge_server(document: &Map<String, Value>, expected: &str, trusted: Option<&str>) -> ServerVerdict {
    const TELLING: [&str; 4] =
        ["authorization_endpoint", "token_endpoint", "registration_endpoint", "jwks_uri"];
    let read = AuthorizationServerMetadata(document);
    match read.issuer() {
        Some(found) => match issuer_matches(expected, found, trusted) {
            Some(matched) => ServerVerdict::Ours(found.to_owned(), matched),
            None => ServerVerdict::Another(found.to_owned()),
        },
        None if TELLING.iter().any(|name| read.endpoint(name).is_some()) => ServerVerdict::Unnamed,
        None => ServerVerdict::NotMetadata,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn protected_resource_documents_are_judged() {
        use ResourceVerdict as V;
        let servers = json!(["https://as.example"]);
        for (document, expected) in [
            (
                json!({ "resource": "https://h/mcp", "authorization_servers": servers }),
                V::Ours(ResourceMatch::Exact),
            ),
            (json!({ "resource": "https://h/mcp" }), V::Ours(ResourceMatch::Exact)),
            (json!({ "resource": "https://h" }), V::Ours(ResourceMatch::Prefix)),
            (json!({ "resource": "api://app" }), V::Ours(ResourceMatch::Entered)),
            (json!({ "resource": "api://other" }), V::Another("api://other".into())),
            (json!({ "resource": "http://h/mcp" }), V::Another("http://h/mcp".into())),
            (json!({ "resource": "https://h/MCP" }), V::Another("https://h/MCP".into())),
            (json!({ "authorization_servers": servers }), V::Unnamed),
            (json!({ "resource": null, "authorization_servers": servers }), V::Unnamed),
            (json!({ "resource": "", "authorization_servers": servers }), V::Unnamed),
            (json!({ "resource": ["https://h/mcp"], "authorization_servers": servers }), V::Unnamed),
            (json!({}), V::NotMetadata),
            (json!({ "statusCode": 404, "message": "Cannot GET" }), V::NotMetadata),
            (json!({ "error": "not_found" }), V::NotMetadata),
            (json!({ "authorization_servers": [] }), V::NotMetadata),
            (json!({ "jsonrpc": "2.0", "error": { "code": -32600 } }), V::NotMetadata),
        ] {
            let found = judge_resource(document.as_object().unwrap(), "https://h/mcp", Some("api://app"));
            assert_eq!(found, expected, "{document}");
        }
    }

    #[test]
    fn authorization_server_documents_are_judged() {
        use ServerVerdict as V;
        for (document, expected) in [
            (json!({ "issuer": "https://h/t" }), V::Ours("https://h/t".into(), IssuerMatch::Exact)),
            (json!({ "issuer": "https://other" }), V::Ours("https://other".into(), IssuerMatch::Trusted)),
            (json!({ "issuer": "https://h/t/" }), V::Another("https://h/t/".into())),
            (json!({ "issuer": "https://H/t" }), V::Another("https://H/t".into())),
            (json!({ "issuer": "{tenant}" }), V::Another("{tenant}".into())),
            (json!({ "token_endpoint": "https://h/token" }), V::Unnamed),
            (json!({ "issuer": null, "token_endpoint": "https://h/token" }), V::Unnamed),
            (json!({ "issuer": 7, "authorization_endpoint": "https://h/a" }), V::Unnamed),
            (json!({ "issuer": "", "registration_endpoint": "https://h/r" }), V::Unnamed),
            (json!({}), V::NotMetadata),
            (json!({ "issuer": null }), V::NotMetadata),
            (json!({ "error": "not found", "status": 404 }), V::NotMetadata),
            (json!({ "ok": false, "message": "no such route" }), V::NotMetadata),
            (json!({ "resource": "https://h/mcp", "authorization_servers": [] }), V::NotMetadata),
        ] {
            let found = judge_server(document.as_object().unwrap(), "https://h/t", Some("https://other"));
            assert_eq!(found, expected, "{document}");
        }
    }
}
