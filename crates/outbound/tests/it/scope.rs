//! What `egress.allow` opens, it opens for integrations in the operator's network alone.

use crate::authority::Authority;
use crate::names::Script;
use crate::upstream::{Reply, Seen, Upstream, asked};
use registry_core::egress::{EgressPolicy, Scope};
use registry_core::oauth::FailureClass;
use registry_outbound::{DiscoverTarget, Limits, UpstreamClient, discover, register};
use serde_json::{Map, Value, json};

const PR: &str = "/.well-known/oauth-protected-resource/mcp";
const AS: &str = "/.well-known/oauth-authorization-server";

/// What a public server answers, given its own origin and that of a server inside.
type Leads = fn(&str, &str, &Seen) -> Reply;

/// A client for which all names lead to 127.0.0.5, where `rules` open that; http to this machine is allowed as for
/// development, which makes servers there reachable but opens nothing else.
fn client(rules: &[&str], authority: &Authority) -> UpstreamClient {
    let allow = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    UpstreamClient::new(EgressPolicy { allow, allow_http_loopback: true }, Limits::default())
        .with_lookup(Script::always(&["127.0.0.5"]))
        .with_certificates(authority.pem.as_bytes())
        .unwrap()
}

fn metadata(issuer: &str, registration: &str) -> Value {
    json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
        "registration_endpoint": registration, "code_challenge_methods_supported": ["S256"],
    })
}

/// An MCP server and authorization server in the operator's network.
async fn internal(authority: &Authority, names: &[&str]) -> Upstream {
    let name = names[0].to_owned();
    Upstream::start_at("127.0.0.5:0", Some(authority.server(names)), move |origin, seen| {
        let port = origin.rsplit(':').next().unwrap();
        let origin = format!("https://{name}:{port}");
        match seen.path.as_str() {
            "/mcp" => Reply::status(401),
            PR => Reply::json(
                200,
                &json!({ "resource": format!("{origin}/mcp"), "authorization_servers": [origin] }),
            ),
            AS => Reply::json(200, &metadata(&origin, &format!("{origin}/register"))),
            "/register" => Reply::json(201, &json!({ "client_id": "c" })),
            _ => Reply::status(404),
        }
    })
    .await
}

fn target(mcp_url: String, overrides: Value) -> DiscoverTarget {
    let Value::Object(overrides) = overrides else { panic!("an object") };
    DiscoverTarget { overrides, ..DiscoverTarget::at(mcp_url) }
}

#[tokio::test]
async fn public_server_leads_to_no_address_that_only_the_list_opens() {
    let authority = Authority::new("ours");
    let inside = internal(&authority, &["internal.example"]).await;
    let secret = format!("https://internal.example:{}", inside.port);
    let ways: [(&str, Leads); 5] = [
        ("the challenge", |_, secret, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(401)
                .header("www-authenticate", format!("Bearer resource_metadata=\"{secret}{PR}\"")),
            _ => Reply::status(404),
        }),
        ("a redirect of a document", |_, secret, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(401),
            PR => Reply::redirect(302, format!("{secret}{PR}")),
            _ => Reply::status(404),
        }),
        ("the issuer", |origin, secret, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(401),
            PR => Reply::json(
                200,
                &json!({ "resource": format!("{origin}/mcp"), "authorization_servers": [secret] }),
            ),
            _ => Reply::status(404),
        }),
        ("an endpoint by its address", |origin, _, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(401),
            PR => Reply::json(
                200,
                &json!({ "resource": format!("{origin}/mcp"), "authorization_servers": [origin] }),
            ),
            AS => Reply::json(200, &metadata(origin, "https://10.1.2.3/register")),
            _ => Reply::status(404),
        }),
        ("the registration endpoint", |origin, secret, seen| match seen.path.as_str() {
            "/mcp" => Reply::status(401),
            PR => Reply::json(
                200,
                &json!({ "resource": format!("{origin}/mcp"), "authorization_servers": [origin] }),
            ),
            AS => Reply::json(200, &metadata(origin, &format!("{secret}/register"))),
            _ => Reply::status(404),
        }),
    ];
    for rules in [&["internal.example", "10.0.0.0/8"][..], &["127.0.0.5", "10.0.0.0/8"]] {
        let client = client(rules, &authority);
        for (what, leads) in ways {
            let there = secret.clone();
            let public = Upstream::start(move |origin, seen| leads(origin, &there, seen)).await;
            let failure = match discover(&client, target(public.url("/mcp"), json!({}))).await.result {
                Err(failure) => failure,
                Ok(found) => {
                    let within = client.within(found.scope(client.policy()));
                    let endpoint = found.authorization_server().registration_endpoint().unwrap().to_owned();
                    register(&within, &endpoint, asked(&Map::new()), None).await.result.unwrap_err()
                }
            };
            assert_eq!((failure.class, failure.code), (FailureClass::Security, "address_blocked"), "{what}");
            assert!(failure.message.contains("only for integrations"), "{what}: {}", failure.message);
        }
        assert_eq!(inside.connections(), 0);
    }
}

#[tokio::test]
async fn internal_server_leads_to_what_the_list_opens() {
    let authority = Authority::new("ours");
    let inside = internal(&authority, &["as.internal.example", "mcp.internal.example"]).await;
    let issuer = format!("https://as.internal.example:{}", inside.port);
    // Its metadata are those of the authorization server; they name a resource under another name.
    let named = Upstream::start_at("127.0.0.5:0", Some(authority.server(&["mcp.internal.example"])), {
        let issuer = issuer.clone();
        move |origin, seen| {
            let own = format!("https://mcp.internal.example:{}", origin.rsplit(':').next().unwrap());
            match seen.path.as_str() {
                "/mcp" => Reply::status(401),
                PR => Reply::json(
                    200,
                    &json!({ "resource": format!("{own}/mcp"), "authorization_servers": [issuer] }),
                ),
                _ => Reply::status(404),
            }
        }
    })
    .await;
    for rules in [&["127.0.0.0/8"][..], &["127.0.0.5"], &["mcp.internal.example", "as.internal.example"]] {
        let client = client(rules, &authority);
        let url = format!("https://mcp.internal.example:{}/mcp", named.port);
        let found = discover(&client, target(url, json!({}))).await.result.unwrap();
        assert_eq!(
            (found.issuer.as_str(), found.scope.as_ref()),
            (issuer.as_str(), Some(&Scope::Everything))
        );
        let within = client.within(found.scope(client.policy()));
        let registered = register(&within, &format!("{issuer}/register"), asked(&Map::new()), None).await;
        assert_eq!(registered.result.unwrap().client_id, "c", "{rules:?}");
    }
}

#[tokio::test]
async fn configured_host_is_reached_and_no_other() {
    let authority = Authority::new("ours");
    let inside = internal(&authority, &["internal.example"]).await;
    let issuer = format!("https://internal.example:{}", inside.port);
    let client = client(&["127.0.0.0/8"], &authority);
    let scope = client.policy().scope_by_text("https://mcp.public.example/mcp", [issuer.as_str()]);
    let within = client.within(scope);
    assert!(register(&within, &format!("{issuer}/register"), asked(&Map::new()), None).await.result.is_ok());
    let other = format!("https://other.example:{}/register", inside.port);
    let failure = register(&within, &other, asked(&Map::new()), None).await.result.unwrap_err();
    assert_eq!((failure.class, failure.code), (FailureClass::Security, "address_blocked"));
}
