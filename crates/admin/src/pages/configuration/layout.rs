//! How a stored text is laid out for reading.

use registry_core::metadata::formatted;

/// What a program sent on one line is laid out for reading; what a person wrote is left as it is.
pub(super) fn laid_out(text: &str) -> String {
    if text.contains('\n') || text.len() < 60 {
        return text.to_owned();
    }
    formatted(text).unwrap_or_else(|| text.to_owned())
}
