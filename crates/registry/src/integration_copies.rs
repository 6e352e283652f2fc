//! Integrations as text: copies of one, exports of many, and imports, which are done whole or not at all.

use crate::access::set_global;
use crate::integration_list::IntegrationFilter;
use crate::page::PageRequest;
use crate::write::Write;
use crate::{Actor, Error, Integration, NewIntegration, Registry, Result, SecretMapping};
use registry_core::finding::{Finding, Findings};
use registry_core::locate::placed;
use registry_core::metadata::map_markers;
use registry_core::nul;
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::{Reference, Slug};
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A copy of an integration.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The copy.
    pub value: Integration,
    /// JSON Pointers into its Advanced Configuration: secrets that were not copied, and members that come from a secret that
    /// the operator declared and are not mapped in the copy.
    pub left_out: Vec<String>,
}

/// What an import made.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The integrations, in the order of the text.
    pub integrations: Vec<Integration>,
    /// Warnings and notices, with their places in the text.
    pub findings: Findings,
}

/// What every export begins with, so that a reader knows what it holds.
const KIND: &str = "mcp-integrations";

/// The most integrations one import may make.
const MOST: usize = 500;

/// What is said of mappings in an import.
const NOT_IMPORTED: &str = "Members that come from declared secrets are not imported. Map them again over the API, to secrets that the operator of this deployment declared.";

#[derive(Serialize)]
struct Export<'a> {
    object: &'static str,
    integrations: Vec<Exported<'a>>,
}

#[derive(Serialize)]
struct Exported<'a> {
    name: &'a str,
    slug: &'a Slug,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    url: &'a str,
    auth_type: AuthType,
    transport: Transport,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<&'a Slug>,
    global_workspace_access: GlobalAccess,
    #[serde(skip_serializing_if = "Option::is_none")]
    configurations: Option<Box<RawValue>>,
    /// For readers: an import leaves them out, because names of secrets mean something else elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secret_mappings: Vec<&'a SecretMapping>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GlobalAccess {
    enabled: bool,
}

impl Registry {
    /// Makes an integration like another one: its address, authentication and Advanced Configuration, without its secrets,
    /// its servers and its workspace access. It belongs where the original belongs; made by somebody who is bound to a
    /// workspace, to that workspace.
    pub async fn duplicate_integration(
        &self,
        actor: &Actor,
        reference: &Reference,
        name: String,
        slug: Option<String>,
    ) -> Result<Copied> {
        let original = self.integration(actor, reference).await?;
        let (configuration, mut left_out) = without_secrets(original.configuration.as_deref());
        left_out.extend(original.secret_mappings.iter().map(|mapped| mapped.mapping.pointer()));
        let workspace = actor.workspace().or(original.workspace.map(|workspace| workspace.id));
        let new = NewIntegration {
            name,
            slug,
            description: original.description,
            url: original.url,
            auth_type: original.auth_type,
            transport: original.transport,
            workspace: workspace.map(Into::into),
            configuration,
            secret_mappings: Vec::new(),
        };
        let value = self.create_integration(actor, new).await?.value;
        Ok(Copied { value, left_out })
    }

    /// Integrations as JSON text, in the order of `filter`. Secrets are markers, which mean nothing elsewhere.
    pub async fn export_integrations(&self, actor: &Actor, filter: IntegrationFilter) -> Result<String> {
        let mut found = Vec::new();
        for number in 0.. {
            let request = PageRequest::new(number, 1000);
            let page = self.integrations(actor, filter.clone(), request).await?;
            let more = page.has_more(request);
            found.extend(page.items);
            if !more {
                break;
            }
        }
        exported(&found)
    }

    /// These integrations as JSON text, of the same shape as [`Self::export_integrations`].
    pub async fn export_these_integrations(&self, actor: &Actor, these: &[Reference]) -> Result<String> {
        let mut found = Vec::with_capacity(these.len());
        for reference in these {
            found.push(self.integration(actor, reference).await?);
        }
        exported(&found)
    }

