//! Discovery documents: protected resource metadata (RFC 9728) and authorization server metadata (RFC 8414, OpenID
//! Connect Discovery), where they are, and when they may be believed.

use crate::egress::{EgressPolicy, Scope, names_loopback};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

/// Everything found out about one server, kept whole with the client that came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery {
    /// The MCP address this was found for, as configured.
    pub mcp_url: String,
    /// The resource identifier to ask tokens for (RFC 8707).
    pub resource: String,
    /// How `resource` fits the address; absent without protected resource metadata.
    pub resource_match: Option<ResourceMatch>,
    /// Where the protected resource metadata were.
    pub protected_resource_url: Option<String>,
    /// The protected resource metadata, verbatim.
    pub protected_resource: Option<Map<String, Value>>,
    /// `scope` of the challenge.
    pub challenge_scope: Option<String>,
    /// The issuer as the protected resource (or the admin) named it.
    pub authorization_server_listed: String,
    /// The issuer as its own metadata name it, verbatim: what a client belongs to.
    pub issuer: String,
    /// How the two fit.
    pub issuer_match: IssuerMatch,
    /// Where the authorization server metadata were.
    pub metadata_url: String,
    /// The authorization server metadata, verbatim, with the admin's overrides.
    pub metadata: Map<String, Value>,
    /// Scopes worth asking for: of the challenge, else those the resource supports.
    pub scopes: Vec<String>,
    /// Warnings for users.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What an admin had set when it was found (`EffectiveMetadata::discovery_inputs`); empty: not recorded.
    #[serde(default)]
    pub found_with: String,
    /// For which hosts `egress.allow` counts in what follows; `None`: an earlier release found it.
    #[serde(default)]
    pub scope: Option<Scope>,
}

impl Discovery {
    /// The authorization server's metadata, read.
    pub fn authorization_server(&self) -> AuthorizationServerMetadata<'_> {
        AuthorizationServerMetadata(&self.metadata)
    }

    /// For which hosts `policy` opens the operator's network in what is asked because of this.
    pub fn scope(&self, policy: &EgressPolicy) -> Scope {
        self.scope.clone().unwrap_or_else(|| policy.scope_by_text(&self.mcp_url, []))
    }

    /// Whether its issuer was made up for a server of the MCP revision 2025-03-26.
    pub fn is_legacy(&self) -> bool {
        self.issuer_match == IssuerMatch::Legacy
    }
}

/// How a protected resource's `resource` fits the address it was found for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceMatch {
    /// The same text.
    Exact,
    /// Same origin, and its path is a prefix by whole segments (as the MCP SDKs accept).
    Prefix,
    /// Another identifier, which an admin entered for the server (`registration.resource`).
    Entered,
}

/// How an issuer fits the one that was expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuerMatch {
    /// The same text (RFC 8414 §3.3).
    #[default]
    Exact,
    /// Equal but for the slash of an empty path: the commonest mistake of real servers (INV-31).
    RootSlash,
    /// Other than expected, but the admin says it is to be trusted (`trusted_issuer`).
    Trusted,
    /// No issuer was named: a server of the MCP revision 2025-03-26, whose origin is used as issuer. Never equal to an
    /// issuer that was named, even if the text is the same.
    Legacy,
}

/// Protected resource metadata, read leniently.
#[derive(Clone, Copy, Debug)]
pub struct ProtectedResource<'a>(pub &'a Map<String, Value>);

