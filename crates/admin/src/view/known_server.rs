//! The box about a known server: what is known, and a button that puts its settings into a text.

use registry_core::known_servers::{Applied, KnownServer};
use registry_core::preflight::Approach;

/// What the partial `known_server.html` shows.
pub(crate) struct KnownServerBox {
    pub(crate) server: &'static KnownServer,
    /// The settings as text; `None`: nothing has to be set.
    pub(crate) preset: Option<String>,
    /// What the button would change in the text of the page; `None`: the text cannot be read.
    applied: Option<Applied>,
    /// Value of the button.
    pub(crate) intent: String,
    /// Whether the user may change the text.
    pub(crate) may_use: bool,
}

impl KnownServerBox {
    /// The box beside `text`, for which the approach `before` was chosen. `intent`: the value of the button.
    pub(crate) fn of(
        server: &'static KnownServer,
        text: &str,
        before: Option<Approach>,
        intent: impl Into<String>,
    ) -> Self {
        Self {
            server,
            preset: server.preset.map(|preset| preset.text()),
            applied: server.preset.and_then(|preset| preset.apply(text, before)),
            intent: intent.into(),
            may_use: true,
        }
    }

    /// Whether the text has all settings already.
    pub(crate) fn was_there(&self) -> bool {
        self.applied.as_ref().is_some_and(Applied::was_there)
    }

    /// What is there already, in sentences; empty while the button would change something.
    pub(crate) fn state(&self) -> String {
        let there = self.applied.as_ref().filter(|applied| applied.was_there());
        there.map(Applied::sentence).unwrap_or_default()
    }
}
