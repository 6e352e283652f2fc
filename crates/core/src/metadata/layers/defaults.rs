//! The deployment's own values: what is sent when no level says otherwise.

use crate::finding::{Finding, Findings};
use crate::metadata::fields::field::Section;
use crate::metadata::fields::table::find;
use crate::metadata::rules::cross::check_grants;
use crate::metadata::rules::document::check_member;
use crate::metadata::rules::report::Report;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The placeholders of [`Branding::client_name`]: the workspace's and the server's slug.
pub const PLACEHOLDERS: [&str; 2] = ["{workspace}", "{server}"];
/// The longest slug, with which the name must still fit.
const MAX_SLUG: usize = 50;

/// The `branding` section of the deployment's configuration: the lowest level of client metadata. `Default` gives the documented
/// defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Branding {
    /// `client_name`; `{workspace}` and `{server}` are replaced by the slugs.
    pub client_name: String,
    /// `client_uri`.
    pub client_uri: String,
    /// `logo_uri`.
    pub logo_uri: String,
    /// `software_id`.
    pub software_id: String,
    /// `software_version`, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// `scope`, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// `grant_types`.
    pub grant_types: Vec<String>,
    /// `response_types`.
    pub response_types: Vec<String>,
    /// `token_endpoint_auth_method`.
    pub token_endpoint_auth_method: String,
    /// `contacts`, if any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// `tos_uri`, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// `policy_uri`, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
}

impl Default for Branding {
    fn default() -> Self {
        Self {
            client_name: "Portkey ({workspace}/{server})".to_owned(),
            client_uri: "https://portkey.ai".to_owned(),
            logo_uri: "https://cfassets.portkey.ai/logo%2Fdew-color.png".to_owned(),
            software_id: "ai.portkey.mcp".to_owned(),
            software_version: None,
            scope: None,
            grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
            response_types: vec!["code".to_owned()],
            token_endpoint_auth_method: "none".to_owned(),
            contacts: Vec::new(),
            tos_uri: None,
            policy_uri: None,
        }
    }
}

impl Branding {
    /// Judges the section by the same rules as an Advanced Configuration; pointers are relative to the section.
    pub fn check(&self) -> Findings {
        let longest = "x".repeat(MAX_SLUG);
        let members = self.members(&longest, &longest);
        let mut report = Report::default();
        for (name, value) in &members {
            if let Some(field) = find(Section::ClientMetadata, name) {
                check_member(field, value, &format!("/{name}"), &mut report);
            }
        }
        check_grants(&members, "", &mut report);
        let plain = expand(&self.client_name, "", "");
        if plain.contains(['{', '}']) {
            report.push(Finding::error(
                "/client_name",
                "unknown_placeholder",
                "`client_name` may contain the placeholders {workspace} and {server}, but no other braces.",
            ));
        }
        report.into_findings()
    }

    /// The client metadata of the section, for one server (both arguments are slugs).
    pub(crate) fn members(&self, workspace: &str, server: &str) -> Map<String, Value> {
        let mut members = match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        members.insert("client_name".to_owned(), Value::String(expand(&self.client_name, workspace, server)));
        members
    }
}

fn expand(template: &str, workspace: &str, server: &str) -> String {
    // In one pass, so that a slug can never be taken for a placeholder.
    let mut expanded = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        expanded.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix(PLACEHOLDERS[0]) {
            expanded.push_str(workspace);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(PLACEHOLDERS[1]) {
            expanded.push_str(server);
            rest = after;
        } else {
            expanded.push('{');
            rest = &rest[1..];
        }
    }
    expanded.push_str(rest);
    expanded
}
