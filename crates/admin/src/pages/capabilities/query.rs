//! The filters of the page, all of them in the URL, so that they are kept when switches are saved.

use crate::http::choice::known;
use crate::http::failure::Failure;
use registry_core::capability::CapabilityKind;
use serde::Deserialize;

/// The query of the page; its form sends the same.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    pub(super) q: String,
    /// A kind; empty: all.
    pub(super) kind: String,
    /// 0-based.
    pub(super) page: u64,
    /// `all` or `none`: how the checkboxes are preset before anything is saved.
    pub(super) mark: String,
}

impl Query {
    /// The kind to show; `None`: all kinds.
    pub(super) fn chosen(&self) -> Option<CapabilityKind> {
        CapabilityKind::parse(&self.kind)
    }

    /// Refuses unknown words.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if !self.kind.is_empty() {
            known("kind", self.chosen())?;
        }
        Ok(())
    }

    /// The text to search for, in lower case.
    pub(super) fn needle(&self) -> String {
        self.q.trim().to_lowercase()
    }

    pub(super) fn of_kind(&self, kind: &str) -> Self {
        Self { kind: kind.to_owned(), page: 0, mark: String::new(), q: self.q.clone() }
    }

    pub(super) fn at_page(&self, page: u64) -> Self {
        Self { page, mark: String::new(), ..self.clone() }
    }

    pub(super) fn marked(&self, mark: &str) -> Self {
        Self { mark: mark.to_owned(), ..self.clone() }
    }

    /// The URL of the page at `place`, with these filters and `done`, the key of a message.
    pub(super) fn link(&self, place: &str, done: Option<&str>) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("kind", &self.kind), ("q", &self.q), ("mark", &self.mark)] {
            if !value.is_empty() {
                pairs.append_pair(name, value);
            }
        }
        if self.page > 0 {
            pairs.append_pair("page", &self.page.to_string());
        }
        if let Some(done) = done {
            pairs.append_pair("done", done);
        }
        let pairs = pairs.finish();
        if pairs.is_empty() { place.to_owned() } else { format!("{place}?{pairs}") }
    }
}
