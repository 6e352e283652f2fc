//! What must hold for any bytes that a parser meets: the fuzzer's targets, and the tests that replay what it found.

use registry_core::clock::{Timestamp, from_unix_seconds};
use registry_core::egress::{AllowRule, Scope};
use registry_core::id::SealedId;
use registry_core::logo::{LogoAnswer, check_logo};
use registry_core::metadata::{
    AdvancedConfiguration, Branding, KnownSecrets, Layer, Level, ResolveContext, formatted, parse_marker,
    resolve, verify,
};
use registry_core::oauth::{
    Asked, AuthorizationServerMetadata, HttpAnswer, Issued, ManagedClient, ProtectedResource,
    authorization_server_urls, endpoint_is_sane, is_plain, is_same_origin, issuer_matches, parse_challenges,
    protected_resource_urls, read_answer, read_object, resource_matches, retry_after_seconds, scopes_named,
};
use registry_core::proxies::TrustedProxies;
use registry_core::secret::Secret;
use registry_core::slug::{Reference, Slug};
use serde_json::{Map, Value, json};
use std::str::FromStr;
use url::Url;
use uuid::Uuid;

/// What a target does with bytes.
type Body = fn(&[u8]);

/// Each target by name.
pub(crate) const TARGETS: [(&str, Body); 8] = [
    ("www_authenticate", www_authenticate),
    ("protected_resource", protected_resource),
    ("authorization_server", authorization_server),
    ("registration_answer", registration_answer),
    ("management_answer", management_answer),
    ("logo", logo),
    ("advanced_configuration", advanced_configuration),
    ("references", references),
];

fn now() -> Timestamp {
    from_unix_seconds(1_795_400_000).unwrap_or_default()
}

/// `WWW-Authenticate` of an MCP server (RFC 9110 §11.6.1).
pub(crate) fn www_authenticate(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for challenge in parse_challenges(text.lines()) {
        for name in ["resource_metadata", "scope", "error", "realm", "RESOURCE_METADATA"] {
            // A parameter is a part of what was sent, never anything else.
            if let Some(value) = challenge.parameter(name) {
                assert!(value.len() <= text.len());
            }
        }
        let scopes = scopes_named(challenge.scope(), None);
        assert!(scopes.iter().map(|scope| scope.len() + 1).sum::<usize>() <= 4096 + 1);
        assert!(scopes.iter().all(|scope| !scope.is_empty() && !scope.contains([' ', '"', '\\'])));
        assert!(challenge.resource_metadata().is_none_or(|url| url.len() <= text.len()));
    }
}

/// Protected resource metadata (RFC 9728 §3.2), for an address that is in it.
pub(crate) fn protected_resource(bytes: &[u8]) {
    let Some(document) = read_object(bytes) else { return };
    let resource = ProtectedResource(&document);
    scopes_named(None, Some(resource));
    for issuer in resource.authorization_servers() {
        for url in authorization_server_urls(&issuer) {
            let (url, issuer) =
                (Url::parse(&url).expect("a URL is made"), Url::parse(&issuer).expect("of a URL"));
            assert_eq!(url.origin(), issuer.origin(), "metadata are looked for where the issuer is");
        }
    }
    if let Some(text) = resource.resource() {
        if let Some(matched) = resource_matches("https://mcp.example.com/a/b", text) {
            let url = Url::parse(text).expect("what matches is a URL");
            assert_eq!(url.host_str(), Some("mcp.example.com"), "{matched:?}: {text}");
        }
        if let Ok(url) = Url::parse(text) {
            for place in protected_resource_urls(&url) {
                assert!(place.contains("/.well-known/oauth-protected-resource"));
            }
        }
    }
}

/// Authorization server metadata (RFC 8414 §3.2).
pub(crate) fn authorization_server(bytes: &[u8]) {
    let Some(document) = read_object(bytes) else { return };
    let metadata = AuthorizationServerMetadata(&document);
    drop((
        metadata.token_endpoint_auth_methods_supported(),
        metadata.code_challenge_methods_supported(),
        metadata.scopes_supported(),
        metadata.client_id_metadata_document_supported(),
    ));
    for name in ["authorization_endpoint", "token_endpoint", "registration_endpoint"] {
        if let Some(endpoint) = metadata.endpoint(name)
            && endpoint_is_sane(endpoint)
        {
            let url = Url::parse(endpoint).expect("what is sane is a URL");
            assert!(matches!(url.scheme(), "https" | "http") && url.fragment().is_none(), "{endpoint}");
            assert!(url.scheme() == "https" || is_here(&url), "{endpoint}");
        }
    }
    if let Some(found) = metadata.issuer() {
        let expected = "https://as.example.com";
        if issuer_matches(expected, found, None).is_some() {
            assert!(found == expected || found == "https://as.example.com/", "{found}");
        }
    }
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => {
            name.trim_end_matches('.') == "localhost" || name.trim_end_matches('.').ends_with(".localhost")
        }
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback() || address.to_canonical().is_loopback(),
        None => false,
    }
}

