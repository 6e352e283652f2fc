//! One member of a change: kept, cleared or set.

use serde::{Deserialize, Deserializer};

/// What a change says about one optional value.
///
/// `Option` has two states and a change needs three: the member was not sent (the value stays), it was sent as null (the
/// value is removed), or it was sent with a value. `Option<Option<T>>` has the three states but no names for them, and
/// serde reads null as "not sent".
///
/// To deserialize: null is [`Patch::Clear`], a value is [`Patch::Set`]; the member must have `#[serde(default)]`, so that
/// an absent member is [`Patch::Keep`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// The value stays as it is.
    #[default]
    Keep,
    /// The value is removed.
    Clear,
    /// The value is replaced.
    Set(T),
}

impl<T> Patch<T> {
    /// The new value: `None` where it stays as it is, `Some(None)` where it is removed.
    pub fn change(self) -> Option<Option<T>> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(None),
            Self::Set(value) => Some(Some(value)),
        }
    }

    /// The value after the change of `present`.
    pub fn apply(self, present: Option<T>) -> Option<T> {
        match self {
            Self::Keep => present,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }

    /// The same change of another representation of the value.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(convert(value)),
        }
    }

    /// The change with a reference to the value.
    pub fn as_ref(&self) -> Patch<&T> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(value),
        }
    }
}

/// The value as it is to be: `None` removes it.
impl<T> From<Option<T>> for Patch<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Change {
        #[serde(default)]
        name: Patch<String>,
    }

    #[test]
    fn member_absent_null_and_set_are_told_apart() {
        for (text, name) in [
            ("{}", Patch::Keep),
            (r#"{"name": null}"#, Patch::Clear),
            (r#"{"name": "a"}"#, Patch::Set("a".to_owned())),
        ] {
            assert_eq!(serde_json::from_str::<Change>(text).unwrap(), Change { name });
        }
    }

    #[test]
    fn change_applies_to_the_present_value() {
        assert_eq!(Patch::Keep.apply(Some(1)), Some(1));
        assert_eq!(Patch::Clear.apply(Some(1)), None);
        assert_eq!(Patch::Set(2).apply(Some(1)), Some(2));
    }
}
