//! The form: the members of client metadata as controls over the stored text.

mod apply;
mod control;

pub(super) use apply::{PostedControls, apply};
pub(super) use control::Control;

use super::examples::wrapper;
use control::{fields, offered};
use registry::Advertised;
use registry_core::finding::{Finding, Severity, pointer_push};
use registry_core::metadata::{
    ALIAS_WRAPPER, CANONICAL_WRAPPER, Field, Level, Origin, Resolution, Rule, read_members,
};
use serde_json::{Map, Value};

/// The form.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) fields: Vec<Entry>,
    /// Display names of members that are only edited as JSON.
    pub(super) others: Vec<String>,
    /// The gateway's callbacks.
    pub(super) callbacks: Vec<String>,
}

/// One member of the form.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) field: &'static Field,
    pub(super) control: Control,
    /// The text in the control.
    pub(super) value: String,
    pub(super) options: Vec<Choice>,
    /// JSON Pointer of the member in the text.
    pub(super) pointer: String,
    /// Whether this level sets it.
    pub(super) is_set: bool,
    /// The value as JSON, where it does not fit into the control.
    pub(super) unfit: Option<String>,
    /// The value in effect when this level does not set it, for display, and its level.
    pub(super) inherited: Option<(String, &'static str)>,
    /// The level that its value comes from now.
    pub(super) origin: &'static str,
    /// Purpose, format, and what the authorization server supports.
    pub(super) hints: Vec<String>,
    pub(super) findings: Vec<Finding>,
}

/// One of several values.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) is_chosen: bool,
    /// Why this value will probably be refused.
    pub(super) mark: Option<String>,
}

/// The inputs of the form.
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) level: Level,
    pub(super) resolution: Option<&'a Resolution>,
    pub(super) advertised: Option<&'a Advertised>,
    pub(super) findings: &'a [Finding],
}