/// The answer to a registration (RFC 7591 §3.2): the first byte chooses the status, the rest is the body.
pub(crate) fn registration_answer(bytes: &[u8]) {
    let Some((first, body)) = bytes.split_first() else { return };
    let status = [200, 201, 400, 401, 403, 404, 429, 500, 503][usize::from(*first) % 9];
    match read_answer(
        ENDPOINT,
        &HttpAnswer::new(status, body),
        Asked { request: &Map::new(), listed_methods: None },
        now(),
    ) {
        Ok(issued) => {
            assert!(status < 300 && !issued.client_id.is_empty());
            assert_fit(&issued);
            // Secrets are not in what is kept to be shown.
            for secret in issued.client_secret.iter().chain(&issued.registration_access_token) {
                let shown = serde_json::json!(secret.expose()).to_string();
                let kept = serde_json::Value::Object(issued.response.clone()).to_string();
                assert!(
                    shown.len() < 10 || !kept.contains(&format!(":{shown}")),
                    "a secret is kept in the clear"
                );
            }
            for name in ["client_secret", "registration_access_token"] {
                assert!(!issued.response.contains_key(name), "{name} is kept in the clear");
            }
        }
        Err(failure) => {
            assert!(
                failure.message.len() < 4096 && !failure.message.chars().any(|c| c == '\0'),
                "{failure:?}"
            );
        }
    }
}

const ENDPOINT: &str = "https://as.example.com/register";
const CALLBACK: &str = "https://gateway.example.com/cb";

/// What must hold of every client that an answer describes.
fn assert_fit(issued: &Issued) {
    assert!(issued.registration_client_uri.is_some() == issued.registration_access_token.is_some());
    assert!(issued.registration_client_uri.iter().all(|uri| is_same_origin(ENDPOINT, uri)));
    assert!(
        !issued.client_id.is_empty() && issued.client_id.bytes().all(|byte| (0x20..0x7f).contains(&byte))
    );
    assert!(issued.client_secret.as_ref().is_none_or(|secret| is_plain(secret.expose())));
    assert!(issued.warnings.iter().all(|warning| is_plain(warning) && warning.len() < 4096));
    assert!(is_plain(&issued.token_endpoint_auth_method));
    assert!(issued.response.iter().all(|(name, value)| is_plain(name) && is_fit(name, value)));
}

fn is_fit(name: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => {
            // The text after `#` is a language tag (RFC 7591 §2.2).
            let link = name.split('#').next().is_some_and(|name| name.ends_with("_uri")) && !text.is_empty();
            let web = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            let runs = text.trim_start().to_ascii_lowercase().starts_with("javascript:");
            is_plain(text) && !runs && (!link || web)
        }
        Value::Array(items) => items.iter().all(|item| is_fit(name, item)),
        Value::Object(members) => members.iter().all(|(name, value)| is_plain(name) && is_fit(name, value)),
        _ => true,
    }
}

/// The answer to a read or an update of a client (RFC 7592 §2): the first byte chooses status and request.
pub(crate) fn management_answer(bytes: &[u8]) {
    let Some((first, body)) = bytes.split_first() else { return };
    let status = [200, 201, 202, 204, 400, 401, 403, 404, 429, 503][usize::from(*first >> 1) % 10];
    let asked =
        json!({ "client_name": "A", "redirect_uris": [CALLBACK] }).as_object().cloned().expect("an object");
    let recorded = ManagedClient {
        client_id: "client".to_owned(),
        client_secret: Some(Secret::new("canary-secret-of-the-client")),
        client_secret_expires_at: None,
        client_id_issued_at: None,
        token_endpoint_auth_method: "client_secret_post".to_owned(),
        registration_client_uri: format!("{ENDPOINT}/client"),
        registration_access_token: Secret::new("canary-token-of-the-client"),
        request: asked.clone(),
        response: asked.clone(),
        scope: Scope::Everything,
    };
    let result = match first & 1 {
        0 => recorded.read_read(&HttpAnswer::new(status, body), now()),
        _ => recorded.read_update(&HttpAnswer::new(status, body), &asked, now()),
    };
    match result {
        Ok(issued) => {
            assert!(status < 300 && issued.client_id == "client");
            assert_fit(&issued);
            assert!(issued.registration_client_uri.is_some(), "what was known is not lost");
            if let Some(callbacks) = issued.response.get("redirect_uris") {
                assert_eq!(callbacks, &json!([CALLBACK]), "nobody else's callback");
            }
            for secret in issued.client_secret.iter().chain(&issued.registration_access_token) {
                let mut kept = issued.response.clone();
                kept.shift_remove("client_id");
                assert!(!secret.is_in(&Value::Object(kept)), "a secret is kept in the clear");
            }
        }
        Err(failure) => assert!(failure.message.len() < 4096 && is_plain(&failure.message), "{failure:?}"),
    }
}

