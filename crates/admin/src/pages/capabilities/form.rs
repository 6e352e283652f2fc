//! The switches that a page sends. The form says how each switch was when the page was shown, so that a save changes only what
//! the user changed.

use crate::http::choice::known;
use crate::http::failure::Failure;
use actix_web::http::StatusCode;
use registry::CapabilitySwitch;
use registry_core::capability::CapabilityKind;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use url::form_urlencoded::{byte_serialize, parse};

/// Number of rows on a page, and maximum number of rows that a form sends.
pub(super) const PAGE_SIZE: usize = 100;

/// A capability as the value of a form field: its kind, a colon and its percent-encoded name. Browsers change line ends in
/// values that are not encoded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) kind: CapabilityKind,
    pub(super) key: String,
}

impl Named {
    pub(super) fn value(&self) -> String {
        format!("{}:{}", self.kind, byte_serialize(self.key.as_bytes()).collect::<String>())
    }
}

impl FromStr for Named {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, key) = text.split_once(':').ok_or(())?;
        let kind = CapabilityKind::parse(kind).ok_or(())?;
        let (key, _) = parse(key.as_bytes()).next().ok_or(())?;
        if key.is_empty() || key.contains('\0') { Err(()) } else { Ok(Self { kind, key: key.into_owned() }) }
    }
}

/// The form. Parsed by hand because a checkbox may occur several times.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// The rows that could be switched, with their state when the page was shown.
    shown: BTreeMap<Named, bool>,
    /// The ticked rows.
    on: BTreeSet<Named>,
}

impl Form {
    pub(super) fn read(fields: &[(String, String)]) -> Result<Self, Failure> {
        let mut form = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "was_on" => _ = form.shown.insert(known("was_on", value.parse().ok())?, true),
                "was_off" => _ = form.shown.insert(known("was_off", value.parse().ok())?, false),
                "on" => _ = form.on.insert(known("on", value.parse().ok())?),
                _ => {}
            }
        }
        if form.shown.len() > PAGE_SIZE || form.on.len() > PAGE_SIZE {
            let message = format!("A page has {PAGE_SIZE} switches; nothing was changed.");
            return Err(Failure::Input(StatusCode::UNPROCESSABLE_ENTITY, message));
        }
        Ok(form)
    }

    /// What the user switched.
    pub(super) fn switches(self) -> Vec<CapabilitySwitch> {
        let Self { shown, on } = self;
        let changed = shown.into_iter().filter(|(name, was_on)| on.contains(name) != *was_on);
        changed
            .map(|(Named { kind, key }, was_on)| CapabilitySwitch { kind, name: key, enabled: !was_on })
            .collect()
    }
}

/// A capability that nobody has seen yet, to be switched off.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Unseen {
    pub(super) kind: String,
    pub(super) name: String,
}

impl Unseen {
    pub(super) fn switch(&self) -> Result<CapabilitySwitch, Failure> {
        let kind = known("kind", CapabilityKind::parse(&self.kind))?;
        Ok(CapabilitySwitch { kind, name: self.name.trim().to_owned(), enabled: false })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn names_come_back_as_they_were() {
        for key in ["add", "file:///a b?x=1&y=%41+%", "a:b", "ä\r\n\"<", "=", "&"] {
            let named = Named { kind: CapabilityKind::Resource, key: key.to_owned() };
            assert_eq!(named.value().parse::<Named>(), Ok(named), "{key}");
        }
        for text in ["", "add", "toll:add", "tool:", "tool:a%00b"] {
            assert_eq!(text.parse::<Named>(), Err(()), "{text}");
        }
    }

    #[test]
    fn only_what_the_user_changed_is_switched() {
        let form = fields(&[
            ("was_on", "tool:a"),
            ("was_on", "tool:b"),
            ("was_off", "tool:c"),
            ("was_off", "tool:d"),
            ("on", "tool:a"),
            ("on", "tool:d"),
            ("on", "tool:not-shown"),
        ]);
        let switches = Form::read(&form).unwrap().switches();
        let changed: Vec<_> = switches.iter().map(|one| (one.name.as_str(), one.enabled)).collect();
        assert_eq!(changed, [("b", false), ("d", true)]);
    }

    #[test]
    fn forms_with_unknown_words_or_too_many_rows_are_refused() {
        for name in ["was_on", "was_off", "on"] {
            assert!(
                matches!(Form::read(&fields(&[(name, "bogus")])), Err(Failure::Choice(one)) if one == name)
            );
            let many: Vec<_> =
                (0..=PAGE_SIZE).map(|number| (name.to_owned(), format!("tool:t{number}"))).collect();
            assert!(matches!(Form::read(&many), Err(Failure::Input(..))), "{name}");
        }
    }
}
