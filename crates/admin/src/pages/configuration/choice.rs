//! How the page is looked at: as a form or as JSON, and what the table at its foot shows.

use registry::ServerRef;
use registry_core::slug::Reference;
use serde::{Deserialize, Deserializer};

/// What stands behind `?` of the page's address; all of it is kept in every form.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    /// `workspace/server` whose metadata are shown.
    pub(super) server: String,
    /// Whether also what is replaced, ignored or not set is shown; `0`: not.
    #[serde(deserialize_with = "unless_zero")]
    pub(super) all: bool,
    /// Whether the text is edited as a form; `form`, else as JSON.
    #[serde(rename = "as", deserialize_with = "is_form")]
    pub(super) as_form: bool,
}

impl Default for Choice {
    fn default() -> Self {
        Self { server: String::new(), all: true, as_form: false }
    }
}

fn unless_zero<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(String::deserialize(from)? != "0")
}

fn is_form<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(String::deserialize(from)? == "form")
}

impl Choice {
    /// As the query of an address, behind what was done.
    pub(super) fn query(&self, done: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !done.is_empty() {
            query.append_pair("done", done);
        }
        if self.as_form {
            query.append_pair("as", "form");
        }
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
