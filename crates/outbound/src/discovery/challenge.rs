//! The probe: what the MCP address answers to a request without a token.

use super::Search;
use crate::answered::UpstreamResponse;
use crate::client::VERSION_HEADER;
use crate::fetch::{
    PROTOCOL_VERSION, initialize_request, is_temporary_failure, opening_request, temporary_failure,
};
use registry_core::oauth::{Challenge, Failure, parse_challenges, verbatim};
use registry_core::registration::Transport;
use std::time::Instant;

/// The maximum number of `resource_metadata` of one answer that are tried.
const MAX_HINTS: usize = 3;

/// The result of the probe of the MCP address.
#[derive(Default)]
pub(super) struct ProbeResult {
    /// `resource_metadata` of the challenges, as they are written, in order.
    pub(super) hints: Vec<String>,
    /// `scope` of a challenge.
    pub(super) scope: Option<String>,
    /// A response that may be a temporary error: used only if nothing is found.
    pub(super) temporary: Option<Failure>,
}

impl Search<'_> {
    /// Unauthenticated requests to the MCP address, as its transport begins: the challenge may say where the metadata are
    /// and which scopes are needed. No challenge does not mean no authorization: some servers challenge later requests only.
    /// Without one, the other transport's request is tried where the server may expect that.
    pub(super) async fn probe(&mut self) -> Result<ProbeResult, Failure> {
        let (first, second) = match self.target.transport {
            Transport::Http => (Transport::Http, Transport::Sse),
            Transport::Sse => (Transport::Sse, Transport::Http),
        };
        let mut found = self.probe_as(first).await;
        let other = match &found {
            // A GET of streamable HTTP is optional, so only a server that refuses POST is asked that way.
            Ok((answer, challenges)) => {
                challenges.is_empty() && (first == Transport::Sse || answer.status == 405)
            }
            // Some servers send nothing until there is an event.
            Err(failure) => first == Transport::Sse && failure.code == "timeout",
        };
        if other
            && let Ok(second) = self.probe_as(second).await
            && (found.is_err() || !second.1.is_empty())
        {
            found = Ok(second);
        }
        let (answer, challenges) = found?;
        let mut hints: Vec<String> =
            challenges.iter().filter_map(Challenge::resource_metadata).map(str::to_owned).collect();
        hints.dedup();
        hints.truncate(MAX_HINTS);
        Ok(ProbeResult {
            hints,
            scope: challenges.iter().find_map(Challenge::scope).map(str::to_owned),
            temporary: is_temporary_failure(answer.status)
                .then(|| temporary_failure("The MCP server", &answer)),
        })
    }

    async fn probe_as(
        &mut self,
        transport: Transport,
    ) -> Result<(UpstreamResponse, Vec<Challenge>), Failure> {
        let body = initialize_request();
        let url = self.target.mcp_url.clone();
        let headers = [(VERSION_HEADER, PROTOCOL_VERSION)];
        let outgoing = opening_request(transport, &url, &headers, &body);
        let name = outgoing.method.as_str();
        let started = Instant::now();
        let answer = match self.upstream.http.send(&outgoing).await {
            Ok(answer) => answer,
            Err(transport_error) => {
                return Err(self.upstream.record_failure("probe", name, &url, started, transport_error));
            }
        };
        self.note_where_it_is(&url, answer.remote);
        let challenges = parse_challenges(answer.challenges.iter().map(String::as_str));
        let note = note(&answer, &challenges);
        self.upstream.record("probe", name, &url, started, Some(&answer), &note);
        Ok((answer, challenges))
    }
}

fn note(answer: &UpstreamResponse, challenges: &[Challenge]) -> String {
    let said = match answer.status {
        status if is_temporary_failure(status) => temporary_failure("The MCP server", answer).message,
        401 => "The server asks for authorization.".to_owned(),
        300..=399 => {
            let to = answer
                .location
                .as_deref()
                .map_or_else(|| "without saying where to".to_owned(), |to| format!("to {}", verbatim(to)));
            format!(
                "The server redirects {to}; redirects are not followed. If the address has moved, set the integration's URL to the new one."
            )
        }
        404 | 410 => "There is no MCP server at this address; its metadata are still searched.".to_owned(),
        _ => "The server did not ask for authorization; its metadata are still searched.".to_owned(),
    };
    match challenges.iter().find_map(Challenge::resource_metadata) {
        Some(hint) => format!("{said} Its challenge names {} for its metadata.", verbatim(hint)),
        None => said,
    }
}