impl ProtectedResource<'_> {
    /// The resource identifier.
    pub fn resource(&self) -> Option<&str> {
        text(self.0, "resource")
    }

    /// Issuers of the authorization servers.
    ///
    /// Read leniently: one that is not in a list, and objects that hold an `issuer`, are issuers too; spaces around one
    /// are no part of it.
    pub fn authorization_servers(&self) -> Vec<String> {
        let one = |value: &Value| {
            let text = value.as_str().or_else(|| value.get("issuer")?.as_str())?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        match self.0.get("authorization_servers") {
            Some(Value::Array(items)) => items.iter().filter_map(one).collect(),
            Some(value) => one(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Scopes it knows.
    pub fn scopes_supported(&self) -> Vec<String> {
        list(self.0, "scopes_supported").unwrap_or_default()
    }
}

/// Authorization server metadata, read leniently.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizationServerMetadata<'a>(pub &'a Map<String, Value>);

impl<'a> AuthorizationServerMetadata<'a> {
    /// Its issuer, verbatim.
    pub fn issuer(&self) -> Option<&'a str> {
        text(self.0, "issuer")
    }

    /// An endpoint by its name in the document.
    pub fn endpoint(&self, name: &str) -> Option<&'a str> {
        text(self.0, name)
    }

    /// Where clients register (RFC 7591).
    pub fn registration_endpoint(&self) -> Option<&'a str> {
        self.endpoint("registration_endpoint")
    }

    /// How clients may authenticate; absent means `client_secret_basic` by the norm and nothing in practice. An empty
    /// list is no list (RFC 8414 §3.2).
    pub fn token_endpoint_auth_methods_supported(&self) -> Option<Vec<String>> {
        list(self.0, "token_endpoint_auth_methods_supported").filter(|methods| !methods.is_empty())
    }

    /// PKCE methods. MCP clients must refuse to sign in where there are none.
    pub fn code_challenge_methods_supported(&self) -> Option<Vec<String>> {
        list(self.0, "code_challenge_methods_supported").filter(|methods| !methods.is_empty())
    }

    /// Scopes it knows.
    pub fn scopes_supported(&self) -> Option<Vec<String>> {
        list(self.0, "scopes_supported")
    }

    /// Whether it reads Client ID Metadata Documents.
    pub fn client_id_metadata_document_supported(&self) -> bool {
        self.0.get("client_id_metadata_document_supported") == Some(&Value::Bool(true))
    }
}

fn text<'a>(document: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A list of strings; a bare string counts as a list of one.
fn list(document: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    match document.get(name)? {
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        Value::String(one) => Some(vec![one.clone()]),
        _ => None,
    }
}

/// Where a resource's metadata may be, in order: the path form, the same without a slash at its end (as the MCP SDKs ask),
/// then the root form (RFC 9728 §3.1, MCP 2026-07-28).
pub fn protected_resource_urls(resource: &Url) -> Vec<String> {
    const SUFFIX: &str = "/.well-known/oauth-protected-resource";
    let origin = resource.origin().ascii_serialization();
    let query = resource.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = if resource.path() == "/" { "" } else { resource.path() };
    let mut urls = vec![format!("{origin}{SUFFIX}{path}{query}")];
    let bare = path.trim_end_matches('/');
    if bare != path {
        urls.push(format!("{origin}{SUFFIX}{bare}{query}"));
    }
    if !path.is_empty() || !query.is_empty() {
        urls.push(format!("{origin}{SUFFIX}"));
    }
    urls
}

/// Where an issuer's metadata may be, in the order MCP demands. Never the root form for an issuer with a path.
pub fn authorization_server_urls(issuer: &str) -> Vec<String> {
    let Ok(url) = Url::parse(issuer) else { return Vec::new() };
    // RFC 8414 §2: no query, no fragment. What else it may be is judged when it is asked.
    if url.query().is_some() || url.fragment().is_some() || !url.origin().is_tuple() {
        return Vec::new();
    }
    let origin = url.origin().ascii_serialization();
    let path = url.path().trim_end_matches('/');
    if path.is_empty() {
        return vec![
            format!("{origin}/.well-known/oauth-authorization-server"),
            format!("{origin}/.well-known/openid-configuration"),
        ];
    }
    vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ]
}

/// Whether a protected resource's `resource` covers the address `server`.
pub fn resource_matches(server: &str, resource: &str) -> Option<ResourceMatch> {
    if server == resource {
        return Some(ResourceMatch::Exact);
    }
    let (server, resource) = (Url::parse(server).ok()?, Url::parse(resource).ok()?);
    // RFC 8707 §2: no fragment. A query narrows a resource, so one that the address has not is another resource.
    let narrowed = resource.query().is_some() && resource.query() != server.query();
    if resource.fragment().is_some() || narrowed || !resource.username().is_empty() {
        return None;
    }
    if server.origin() != resource.origin() || !server.origin().is_tuple() {
        return None;
    }
    let prefix = resource.path().trim_end_matches('/');
    let rest = server.path().strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(ResourceMatch::Prefix)
}

