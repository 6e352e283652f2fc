//! Form values that name a choice. Each is parsed into an enum, so that an unknown value is refused and not taken for a
//! default.

use crate::http::failure::Failure;
use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

/// A ticked checkbox, or a hidden field in place of one. Browsers send nothing for a checkbox that is not ticked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Tick {
    /// The word is the `value` attribute of the field: `on`, `yes` or `1`, as the template chose.
    #[serde(rename = "on", alias = "yes", alias = "1")]
    On,
}

/// The choice that `word` names; `None`: `word` is none of the choices of `T`.
pub(crate) fn find<T: DeserializeOwned>(word: &str) -> Option<T> {
    let word: StrDeserializer<'_, Error> = word.into_deserializer();
    T::deserialize(word).ok()
}

/// As [`find`], for the form field `name`: an unknown `word` is [`Failure::Choice`].
pub(crate) fn read<T: DeserializeOwned>(name: &'static str, word: &str) -> Result<T, Failure> {
    find(word).ok_or(Failure::Choice(name))
}

/// As [`read`], where the caller has parsed the word: `found` is the result, `None` becomes [`Failure::Choice`].
pub(crate) fn known<T>(name: &'static str, found: Option<T>) -> Result<T, Failure> {
    found.ok_or(Failure::Choice(name))
}

/// `true` if `word`, the value of the checkbox `name`, is one of [`Tick`]; else [`Failure::Choice`], never `false`.
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
