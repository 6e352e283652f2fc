//! Secrets of a text as locked chips: where they stand, never what they are.

use crate::pages::configuration::unsaved_text::UnsavedText;
use registry_core::metadata::secret_places;

/// One.
#[derive(Debug)]
pub(super) struct Secret {
    /// Where it stands, as the text spells it.
    pub(super) pointer: String,
    /// The same for people.
    pub(super) name: String,
    /// Whether it is stored; else it was typed into the text and is not saved yet.
    pub(super) is_stored: bool,
    /// What was typed to replace it, for the answer to the request that carried it.
    pub(super) typed: String,
}

impl Secret {
    /// Those in the text.
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
