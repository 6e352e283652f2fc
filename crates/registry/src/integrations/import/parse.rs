//! The text of an import: integrations as an export, a list or a single object gives them.

use crate::integrations::export::GlobalAccess;
use registry_core::finding::{Finding, Findings, Report, Severity, echo, pointer_push};
use registry_core::nul;
use registry_core::registration::{AuthType, Transport};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The most integrations one import may make.
const MAX_INTEGRATIONS: usize = 500;
/// The longest name of a member that a pointer repeats, in bytes.
const MAX_NAME: usize = 256;

/// The integrations in a text, and the pointer of the list they stand in, if it is one.
pub(super) fn items(text: &str) -> Result<(Option<&'static str>, Vec<&RawValue>), Findings> {
    #[derive(Deserialize)]
    struct File<'a> {
        #[serde(borrow)]
        integrations: Vec<&'a RawValue>,
    }
    let whole: &RawValue = serde_json::from_str(text).map_err(|error| {
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or_default().to_owned();
        let mut finding = Finding::error("", "invalid_json", format!("This is no JSON: {why}."));
        finding.line = u32::try_from(error.line()).ok();
        finding.column = u32::try_from(error.column()).ok();
        Findings::from(finding)
    })?;
    if text.contains(nul::ESCAPE) {
        let nul = nul::findings(text, &serde_json::from_str(text).unwrap_or_default());
        if !nul.is_empty() {
            return Err(Findings(nul));
        }
    }
    let found = if let Ok(items) = serde_json::from_str(text) {
        (Some(""), items)
    } else if let Ok(File { integrations }) = serde_json::from_str(text) {
        (Some("/integrations"), integrations)
    } else {
        (None, vec![whole])
    };
    match found.1.len() {
        0 => Err(Finding::error("", "empty_value", "There is no integration in it.").into()),
        1..=MAX_INTEGRATIONS => Ok(found),
        many => Err(Finding::error(
            "",
            "too_many",
            format!("These are {many} integrations; one import takes {MAX_INTEGRATIONS}. Split it."),
        )
        .into()),
    }
}

/// One integration of an import.
pub(super) struct Item {
    pub(super) name: String,
    pub(super) slug: Option<String>,
    pub(super) description: Option<String>,
    pub(super) url: String,
    pub(super) auth_type: AuthType,
    pub(super) transport: Transport,
    pub(super) workspace: Option<String>,
    pub(super) enabled: bool,
    pub(super) global_access: bool,
    pub(super) configurations: Option<String>,
    /// Whether it names secrets that the operator declared.
    pub(super) mapped: bool,
}

/// What the REST API says of an integration and nobody can set.
const READ_ONLY: [&str; 16] = [
    "object",
    "id",
    "type",
    "owner_id",
    "organisation_id",
    "workspace_slug",
    "workspaces_count",
    "servers_count",
    "registered_count",
    "attention_count",
    "version",
    "created_by",
    "updated_by",
    "created_at",
    "updated_at",
    "last_updated_at",
];

impl Item {
    pub(super) fn read(item: &RawValue) -> Result<Self, Findings> {
        let mut findings = Report::default();
        let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(item.get()) else {
            let finding = Finding::error("", "wrong_type", "An integration is a JSON object.");
            return Err(finding.into());
        };
        let mut members: BTreeMap<String, &RawValue> =
            members.into_iter().filter(|(_, value)| value.get() != "null").collect();
        for name in READ_ONLY {
            members.remove(name);
        }
        let name = required_member(&mut members, "name", "A text", &mut findings);
        let url =
            required_member(&mut members, "url", "The address of the MCP server, a text", &mut findings);
        let auth_type = required_member(
            &mut members,
            "auth_type",
            &one_of(AuthType::ALL, AuthType::as_str),
            &mut findings,
        );
        let transport = required_member(
            &mut members,
            "transport",
            &one_of(Transport::ALL, Transport::as_str),
            &mut findings,
        );
        let slug = optional_member(&mut members, "slug", "A text", &mut findings);
        let description = optional_member(&mut members, "description", "A text", &mut findings);
        let by_id = optional_member(&mut members, "workspace_id", "A text", &mut findings);
        let workspace = optional_member(&mut members, "workspace", "A text", &mut findings).or(by_id);
        let access: Option<GlobalAccess> =
            optional_member(&mut members, "global_workspace_access", "`{\"enabled\": true}`", &mut findings);
        let status: Option<Status> =
            optional_member(&mut members, "status", "`active` or `disabled`", &mut findings);
        let mapped = members.remove("secret_mappings").is_some_and(|raw| raw.get() != "[]");
        let configurations = members.remove("configurations").map(|raw| raw.get().to_owned());
        for unknown in members.keys() {
            if findings.is_full(Severity::Error) {
                findings.drop_one();
                continue;
            }
            findings.push(Finding::error(
                if unknown.len() > MAX_NAME { String::new() } else { pointer_push("", unknown) },
                "unknown_member",
                format!("`{}` is not known for an integration. Remove it.", echo(unknown)),
            ));
        }
        match (name, url, auth_type, transport) {
            (Some(name), Some(url), Some(auth_type), Some(transport)) if findings.is_empty() => Ok(Self {
                name,
                slug,
                description,
                url,
                auth_type,
                transport,
                workspace,
                enabled: status != Some(Status::Disabled),
                global_access: access.is_some_and(|access| access.enabled),
                configurations,
                mapped,
            }),
            _ => Err(findings.into_findings()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Disabled,
}

/// What is expected where one of some words is.
fn one_of<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> String {
    let words: Vec<_> = all.iter().map(|one| format!("`{}`", word(*one))).collect();
    format!("One of {}", words.join(", "))
}

fn optional_member<T: DeserializeOwned>(
    members: &mut BTreeMap<String, &RawValue>,
    name: &str,
    what: &str,
    findings: &mut Report,
) -> Option<T> {
    let raw = members.remove(name)?;
    let read = serde_json::from_str(raw.get()).ok();
    if read.is_none() {
        let message = format!("{what} is expected for `{name}`.");
        findings.push(Finding::error(format!("/{name}"), "wrong_type", message));
    }
    read
}

fn required_member<T: DeserializeOwned>(
    members: &mut BTreeMap<String, &RawValue>,
    name: &str,
    what: &str,
    findings: &mut Report,
) -> Option<T> {
    if !members.contains_key(name) {
        let message = format!("`{name}` is required_member: {what}.");
        findings.push(Finding::error(format!("/{name}"), "missing_member", message));
    }
    optional_member(members, name, what, findings)
}
