//! Integrations as text: copies of one, exports of many.

use crate::integrations::Integrations;
use crate::integrations::list::IntegrationFilter;
use crate::pagination::PageRequest;
use crate::{Actor, Integration, NewIntegration, Result, SecretMapping};
use registry_core::metadata::map_markers;
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::{Reference, Slug};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A copy of an integration.
#[derive(Clone, Debug)]
pub struct DuplicatedIntegration {
    /// The copy.
    pub value: Integration,
    /// JSON Pointers into its Advanced Configuration: secrets that were not copied, and members that come from a secret that
    /// the operator declared and are not mapped in the copy.
    pub left_out: Vec<String>,
}

/// What every export begins with, so that a reader knows what it holds.
const EXPORT_OBJECT: &str = "mcp-integrations";

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
pub(crate) struct GlobalAccess {
    pub(crate) enabled: bool,
}

impl Integrations<'_> {
    /// Creates an integration like another one: its address, authentication and Advanced Configuration, without its secrets,
    /// its servers and its workspace access. It belongs where the original belongs; made by somebody who is bound to a
    /// workspace, to that workspace.
    pub async fn duplicate(
        self,
        actor: &Actor,
        reference: &Reference,
        name: String,
        slug: Option<String>,
    ) -> Result<DuplicatedIntegration> {
        let original = self.get(actor, reference).await?;
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
        let value = self.create(actor, new).await?.value;
        Ok(DuplicatedIntegration { value, left_out })
    }

    /// Integrations as JSON text, in the order of `filter`. Secrets are markers, which mean nothing elsewhere.
    pub async fn export(self, actor: &Actor, filter: IntegrationFilter) -> Result<String> {
        let (mut found, mut request) = (Vec::new(), PageRequest::new(0, 1000));
        loop {
            let page = self.list(actor, filter.clone(), request).await?;
            found.extend(page.items);
            let Some(next) = page.next else { break };
            request = request.at(Some(next));
        }
        exported(&found)
    }

    /// These integrations as JSON text, of the same shape as [`Self::export_integrations`].
    pub async fn export_these(self, actor: &Actor, these: &[Reference]) -> Result<String> {
        let mut found = Vec::with_capacity(these.len());
        for reference in these {
            found.push(self.get(actor, reference).await?);
        }
        exported(&found)
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
    Ok(serde_json::to_string_pretty(&Export { object: EXPORT_OBJECT, integrations })?)
}
