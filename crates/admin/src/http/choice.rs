//! Form values that name a choice: parsed into an enum, so that an unknown value is refused and never gets a meaning.

use crate::http::failure::Failure;
use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

/// A ticked checkbox. Browsers send nothing for one that is not ticked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Tick {
    /// The value depends on the checkbox.
    #[serde(rename = "on", alias = "yes", alias = "1")]
    On,
}

/// The choice that `word` names; `None` when it is unknown.
pub(crate) fn find<T: DeserializeOwned>(word: &str) -> Option<T> {
    let word: StrDeserializer<'_, Error> = word.into_deserializer();
    T::deserialize(word).ok()
}

/// The choice that `word`, sent for the field `name`, names.
pub(crate) fn read<T: DeserializeOwned>(name: &'static str, word: &str) -> Result<T, Failure> {
    find(word).ok_or(Failure::Choice(name))
}

/// The same for values that another parser reads.
pub(crate) fn known<T>(name: &'static str, found: Option<T>) -> Result<T, Failure> {
    found.ok_or(Failure::Choice(name))
}

/// A checkbox that was sent as ticked.
pub(crate) fn ticked(name: &'static str, word: &str) -> Result<bool, Failure> {
    read::<Tick>(name, word).map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Fruit {
        ApplePie,
    }

    #[test]
    fn unknown_word_of_a_choice_is_refused() {
        assert_eq!(read::<Fruit>("fruit", "apple-pie").ok(), Some(Fruit::ApplePie));
        for word in ["", "ApplePie", "apple-pie ", "pear"] {
            assert!(matches!(read::<Fruit>("fruit", word), Err(Failure::Choice("fruit"))), "{word}");
        }
        for (word, is_known) in
            [("on", true), ("yes", true), ("1", true), ("off", false), ("", false), ("no", false)]
        {
            assert_eq!(ticked("box", word).is_ok(), is_known, "{word}");
        }
    }
}
