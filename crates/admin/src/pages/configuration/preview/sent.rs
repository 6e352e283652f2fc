//! "What will be sent": each member, the level of its value, what it overrides, and what is ignored.

use crate::view;
use registry::Preview;
use registry_core::metadata::{FIELDS, Level, Origin, Resolution, Usage, parse_marker};
use serde_json::{Map, Value};

/// One line of the table.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// The member.
    pub(crate) member: String,
    /// Its value for display; `None`: it is not sent.
    pub(crate) value: Option<String>,
    /// The level, or `gateway`, `computed`, `ignored`.
    pub(crate) origin: &'static str,
    /// Level and value of what it overrides, the nearest level first.
    pub(crate) replaced: Vec<(&'static str, String)>,
    /// An explanation.
    pub(crate) why: String,
    /// Whether it has no effect.
    pub(crate) off: bool,
    /// The level that sets it, and the page where it is changed.
    pub(crate) level: Option<Level>,
    pub(crate) link: Option<String>,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// The registration request.
    pub(crate) request: Vec<Row>,
    /// Members in effect that are not part of the request.
    pub(crate) beside: Vec<Row>,
    /// Members without effect.
    pub(crate) ignored: Vec<Row>,
}

impl Table {
    /// The table for one server; with `all` it includes unset, overridden and ignored members.
    pub(crate) fn of(resolution: &Resolution, all: bool) -> Self {
        let metadata = &resolution.effective.client_metadata;
        let named =
            |name: &&str| FIELDS.iter().any(|field| field.usage == Usage::Sent && field.name == *name);
        let fields = FIELDS.iter().filter(|field| field.usage == Usage::Sent).map(|field| field.name);
        let others = metadata.keys().map(String::as_str).filter(|name| !named(name));
        let request = fields
            .chain(others)
            .filter_map(|name| match metadata.get(name) {
                Some(value) => Some(row(resolution, name, value, all)),
                None if all => Some(Row {
                    member: name.to_owned(),
                    origin: "default",
                    why: "Not set at any level.".to_owned(),
                    ..Row::default()
                }),
                None => None,
            })
            .collect();
        let beside = beside(resolution);
        let mut table = Self {
            request,
            beside: beside.iter().map(|(member, value)| row(resolution, member, value, all)).collect(),
            ignored: Vec::new(),
        };
        if all {
            table.ignored = ignored(resolution, &table);
        }
        table
    }

    /// Adds links to where each value is changed; links to `here` lead to the editor on the page.
    pub(crate) fn linked(mut self, preview: &Preview, here: &str) -> Self {
        for row in self.request.iter_mut().chain(&mut self.beside).chain(&mut self.ignored) {
            let place = row.level.and_then(|level| place(level, preview));
            row.link = place.map(|place| if place == here { "#configuration".to_owned() } else { place });
        }
        self
    }
}

/// The page where a level of a server is changed.
fn place(level: Level, preview: &Preview) -> Option<String> {
    let (workspace, server) = (&preview.workspace, &preview.server);
    let integration = preview.integration.as_ref();
    match level {
        Level::Default => None,
        Level::Organisation => Some("/ui/settings/organisation".to_owned()),
        Level::Integration => integration.map(|slug| format!("/ui/integrations/{slug}/config")),
        Level::Workspace => {
            integration.map(|slug| format!("/ui/workspaces/{workspace}/integrations/{slug}/config"))
        }
        Level::Server => integration.map(|_| format!("/ui/workspaces/{workspace}/servers/{server}/config")),
    }
}

/// The members in effect for one server, one line per member, for a comparison.
pub(crate) fn lines(resolution: &Resolution) -> String {
    let table = Table::of(resolution, false);
    let line = |row: &Row| format!("{}: {}\n", row.member, row.value.as_deref().unwrap_or_default());
    table.request.iter().chain(&table.beside).map(line).collect()
}

fn row(resolution: &Resolution, member: &str, value: &Value, all: bool) -> Row {
    let origin = resolution.origins.get(member).copied().unwrap_or(Origin::Default);
    let why = match origin {
        Origin::Gateway => "Always the gateway's callback. Cannot be configured.",
        Origin::Computed => "Follows from the callback.",
        _ if member == "client_id" => "A client registered by hand: no registration request is sent.",
        _ => "",
    };
    let hidden = resolution.overridden.iter().rev().filter(|other| all && other.member == member);
    Row {
        member: member.to_owned(),
        value: Some(shown(value)),
        origin: origin.as_str(),
        replaced: hidden.map(|other| (other.level.as_str(), view::plain(&other.value))).collect(),
        why: why.to_owned(),
        level: level_of(origin),
        ..Row::default()
    }
}

fn level_of(origin: Origin) -> Option<Level> {
    match origin {
        Origin::Default => Some(Level::Default),
        Origin::Organisation => Some(Level::Organisation),
        Origin::Integration => Some(Level::Integration),
        Origin::Workspace => Some(Level::Workspace),
        Origin::Server => Some(Level::Server),
        Origin::Gateway | Origin::Computed => None,
    }
}

