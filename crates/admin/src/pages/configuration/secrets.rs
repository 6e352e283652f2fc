//! Secrets of a text as locked chips: their places, never their values.

use crate::pages::configuration::unsaved_text::UnsavedText;
use registry_core::metadata::secret_places;

/// One secret.
#[derive(Debug)]
pub(super) struct Secret {
    /// Its JSON Pointer.
    pub(super) pointer: String,
    /// Its display name.
    pub(super) name: String,
    /// Whether it is stored; else it was typed into the text and is not saved yet.
    pub(super) is_stored: bool,
    /// The typed replacement, for the response to the request that carried it.
    pub(super) typed: String,
}

impl Secret {
    /// The secrets in the text.
    pub(super) fn all(typed: &UnsavedText) -> Vec<Self> {
        secret_places(&typed.text)
            .into_iter()
            .map(|place| Self {
                name: crate::view::member(&place.pointer),
                typed: typed.secret(&place.pointer).to_owned(),
                is_stored: place.is_sealed,
                pointer: place.pointer,
            })
            .collect()
    }
}
