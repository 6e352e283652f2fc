//! The filters of the list, all of them in the URL, so that Back, bookmarks and links keep them.

use crate::http::choice::known;
use crate::http::failure::Failure;
use crate::view::Place;
use registry::RegistrationFilter;
use registry_core::id::RegistrationId;
use registry_core::registration::{RegistrationMethod, State};
use registry_core::slug::Reference;
use serde::Deserialize;

/// The query of the list; its forms send the same.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    pub(super) q: String,
    pub(super) state: String,
    /// Slug of an integration.
    pub(super) integration: String,
    /// Slug of a workspace.
    pub(super) ws: String,
    pub(super) method: String,
    /// `off`: the page does not refresh itself.
    pub(super) live: String,
    pub(super) page: u64,
    /// Where the page begins.
    pub(super) at: String,
}

impl Query {
    /// The state to show; `None`: all states.
    pub(super) fn chosen(&self) -> Option<State> {
        State::parse(&self.state)
    }

    pub(super) fn is_live(&self) -> bool {
        self.live != "off"
    }

    /// Refuses unknown words.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if !self.state.is_empty() {
            known("state", self.chosen())?;
        }
        if !self.method.is_empty() {
            known("method", RegistrationMethod::parse(&self.method))?;
        }
        Ok(())
    }

    /// Whether a filter is set.
    pub(super) fn narrows(&self) -> bool {
        self.chosen().is_some()
            || [&self.q, &self.integration, &self.ws, &self.method].iter().any(|text| !text.is_empty())
    }

    pub(super) fn filter(&self) -> RegistrationFilter {
        let reference = |text: &str| (!text.is_empty()).then(|| Reference::parse(text));
        RegistrationFilter {
            states: self.chosen().into_iter().collect(),
            integration: reference(&self.integration),
            workspace: reference(&self.ws),
            method: RegistrationMethod::parse(&self.method),
            search: Some(self.q.trim().to_owned()).filter(|text| !text.is_empty()),
            ..RegistrationFilter::default()
        }
    }

    pub(super) fn with_state(&self, state: &str) -> Self {
        Self { state: state.to_owned(), ..self.with_place(Place::default()) }
    }

    pub(super) fn place(&self) -> Place {
        Place { page: self.page, at: self.at.clone() }
    }

    pub(super) fn with_place(&self, Place { page, at }: Place) -> Self {
        Self { page, at, ..self.clone() }
    }

    pub(super) fn with_live(&self, live: &str) -> Self {
        Self { live: live.to_owned(), ..self.clone() }
    }

    /// The parameters that are set, without the page number.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("q", self.q.as_str()),
            ("state", &self.state),
            ("integration", &self.integration),
            ("ws", &self.ws),
            ("method", &self.method),
            ("live", &self.live),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
    }

    /// The URL of the list, with `open` beside it.
    pub(super) fn address(&self, open: Option<RegistrationId>) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(self.fields());
        pairs.extend_pairs(self.place().fields());
        let (pairs, id) = (pairs.finish(), open.map(|id| format!("/{id}")).unwrap_or_default());
        let mark = if pairs.is_empty() { "" } else { "?" };
        format!("/ui/registrations{id}{mark}{pairs}")
    }
}