    /// Makes the integrations that `text` names, all of them or none. `text` is what an export gives, a list of
    /// integrations, or one; each as `POST /v1/mcp-integrations` takes it.
    pub async fn import_integrations(&self, actor: &Actor, text: &str) -> Result<Imported> {
        let mut write = self.begin_write(actor).await?;
        let imported = self.add_all(&mut write, actor, text).await?;
        write.commit().await?;
        Ok(imported)
    }

    /// What an import would make; nothing is kept.
    pub async fn weigh_import(&self, actor: &Actor, text: &str) -> Result<Imported> {
        let mut write = self.begin_write(actor).await?;
        self.add_all(&mut write, actor, text).await
    }

    async fn add_all(&self, write: &mut Write<'_>, actor: &Actor, text: &str) -> Result<Imported> {
        actor.require(Permission::CreateIntegrations)?;
        let (prefix, items) = items(text).map_err(Error::Invalid)?;
        let mut integrations = Vec::with_capacity(items.len());
        let mut findings = Findings::default();
        for (index, item) in items.into_iter().enumerate() {
            let place = prefix.map(|prefix| format!("{prefix}/{index}")).unwrap_or_default();
            match self.add_one(write, actor, item).await {
                Ok((integration, found)) => {
                    findings.extend_below(&place, found);
                    integrations.push(integration);
                }
                Err(Error::Invalid(found)) => findings.extend_below(&place, found),
                Err(Error::Conflict { code, message, pointer }) => {
                    findings.push(Finding::error(place + pointer.unwrap_or_default(), code, message));
                }
                Err(error @ Error::NotFound { what: "workspace", .. }) => {
                    findings.push(Finding::error(place + "/workspace", "not_found", error.to_string()));
                }
                Err(other) => return Err(other),
            }
        }
        let findings = placed(text, findings).into_result().map_err(Error::Invalid)?;
        Ok(Imported { integrations, findings })
    }

    async fn add_one(
        &self,
        write: &mut Write<'_>,
        actor: &Actor,
        item: &RawValue,
    ) -> Result<(Integration, Findings)> {
        let item = Item::read(item).map_err(Error::Invalid)?;
        let workspace = match (item.workspace, actor.workspace()) {
            (Some(named), _) => Some(Reference::parse(&named)),
            (None, own) => own.map(Into::into),
        };
        let new = NewIntegration {
            name: item.name,
            slug: item.slug,
            description: item.description,
            url: item.url,
            auth_type: item.auth_type,
            transport: item.transport,
            workspace,
            configuration: item.configurations,
            secret_mappings: Vec::new(),
        };
        let (mut model, mut findings) = self.create_integration_in(write, actor, new, None).await?;
        if item.mapped {
            findings.push(Finding::warning("/secret_mappings", "not_imported", NOT_IMPORTED));
        }
        if !item.enabled {
            model.enabled = false;
            model.clone().into_active_model().reset_all().update(&write.txn).await?;
        }
        if item.global_access {
            set_global(write, actor, &model, true, false).await?;
        }
        Ok((self.show(&write.txn, actor, model).await?, findings))
    }
}

/// A configuration with `null`, which means "not set", in place of each secret, and where these stood.
fn without_secrets(text: Option<&str>) -> (Option<String>, Vec<String>) {
    let mut left_out = Vec::new();
    let text = text.and_then(|text| {
        map_markers(text, |pointer, _| {
            left_out.push(pointer.to_owned());
            None
        })
    });
    (text, left_out)
}