/// What a `logo_uri` answers: the first byte chooses the status, the second the label, the rest is the picture.
pub(crate) fn logo(bytes: &[u8]) {
    let [status, label, body @ ..] = bytes else { return };
    let text = String::from_utf8_lossy(body);
    let content_type = [None, Some("image/png"), Some("image/svg+xml"), Some("text/html"), Some(&*text)]
        [usize::from(*label) % 5];
    let answer = LogoAnswer {
        url: "https://cdn.example.com/logo.png",
        status: [200, 200, 200, 301, 404, 500][usize::from(*status) % 6],
        content_type,
        location: Some(&text).filter(|_| label & 1 == 1).map(|text| &**text),
        body,
    };
    match check_logo(&answer) {
        Ok(picture) => {
            assert!(answer.status == 200 && picture.media_type.starts_with("image/"), "{picture:?}");
            assert!(
                picture.labelled.iter().all(|label| is_plain(label) && label.len() < 1024),
                "{picture:?}"
            );
            assert!(picture.pixels.is_some() == (picture.media_type != "image/svg+xml"), "{picture:?}");
        }
        Err(problem) => assert!(is_plain(&problem.message) && problem.message.len() < 4096, "{problem:?}"),
    }
}

/// An Advanced Configuration as a user sends it.
pub(crate) fn advanced_configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let verified = verify(text, &KnownSecrets::default());
    for finding in &verified.findings {
        assert!(
            !finding.message.is_empty() && (finding.pointer.is_empty() || finding.pointer.starts_with('/'))
        );
    }
    drop(formatted(text));
    if verified.has_errors() {
        return;
    }
    let ids: Vec<SealedId> =
        (1..).take(verified.new_secrets().len()).map(|number| SealedId(Uuid::from_u128(number))).collect();
    let kept = verified.sealed_text(&ids).expect("what has no errors is kept");
    for secret in verified.new_secrets() {
        let pointer = &secret.pointer;
        let stored: serde_json::Value = serde_json::from_str(&kept).expect("what is kept is JSON");
        // Aliases are written as they came; the pointer leads to a marker.
        if let Some(value) = stored.pointer(pointer) {
            assert!(value.as_str().and_then(parse_marker).is_some(), "{pointer} is not sealed");
        }
    }
    let stored = AdvancedConfiguration::from_stored(&kept).expect("what is kept is read again");
    assert_eq!(stored.sealed_ids().len(), ids.len());
    // Sent back as it was read, it is fine and holds nothing new.
    let again = verify(&kept, &KnownSecrets::of(&kept));
    assert!(!again.has_errors() && again.new_secrets().is_empty(), "{:?}", again.findings);
    let callbacks = ["https://gateway.example.com/oauth/upstream-callback".to_owned()];
    let context = ResolveContext { workspace: "acme", server: "linear", callbacks: &callbacks };
    let layer = Layer { level: Level::Server, configuration: &stored };
    let resolution = resolve(&Branding::default(), &[layer], &context);
    assert_eq!(resolution.effective.client_metadata["redirect_uris"], serde_json::json!(callbacks));
    assert_eq!(resolution.effective.digest().len(), 64);
}

/// Values in paths, queries and headers: references, slugs, rules, wait times, URLs.
pub(crate) fn references(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    drop(Reference::parse(&text));
    if let Ok(slug) = Slug::parse(&text) {
        assert!(
            (3..=50).contains(&slug.as_str().len())
                && slug.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
    }
    let made = Slug::from_name(&text);
    assert!(Slug::parse(made.as_str()).is_ok(), "{made:?} is made from a name and is no slug");
    if let Some(seconds) = retry_after_seconds(&text, now()) {
        assert!(seconds <= 86_400);
    }
    drop(AllowRule::from_str(&text));
    let proxies = TrustedProxies::parse(&["10.0.0.0/8".to_owned()]).expect("a network");
    let peer = std::net::IpAddr::from([192, 0, 2, 7]);
    assert_eq!(proxies.sender(peer, text.lines()), peer, "nobody but our proxies is believed");
    let ours = std::net::IpAddr::from([10, 0, 0, 1]);
    let sender = proxies.sender(ours, text.lines());
    assert!(sender == ours || text.contains(['.', ':']), "{sender} comes from nowhere");
}
