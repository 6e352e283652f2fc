//! What a new client would say differently from the one there is.

use crate::view::plain;
use registry::OAuthClient;
use serde_json::{Map, Value};

/// One member that differs.
pub(super) struct Change {
    pub(super) member: String,
    /// What the present client was registered with; `None`: nothing.
    pub(super) from: Option<String>,
    /// What is wanted now; `None`: nothing.
    pub(super) to: Option<String>,
}

/// How `wanted` differs from what `client` was asked for with.
pub(super) fn changes(client: &OAuthClient, wanted: &Map<String, Value>) -> Vec<Change> {
    let sent = client.request.as_ref().unwrap_or(&client.response);
    let mut members: Vec<&String> = wanted.keys().collect();
    members.extend(sent.keys().filter(|name| client.request.is_some() && !wanted.contains_key(*name)));
    members
        .into_iter()
        .filter(|name| sent.get(*name) != wanted.get(*name))
        .map(|name| Change {
            member: name.clone(),
            from: sent.get(name).map(plain),
            to: wanted.get(name).map(plain),
        })
        .collect()
}
