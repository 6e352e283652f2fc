//! A text that is not saved yet. It travels only in the forms of `no-store` responses to the requests that carried it.

use super::choice::Choice;
use crate::pages::configuration::preview::diff::Diff;
use registry::Configuration;
use registry_core::metadata::{AdvancedConfiguration, KnownSecrets, secret_places, set_member, verify};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Placeholder of a typed secret that is not encrypted yet.
const NEW_SECRET: &str = "a new secret";

/// A text that is not saved yet.
#[derive(Clone)]
pub(super) struct UnsavedText {
    pub(super) text: String,
    /// Secrets typed to replace stored ones, by the JSON Pointer of their markers.
    pub(super) secrets: Vec<(String, String)>,
    /// The version of the row it is based on; `None`: any.
    pub(super) version: Option<i64>,
    /// The number of the revision it is based on; 0: nothing was saved.
    pub(super) base: Option<i64>,
    /// The comment for the history.
    pub(super) note: String,
    pub(super) choice: Choice,
}

impl UnsavedText {
    /// The text including the typed secrets: it is validated and saved, and never shown in an editor.
    pub(super) fn whole(&self) -> String {
        secret_places(&self.text).iter().fold(self.text.clone(), |text, place| {
            match self.secret(&place.pointer) {
                "" => text,
                secret => set_member(&text, &place.pointer, &secret.into()).unwrap_or(text),
            }
        })
    }

    /// The same text with all secrets in it.
    pub(super) fn merged(&self) -> Self {
        Self { text: self.whole(), secrets: Vec::new(), ..self.clone() }
    }

    /// The secret typed for the member at `pointer`; empty: none.
    pub(super) fn secret(&self, pointer: &str) -> &str {
        self.secrets.iter().find(|(at, _)| at == pointer).map_or("", |(_, secret)| secret)
    }

    /// The value to save: an empty text clears the level.
    pub(super) fn to_save(&self) -> Option<String> {
        Some(self.text.clone()).filter(|text| !text.trim().is_empty())
    }

    /// Whether another user saved a different text since. A changed name or address of the object is no
    /// conflict: the text can then be saved on the current row.
    pub(super) fn conflicts_with(&mut self, stored: &Configuration) -> bool {
        if self.version.is_none_or(|version| version == stored.version) {
            return false;
        }
        if self.base == Some(stored.revision) {
            self.version = Some(stored.version);
            return false;
        }
        true
    }

    /// The difference from `old`, with secrets replaced by words. `None` while the text has errors, because the
    /// places of secrets are unknown.
    pub(super) fn changes(&self, old: &str, stored: Option<&str>) -> Option<Diff> {
        let known = stored.map(KnownSecrets::of).unwrap_or_default();
        let shown = verify(&self.text, &known).shown_text(NEW_SECRET)?;
        Some(Diff::of(old, &shown))
    }

    /// Whether text, note or a typed secret differs from what is stored.
    pub(super) fn is_unsaved(&self, stored: Option<&str>) -> bool {
        self.text != stored.unwrap_or_default()
            || !self.note.is_empty()
            || self.secrets.iter().any(|(_, secret)| !secret.is_empty())
    }

    /// The number of members with another value than in the stored text.
    pub(super) fn fields_changed(&self, stored: Option<&str>) -> usize {
        fields_changed(stored.unwrap_or_default(), &self.whole())
    }
}

/// The number of members that differ; 0 while one of the texts cannot be parsed.
pub(super) fn fields_changed(old: &str, new: &str) -> usize {
    let (Ok(old), Ok(new)) =
        (AdvancedConfiguration::from_stored(old), AdvancedConfiguration::from_stored(new))
    else {
        return 0;
    };
    let (old, new) = (members(old.value()), members(new.value()));
    let gone = old.keys().filter(|name| !new.contains_key(*name)).count();
    gone + new.iter().filter(|(name, value)| old.get(*name) != Some(*value)).count()
}

/// Every member that is not an object, by its path.
fn members(object: &Map<String, Value>) -> BTreeMap<Vec<&str>, &Value> {
    let mut found = BTreeMap::new();
    let mut pending: Vec<(Vec<&str>, &Map<String, Value>)> = vec![(Vec::new(), object)];
    while let Some((path, object)) = pending.pop() {
        for (name, value) in object {
            let mut path = path.clone();
            path.push(name.as_str());
            match value {
                Value::Object(inner) => pending.push((path, inner)),
                _ => {
                    found.insert(path, value);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::fields_changed;

    #[test]
    fn members_with_another_value_are_counted() {
        let old = r#"{"oauth_client_metadata":{"client_name":"A","scope":"a","contacts":["x@y"]}}"#;
        let respelt = r#"{ "oauth_metadata": {"scope": "a", "client_name": "A", "contacts": ["x@y"]} }"#;
        assert_eq!(fields_changed(old, respelt), 0, "order, spacing and spelling are no change");
        let new =
            r#"{"oauth_client_metadata":{"client_name":"B","contacts":["x@y","z@y"],"tos_uri":"https://a"}}"#;
        assert_eq!(fields_changed(old, new), 4, "two changed, one gone, one new");
        assert_eq!(fields_changed("", old), 3);
        assert_eq!(fields_changed(old, "{"), 0, "what cannot be read is not counted");
    }
}
