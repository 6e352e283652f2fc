//! The view options of the page: form or JSON, and what the preview table shows.

use registry::ServerRef;
use registry_core::slug::Reference;
use serde::{Deserialize, Deserializer};

/// The query of the page; every form keeps it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    /// `workspace/server` of the preview.
    pub(super) server: String,
    /// Whether overridden, ignored and unset values are shown; `0`: not.
    #[serde(deserialize_with = "unless_zero")]
    pub(super) all: bool,
    /// `form` to edit the text as a form, else as JSON.
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
    /// The query of a URL, after the key of the message.
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