/// Members in effect that are not part of the registration request.
fn beside(resolution: &Resolution) -> Vec<(String, Value)> {
    let effective = &resolution.effective;
    let mut members = Map::new();
    if let Some(credentials) = &effective.credentials {
        members.insert("client_id".to_owned(), Value::from(credentials.client_id.clone()));
        if credentials.client_secret.is_some() {
            members.insert("client_secret".to_owned(), Value::from("sealed"));
        }
    }
    members.extend(effective.authorization_server.endpoints());
    if let Some(issuer) = &effective.authorization_server.trusted_issuer {
        members.insert("trusted_issuer".to_owned(), Value::from(issuer.clone()));
    }
    if !effective.authorization_params.is_empty() {
        members.insert("authorization_params".to_owned(), effective.authorization_params.clone().into());
    }
    if let Ok(Value::Object(policy)) = serde_json::to_value(&effective.registration) {
        let chosen = policy.into_iter().map(|(name, value)| (format!("registration.{name}"), value));
        members.extend(chosen.filter(|(member, _)| {
            resolution.origins.get(member).is_some_and(|origin| *origin != Origin::Default)
        }));
    }
    if members.contains_key("registration.initial_access_token") {
        members.insert("registration.initial_access_token".to_owned(), Value::from("sealed"));
    }
    members.extend(effective.gateway.clone());
    members.into_iter().collect()
}

/// Values that are stored but not used, and values overridden together with a group.
fn ignored(resolution: &Resolution, table: &Table) -> Vec<Row> {
    let is_listed = |member: &str| table.request.iter().chain(&table.beside).any(|row| row.member == member);
    let ignored = resolution.ignored.iter().map(|one| Row {
        member: one.member.clone(),
        value: Some(view::plain(&one.value)),
        origin: "ignored",
        why: format!("From {}. {}", one.level.as_str(), one.reason),
        off: true,
        level: Some(one.level),
        ..Row::default()
    });
    let orphaned = resolution.overridden.iter().filter(|one| !is_listed(&one.member)).map(|one| Row {
        member: one.member.clone(),
        value: Some(view::plain(&one.value)),
        origin: one.level.as_str(),
        why: one.reason.clone(),
        off: true,
        level: Some(one.level),
        ..Row::default()
    });
    ignored.chain(orphaned).collect()
}

/// A value for display, with markers of secrets replaced by a word.
fn shown(value: &Value) -> String {
    view::plain(&masked(value))
}

fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) if parse_marker(text).is_some() => Value::from("sealed"),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), masked(value))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use registry_core::metadata::{AdvancedConfiguration, Branding, Layer, ResolveContext, resolve};

    fn table(integration: &str, server: &str, all: bool) -> Table {
        let integration = AdvancedConfiguration::from_stored(integration).unwrap();
        let server = AdvancedConfiguration::from_stored(server).unwrap();
        let layers = [
            Layer { level: Level::Integration, configuration: &integration },
            Layer { level: Level::Server, configuration: &server },
        ];
        let callbacks = ["http://localhost:8787/oauth/upstream-callback".to_owned()];
        let context = ResolveContext { workspace: "acme", server: "linear", callbacks: &callbacks };
        Table::of(&resolve(&Branding::default(), &layers, &context), all)
    }

    fn find<'a>(rows: &'a [Row], member: &str) -> &'a Row {
        rows.iter().find(|row| row.member == member).unwrap()
    }

    #[test]
    fn preview_shows_winning_overridden_and_ignored_values() {
        let integration =
            r#"{"oauth_client_metadata": {"scope": "a b", "redirect_uris": ["https://evil.example"]}}"#;
        let server = r#"{"oauth_client_metadata": {"scope": "c"}}"#;
        let all = table(integration, server, true);
        let scope = find(&all.request, "scope");
        assert_eq!((scope.value.as_deref(), scope.origin), (Some("c"), "server"));
        assert_eq!(scope.replaced, [("integration", "a b".to_owned())]);
        let callback = find(&all.request, "redirect_uris");
        assert_eq!(callback.origin, "gateway");
        let ignored = find(&all.ignored, "redirect_uris");
        assert!(ignored.off && ignored.why.starts_with("From integration."), "{ignored:?}");
        assert_eq!(find(&all.request, "policy_uri").value, None, "not sent, and said so");

        let short = table(integration, server, false);
        assert!(short.ignored.is_empty() && find(&short.request, "scope").replaced.is_empty());
        assert!(!short.request.iter().any(|row| row.value.is_none()));
    }

    #[test]
    fn secret_values_are_shown_as_a_word() {
        let marker = "$sealed:0190f2a4-0000-7000-8000-000000000000";
        let integration = format!(
            r#"{{"headers": {{"x-key": "{marker}"}}, "oauth_client_metadata": {{"client_id": "abc", "client_secret": "{marker}"}}}}"#
        );
        let table = table(&integration, "{}", true);
        assert!(!format!("{table:?}").contains("0190f2a4"), "{table:?}");
        assert_eq!(find(&table.beside, "client_id").value.as_deref(), Some("abc"));
        assert_eq!(find(&table.beside, "client_secret").value.as_deref(), Some("sealed"));
        assert!(find(&table.beside, "headers").value.as_deref().unwrap().contains("sealed"));
    }
}
