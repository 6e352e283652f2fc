//! Slugs, and references that are an id or a slug.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use utoipa::ToSchema;
use uuid::Uuid;

/// Reserved path segments, which are never slugs.
const RESERVED: [&str; 3] = ["new", "check", "preflight"];
const LENGTH: RangeInclusive<usize> = 3..=50;
/// The hosted product limits the slugs of servers only.
const INTEGRATION_LENGTH: RangeInclusive<usize> = 1..=255;

/// A name for URLs: `^[a-zA-Z0-9_-]+$`, 3 to 50 characters (of an integration 1 to 255), not shaped like a UUID, not reserved; unique ignoring case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "linear", min_length = 3, max_length = 50, pattern = "^[a-zA-Z0-9_-]+$")]
pub struct Slug(String);

/// Why a text is no slug; its `Display` says what to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlugError {
    /// Shorter than 3 or longer than 50 characters.
    #[error("a slug has 3 to 50 characters")]
    Length,
    /// The slug of an integration that is empty or longer than 255 characters.
    #[error("the slug of an integration has 1 to 255 characters")]
    IntegrationLength,
    /// A character outside `a-z A-Z 0-9 _ -`.
    #[error("a slug may contain only letters a-z, digits, `-` and `_`")]
    Character,
    /// Formatted like a UUID, so it would be mistaken for an id.
    #[error("a slug may not look like a UUID")]
    Uuid,
    /// A reserved path segment.
    #[error("this word is reserved; choose another slug")]
    Reserved,
}

impl Slug {
    /// Judges `text`.
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        Self::parse_within(text, &LENGTH, SlugError::Length)
    }

    /// Judges `text` as the slug of an integration.
    pub fn parse_integration(text: &str) -> Result<Self, SlugError> {
        Self::parse_within(text, &INTEGRATION_LENGTH, SlugError::IntegrationLength)
    }

    fn parse_within(
        text: &str,
        lengths: &RangeInclusive<usize>,
        wrong_length: SlugError,
    ) -> Result<Self, SlugError> {
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return Err(SlugError::Character);
        }
        if !lengths.contains(&text.len()) {
            return Err(wrong_length);
        }
        if Uuid::try_parse(text).is_ok() {
            return Err(SlugError::Uuid);
        }
        if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(text)) {
            return Err(SlugError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }

    /// A slug made from a display name: lower case, runs of other characters become one `-`, padded when too short.
    pub fn from_name(name: &str) -> Self {
        let mut text = String::new();
        for character in name.chars().flat_map(char::to_lowercase) {
            if character.is_ascii_alphanumeric() || character == '_' {
                text.push(character);
            } else if !text.is_empty() && !text.ends_with('-') {
                text.push('-');
            }
            if text.len() >= 40 {
                break;
            }
        }
        let text = text.trim_matches('-');
        Self::parse(text)
            .or_else(|_| Self::parse(&format!("{text}-mcp")))
            .unwrap_or_else(|_| Self("mcp".to_owned()))
    }

    /// This slug with `-number` behind it, cut to fit: for a name whose own slug is taken.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Self {
        let tail = format!("-{number}");
        let keep = self.0.len().min(LENGTH.end() - tail.len());
        Self(format!("{}{tail}", &self.0[..keep]))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What uniqueness is judged by: lower case.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl TryFrom<String> for Slug {
    type Error = SlugError;
    fn try_from(text: String) -> Result<Self, SlugError> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How a caller names a thing: by id or by slug.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A UUID.
    Id(Uuid),
    /// A slug, lower-cased for comparison. A malformed slug finds nothing.
    Slug(String),
}

impl Reference {
    /// A UUID is an id, everything else a slug.
    pub fn parse(text: &str) -> Self {
        Uuid::try_parse(text).map_or_else(|_| Self::Slug(text.to_ascii_lowercase()), Self::Id)
    }
}

impl From<&str> for Reference {
    fn from(text: &str) -> Self {
        Self::parse(text)
    }
}

macro_rules! reference_from_id {
    ($($id:ident),*) => {$(
        impl From<crate::id::$id> for Reference {
            fn from(id: crate::id::$id) -> Self {
                Self::Id(id.0)
            }
        }
    )*};
}
reference_from_id!(WorkspaceId, IntegrationId, ServerId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_validated() {
        for good in ["abc", "linear", "A_b-9", &"x".repeat(50)] {
            assert_eq!(Slug::parse(good).map(String::from), Ok(good.to_owned()));
        }
        for (bad, why) in [
            ("ab", SlugError::Length),
            (&*"x".repeat(51), SlugError::Length),
            ("a b c", SlugError::Character),
            ("häuser", SlugError::Character),
            ("new", SlugError::Reserved),
            ("Check", SlugError::Reserved),
            ("0190f2a4-0000-7000-8000-000000000000", SlugError::Uuid),
        ] {
            assert_eq!(Slug::parse(bad), Err(why), "{bad}");
        }
        for good in ["a", "ab", "linear", &"x".repeat(255)] {
            assert_eq!(Slug::parse_integration(good).map(String::from), Ok(good.to_owned()));
        }
        for (bad, why) in [
            ("", SlugError::IntegrationLength),
            (&*"x".repeat(256), SlugError::IntegrationLength),
            ("a.b", SlugError::Character),
            ("new", SlugError::Reserved),
        ] {
            assert_eq!(Slug::parse_integration(bad), Err(why), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_name_gives_a_slug(name in ".{0,80}", number in 2u32..999) {
            let slug = Slug::from_name(&name);
            proptest::prop_assert_eq!(Slug::parse(slug.as_str()), Ok(slug.clone()));
            let numbered = slug.numbered(number);
            proptest::prop_assert_eq!(Slug::parse(numbered.as_str()), Ok(numbered.clone()));
        }
    }
}
