//! Settings for a known server, and how they get into an Advanced Configuration.

use crate::finding::pointer_push;
use crate::metadata::{
    ALIAS_WRAPPER, CANONICAL_WRAPPER, contains_fill_in, formatted, read_members, set_member,
};
use crate::preflight::Approach;
use crate::registration::AuthType;
use serde_json::{Map, Value};

/// A partial Advanced Configuration.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// A JSON object. Client metadata are in `oauth_client_metadata`.
    pub json: &'static str,
    /// How gateways authenticate at the MCP server.
    pub auth_type: AuthType,
}

/// A text with a preset, and what became of each member. Members are named as on pages: `client_id`,
/// `registration.scope`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The text: the original with the members it did not set, every other byte unchanged.
    pub text: String,
    /// Members that were added.
    pub added: Vec<String>,
    /// Members that were set before, to another value than the preset's. They stay as they are.
    pub kept: Vec<String>,
    /// Members of the preset whose value in the text is still a placeholder.
    pub open: Vec<String>,
}

impl Applied {
    /// Whether the text had all members of the preset before.
    pub fn was_there(&self) -> bool {
        self.added.is_empty()
    }

    /// What happened, in sentences for users. Text between backticks is code.
    pub fn sentence(&self) -> String {
        let list =
            |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let mut said = if self.was_there() {
            "All of these settings are in the configuration.".to_owned()
        } else {
            format!("Added, not saved: {}.", list(&self.added))
        };
        if !self.kept.is_empty() {
            said = format!("{said} Left as set before: {}.", list(&self.kept));
        }
        if !self.open.is_empty() {
            said = format!("{said} Replace the placeholders in {}, then save.", list(&self.open));
        }
        said
    }
}

impl Preset {
    /// An `oauth_auto` preset.
    pub const fn oauth(json: &'static str) -> Self {
        Self { json, auth_type: AuthType::OauthAuto }
    }

    /// The object.
    pub fn members(&self) -> Map<String, Value> {
        read_members(self.json).unwrap_or_default()
    }

    /// The object as indented text.
    pub fn text(&self) -> String {
        formatted(self.json).unwrap_or_else(|| self.json.to_owned())
    }

    /// The approach that the preset is for, if it decides that.
    pub fn approach(&self) -> Option<Approach> {
        Approach::named_by(self.json)
    }

    /// `text` with the members of the preset that it does not set. What an approach to a client had put there before
    /// (`before`) is removed first if the preset is for another approach. `None`: `text` is not the text of an object,
    /// or a parent is not an object.
    pub fn apply(&self, text: &str, before: Option<Approach>) -> Option<Applied> {
        // Headers are an admin's own, and the other approaches put nothing there that is in the way.
        let before = before.filter(|before| matches!(before, Approach::Register | Approach::Publish));
        let before = before.filter(|before| self.approach().is_some_and(|wanted| wanted != *before));
        let mut applied = Applied {
            text: match before {
                Some(before) => before.retract(text)?,
                None => text.to_owned(),
            },
            added: Vec::new(),
            kept: Vec::new(),
            open: Vec::new(),
        };
        let document = read_members(&applied.text)?;
        let is_set = |name: &str| document.get(name).is_some_and(|value| !value.is_null());
        for (name, value) in self.members() {
            let alias = name == CANONICAL_WRAPPER && is_set(ALIAS_WRAPPER) && !is_set(CANONICAL_WRAPPER);
            let there = if alias { ALIAS_WRAPPER } else { name.as_str() };
            let shown = if name == CANONICAL_WRAPPER { "" } else { name.as_str() };
            merge(&mut applied, &pointer_push("", there), shown, document.get(there), &value)?;
        }
        Some(applied)
    }
}

/// Adds the leaves of `value` that `present` does not have.
fn merge(applied: &mut Applied, at: &str, shown: &str, present: Option<&Value>, value: &Value) -> Option<()> {
    let present = present.filter(|present| !present.is_null());
    if let Value::Object(members) = value {
        let object = match present {
            None => None,
            Some(present) => Some(present.as_object()?),
        };
        for (name, value) in members {
            let shown = if shown.is_empty() { name.clone() } else { format!("{shown}.{name}") };
            let present = object.and_then(|object| object.get(name));
            merge(applied, &pointer_push(at, name), &shown, present, value)?;
        }
        return Some(());
    }
    let left = match present {
        None => {
            applied.text = set_member(&applied.text, at, value)?;
            applied.added.push(shown.to_owned());
            value
        }
        Some(present) => {
            // A placeholder is no value of the admin's that differs.
            let is_filled_in = value.as_str().is_some_and(contains_fill_in);
            if present != value && !is_filled_in {
                applied.kept.push(shown.to_owned());
            }
            present
        }
    };
    if left.as_str().is_some_and(contains_fill_in) {
        applied.open.push(shown.to_owned());
    }
    Some(())
}
