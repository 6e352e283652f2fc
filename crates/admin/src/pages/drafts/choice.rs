//! The approaches to identify gateways: their display names, and the form to choose one.

use crate::http::choice::{known, read, ticked};
use crate::http::failure::Failure;
use registry::Draft;
use registry_core::metadata::{KnownSecrets, parse_marker};
use registry_core::preflight::{Approach, Entered};
use serde::Deserialize;
use serde_json::Value;

/// The short label of an approach.
pub(super) fn short(approach: Approach) -> &'static str {
    match approach {
        Approach::Register => "Registered automatically",
        Approach::Publish => "Metadata document",
        Approach::ByHand => "Client registered by hand",
        Approach::Headers => "Fixed headers",
        Approach::Nothing => "No authentication",
    }
}

/// The label of an approach.
pub(super) fn name(approach: Approach) -> &'static str {
    match approach {
        Approach::Register => "Register automatically",
        Approach::Publish => "Publish a metadata document",
        Approach::ByHand => "Use a client you registered by hand",
        Approach::Headers => "Send fixed headers, no OAuth",
        Approach::Nothing => "No authentication",
    }
}

/// The description of an approach, one sentence.
pub(super) fn meaning(approach: Approach) -> &'static str {
    match approach {
        Approach::Register => {
            "Registers one client for each workspace ahead of time and keeps its client_id."
        }
        Approach::Publish => {
            "The client_id is the address of a public document with the client metadata; nothing is registered."
        }
        Approach::ByHand => {
            "For servers that do not take registrations. Enter client_id and, if there is one, its secret."
        }
        Approach::Headers => "API keys and static tokens.",
        Approach::Nothing => "The server requires no authentication.",
    }
}

/// One fixed header in the form.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    pub(super) name: String,
    /// The typed value, perhaps a secret: shown only in the response to the request that carried it.
    pub(super) value: String,
    /// Whether a value of this name is stored.
    pub(super) stored: bool,
}

/// The button.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Intent {
    #[default]
    Go,
    /// Saves the draft and returns to the list.
    Draft,
    /// Continues with the settings of the known server.
    Preset,
}

/// The form.
#[derive(Clone, Default)]
pub(super) struct Form {
    pub(super) approach: Option<Approach>,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) without_secret: bool,
    pub(super) headers: Vec<Header>,
    pub(super) intent: Intent,
    /// Whether a `client_secret` is stored.
    pub(super) has_secret: bool,
}

/// The number of empty header rows when none is stored.
const EMPTY_HEADER_ROWS: usize = 3;

impl Form {
    /// The form of the stored draft.
    pub(super) fn of(draft: &Draft) -> Self {
        let mut form = Self { approach: draft.approach, ..Self::default() };
        form.add_stored(draft);
        form.pad();
        form
    }

    /// The stored values, without secrets.
    fn add_stored(&mut self, draft: &Draft) {
        let Some(text) = draft.configuration.as_deref() else { return };
        let known = KnownSecrets::of(text);
        self.has_secret = known.0.contains_key("/oauth_client_metadata/client_secret");
        let Ok(Value::Object(members)) = serde_json::from_str(text) else { return };
        let metadata = members.get("oauth_client_metadata").or_else(|| members.get("oauth_metadata"));
        if let Some(id) = metadata.and_then(|metadata| metadata.get("client_id")).and_then(Value::as_str) {
            id.clone_into(&mut self.client_id);
        }
        let headers =
            members.get("headers").or_else(|| members.get("custom_headers")).and_then(Value::as_object);
        for (name, value) in headers.into_iter().flatten() {
            let stored = value.as_str().is_some_and(|value| parse_marker(value).is_some());
            self.headers.push(Header { name: name.clone(), value: String::new(), stored });
        }
    }

    /// One empty row is always shown.
    fn pad(&mut self) {
        let rows = (self.headers.len() + 1).max(EMPTY_HEADER_ROWS);
        self.headers.resize(rows, Header::default());
    }

    /// The posted form. Parsed by hand because header fields occur several times.
    pub(super) fn read(fields: Vec<(String, String)>, draft: &Draft) -> Result<Self, Failure> {
        let mut stored = Self::default();
        stored.add_stored(draft);
        let mut form = Self { has_secret: stored.has_secret, ..Self::default() };
        for (name, value) in fields {
            match name.as_str() {
                "approach" => form.approach = Some(known("approach", Approach::parse(&value))?),
                "client_id" => value.trim().clone_into(&mut form.client_id),
                "client_secret" => form.client_secret = value,
                "without_secret" => form.without_secret = ticked("without_secret", &value)?,
                "header_name" => {
                    let name = value.trim().to_owned();
                    let stored = stored.headers.iter().any(|header| header.stored && header.name == name);
                    form.headers.push(Header { name, value: String::new(), stored });
                }
                // Each value follows its name.
                "header_value" => {
                    if let Some(header) = form.headers.last_mut() {
                        header.value = value;
                    }
                }
                "intent" => form.intent = read("intent", &value)?,
                _ => {}
            }
        }
        form.headers.retain(|header| !(header.name.is_empty() && header.value.is_empty()));
        form.pad();
        Ok(form)
    }

    pub(super) fn entered(&self) -> Entered {
        let typed = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let headers = self.headers.iter().filter(|header| !header.name.is_empty());
        Entered {
            client_id: self.client_id.clone(),
            client_secret: typed(&self.client_secret),
            without_secret: self.without_secret,
            // A value that is neither typed nor stored is empty, which is refused.
            headers: headers
                .map(|header| {
                    let keeps = header.stored && header.value.is_empty();
                    (header.name.clone(), (!keeps).then(|| header.value.clone()))
                })
                .collect(),
        }
    }
}
