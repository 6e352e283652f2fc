//! What the table at the foot of the page shows.

use registry::ServerRef;
use registry_core::slug::Reference;

/// What the table at the foot of the page shows.
pub(super) struct Choice {
    pub(super) server: String,
    pub(super) all: bool,
}

impl Choice {
    /// As the query of an address, behind what was done.
    pub(super) fn query(&self, done: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("done", done);
        if !self.server.is_empty() {
            query.append_pair("server", &self.server);
        }
        if !self.all {
            query.append_pair("all", "0");
        }
        query.finish()
    }

    pub(super) fn server(&self) -> Option<ServerRef> {
        let (workspace, server) = self.server.split_once('/')?;
        Some(ServerRef { server: Reference::parse(server), workspace: Some(Reference::parse(workspace)) })
    }
}
