//! Finding a server's authorization server, in the order of `standards.md` §3.

use crate::guard::{Answer, Asked, Guarded, Trouble, read_object, shown};
use registry_core::clock::Timestamp;
use registry_core::oauth::{
    Discovery, Exchange, Failure, FailureClass, IssuerMatch, ProtectedResource, ResourceMatch,
    authorization_server_urls, endpoint_is_sane, issuer_matches, parse_challenges, protected_resource_urls,
    resource_matches,
};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::time::Instant;
use url::Url;

/// What to look for.
#[derive(Clone, Debug)]
pub struct DiscoverTarget {
    /// The MCP address.
    pub mcp_url: String,
    /// What an admin set instead of what the metadata say: `issuer` and members of RFC 8414 §2.
    pub overrides: Map<String, Value>,
    /// An issuer to trust although it is not the one that was expected.
    pub trusted_issuer: Option<String>,
}

/// What was found.
#[derive(Debug)]
pub struct DiscoverOutcome {
    /// Everything, or why not.
    pub result: Result<Discovery, Failure>,
    /// Every exchange on the way.
    pub trace: Vec<Exchange>,
}

/// Finds the authorization server of `target`.
pub async fn discover(guarded: &Guarded, target: DiscoverTarget) -> DiscoverOutcome {
    let mut search = Search { guarded, target, trace: Vec::new() };
    let result = search.run().await;
    DiscoverOutcome { result, trace: search.trace }
}

/// Authorization server metadata that may be used.
struct Server {
    metadata_url: String,
    metadata: Map<String, Value>,
    issuer: String,
    issuer_match: IssuerMatch,
}

struct Search<'a> {
    guarded: &'a Guarded,
    target: DiscoverTarget,
    trace: Vec<Exchange>,
}

/// Protected resource metadata that may be used.
struct Resource {
    url: String,
    document: Map<String, Value>,
    matched: ResourceMatch,
}

