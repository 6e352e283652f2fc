//! Variants of members in other languages (RFC 7591 §2.2).

use crate::metadata::fields::field::{Field, Section};
use crate::metadata::fields::table::find;

/// A language variant taken apart: `client_name#fr`.
pub(crate) struct Variant<'a> {
    pub(crate) base: &'static Field,
    pub(crate) tag: &'a str,
}

/// The variant that `name` is, if its base is a member that may have variants (RFC 7591 §2.2).
pub(crate) fn variant(section: Section, name: &str) -> Option<Variant<'_>> {
    let (base, tag) = name.split_once('#')?;
    let base = find(section, base).filter(|field| field.localised)?;
    Some(Variant { base, tag })
}

/// Whether `tag` has the shape of a BCP 47 language tag.
pub(crate) fn is_language_tag(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let first = subtags.next().unwrap_or_default();
    let others: Vec<&str> = subtags.collect();
    let language = (2..=8).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    let private = matches!(first, "x" | "X" | "i" | "I") && !others.is_empty();
    let subtag =
        |tag: &&str| (1..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (language || private) && others.iter().all(subtag)
}
