//! Discovery of a server's authorization server, in the order of INV-30.
//!
//! * [`challenge`]: the probe of the MCP address, whose answer may name metadata and scopes;
//! * [`protected_resource`]: the protected resource metadata (RFC 9728);
//! * [`authorization_server`]: the authorization server metadata (RFC 8414), and what stands for them;
//! * [`endpoints`]: which endpoints may be used.
//!
//! What is wrong at one place never ends the search as long as another place may have what is needed, and safety does not
//! depend on it: it becomes a warning, and the reason if nothing is found anywhere.

mod authorization_server;
mod challenge;
mod endpoints;
mod protected_resource;

use crate::client::UpstreamClient;
use crate::fetch::ExchangeLog;
use challenge::ProbeResult;
use futures_util::future::BoxFuture;
use protected_resource::Resource;
use registry_core::egress::Scope;
use registry_core::oauth::{
    AuthorizationServerMetadata, Discovery, Failure, FailureClass, IssuerMatch, ProtectedResource, sanitize,
    scopes_named, verbatim,
};
use registry_core::registration::{DiscoverOutcome, DiscoverTarget};
use registry_core::url_text::{host_of, shown};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// Called with an issuer before anything is sent to it; a failure ends the search there.
pub type BeforeRequest<'a> = dyn Fn(String) -> BoxFuture<'a, Result<(), Failure>> + Send + Sync + 'a;

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
    let mut search = Search {
        upstream,
        target,
        before_request,
        other_resource: None,
        warnings: Vec::new(),
        seen: Vec::new(),
    };
    let result = search.run().await;
    DiscoverOutcome { result, trace: search.upstream.trace, other_resource: search.other_resource }
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
    /// Warnings for users, about what was passed over and what was removed from documents.
    warnings: Vec<String>,
    /// What was seen instead of a document, unless it was simply not there: the cause, if nothing is found.
    seen: Vec<String>,
}

impl Search<'_> {
    async fn run(&mut self) -> Result<Discovery, Failure> {
        let probed = self.probe().await?;
        let found = self.find(&probed).await;
        let Some(temporary) = probed.temporary else { return found };
        match found {
            // A temporary failure must not be reported as one that needs a user.
            Err(failure) if failure.class == FailureClass::NeedsAdmin => Err(temporary),
            Ok(mut discovery) => {
                discovery.warnings.push(format!(
                    "{} Its challenge may name metadata and scopes that were not seen.",
                    temporary.message.trim_end_matches(" It is tried again later.")
                ));
                Ok(discovery)
            }
            found => found,
        }
    }

    async fn find(&mut self, probed: &ProbeResult) -> Result<Discovery, Failure> {
        let resource = match self.protected_resource(&probed.hints).await {
            Err(failure) if self.may_pass_over(&failure) => {
                self.warnings.push(format!(
                    "The protected resource metadata are passed over, because the Advanced Configuration names the authorization server: {}",
                    failure.message
                ));
                None
            }
            resource => resource?,
        };
        let issuers = match self.issuers(resource.as_ref()) {
            Err(_) if self.target.legacy && resource.is_none() => {
                let server = self.legacy_server().await?;
                let listed = server.issuer.clone();
                return Ok(self.discovery(None, probed.scope.clone(), listed, server));
            }
            issuers => issuers?,
        };
        let (listed, server) = self.first_usable(issuers).await?;
        Ok(self.discovery(resource, probed.scope.clone(), listed, server))
    }

    /// Whether the protected resource metadata are not needed: an admin entered the issuer, which is what they are read
    /// for. What is only temporary is waited for, unless the endpoints were entered too.
    fn may_pass_over(&self, failure: &Failure) -> bool {
        let names_issuer = self.target.overrides.contains_key("issuer");
        self.is_entered_whole() || names_issuer && failure.class != FailureClass::Transient
    }

    /// The first of `issuers` whose metadata can be used and that offers a method to obtain a client.
    async fn first_usable(&mut self, issuers: Vec<String>) -> Result<(String, Server), Failure> {
        let several = issuers.len() > 1;
        let mut without_way = None;
        let mut failed: Vec<(String, Failure)> = Vec::new();
        for listed in issuers {
            match self.authorization_server(&listed).await {
                Ok(server) => {
                    let way =
                        self.target.paths.can_obtain_client(AuthorizationServerMetadata(&server.metadata));
                    let known = self.target.known_issuer.as_ref() == Some(&server.issuer);
                    if way || known || !several {
                        self.note_passed_over(&failed, &server.issuer);
                        return Ok((listed, server));
                    }
                    // It is valid, but offers no method to obtain a client: the next one may.
                    without_way = without_way.or(Some((listed, server)));
                }
                // The server of an existing client may be down for a while; another one would mean another client.
                Err(failure)
                    if failure.class == FailureClass::Transient && self.target.known_issuer.is_some() =>
                {
                    return Err(failure);
                }
                Err(failure) => failed.push((listed, failure)),
            }
        }
        if let Some((listed, server)) = without_way {
            // One that is only down for now may offer a method.
            if let Some(position) =
                failed.iter().position(|(_, failure)| failure.class == FailureClass::Transient)
            {
                return Err(failed.swap_remove(position).1);
            }
            return Ok((listed, server));
        }
        // What passes by itself is waited for.
        failed.sort_by_key(|(_, failure)| failure.class != FailureClass::Transient);
        Err(failed.into_iter().next().map_or_else(|| self.no_authorization_server(), |(_, failure)| failure))
    }

    fn note_passed_over(&mut self, failed: &[(String, Failure)], used: &str) {
        for (listed, failure) in failed {
            self.warnings.push(format!(
                "The server names several authorization servers. {} was passed over: {} {} is used. To choose, set `issuer` in the Advanced Configuration.",
                verbatim(listed),
                failure.message.trim_end_matches(" It is tried again later."),
                verbatim(used)
            ));
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

    /// What was seen instead of documents, as the end of a sentence.
    fn causes(&self) -> String {
        const MAX_CAUSES: usize = 4;
        if self.seen.is_empty() {
            return String::new();
        }
        let causes = self.seen.iter().take(MAX_CAUSES).cloned().collect::<Vec<_>>().join("; ");
        format!(" What was seen: {causes}.")
    }

    fn no_authorization_server(&self) -> Failure {
        Failure::new(
            FailureClass::NeedsAdmin,
            "authorization_server_not_found",
            format!(
                "The MCP server names no authorization server (RFC 9728).{} If it needs none, choose another authentication for the integration; otherwise enter `issuer` and its endpoints in the Advanced Configuration.",
                self.causes()
            ),
        )
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
        let has_pkce = pkce.is_some_and(|methods| methods.iter().any(|method| method == "S256"));
        if !has_pkce && !self.target.without_sign_in {
            warnings.push("The authorization server does not say that it supports PKCE with S256; MCP clients must refuse to sign in there.".to_owned());
        }
        let entered = self.target.resource.clone();
        Discovery {
            mcp_url: self.target.mcp_url.clone(),
            resource: entered.or(named).unwrap_or_else(|| self.target.mcp_url.clone()),
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
