//! Discovery of a server's authorization server, in the order of INV-30.

use crate::client::{OutgoingRequest, UpstreamClient, VERSION_HEADER};
use crate::fetch::{
    DocumentLookup, ExchangeLog, PROTOCOL_VERSION, initialize_request, is_temporary_failure,
    temporary_failure,
};
use crate::response::ReadBody;
use futures_util::future::BoxFuture;
use registry_core::egress::{Scope, UrlProblem};
use registry_core::oauth::{
    AuthorizationServerMetadata, Discovery, Failure, FailureClass, IssuerMatch, ProtectedResource,
    ResourceMatch, authorization_server_urls, endpoint_is_sane, is_plain, issuer_matches, parse_challenges,
    protected_resource_urls, resource_matches, sanitize, scopes_named,
};
use registry_core::registration::DiscoverOutcome;
use registry_core::registration::DiscoverTarget;
use registry_core::url_text::{host_of, shown};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Instant;
use url::Url;

/// Called with an issuer before anything is sent to it; a failure ends the search there.
pub type BeforeRequest<'a> = dyn Fn(String) -> BoxFuture<'a, Result<(), Failure>> + Send + Sync + 'a;

/// The maximum number of authorization servers of one resource that are tried.
const MAX_AUTHORIZATION_SERVERS: usize = 4;
/// Finds the authorization server of `target`.
pub async fn discover(http: &UpstreamClient, target: DiscoverTarget) -> DiscoverOutcome {
    discover_through(http, target, &|_| Box::pin(async { Ok(()) })).await
}

/// The same; `before_request` decides for each authorization server whether it may be contacted.
pub async fn discover_through<'a>(
    http: &'a UpstreamClient,
    target: DiscoverTarget,
    before_request: &'a BeforeRequest<'a>,
) -> DiscoverOutcome {
    let entered = target.overrides.values().filter_map(Value::as_str);
    let scope = http.policy().scope_by_text(&target.mcp_url, entered);
    let upstream = ExchangeLog { http: http.within(scope), trace: Vec::new() };
    let mut search = Search { upstream, target, before_request, other_resource: None, warnings: Vec::new() };
    let result = search.run().await;
    DiscoverOutcome { result, trace: search.upstream.trace, other_resource: search.other_resource }
}

/// The result of the probe of the MCP address.
#[derive(Default)]
struct ProbeResult {
    /// The URL of the protected resource metadata, from the challenge.
    hint: Option<String>,
    scope: Option<String>,
    /// A response that may be a temporary error or a refusal: used only if nothing is found.
    temporary: Option<Failure>,
}

/// Authorization server metadata that may be used.
struct Server {
    metadata_url: String,
    metadata: Map<String, Value>,
    issuer: String,
    issuer_match: IssuerMatch,
}

struct Search<'a> {
    upstream: ExchangeLog,
    target: DiscoverTarget,
    before_request: &'a BeforeRequest<'a>,
    other_resource: Option<String>,
    /// Warnings about removed members of documents.
    warnings: Vec<String>,
}

/// Protected resource metadata that may be used.
struct Resource {
    url: String,
    document: Map<String, Value>,
    matched: ResourceMatch,
}

