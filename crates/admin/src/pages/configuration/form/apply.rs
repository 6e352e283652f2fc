//! Applies the posted form to the text: only changed members change.

use super::super::examples::wrapper;
use super::control::{Control, fields};
use registry_core::finding::pointer_push;
use registry_core::metadata::{read_members, remove_member, set_member};
use registry_core::patch::Patch;
use serde_json::Value;

/// The posted controls of the form: pairs of name and value, `field.<member>` and `was.<member>`.
pub(in super::super) struct PostedControls<'a>(pub(in super::super) &'a [(String, String)]);

impl PostedControls<'_> {
    /// The posted values of the control for `member`; empty if the page had no such control.
    fn field(&self, member: &str) -> impl Iterator<Item = &str> {
        self.values("field.", member)
    }

    /// The value that the form showed for `member`, for controls that post nothing when nothing is chosen.
    fn was(&self, member: &str) -> Option<&str> {
        self.values("was.", member).next()
    }

    fn values(&self, kind: &str, member: &str) -> impl Iterator<Item = &str> {
        let pairs = self.0.iter().filter(move |(name, _)| name.strip_prefix(kind) == Some(member));
        pairs.map(|(_, value)| value.as_str())
    }
}

/// `text` with the changes of the form. An unchanged control changes no byte, an empty one removes the member, and
/// inherited values are never written.
pub(in super::super) fn apply(text: &str, controls: &PostedControls) -> String {
    let Some(document) = read_members(text) else {
        return text.to_owned();
    };
    let wrapper = wrapper(&document);
    let metadata = document.get(wrapper).and_then(Value::as_object);
    let mut text = text.to_owned();
    for field in fields() {
        let control = Control::of(field);
        let old = metadata.and_then(|metadata| metadata.get(field.name)).filter(|value| !value.is_null());
        let pointer = pointer_push(&pointer_push("", wrapper), field.name);
        let edited = match posted(control, field.name, old, controls) {
            Patch::Set(value) => set_member(&text, &pointer, &value),
            Patch::Clear if old.is_some() => remove_member(&text, &pointer),
            Patch::Clear | Patch::Keep => None,
        };
        text = edited.unwrap_or(text);
    }
    text
}

/// The change of one member: none when the control was left as shown.
fn posted(control: Control, member: &str, old: Option<&Value>, controls: &PostedControls) -> Patch<Value> {
    if control == Control::Checks {
        let chosen = controls.field(member).collect::<Vec<_>>().join(" ");
        return match controls.was(member) {
            Some(was) if was != chosen => control.read(&chosen).into(),
            _ => Patch::Keep,
        };
    }
    let Some(typed) = controls.field(member).next() else { return Patch::Keep };
    let new = control.read(typed);
    let shown = match old.map(|value| control.show(value)) {
        // A value that does not fit into a text field is shown as empty; an empty selection is not posted.
        Some(None) if control == Control::Radio => return new.into(),
        Some(shown) => shown.unwrap_or_default(),
        None => String::new(),
    };
    if new == control.read(&shown) { Patch::Keep } else { new.into() }
}

#[cfg(test)]
mod tests {
    use super::{PostedControls, apply};

    const TEXT: &str = "{\n  \"tools\": {},\n  \"oauth_metadata\": {\n    \"client_name\": \"A\",   \"x_own\": 1e2,\n    \"client_name#fr\": \"B\",\n    \"scope\": [\"a\"],\n    \"contacts\": [\"a@b.example\"],\n    \"grant_types\": [\"refresh_token\", \"authorization_code\"]\n  }\n}";

    fn posted(changes: &[(&str, &str)]) -> String {
        let mut pairs = vec![
            ("field.client_name", "A"),
            ("field.client_uri", ""),
            ("field.scope", ""),
            ("field.contacts", "a@b.example\r\n"),
            ("was.grant_types", "authorization_code refresh_token"),
            ("field.token_endpoint_auth_method", ""),
        ];
        pairs.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        pairs.extend(changes);
        if !changes.iter().any(|(name, _)| *name == "was.grant_types") {
            pairs.extend([
                ("field.grant_types", "authorization_code"),
                ("field.grant_types", "refresh_token"),
            ]);
        }
        let owned: Vec<(String, String)> =
            pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        apply(TEXT, &PostedControls(&owned))
    }

    #[test]
    fn unchanged_form_changes_no_byte() {
        assert_eq!(posted(&[]), TEXT);
        assert_eq!(apply(TEXT, &PostedControls(&[])), TEXT, "a page without the form's controls");
        assert_eq!(apply("{", &PostedControls(&[])), "{");
    }

    #[test]
    fn only_changed_members_change() {
        assert_eq!(posted(&[("field.client_name", "C")]), TEXT.replace("\"A\"", "\"C\""));
        assert_eq!(posted(&[("field.scope", "a b")]), TEXT.replace("[\"a\"]", "\"a b\""));
        assert_eq!(posted(&[("field.client_name", "")]), TEXT.replace("\"client_name\": \"A\",   ", ""));
        assert_eq!(
            posted(&[("field.contacts", "a@b.example\r\n\r\n c@d.example")]),
            TEXT.replace("[\"a@b.example\"]", "[\"a@b.example\", \"c@d.example\"]")
        );
        let line = "\"grant_types\": [\"refresh_token\", \"authorization_code\"]";
        assert_eq!(
            posted(&[("field.token_endpoint_auth_method", "none")]),
            TEXT.replace(line, &format!("{line},\n    \"token_endpoint_auth_method\": \"none\""))
        );
        assert_eq!(
            posted(&[
                ("was.grant_types", "authorization_code refresh_token"),
                ("field.grant_types", "client_credentials")
            ]),
            TEXT.replace("[\"refresh_token\", \"authorization_code\"]", "[\"client_credentials\"]")
        );
        assert_eq!(
            posted(&[("was.grant_types", "authorization_code refresh_token")]),
            TEXT.replace("[\"refresh_token\", \"authorization_code\"]", "[]")
        );
    }
}