impl Form {
    /// `None` if the text cannot be shown as a form: it is no JSON object, or its client metadata is none.
    pub(super) fn of(source: &Source<'_>) -> Option<Self> {
        let document = read_members(source.text)?;
        let wrapper = wrapper(&document);
        let metadata = match document.get(wrapper) {
            Some(Value::Object(metadata)) => metadata.clone(),
            None | Some(Value::Null) => Map::new(),
            Some(_) => return None,
        };
        let inside = metadata.keys().filter(|name| !fields().any(|field| field.name == name.as_str()));
        let beside = document.keys().filter(|name| name.as_str() != wrapper).cloned();
        let callbacks = source.resolution.and_then(|one| one.effective.client_metadata.get("redirect_uris"));
        let callbacks = callbacks.and_then(Value::as_array).into_iter().flatten();
        Some(Self {
            fields: fields().map(|field| entry(field, wrapper, &metadata, source)).collect(),
            others: inside.map(|name| format!("{wrapper}.{name}")).chain(beside).collect(),
            callbacks: callbacks.filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }
}

fn entry(field: &'static Field, wrapper: &str, metadata: &Map<String, Value>, source: &Source<'_>) -> Entry {
    let control = Control::of(field);
    let own = metadata.get(field.name).filter(|value| !value.is_null());
    let inherited = source.resolution.and_then(|resolution| inherited(resolution, field.name, source.level));
    let shown = own.map(|value| control.show(value));
    Entry {
        field,
        control,
        value: shown.clone().flatten().unwrap_or_default(),
        options: options(field, control, own, inherited.as_ref(), source.advertised),
        pointer: pointer_push(&pointer_push("", wrapper), field.name),
        is_set: own.is_some(),
        unfit: own.filter(|_| shown == Some(None)).map(Value::to_string),
        origin: match (own, &inherited) {
            (Some(_), _) => source.level.as_str(),
            (None, Some((_, origin))) => origin.as_str(),
            (None, None) => Origin::Default.as_str(),
        },
        inherited: inherited.map(|(value, origin)| (crate::view::plain(value), origin.as_str())),
        hints: hints(field, source.advertised),
        findings: source.findings.iter().filter(|finding| is_about(finding, field.name)).cloned().collect(),
    }
}

/// Whether a finding is about the client metadata member `name` or a part of it.
pub(super) fn is_about(finding: &Finding, name: &str) -> bool {
    [CANONICAL_WRAPPER, ALIAS_WRAPPER].iter().any(|wrapper| {
        let member = pointer_push(&pointer_push("", wrapper), name);
        finding.pointer.strip_prefix(&member).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// The value of `member` when `level` does not set it, and the level it comes from.
fn inherited<'a>(resolution: &'a Resolution, member: &str, level: Level) -> Option<(&'a Value, Origin)> {
    let is_below = |other: Origin| {
        [Level::Default, Level::Organisation, Level::Integration, Level::Workspace, Level::Server]
            .into_iter()
            .any(|lower| lower < level && Origin::from(lower) == other)
    };
    let effective = resolution.effective.client_metadata.get(member);
    let origin = resolution.origins.get(member).copied();
    if let (Some(value), Some(origin)) = (effective, origin)
        && is_below(origin)
    {
        return Some((value, origin));
    }
    let hidden = resolution.overridden.iter().rev();
    let mut hidden = hidden.filter(|one| one.member == member && one.level < level);
    hidden.next().map(|one| (&one.value, one.level.into()))
}

fn options(
    field: &Field,
    control: Control,
    own: Option<&Value>,
    inherited: Option<&(&Value, Origin)>,
    advertised: Option<&Advertised>,
) -> Vec<Choice> {
    if !matches!(control, Control::Checks | Control::Radio) {
        return Vec::new();
    }
    let below = inherited.map(|(value, _)| *value);
    // Lists show the inherited value, and set something only when it is changed; a single value need not be chosen.
    let present = if control == Control::Checks { own.or(below) } else { own };
    let chosen: Vec<&str> = match present {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut values: Vec<&str> = offered(field).to_vec();
    for value in &chosen {
        if !values.contains(value) {
            values.push(value);
        }
    }
    let methods = advertised.filter(|_| field.name == "token_endpoint_auth_method");
    let mark = |value: &str| {
        let listed = methods.and_then(|one| one.auth_methods.as_ref())?;
        let issuer = methods.map_or("", |one| &one.issuer);
        (!listed.iter().any(|one| one == value)).then(|| format!("not offered by {issuer}"))
    };
    let nothing = (control == Control::Radio).then(|| Choice {
        value: String::new(),
        label: below
            .map_or("Not set".to_owned(), |value| format!("Inherited: {}", crate::view::plain(value))),
        is_chosen: own.is_none(),
        mark: below.and_then(Value::as_str).and_then(mark),
    });
    let each = values.into_iter().map(|value| Choice {
        value: value.to_owned(),
        label: value.to_owned(),
        is_chosen: chosen.contains(&value),
        mark: mark(value),
    });
    nothing.into_iter().chain(each).collect()
}

/// Purpose and format of the member; text between backticks is code.
fn hints(field: &Field, advertised: Option<&Advertised>) -> Vec<String> {
    let rule = match field.rule {
        Rule::Link | Rule::Logo => "An `https` address.",
        Rule::Scope => "One string, a single space between two scopes.",
        Rule::Contact => "One a line, each with an `@`.",
        Rule::Text(_) if field.name == "client_name" => {
            "Shown first on the consent screen; no control characters."
        }
        Rule::Text(_) if field.name == "software_id" => "Servers may treat another ID as another product.",
        _ => "",
    };
    let offers = advertised.filter(|one| field.rule == Rule::Scope && !one.scopes.is_empty());
    let offers = offers.map(|one| {
        let scopes: Vec<String> = one.scopes.iter().map(|scope| format!("`{scope}`")).collect();
        format!("{} offers {}.", one.issuer, scopes.join(", "))
    });
    [field.help.to_owned(), rule.to_owned()]
        .into_iter()
        .chain(offers)
        .filter(|hint| !hint.is_empty())
        .collect()
}

impl Entry {
    /// The selected options, in display order.
    pub(super) fn was(&self) -> String {
        let chosen = self.options.iter().filter(|option| option.is_chosen);
        chosen.map(|option| option.value.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Whether a finding about it prevents saving.
    pub(super) fn is_wrong(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The placeholder of an empty field: the inherited value, or that nothing is sent.
    pub(super) fn placeholder(&self) -> &str {
        self.inherited.as_ref().map_or("Not sent", |(value, _)| value)
    }
}