impl Search<'_> {
    async fn run(&mut self) -> Result<Discovery, Failure> {
        let probed = self.probe().await?;
        self.find(&probed).await.map_err(|failure| match probed.temporary {
            // A temporary failure must not be reported as one that needs a user.
            Some(temporary) if failure.class == FailureClass::NeedsAdmin => temporary,
            _ => failure,
        })
    }

    async fn find(&mut self, probed: &ProbeResult) -> Result<Discovery, Failure> {
        let resource = self.protected_resource(probed.hint.as_deref()).await?;
        let issuers = match self.issuers(resource.as_ref()) {
            Err(_) if self.target.legacy && resource.is_none() => {
                let server = self.legacy_server().await?;
                let listed = server.issuer.clone();
                return Ok(self.discovery(None, probed.scope.clone(), listed, server));
            }
            issuers => issuers?,
        };
        let several = issuers.len() > 1;
        let (mut first, mut without_way) = (None, None);
        for listed in issuers {
            match self.authorization_server(&listed).await {
                Ok(server) => {
                    let way =
                        self.target.paths.can_obtain_client(AuthorizationServerMetadata(&server.metadata));
                    let known = self.target.known_issuer.as_ref() == Some(&server.issuer);
                    if way || known || !several {
                        return Ok(self.discovery(resource, probed.scope.clone(), listed, server));
                    }
                    // It is valid, but offers no method to obtain a client: the next one may.
                    without_way = without_way.or(Some((listed, server)));
                }
                // A temporary failure of one server must not lead to another server.
                Err(failure) if failure.class == FailureClass::Transient => return Err(failure),
                Err(failure) => first = first.or(Some(failure)),
            }
        }
        match without_way {
            Some((listed, server)) => Ok(self.discovery(resource, probed.scope.clone(), listed, server)),
            None => Err(first.unwrap_or_else(no_authorization_server)),
        }
    }

    /// The authorization server of an MCP server of the revision 2025-03-26: at the root of its own address, with default
    /// endpoints where it publishes no metadata. No issuer is named, so the origin is used as the issuer.
    async fn legacy_server(&mut self) -> Result<Server, Failure> {
        let origin = Url::parse(&self.target.mcp_url)
            .map_err(|_| no_authorization_server())?
            .origin()
            .ascii_serialization();
        (self.before_request)(origin.clone()).await?;
        let place = format!("{origin}/.well-known/oauth-authorization-server");
        let (mut metadata, metadata_url) =
            match self.upstream.document("authorization_server", &place).await? {
                DocumentLookup::Document(metadata) => (metadata, place),
                DocumentLookup::Nothing => (default_endpoints(&origin), origin.clone()),
                DocumentLookup::Unclear(failure) => return Err(failure),
            };
        for (name, value) in &self.target.overrides {
            metadata.insert(name.clone(), value.clone());
        }
        self.check_endpoints(&metadata)?;
        self.sanitize(&mut metadata, &metadata_url);
        Ok(Server { metadata_url, metadata, issuer: origin, issuer_match: IssuerMatch::Legacy })
    }

    /// An unauthenticated request to the MCP address: the challenge may say where the metadata are and which scopes are
    /// needed. No challenge does not mean no authorization: some servers challenge later requests only.
    async fn probe(&mut self) -> Result<ProbeResult, Failure> {
        let body = initialize_request();
        let url = self.target.mcp_url.clone();
        let outgoing = OutgoingRequest {
            accept: "application/json, text/event-stream",
            json: Some(&body),
            headers: &[(VERSION_HEADER, PROTOCOL_VERSION)],
            wanted: ReadBody::Nothing,
            ..OutgoingRequest::plain("probe", Method::POST, &url)
        };
        let started = Instant::now();
        let answer = match self.upstream.http.send(&outgoing).await {
            Ok(answer) => answer,
            Err(transport_error) => {
                return Err(self.upstream.record_failure("probe", "POST", &url, started, transport_error));
            }
        };
        self.note_where_it_is(&url, answer.remote);
        let note = match answer.status {
            401 => "The server asks for authorization.",
            300..=399 => {
                "The server redirects; redirects are not followed. If the address has moved, change the integration's URL."
            }
            404 | 410 => "There is no MCP server at this address; its metadata are still searched.",
            _ => "The server did not ask for authorization; its metadata are still searched.",
        };
        let temporary =
            is_temporary_failure(answer.status).then(|| temporary_failure("The MCP server", &answer));
        let note = temporary.as_ref().map_or(note, |temporary| temporary.message.as_str());
        self.upstream.record("probe", "POST", &url, started, Some(&answer), note);
        match temporary {
            // Down or busy: a discovery now would miss the challenge.
            Some(temporary) if answer.status != 500 && answer.status != 501 => Err(temporary),
            temporary => {
                let challenges = parse_challenges(answer.challenges.iter().map(String::as_str));
                Ok(ProbeResult {
                    hint: challenges.iter().find_map(|one| one.resource_metadata()).map(str::to_owned),
                    scope: challenges.iter().find_map(|one| one.scope()).map(str::to_owned),
                    temporary,
                })
            }
        }
    }

    /// A server whose own address only `egress.allow` opens is in the operator's network, and may lead to other private addresses.
    /// The address of the connection decides: a name may resolve differently later, but the TLS peer owns the name.
    fn note_where_it_is(&mut self, url: &str, remote: Option<IpAddr>) {
        let http = &self.upstream.http;
        if remote.is_some_and(|remote| http.policy().is_opened(&host_of(url), remote)) {
            self.upstream.http = http.within(Scope::Everything);
        }
    }

    /// Removes from a document what must not be passed on, and adds warnings.
    fn sanitize(&mut self, document: &mut Map<String, Value>, place: &str) {
        sanitize(document, &format!("The document at {}", shown(place)), &mut self.warnings);
    }

    /// The protected resource metadata: where the challenge says, else the path form, else the root form.
    async fn protected_resource(&mut self, hint: Option<&str>) -> Result<Option<Resource>, Failure> {
        let mut places: Vec<String> = hint.map(str::to_owned).into_iter().collect();
        let known = Url::parse(&self.target.mcp_url).map(|url| protected_resource_urls(&url));
        places.extend(known.unwrap_or_default().into_iter().filter(|place| Some(place.as_str()) != hint));
        let (mut mismatch, mut unclear) = (None, None);
        for place in places {
            let mut document = match self.upstream.document("protected_resource", &place).await? {
                DocumentLookup::Document(document) => document,
                DocumentLookup::Nothing => continue,
                DocumentLookup::Unclear(failure) => {
                    unclear = unclear.or(Some(failure));
                    continue;
                }
            };
            self.sanitize(&mut document, &place);
            let resource = ProtectedResource(&document).resource().unwrap_or_default().to_owned();
            if let Some(matched) = resource_matches(&self.target.mcp_url, &resource) {
                return Ok(Some(Resource { url: place, document, matched }));
            }
            self.other_resource.get_or_insert_with(|| resource.clone());
            mismatch = mismatch.or_else(|| {
                Some(Failure::new(
                    FailureClass::Security,
                    "resource_mismatch",
                    format!(
                        "The metadata at {} are for another resource ({}) than this server's address. Correct the integration's URL, or ask the server's owner.",
                        shown(&place),
                        shown(&resource)
                    ),
                ))
            });
        }
        match mismatch.or(unclear) {
            Some(failure) => Err(failure),
            None => Ok(None),
        }
    }

    /// The issuers to try: the admin's, else those the resource names.
    fn issuers(&self, resource: Option<&Resource>) -> Result<Vec<String>, Failure> {
        if let Some(issuer) = self.target.overrides.get("issuer").and_then(Value::as_str) {
            return Ok(vec![issuer.to_owned()]);
        }
        let listed = resource
            .map(|resource| ProtectedResource(&resource.document).authorization_servers())
            .unwrap_or_default();
        // An issuer that an admin trusts comes first, then that of the existing client: the choice neither
        // depends on the order of a list nor alternates.
        let (trusted, known) = (self.target.trusted_issuer.as_ref(), self.target.known_issuer.as_ref());
        let mut seen = HashSet::new();
        let mut issuers = listed;
        // An issuer is used verbatim, so one that would need sanitising is not accepted.
        issuers.retain(|issuer| is_plain(issuer) && seen.insert(issuer.clone()));
        issuers.sort_by_key(|issuer| (Some(issuer) != trusted, Some(issuer) != known));
        issuers.truncate(MAX_AUTHORIZATION_SERVERS);
        if issuers.is_empty() { Err(no_authorization_server()) } else { Ok(issuers) }
    }

    async fn authorization_server(&mut self, listed: &str) -> Result<Server, Failure> {
        (self.before_request)(listed.to_owned()).await?;
        let (mut mismatch, mut unclear) = (None, None);
        for place in authorization_server_urls(listed) {
            let mut metadata = match self.upstream.document("authorization_server", &place).await? {
                DocumentLookup::Document(metadata) => metadata,
                DocumentLookup::Nothing => continue,
                DocumentLookup::Unclear(failure) => {
                    unclear = unclear.or(Some(failure));
                    continue;
                }
            };
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
            self.check_endpoints(&metadata)?;
            self.sanitize(&mut metadata, &place);
            return Ok(Server { metadata_url: place, metadata, issuer: found, issuer_match: matched });
        }
        if let Some(failure) = mismatch {
            return Err(failure);
        }
        if let Some(server) = self.entered_by_hand(listed) {
            return server;
        }
        Err(unclear.unwrap_or_else(|| Failure::new(
            FailureClass::NeedsAdmin,
            "metadata_not_found",
            format!("The authorization server {} publishes no metadata. Enter `issuer`, `authorization_endpoint` and `token_endpoint` in the Advanced Configuration.", shown(listed)),
        )))
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
            // An admin who enters endpoints confirms them; without this member gateways would refuse to sign in.
            metadata.entry("code_challenge_methods_supported").or_insert_with(|| json!(["S256"]));
            self.check_endpoints(&metadata)?;
            let listed = listed.to_owned();
            Ok(Server {
                metadata_url: listed.clone(),
                metadata,
                issuer: listed,
                issuer_match: IssuerMatch::Exact,
            })
        })
    }

    /// Every endpoint that a client uses exists and is https, or http on this machine where that is allowed
    /// (INV-32).
    fn check_endpoints(&self, metadata: &Map<String, Value>) -> Result<(), Failure> {
        const NEEDED: [&str; 2] = ["authorization_endpoint", "token_endpoint"];
        const OTHERS: [&str; 4] = [
            "registration_endpoint",
            "revocation_endpoint",
            "introspection_endpoint",
            "pushed_authorization_request_endpoint",
        ];
        for name in NEEDED.into_iter().chain(OTHERS) {
            let Some(endpoint) = AuthorizationServerMetadata(metadata).endpoint(name) else {
                if NEEDED.contains(&name) {
                    return Err(Failure::new(
                        FailureClass::NeedsAdmin,
                        "metadata_incomplete",
                        format!(
                            "The authorization server's metadata lack `{name}`. Enter it in the Advanced Configuration."
                        ),
                    ));
                }
                continue;
            };
            let http = &self.upstream.http;
            // Gateways connect there. What an admin entered is the admin's choice.
            if self.target.overrides.get(name).and_then(Value::as_str) != Some(endpoint)
                && let Err(UrlProblem::Address(problem)) =
                    http.policy().check_url_within(endpoint, http.scope())
            {
                return Err(Failure::new(
                    FailureClass::Security,
                    "address_blocked",
                    format!("The authorization server's `{name}` is not used: {problem}."),
                ));
            }
            let plain = !endpoint.starts_with("https:");
            if !endpoint_is_sane(endpoint) || plain && !self.upstream.http.policy().allow_http_loopback {
                return Err(Failure::new(
                    FailureClass::Security,
                    "endpoint_not_allowed",
                    format!("The authorization server's `{name}` is not an https URL and is not used."),
                ));
            }
        }
        Ok(())
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
        let scopes = scopes_named(challenge_scope.as_deref(), read);
        let mut warnings = self.warnings.clone();
        let pkce = AuthorizationServerMetadata(&metadata).code_challenge_methods_supported();
        if !pkce.is_some_and(|methods| methods.iter().any(|method| method == "S256")) {
            warnings.push("The authorization server does not say that it supports PKCE with S256; MCP clients must refuse to sign in there.".to_owned());
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
            found_with: self.target.found_with.clone(),
            scope: Some(self.upstream.http.scope().clone()),
        }
    }
}

/// The default endpoints of the MCP revision 2025-03-26.
fn default_endpoints(origin: &str) -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("issuer".to_owned(), json!(origin));
    for (name, path) in [
        ("authorization_endpoint", "authorize"),
        ("token_endpoint", "token"),
        ("registration_endpoint", "register"),
    ] {
        metadata.insert(name.to_owned(), json!(format!("{origin}/{path}")));
    }
    metadata.insert("response_types_supported".to_owned(), json!(["code"]));
    // That revision requires PKCE.
    metadata.insert("code_challenge_methods_supported".to_owned(), json!(["S256"]));
    metadata
}

fn no_authorization_server() -> Failure {
    Failure::new(
        FailureClass::NeedsAdmin,
        "authorization_server_not_found",
        "The MCP server names no authorization server (RFC 9728). If it needs none, choose another authentication for the integration; otherwise enter `issuer` and its endpoints in the Advanced Configuration.",
    )
}
