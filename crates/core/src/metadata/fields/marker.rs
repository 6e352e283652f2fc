//! The marker that replaces a sealed secret in a stored text.

use crate::id::SealedId;

/// What every marker starts with.
pub(crate) const MARKER_PREFIX: &str = "$sealed:";

/// The text that replaces the sealed value `id`.
pub fn marker(id: SealedId) -> String {
    format!("{MARKER_PREFIX}{id}")
}

/// The id of the sealed value; `None` if `text` is not exactly one marker.
pub fn parse_marker(text: &str) -> Option<SealedId> {
    let id: SealedId = text.strip_prefix(MARKER_PREFIX)?.parse().ok()?;
    // Parsing an id also accepts braces and capitals; a marker has only the spelling that `marker` writes.
    (marker(id) == text).then_some(id)
}
