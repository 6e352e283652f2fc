//! The controls of the form: the control of each member, and how its value is shown in it.

use registry_core::metadata::{FIELDS, Field, Kind, Rule, Section};
use serde_json::Value;

/// The members of the form, in display order.
const SHOWN: [&str; 12] = [
    "client_name",
    "client_uri",
    "logo_uri",
    "scope",
    "contacts",
    "tos_uri",
    "policy_uri",
    "software_id",
    "software_version",
    "grant_types",
    "response_types",
    "token_endpoint_auth_method",
];

/// The grant types that the form offers; others are edited as JSON, and offered where they are set.
const GRANT_TYPES: &[&str] = &["authorization_code", "refresh_token", "client_credentials"];

/// Their rows in the table of fields.
pub(super) fn fields() -> impl Iterator<Item = &'static Field> {
    SHOWN.iter().filter_map(|name| find(name))
}

fn find(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.section == Section::ClientMetadata && field.name == name)
}

/// The kind of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Control {
    /// A text field.
    Line,
    /// A URL field.
    Address,
    /// A text area with one value per line.
    Lines,
    /// Checkboxes.
    Checks,
    /// A select list.
    Radio,
}

impl Control {
    pub(super) fn of(field: &Field) -> Self {
        match (field.kind, field.rule) {
            (Kind::StringList, Rule::Contact) => Self::Lines,
            (Kind::StringList, _) => Self::Checks,
            (_, Rule::OneOf(..)) => Self::Radio,
            (_, Rule::Link | Rule::Logo) => Self::Address,
            _ => Self::Line,
        }
    }

    /// `value` as text of the control; `None` if it does not fit into it.
    pub(super) fn show(self, value: &Value) -> Option<String> {
        let list = |separator: &str| {
            let items: Option<Vec<&str>> = value.as_array()?.iter().map(Value::as_str).collect();
            let fits = |item: &&str| !item.is_empty() && *item == item.trim() && !item.contains(separator);
            items.filter(|items| items.iter().all(fits)).map(|items| items.join(separator))
        };
        match self {
            Self::Lines => list("\n"),
            Self::Checks => list(" "),
            Self::Line | Self::Address | Self::Radio => {
                value.as_str().filter(|text| !text.contains(['\n', '\r'])).map(str::to_owned)
            }
        }
    }

    /// The typed text as a value; `None` sets nothing.
    pub(super) fn read(self, typed: &str) -> Option<Value> {
        match self {
            Self::Lines => {
                let lines: Vec<&str> = typed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                Some(Value::from(lines)).filter(|list| list != &Value::Array(Vec::new()))
            }
            Self::Checks => Some(typed.split(' ').filter(|item| !item.is_empty()).collect()),
            Self::Line | Self::Address | Self::Radio => {
                Some(typed).filter(|text| !text.is_empty()).map(Value::from)
            }
        }
    }
}

/// The values that the form offers for a member.
pub(super) fn offered(field: &Field) -> &'static [&'static str] {
    match field.rule {
        Rule::OneOf(values, _) => values,
        Rule::GrantType => GRANT_TYPES,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::{Control, SHOWN, fields};
    use registry_core::metadata::{FIELDS, Section, Usage};
    use serde_json::json;

    #[test]
    fn form_shows_the_twelve_documented_members() {
        assert_eq!(fields().count(), SHOWN.len());
        let sent = FIELDS
            .iter()
            .filter(|field| field.section == Section::ClientMetadata && field.usage == Usage::Sent);
        assert!(sent.map(|field| field.name).filter(|name| !SHOWN.contains(name)).eq(["application_type"]));
    }

    #[test]
    fn fitting_value_survives_the_control() {
        for (control, value) in [
            (Control::Line, json!(" A ")),
            (Control::Lines, json!(["a@b.example", "The team"])),
            (Control::Checks, json!(["authorization_code"])),
            (Control::Checks, json!([])),
            (Control::Radio, json!("none")),
        ] {
            let shown = control.show(&value);
            assert_eq!(shown.and_then(|text| control.read(&text)), Some(value));
        }
        for (control, value) in [
            (Control::Line, json!(["a"])),
            (Control::Line, json!("a\nb")),
            (Control::Lines, json!(["a", 1])),
            (Control::Lines, json!([" a"])),
            (Control::Checks, json!("code")),
        ] {
            assert_eq!(control.show(&value), None, "{value}");
        }
        assert_eq!(Control::Lines.read("\r\n \n"), None);
    }
}
