//! What is known of capabilities, with what is allowed of them.

use crate::capabilities::Capabilities;
use crate::capabilities::rows::{Name, definition, of_integration, of_server};
use crate::lookup::integrations;
use crate::lookup::servers::{self, ServerRef};
use crate::pagination::{Page, PageRequest};
use crate::storage::columns::moment;
use crate::storage::entity::{capability, server_capability};
use crate::{Actor, Result};
use registry_core::capability::CapabilityKind;
use registry_core::clock::Timestamp;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// One capability of an integration or server.
#[derive(Clone, Debug)]
pub struct CapabilityItem {
    /// Its kind.
    pub kind: CapabilityKind,
    /// What it is called by: a name, a URI or a URI template.
    pub key: String,
    /// Whether it may be offered here.
    pub enabled: bool,
    /// Whether the integration allows it; where the integration itself is asked, the same as `enabled`.
    pub integration_enabled: bool,
    /// Its other members: `name`, `title`, `description`, `input_schema` and so on.
    pub definition: Map<String, Value>,
    /// When it was first seen or switched.
    pub created_at: Timestamp,
    /// When it was last described differently or switched.
    pub updated_at: Timestamp,
}

/// How many there are of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapabilityCount {
    /// All.
    pub total: u64,
    /// Those that may be offered.
    pub enabled: u64,
}

/// One page of capabilities, with the counts of all.
#[derive(Debug)]
pub struct CapabilityPage {
    /// The page.
    pub page: Page<CapabilityItem>,
    /// Counts over all pages and kinds.
    pub counts: BTreeMap<CapabilityKind, CapabilityCount>,
}

impl Capabilities<'_> {
    /// What is known of an integration's upstream. `kind`: only these; without `request` all of them.
    pub async fn of_integration(
        self,
        actor: &Actor,
        reference: &Reference,
        kind: Option<CapabilityKind>,
        request: Option<PageRequest>,
    ) -> Result<CapabilityPage> {
        actor.require(Permission::ReadIntegrations)?;
        let integration = integrations::find(self.registry.db(), actor, reference).await?;
        let rows = of_integration(self.registry.db(), integration.id).await?;
        let items = rows.into_values().map(of_row).collect::<Result<_>>()?;
        Ok(page(items, kind, request))
    }

    /// What is known of a server: what gateways saw there, or, before they did, what is known of its integration.
    pub async fn of_server(
        self,
        actor: &Actor,
        reference: &ServerRef,
        kind: Option<CapabilityKind>,
        request: Option<PageRequest>,
    ) -> Result<CapabilityPage> {
        actor.require_unless_gateway(Permission::ReadServers)?;
        let server = servers::find(self.registry.db(), actor, reference).await?;
        let above = of_integration(self.registry.db(), server.integration_id).await?;
        let own = of_server(self.registry.db(), server.id).await?;
        Ok(page(merge(above, own)?, kind, request))
    }
}

fn of_row(row: capability::Model) -> Result<CapabilityItem> {
    Ok(CapabilityItem {
        kind: super::rows::kind(&row.kind, row.integration_id)?,
        enabled: row.enabled,
        integration_enabled: row.enabled,
        definition: definition(&row.definition, row.integration_id)?,
        created_at: moment(row.created_at),
        updated_at: moment(row.updated_at),
        key: row.key,
    })
}

/// What a server offers: what was seen there, and what was switched there or above. Before anything was seen there, everything
/// that is known of the integration.
fn merge(
    above: BTreeMap<Name, capability::Model>,
    own: BTreeMap<Name, server_capability::Model>,
) -> Result<Vec<CapabilityItem>> {
    let was_seen = own.values().any(|row| row.definition.is_some());
    let mut items = BTreeMap::new();
    for (name, row) in above {
        // A name that is switched off above is shown also where it was not seen, so that it can be seen to be off.
        if !was_seen || own.contains_key(&name) || !row.enabled {
            items.insert(name, of_row(row)?);
        }
    }
    for (name, row) in own {
        let item = match items.remove(&name) {
            Some(item) => item,
            None => CapabilityItem {
                kind: name.0,
                key: name.1.clone(),
                enabled: true,
                integration_enabled: true,
                definition: Map::new(),
                created_at: moment(row.created_at),
                updated_at: moment(row.updated_at),
            },
        };
        items.insert(name, narrowed(item, &row)?);
    }
    Ok(items.into_values().collect())
}

fn narrowed(mut item: CapabilityItem, row: &server_capability::Model) -> Result<CapabilityItem> {
    item.enabled = item.integration_enabled && row.enabled.unwrap_or(true);
    if let Some(text) = &row.definition {
        item.definition = definition(text, row.server_id)?;
    }
    item.updated_at = item.updated_at.max(moment(row.updated_at));
    Ok(item)
}

/// At most `MAX_CAPABILITIES` are kept of each owner, so that they are counted and cut into pages in memory.
fn page(
    items: Vec<CapabilityItem>,
    kind: Option<CapabilityKind>,
    request: Option<PageRequest>,
) -> CapabilityPage {
    let mut counts: BTreeMap<CapabilityKind, CapabilityCount> = BTreeMap::new();
    for item in &items {
        let count = counts.entry(item.kind).or_default();
        count.total += 1;
        count.enabled += u64::from(item.enabled);
    }
    let chosen: Vec<_> = items.into_iter().filter(|item| kind.is_none_or(|kind| kind == item.kind)).collect();
    let page = match request {
        Some(request) => Page::cut(chosen, request),
        None => Page::whole(chosen),
    };
    CapabilityPage { page, counts }
}

/// The rows of a server and its integration that forbid something, by id; used by documents.
pub(super) fn forbidden(
    integration: &[capability::Model],
    server: &[server_capability::Model],
    owner: Uuid,
) -> Result<Vec<(CapabilityKind, String)>> {
    let above = integration.iter().filter(|row| !row.enabled).map(|row| (&row.kind, &row.key));
    let own = server.iter().filter(|row| row.enabled == Some(false)).map(|row| (&row.kind, &row.key));
    let mut names: Vec<_> = above
        .chain(own)
        .map(|(word, key)| Ok((super::rows::kind(word, owner)?, key.clone())))
        .collect::<Result<_>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}