impl Search<'_> {
    async fn run(&mut self) -> Result<Discovery, Failure> {
        let (hint, challenge_scope) = self.probe().await?;
        let resource = self.protected_resource(hint).await?;
        let issuers = self.issuers(resource.as_ref())?;
        let mut last = None;
        for listed in &issuers {
            match self.authorization_server(listed).await {
                Ok(server) => return Ok(self.discovery(resource, challenge_scope, listed.clone(), server)),
                // The first that validates is taken; a hiccup of one must not send us to another.
                Err(failure) if failure.class == FailureClass::Transient => return Err(failure),
                Err(failure) => last = last.or(Some(failure)),
            }
        }
        Err(last.unwrap_or_else(no_authorization_server))
    }

    /// An unauthenticated request to the MCP address: the challenge may say where the metadata are and which scopes are
    /// needed. No challenge does not mean no authorization.
    async fn probe(&mut self) -> Result<(Option<String>, Option<String>), Failure> {
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25", "capabilities": {},
                "clientInfo": { "name": "mcp-registry", "version": env!("CARGO_PKG_VERSION") },
            },
        });
        let url = self.target.mcp_url.clone();
        let asked = Asked {
            method: Method::POST,
            url: &url,
            accept: "application/json, text/event-stream",
            bearer: None,
            json: Some(&body),
            headers: &[("mcp-protocol-version", "2025-11-25")],
            most: 256 * 1024,
            redirects: false,
        };
        let started = Instant::now();
        match self.guarded.send(&asked).await {
            Ok(answer) => {
                let challenges = parse_challenges(answer.challenges.iter().map(String::as_str));
                let hint =
                    challenges.iter().find_map(|challenge| challenge.resource_metadata()).map(str::to_owned);
                let scope = challenges.iter().find_map(|challenge| challenge.scope()).map(str::to_owned);
                let note = match answer.status {
                    401 => "It asks for authorization.",
                    _ => "It did not ask for authorization; its metadata are looked for all the same.",
                };
                self.record("probe", "POST", &url, started, Some(&answer), note);
                if answer.status >= 500 || answer.status == 429 {
                    let mut failure = Failure::new(
                        FailureClass::Transient,
                        "upstream_unavailable",
                        format!("The MCP server answered {}. It is tried again later.", answer.status),
                    );
                    failure.retry_after = answer.retry_after;
                    return Err(failure);
                }
                Ok((hint, scope))
            }
            // Its headers are all that matters: a body that streams for ever is no trouble here.
            Err(trouble) if trouble.failure.code == "answer_too_large" => Ok((None, None)),
            Err(trouble) => Err(self.lost("probe", "POST", &url, started, trouble)),
        }
    }

    /// The protected resource metadata: where the challenge says, else the path form, else the root form.
    async fn protected_resource(&mut self, hint: Option<String>) -> Result<Option<Resource>, Failure> {
        let places = match hint {
            Some(hint) => vec![hint],
            None => {
                Url::parse(&self.target.mcp_url).map(|url| protected_resource_urls(&url)).unwrap_or_default()
            }
        };
        let mut mismatch = None;
        for place in places {
            let Some(document) = self.document("protected_resource", &place).await? else { continue };
            let resource = ProtectedResource(&document).resource().unwrap_or_default().to_owned();
            if let Some(matched) = resource_matches(&self.target.mcp_url, &resource) {
                return Ok(Some(Resource { url: place, document, matched }));
            }
            mismatch = Some(Failure::new(
                FailureClass::Security,
                "resource_mismatch",
                format!(
                    "The metadata at {} are for another resource ({}) than this server's address. Correct the integration's URL, or ask the server's owner.",
                    shown(&place),
                    shown(&resource)
                ),
            ));
        }
        mismatch.map_or(Ok(None), Err)
    }

    /// The issuers to try: the admin's, else those the resource names.
    fn issuers(&self, resource: Option<&Resource>) -> Result<Vec<String>, Failure> {
        if let Some(issuer) = self.target.overrides.get("issuer").and_then(Value::as_str) {
            return Ok(vec![issuer.to_owned()]);
        }
        let listed = resource
            .map(|resource| ProtectedResource(&resource.document).authorization_servers())
            .unwrap_or_default();
        // One that an admin trusts is preferred, so that the choice does not depend on the order of a list.
        let trusted = self.target.trusted_issuer.as_ref();
        let mut issuers: Vec<String> = listed;
        issuers.sort_by_key(|issuer| Some(issuer) != trusted);
        issuers.truncate(4);
        if issuers.is_empty() { Err(no_authorization_server()) } else { Ok(issuers) }
    }

    async fn authorization_server(&mut self, listed: &str) -> Result<Server, Failure> {
        let mut mismatch = None;
        for place in authorization_server_urls(listed) {
            let Some(mut metadata) = self.document("authorization_server", &place).await? else { continue };
            let found = metadata.get("issuer").and_then(Value::as_str).unwrap_or_default().to_owned();
            let Some(matched) = issuer_matches(listed, &found, self.target.trusted_issuer.as_deref()) else {
                mismatch = mismatch.or(Some(Failure::new(
                    FailureClass::Security,
                    "issuer_mismatch",
                    format!(
                        "The metadata at {} name another issuer ({}) than expected ({}). If that is right, set `registration.trusted_issuer` to it.",
                        shown(&place),
                        shown(&found),
                        shown(listed)
                    ),
                )));
                continue;
            };
            for (name, value) in self.target.overrides.iter().filter(|(name, _)| *name != "issuer") {
                metadata.insert(name.clone(), value.clone());
            }
            check_endpoints(&metadata)?;
            return Ok(Server { metadata_url: place, metadata, issuer: found, issuer_match: matched });
        }
        if let Some(failure) = mismatch {
            return Err(failure);
        }
        self.entered_by_hand(listed).unwrap_or_else(|| {
            Err(Failure::new(
                FailureClass::NeedsAdmin,
                "metadata_not_found",
                format!("The authorization server {} publishes no metadata. Enter `issuer`, `authorization_endpoint` and `token_endpoint` in the Advanced Configuration.", shown(listed)),
            ))
        })
    }

    /// Metadata made of the admin's overrides alone, where nothing is published but everything needed was entered.
    fn entered_by_hand(&self, listed: &str) -> Option<Result<Server, Failure>> {
        let overrides = &self.target.overrides;
        let whole = ["issuer", "authorization_endpoint", "token_endpoint"]
            .iter()
            .all(|name| overrides.contains_key(*name));
        whole.then(|| {
            let mut metadata = overrides.clone();
            metadata.entry("response_types_supported").or_insert_with(|| json!(["code"]));
            metadata.entry("code_challenge_methods_supported").or_insert_with(|| json!(["S256"]));
            check_endpoints(&metadata)?;
            let listed = listed.to_owned();
            Ok(Server {
                metadata_url: listed.clone(),
                metadata,
                issuer: listed,
                issuer_match: IssuerMatch::Exact,
            })
        })
    }

    /// A JSON document, or `None` where there is none: any 4xx, 502 (as proxies answer for what does not exist), or a page.
    async fn document(
        &mut self,
        step: &'static str,
        url: &str,
    ) -> Result<Option<Map<String, Value>>, Failure> {
        let started = Instant::now();
        let asked = Asked {
            method: Method::GET,
            url,
            accept: "application/json",
            bearer: None,
            json: None,
            headers: &[("mcp-protocol-version", "2025-11-25")],
            most: 256 * 1024,
            redirects: true,
        };
        let answer = match self.guarded.send(&asked).await {
            Ok(answer) => answer,
            Err(trouble) => return Err(self.lost(step, "GET", url, started, trouble)),
        };
        let (document, note) = match answer.status {
            200 => match read_object(&answer.body) {
                Some(document) => (Some(document), "Found."),
                None => (None, "It answered with something that is no JSON object."),
            },
            400..=499 if answer.status != 429 => (None, "There is none here."),
            502 => (None, "There is none here."),
            _ => {
                let mut failure = Failure::new(
                    FailureClass::Transient,
                    "upstream_unavailable",
                    format!("{} answered {}. It is tried again later.", shown(url), answer.status),
                );
                failure.retry_after = answer.retry_after;
                self.record(step, "GET", url, started, Some(&answer), &failure.message);
                return Err(failure);
            }
        };
        self.record(step, "GET", url, started, Some(&answer), note);
        Ok(document)
    }

    fn discovery(
        &self,
        resource: Option<Resource>,
        challenge_scope: Option<String>,
        authorization_server_listed: String,
        server: Server,
    ) -> Discovery {
        let Server { metadata_url, metadata, issuer, issuer_match } = server;
        let read = resource.as_ref().map(|resource| ProtectedResource(&resource.document));
        let named = read.and_then(|read| read.resource().map(str::to_owned));
        let scopes = match &challenge_scope {
            Some(scope) => {
                // A registered scope is a ceiling: the challenge names what is needed now, the resource what may be
                // needed later.
                let mut scopes: Vec<String> = scope.split_ascii_whitespace().map(str::to_owned).collect();
                let more = read.map(|read| read.scopes_supported()).unwrap_or_default();
                scopes.extend(
                    more.into_iter().filter(|one| !scope.split_ascii_whitespace().any(|known| known == one)),
                );
                scopes
            }
            None => read.map(|read| read.scopes_supported()).unwrap_or_default(),
        };
        let mut warnings = Vec::new();
        if !metadata.contains_key("code_challenge_methods_supported") {
            warnings.push("The authorization server does not say that it supports PKCE; MCP clients must refuse to sign in there.".to_owned());
        }
        Discovery {
            mcp_url: self.target.mcp_url.clone(),
            resource: named.unwrap_or_else(|| self.target.mcp_url.clone()),
            resource_match: resource.as_ref().map(|resource| resource.matched),
            protected_resource_url: resource.as_ref().map(|resource| resource.url.clone()),
            protected_resource: resource.map(|resource| resource.document),
            challenge_scope,
            authorization_server_listed,
            issuer,
            issuer_match,
            metadata_url,
            metadata,
            scopes,
            warnings,
        }
    }

    fn record(
        &mut self,
        step: &str,
        method: &str,
        url: &str,
        started: Instant,
        answer: Option<&Answer>,
        note: &str,
    ) {
        self.trace.push(Exchange {
            step: step.to_owned(),
            method: method.to_owned(),
            url: shown(url),
            status: answer.map(|answer| answer.status),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            note: note.to_owned(),
            excerpt: None,
        });
    }

    fn lost(&mut self, step: &str, method: &str, url: &str, started: Instant, trouble: Trouble) -> Failure {
        self.record(step, method, url, started, None, &trouble.failure.message);
        trouble.failure
    }
}

fn no_authorization_server() -> Failure {
    Failure::new(
        FailureClass::NeedsAdmin,
        "authorization_server_not_found",
        "The MCP server names no authorization server (RFC 9728). If it needs none, choose another authentication for the integration; else enter `issuer` and its endpoints in the Advanced Configuration.",
    )
}

/// Every endpoint that is used or shown is https, or http on this machine (`standards.md` §6.2).
fn check_endpoints(metadata: &Map<String, Value>) -> Result<(), Failure> {
    for name in ["authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint"] {
        let Some(endpoint) =
            metadata.get(name).and_then(Value::as_str).filter(|endpoint| !endpoint.is_empty())
        else {
            continue;
        };
        if !endpoint_is_sane(endpoint) {
            return Err(Failure::new(
                FailureClass::Security,
                "endpoint_not_allowed",
                format!("The authorization server's `{name}` is not an https URL and is not used."),
            ));
        }
    }
    Ok(())
}

/// The machine's time, for judging whether a secret has expired already.
pub(crate) fn wall_clock() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "an expiry in an answer is judged by the machine's clock")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    registry_core::clock::from_unix_seconds(now.as_secs()).unwrap_or_default()
}
