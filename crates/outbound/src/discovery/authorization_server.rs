//! The authorization server metadata (RFC 8414, OpenID Connect Discovery), and what stands for them: what an admin entered,
//! or the defaults of the MCP revision 2025-03-26.

use super::{Search, Server};
use crate::fetch::DocumentLookup;
use registry_core::oauth::{
    AuthorizationServerMetadata, Failure, FailureClass, IssuerMatch, ServerVerdict,
    authorization_server_urls, issuer_of_document, judge_server, verbatim,
};
use registry_core::url_text::shown;
use serde_json::{Map, Value, json};
use url::Url;

impl Search<'_> {
    /// The metadata of the issuer `listed`. What is wrong at one place is the reason only if no other place has them and
    /// they were not entered.
    pub(super) async fn authorization_server(&mut self, listed: &str) -> Result<Server, Failure> {
        (self.before_request)(listed.to_owned()).await?;
        let (seen_before, mut failed): (usize, Vec<Failure>) = (self.seen.len(), Vec::new());
        for place in authorization_server_urls(listed) {
            match self.upstream.document("authorization_server", &place).await {
                DocumentLookup::Document(metadata) => match self.judge_server(listed, &place, metadata) {
                    Ok(Some(server)) => {
                        // One that is only unavailable for now may offer more.
                        let temporary = failed.iter().position(|one| one.class == FailureClass::Transient);
                        let way = self
                            .target
                            .paths
                            .can_obtain_client(AuthorizationServerMetadata(&server.metadata));
                        return match temporary {
                            Some(position) if !way => Err(failed.swap_remove(position)),
                            _ => Ok(server),
                        };
                    }
                    Ok(None) => {
                        let problem = "has neither `issuer` nor endpoints";
                        self.upstream.amend_note(format!("A JSON object, but no metadata: it {problem}."));
                        self.seen.push(format!("{} {problem}", shown(&place)));
                    }
                    Err(failure) => failed.push(failure),
                },
                DocumentLookup::Nothing(seen) => self.seen.extend(seen.cause()),
                DocumentLookup::Failed(failure) => failed.push(failure),
            }
        }
        if self.is_entered_whole() {
            let passed_over: Vec<String> = failed.into_iter().map(|failure| failure.message).collect();
            for problem in passed_over.into_iter().chain(self.seen.drain(seen_before..)) {
                self.warnings.push(format!(
                    "The published metadata of the authorization server are passed over, because `issuer` and its endpoints are entered: {problem}"
                ));
            }
            return self.entered_server(listed);
        }
        // The best place counts: what passes by itself there may still be what is needed.
        Err(failed.into_iter().next().unwrap_or_else(|| self.no_metadata(listed)))
    }

    /// `Ok(None)`: the document is no authorization server metadata.
    fn judge_server(
        &mut self,
        listed: &str,
        place: &str,
        mut metadata: Map<String, Value>,
    ) -> Result<Option<Server>, Failure> {
        let (issuer, issuer_match) = match judge_server(
            &metadata,
            listed,
            self.target.trusted_issuer.as_deref(),
        ) {
            ServerVerdict::Ours(issuer, matched) => (issuer, matched),
            ServerVerdict::NotMetadata => return Ok(None),
            ServerVerdict::Unnamed => {
                return Err(Failure::new(
                    FailureClass::NeedsAdmin,
                    "metadata_incomplete",
                    format!(
                        "The authorization server metadata at {} lack `issuer` (RFC 8414 §2), so nothing says whose they are. Ask the server's owner to add it; or enter `issuer` and the endpoints in the Advanced Configuration, then these metadata are not needed.",
                        shown(place)
                    ),
                ));
            }
            ServerVerdict::Another(found) => {
                return Err(Failure::new(
                    FailureClass::Security,
                    "issuer_mismatch",
                    format!(
                        "The metadata at {} name another issuer ({}) than expected ({}); issuers are compared character for character (RFC 8414 §3.3). If that is right, set `registration.trusted_issuer` to it.",
                        shown(place),
                        verbatim(&found),
                        verbatim(listed)
                    ),
                ));
            }
        };
        for (name, value) in self.target.overrides.iter().filter(|(name, _)| *name != "issuer") {
            metadata.insert(name.clone(), value.clone());
        }
        self.fit_endpoints(&mut metadata)?;
        self.sanitize(&mut metadata, place);
        Ok(Some(Server { metadata_url: place.to_owned(), metadata, issuer, issuer_match }))
    }

    /// Whether an admin entered all that is needed, so that no published document is.
    pub(super) fn is_entered_whole(&self) -> bool {
        let needed = ["issuer", "authorization_endpoint", "token_endpoint"];
        let needed =
            needed.iter().filter(|name| !(self.target.without_sign_in && **name == "authorization_endpoint"));
        needed.into_iter().all(|name| self.target.overrides.contains_key(*name))
    }

    /// Metadata made of the admin's overrides alone.
    fn entered_server(&mut self, listed: &str) -> Result<Server, Failure> {
        let mut metadata = self.target.overrides.clone();
        metadata.entry("response_types_supported").or_insert_with(|| json!(["code"]));
        // An admin who enters endpoints confirms them; without this member gateways would refuse to sign in.
        metadata.entry("code_challenge_methods_supported").or_insert_with(|| json!(["S256"]));
        self.fit_endpoints(&mut metadata)?;
        let listed = listed.to_owned();
        Ok(Server {
            metadata_url: listed.clone(),
            metadata,
            issuer: listed,
            issuer_match: IssuerMatch::Exact,
        })
    }

    fn no_metadata(&self, listed: &str) -> Failure {
        let causes = self.causes();
        let message = match issuer_of_document(listed) {
            Some(issuer) => format!(
                "{} is the address of a metadata document, not an issuer.{causes} Set `issuer` in the Advanced Configuration to {}.",
                verbatim(listed),
                verbatim(&issuer)
            ),
            None => format!(
                "The authorization server {} publishes no metadata.{causes} Enter `issuer`, {}`token_endpoint` in the Advanced Configuration.",
                verbatim(listed),
                if self.target.without_sign_in { "and " } else { "`authorization_endpoint` and " }
            ),
        };
        Failure::new(FailureClass::NeedsAdmin, "metadata_not_found", message)
    }

    /// The authorization server of an MCP server of the revision 2025-03-26: at the root of its own address. Its published
    /// metadata count; default endpoints are guessed only where it certainly publishes none. No issuer is named by the
    /// resource, so the origin is used as the issuer.
    pub(super) async fn legacy_server(&mut self) -> Result<Server, Failure> {
        let origin = Url::parse(&self.target.mcp_url)
            .map_err(|_| self.no_authorization_server())?
            .origin()
            .ascii_serialization();
        (self.before_request)(origin.clone()).await?;
        let (mut published, mut failed) = (None, None);
        for place in authorization_server_urls(&origin) {
            match self.upstream.document("authorization_server", &place).await {
                DocumentLookup::Document(metadata)
                    if judge_server(&metadata, &origin, None) != ServerVerdict::NotMetadata =>
                {
                    published = Some((metadata, place));
                    break;
                }
                DocumentLookup::Document(_) | DocumentLookup::Nothing(_) => {}
                DocumentLookup::Failed(failure) => failed = failed.or(Some(failure)),
            }
        }
        // Whether something is published cannot be known now.
        if let (None, Some(failure)) = (&published, failed) {
            return Err(failure);
        }
        let (mut metadata, metadata_url) =
            published.unwrap_or_else(|| (default_endpoints(&origin), origin.clone()));
        for (name, value) in &self.target.overrides {
            metadata.insert(name.clone(), value.clone());
        }
        self.fit_endpoints(&mut metadata)?;
        self.sanitize(&mut metadata, &metadata_url);
        Ok(Server { metadata_url, metadata, issuer: origin, issuer_match: IssuerMatch::Legacy })
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
