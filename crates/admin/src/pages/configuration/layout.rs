//! Indents a stored text for reading.

use registry_core::metadata::formatted;

/// Indents a text that a program sent on one line; a text with line breaks stays as it is.
pub(super) fn laid_out(text: &str) -> String {
    if text.contains('\n') || text.len() < 60 {
        return text.to_owned();
    }
    formatted(text).unwrap_or_else(|| text.to_owned())
}