/// The scopes worth registering: those of the challenge, which are needed now, then those that the resource may need
/// later, because a registered scope is a ceiling (INV-24). Each once; what is no scope token (RFC 6749
/// §3.3) is left out, and everything beyond 4 KiB.
pub fn scopes_named(challenge: Option<&str>, resource: Option<ProtectedResource<'_>>) -> Vec<String> {
    const MAX_ENDPOINT_BYTES: usize = 4096;
    let is_token = |scope: &str| {
        !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    };
    let challenged = challenge.unwrap_or_default().split(' ').map(str::to_owned);
    let supported = resource.map(|resource| resource.scopes_supported()).unwrap_or_default();
    let (mut scopes, mut length) = (Vec::new(), 0);
    for scope in challenged.chain(supported) {
        if is_token(&scope) && !scopes.contains(&scope) {
            length += scope.len() + 1;
            if length > MAX_ENDPOINT_BYTES {
                break;
            }
            scopes.push(scope);
        }
    }
    scopes
}

/// Whether metadata that name `found` as their issuer may be used where `expected` was looked for.
pub fn issuer_matches(expected: &str, found: &str, trusted: Option<&str>) -> Option<IssuerMatch> {
    if expected == found {
        return Some(IssuerMatch::Exact);
    }
    // Only an empty path may be written both ways; anything else must be configured by a user.
    let bare = |issuer: &str| {
        let url = Url::parse(issuer).ok()?;
        (url.path() == "/" && url.query().is_none()).then(|| issuer.trim_end_matches('/').to_owned())
    };
    if let (Some(expected), Some(found)) = (bare(expected), bare(found))
        && expected == found
    {
        return Some(IssuerMatch::RootSlash);
    }
    (trusted == Some(found)).then_some(IssuerMatch::Trusted)
}

/// The issuer whose metadata document has the address `url`, if that is the address of one (RFC 8414 §3, OpenID Connect
/// Discovery §4): such an address is sometimes entered as the issuer.
pub fn issuer_of_document(url: &str) -> Option<String> {
    const NAMES: [&str; 3] = [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource",
    ];
    let (start, end) = NAMES.iter().find_map(|name| url.split_once(name))?;
    let scheme_and_host = start.split_once("://").is_some_and(|(_, host)| !host.is_empty());
    let whole = end.is_empty() || end.starts_with('/');
    (scheme_and_host && whole).then(|| format!("{start}{}", end.trim_end_matches('/')))
}

