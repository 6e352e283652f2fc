//! The protected resource metadata (RFC 9728): where the challenge says, else at the well-known addresses.

use super::Search;
use crate::fetch::DocumentLookup;
use registry_core::oauth::{
    Failure, FailureClass, ProtectedResource, ResourceMatch, ResourceVerdict, complete_hint, is_plain,
    judge_resource, protected_resource_urls, verbatim,
};
use registry_core::url_text::shown;
use serde_json::{Map, Value};
use std::collections::HashSet;
use url::Url;

/// The maximum number of authorization servers of one resource that are tried.
const MAX_AUTHORIZATION_SERVERS: usize = 4;

/// Protected resource metadata that may be used.
pub(super) struct Resource {
    pub(super) url: String,
    pub(super) document: Map<String, Value>,
    pub(super) matched: ResourceMatch,
}

/// A place to look at.
struct Place {
    url: String,
    /// The `resource_metadata` that named it; `None`: a well-known address.
    hint: Option<String>,
}

impl Search<'_> {
    /// The protected resource metadata of the MCP server; `None`: it publishes none. What is wrong at one place is the
    /// reason only if no other place has them.
    pub(super) async fn protected_resource(&mut self, hints: &[String]) -> Result<Option<Resource>, Failure> {
        let (mut failed, mut failed_hints): (Vec<Failure>, Vec<Failure>) = Default::default();
        for Place { url, hint } in self.places(hints) {
            let place = url.clone();
            let problem = match self.upstream.document("protected_resource", &url).await {
                DocumentLookup::Document(document) => match self.judge_resource(url, document) {
                    Ok(Some(resource)) => return Ok(Some(resource)),
                    Ok(None) => {
                        let problem = "has neither `resource` nor `authorization_servers`";
                        self.upstream.amend_note(format!("A JSON object, but no metadata: it {problem}."));
                        let problem = format!("{} {problem}", shown(&place));
                        self.seen.push(problem.clone());
                        problem
                    }
                    Err(failure) => {
                        let message = failure.message.clone();
                        if hint.is_some() { &mut failed_hints } else { &mut failed }.push(failure);
                        message
                    }
                },
                DocumentLookup::Nothing(seen) => {
                    self.seen.extend(seen.cause());
                    seen.text
                }
                DocumentLookup::Failed(failure) => {
                    let message = failure.message.clone();
                    if hint.is_some() { &mut failed_hints } else { &mut failed }.push(failure);
                    message
                }
            };
            if let Some(hint) = hint {
                self.pass_over(&hint, problem.trim_end_matches('.'));
            }
        }
        // The best place counts: what passes by itself there may still be what is needed. A hint never counts more than
        // the server's own addresses.
        failed.append(&mut failed_hints);
        failed.into_iter().next().map_or(Ok(None), Err)
    }

    fn places(&mut self, hints: &[String]) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for hint in hints {
            match complete_hint(&self.target.mcp_url, hint) {
                Some(url) => places.push(Place { url, hint: Some(hint.clone()) }),
                None => self.pass_over(hint, "this is no web address"),
            }
        }
        let known = Url::parse(&self.target.mcp_url).map(|url| protected_resource_urls(&url));
        for url in known.unwrap_or_default() {
            if places.iter().all(|place| place.url != url) {
                places.push(Place { url, hint: None });
            }
        }
        places
    }

    fn pass_over(&mut self, hint: &str, why: &str) {
        let warning = format!(
            "The challenge of the MCP server names `resource_metadata` {}, which was passed over: {why}. The other addresses (RFC 9728 §3.1) were asked.",
            verbatim(hint)
        );
        self.seen.push(format!("the challenge names {}, and {why}", verbatim(hint)));
        self.warnings.push(warning);
    }

    /// `Ok(None)`: the document is no protected resource metadata.
    fn judge_resource(
        &mut self,
        url: String,
        mut document: Map<String, Value>,
    ) -> Result<Option<Resource>, Failure> {
        let verdict = judge_resource(&document, &self.target.mcp_url, self.target.resource.as_deref());
        match verdict {
            ResourceVerdict::Ours(matched) => {
                self.sanitize(&mut document, &url);
                Ok(Some(Resource { url, document, matched }))
            }
            ResourceVerdict::NotMetadata => Ok(None),
            ResourceVerdict::Unnamed => Err(Failure::new(
                FailureClass::NeedsAdmin,
                "metadata_incomplete",
                format!(
                    "The protected resource metadata at {} lack `resource`, which must name this server's address (RFC 9728 §2). Ask the server's owner to add it; or enter `issuer` in the Advanced Configuration, then these metadata are not needed.",
                    shown(&url)
                ),
            )),
            ResourceVerdict::Another(resource) => {
                let failure = Failure::new(
                    FailureClass::Security,
                    "resource_mismatch",
                    format!(
                        "The metadata at {} are for another resource ({}) than this server's address ({}); the two are compared character for character, and a path may be shorter. If the integration's URL is wrong, correct it. If the other resource is right, set `registration.resource` in the Advanced Configuration to it.",
                        shown(&url),
                        verbatim(&resource),
                        shown(&self.target.mcp_url)
                    ),
                );
                self.other_resource.get_or_insert(resource);
                Err(failure)
            }
        }
    }

    /// The issuers to try: the admin's, else those the resource names.
    pub(super) fn issuers(&mut self, resource: Option<&Resource>) -> Result<Vec<String>, Failure> {
        if let Some(issuer) = self.target.overrides.get("issuer").and_then(Value::as_str) {
            return Ok(vec![issuer.to_owned()]);
        }
        let mut issuers = resource
            .map(|resource| ProtectedResource(&resource.document).authorization_servers())
            .unwrap_or_default();
        // An issuer is used verbatim, so one that would need sanitising is not accepted.
        for odd in issuers.iter().filter(|issuer| !is_plain(issuer)) {
            self.seen.push(format!(
                "the authorization server {} contains characters that are not visible",
                verbatim(odd)
            ));
        }
        let mut seen = HashSet::new();
        issuers.retain(|issuer| is_plain(issuer) && seen.insert(issuer.clone()));
        // An issuer that an admin trusts comes first, then that of the existing client: the choice neither
        // depends on the order of a list nor alternates.
        let (trusted, known) = (self.target.trusted_issuer.as_ref(), self.target.known_issuer.as_ref());
        issuers.sort_by_key(|issuer| (Some(issuer) != trusted, Some(issuer) != known));
        issuers.truncate(MAX_AUTHORIZATION_SERVERS);
        if issuers.is_empty() { Err(self.no_authorization_server()) } else { Ok(issuers) }
    }
}
