//! Static configurations of gateways that are configured by a file.

pub(crate) mod agent_gateway;
pub(crate) mod litellm_config;
pub(crate) mod portkey_local;
mod secrets;

pub(crate) use secrets::Secrets;

use super::upstream::{Upstream, Wanted, wanted};
use mcp_registry_client::GatewayDocument;

/// The servers that can be exported, in the order of their names, and a line for each that cannot.
pub(crate) fn exported(
    documents: &[GatewayDocument],
) -> (Vec<(&GatewayDocument, Box<Upstream>)>, Vec<String>) {
    let mut sorted: Vec<&GatewayDocument> = documents.iter().collect();
    sorted.sort_by_key(|document| document.name());
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    for document in sorted {
        match wanted(document) {
            Wanted::Serve(upstream) => found.push((document, upstream)),
            Wanted::Keep(reason) | Wanted::Remove(reason) | Wanted::Refuse(reason) => {
                left_out.push(format!("{} is left out: {reason}", document.name()));
            }
        }
    }
    (found, left_out)
}