/// Whether an endpoint may be used at all: https, or http to this machine (where the guard decides).
pub fn endpoint_is_sane(endpoint: &str) -> bool {
    Url::parse(endpoint).is_ok_and(|url| {
        url.fragment().is_none()
            && url.username().is_empty()
            && match url.scheme() {
                "https" => true,
                "http" => url.host().is_some_and(|host| names_loopback(&host)),
                _ => false,
            }
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn well_known_urls_are_in_the_standard_order() {
        let urls = |text: &str| protected_resource_urls(&Url::parse(text).unwrap());
        assert_eq!(
            urls("https://h/a/b?x=1"),
            [
                "https://h/.well-known/oauth-protected-resource/a/b?x=1",
                "https://h/.well-known/oauth-protected-resource"
            ]
        );
        assert_eq!(urls("https://h/"), ["https://h/.well-known/oauth-protected-resource"]);
        assert_eq!(
            urls("https://h/mcp/"),
            [
                "https://h/.well-known/oauth-protected-resource/mcp/",
                "https://h/.well-known/oauth-protected-resource/mcp",
                "https://h/.well-known/oauth-protected-resource"
            ]
        );
        assert_eq!(
            authorization_server_urls("https://h/t/"),
            [
                "https://h/.well-known/oauth-authorization-server/t",
                "https://h/.well-known/openid-configuration/t",
                "https://h/t/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            authorization_server_urls("https://h:8443"),
            [
                "https://h:8443/.well-known/oauth-authorization-server",
                "https://h:8443/.well-known/openid-configuration"
            ]
        );
        for bad in ["https://h/?q", "https://h/#f", "nonsense", "data:text/plain,x", "file://h/x", ""] {
            assert!(authorization_server_urls(bad).is_empty(), "{bad}");
        }
    }

    #[test]
    fn resources_match_by_whole_segments() {
        for (server, resource, expected) in [
            ("https://h/mcp", "https://h/mcp", Some(ResourceMatch::Exact)),
            ("https://h/mcp", "https://h", Some(ResourceMatch::Prefix)),
            ("https://h/mcp/x", "https://h/mcp/", Some(ResourceMatch::Prefix)),
            ("https://h/mcp", "https://h/mc", None),
            ("https://h/mcp", "https://other/mcp", None),
            ("https://h/mcp", "http://h/mcp", None),
            ("https://h/mcp", "https://h/mcp#f", None),
            ("https://h/mcp?a=1", "https://h/mcp", Some(ResourceMatch::Prefix)),
            ("https://h/mcp?a=1", "https://h/mcp/?a=1", Some(ResourceMatch::Prefix)),
            ("https://h/mcp", "https://h/mcp?a=1", None),
            ("https://h/mcp", "https://u@h/mcp", None),
            ("https://h/mcp", "https://h/mcp/x", None),
            ("https://h/mcp", "", None),
            ("https://h/mcp", "https://h:8443/mcp", None),
        ] {
            assert_eq!(resource_matches(server, resource), expected, "{server} {resource}");
        }
    }

    #[test]
    fn issuers_match_exactly_except_for_a_root_slash() {
        for (expected, found, trusted, result) in [
            ("https://h", "https://h", None, Some(IssuerMatch::Exact)),
            (
                "https://accounts.google.com/",
                "https://accounts.google.com",
                None,
                Some(IssuerMatch::RootSlash),
            ),
            ("https://h/t", "https://h/t/", None, None),
            ("https://mcp.facebook.com/ads", "https://www.facebook.com", None, None),
            (
                "https://mcp.facebook.com/ads",
                "https://www.facebook.com",
                Some("https://www.facebook.com"),
                Some(IssuerMatch::Trusted),
            ),
            ("https://h", "https://evil", Some("https://h"), None),
            ("https://h", "https://H", None, None),
        ] {
            assert_eq!(issuer_matches(expected, found, trusted), result, "{expected} {found}");
        }
    }

    #[test]
    fn endpoints_are_https_or_loopback() {
        for (endpoint, sane) in [
            ("https://h/register", true),
            ("http://127.0.0.1:1/register", true),
            ("http://h/register", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("/register", false),
            ("https://u@h/register", false),
        ] {
            assert_eq!(endpoint_is_sane(endpoint), sane, "{endpoint}");
        }
    }

    #[test]
    fn scopes_are_those_challenged_and_supported() {
        let document = json!({ "scopes_supported": ["b", "c", "two words", "", "quo\"te", "ü", 7, "c"] });
        let read = document.as_object().map(ProtectedResource);
        assert_eq!(scopes_named(Some("a  b"), read), ["a", "b", "c"]);
        assert_eq!(scopes_named(None, read), ["b", "c"]);
        assert!(scopes_named(None, None).is_empty());
        let many = json!({ "scopes_supported": (0..5000).map(|n| format!("scope{n}")).collect::<Vec<_>>() });
        assert!(scopes_named(None, many.as_object().map(ProtectedResource)).join(" ").len() <= 4096);
    }

    proptest::proptest! {
        #[test]
        fn hostile_urls_never_panic(one in "(https://)?.{0,40}", other in "(https://)?.{0,40}") {
            if let Ok(url) = Url::parse(&one) {
                let _ = protected_resource_urls(&url);
            }
            let _ = authorization_server_urls(&one);
            let _ = resource_matches(&one, &other);
            let _ = issuer_matches(&one, &other, Some(&other));
            let _ = endpoint_is_sane(&one);
        }

        #[test]
        fn another_origin_never_matches(path in "/[a-z/]{0,12}", other in "[a-z]{1,8}") {
            proptest::prop_assume!(other != "h");
            let (server, foreign) = (format!("https://h.example{path}"), format!("https://{other}.example{path}"));
            proptest::prop_assert_eq!(resource_matches(&server, &foreign), None);
            proptest::prop_assert_eq!(issuer_matches(&server, &foreign, None), None);
        }
    }
}