fn exported(integrations: &[Integration]) -> Result<String> {
    let integrations = integrations
        .iter()
        .map(|one| {
            Ok(Exported {
                name: &one.name,
                slug: &one.slug,
                description: one.description.as_deref(),
                url: &one.url,
                auth_type: one.auth_type,
                transport: one.transport,
                status: if one.enabled { "active" } else { "disabled" },
                workspace: one.workspace.as_ref().map(|workspace| &workspace.slug),
                global_workspace_access: GlobalAccess { enabled: one.global_access },
                configurations: one.configuration.clone().map(RawValue::from_string).transpose()?,
                secret_mappings: one.secret_mappings.iter().map(|mapped| &mapped.mapping).collect(),
            })
        })
        .collect::<Result<_>>()?;
    Ok(serde_json::to_string_pretty(&Export { object: KIND, integrations })?)
}

/// The integrations in a text, and the pointer of the list they stand in, if it is one.
fn items(text: &str) -> std::result::Result<(Option<&'static str>, Vec<&RawValue>), Findings> {
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
        1..=MOST => Ok(found),
        many => Err(Finding::error(
            "",
            "too_many",
            format!("These are {many} integrations; one import takes {MOST}. Split it."),
        )
        .into()),
    }
}

/// One integration of an import.
struct Item {
    name: String,
    slug: Option<String>,
    description: Option<String>,
    url: String,
    auth_type: AuthType,
    transport: Transport,
    workspace: Option<String>,
    enabled: bool,
    global_access: bool,
    configurations: Option<String>,
    /// Whether it names secrets that the operator declared.
    mapped: bool,
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
    fn read(item: &RawValue) -> std::result::Result<Self, Findings> {
        let mut findings = Findings::default();
        let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(item.get()) else {
            let finding = Finding::error("", "wrong_type", "An integration is a JSON object.");
            return Err(finding.into());
        };
        let mut members: BTreeMap<String, &RawValue> =
            members.into_iter().filter(|(_, value)| value.get() != "null").collect();
        for name in READ_ONLY {
            members.remove(name);
        }
        let name = needed(&mut members, "name", "A text", &mut findings);
        let url = needed(&mut members, "url", "The address of the MCP server, a text", &mut findings);
        let auth_type =
            needed(&mut members, "auth_type", &one_of(AuthType::ALL, AuthType::as_str), &mut findings);
        let transport =
            needed(&mut members, "transport", &one_of(Transport::ALL, Transport::as_str), &mut findings);
        let slug = taken(&mut members, "slug", "A text", &mut findings);
        let description = taken(&mut members, "description", "A text", &mut findings);
        let by_id = taken(&mut members, "workspace_id", "A text", &mut findings);
        let workspace = taken(&mut members, "workspace", "A text", &mut findings).or(by_id);
        let access: Option<GlobalAccess> =
            taken(&mut members, "global_workspace_access", "`{\"enabled\": true}`", &mut findings);
        let status: Option<Status> = taken(&mut members, "status", "`active` or `disabled`", &mut findings);
        let mapped = members.remove("secret_mappings").is_some_and(|raw| raw.get() != "[]");
        let configurations = members.remove("configurations").map(|raw| raw.get().to_owned());
        for unknown in members.keys() {
            findings.push(Finding::error(
                registry_core::finding::pointer_push("", unknown),
                "unknown_member",
                format!("`{unknown}` is not known for an integration. Remove it."),
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
            _ => Err(findings),
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

fn taken<T: DeserializeOwned>(
    members: &mut BTreeMap<String, &RawValue>,
    name: &str,
    what: &str,
    findings: &mut Findings,
) -> Option<T> {
    let raw = members.remove(name)?;
    let read = serde_json::from_str(raw.get()).ok();
    if read.is_none() {
        let message = format!("{what} is expected for `{name}`.");
        findings.push(Finding::error(format!("/{name}"), "wrong_type", message));
    }
    read
}

fn needed<T: DeserializeOwned>(
    members: &mut BTreeMap<String, &RawValue>,
    name: &str,
    what: &str,
    findings: &mut Findings,
) -> Option<T> {
    if !members.contains_key(name) {
        let message = format!("`{name}` is needed: {what}.");
        findings.push(Finding::error(format!("/{name}"), "missing_member", message));
    }
    taken(members, name, what, findings)
}
