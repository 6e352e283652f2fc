//! Resolved documents, prepared from one snapshot of the database. The caller has checked who may read them.

use crate::capabilities::disabled::disabled;
use crate::configuration::layers::{ServerLayers, ServerScope, auth_type};
use crate::gateway::Gateway;
use crate::lookup::clients::{active_clients, method, usable};
use crate::secrets::markers::{open_markers, without_markers};
use crate::storage::columns::json as read_json;
use crate::storage::entity::{change, oauth_client, registration};
use crate::{Error, Result};
use registry_core::capability::CapabilityKind;
use registry_core::id::SealedId;
use registry_core::metadata::EffectiveMetadata;
use registry_core::oauth::{Discovery, sanitize, shown_members};
use registry_core::registration::{ClientStatus, State};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::error::Error as _;
use uuid::Uuid;

/// What a gateway reads where something stored is damaged.
const DAMAGED: &str = "Something that is stored for this server is damaged; the log of this deployment says what. Enter its secrets again, register its client again, or restore a backup.";

/// A document with what must be known to hand it out.
pub(crate) struct Prepared {
    /// JSON. Holds secrets.
    pub(crate) body: Vec<u8>,
    /// When it last changed, as a change revision.
    pub(crate) revision: i64,
    /// Until when it may be handed out, in milliseconds since 1970: then a secret in it expires.
    pub(crate) valid_until: Option<i64>,
    pub(crate) facts: Facts,
}

/// What a document is about.
pub(crate) struct Facts {
    /// `workspace/server`, by slug.
    pub(crate) name: Box<str>,
    pub(crate) server: Uuid,
    pub(crate) workspace: Uuid,
    pub(crate) integration: Uuid,
    pub(crate) client: Option<HandedOut>,
    /// Whether secrets stand in it.
    pub(crate) secret: bool,
}

/// The client in a document.
#[derive(Clone, Copy)]
pub(crate) struct HandedOut {
    pub(crate) id: Uuid,
    pub(crate) generation: i64,
    /// Whether a gateway had it before.
    pub(crate) fetched: bool,
}

impl Facts {
    /// Whose secrets stand in the document: its client's, or, without one, the server's.
    pub(crate) fn secret_holder(&self) -> Uuid {
        self.client.map_or(self.server, |client| client.id)
    }
}

impl Gateway<'_> {
    /// The documents of live servers, each with its active client or with that of `generation`, all as of the snapshot of
    /// `read`. Servers that are gone are left out.
    pub(crate) async fn prepare(
        self,
        read: &DatabaseTransaction,
        servers: &[Uuid],
        generation: Option<i64>,
    ) -> Result<Vec<Prepared>> {
        let layers = self.registry.configurations().load(read, ServerScope::Servers(servers), false).await?;
        let rows = registration::Entity::find()
            .filter(registration::Column::ServerId.is_in(servers.iter().copied()))
            .all(read)
            .await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let clients = match generation {
            None => active_clients(read, ids).await?,
            Some(generation) => clients_of_generation(read, ids, generation).await?,
        };
        let rows: HashMap<Uuid, registration::Model> =
            rows.into_iter().map(|row| (row.server_id, row)).collect();
        let mut clients: HashMap<Uuid, oauth_client::Model> =
            clients.into_iter().map(|client| (client.registration_id, client)).collect();
        let revisions = last_changes(read, servers).await?;
        let owners: Vec<_> = layers.iter().map(|one| (one.server.id, one.integration.id)).collect();
        let disabled = disabled(read, &owners).await?;
        let mut prepared = Vec::with_capacity(layers.len());
        for layers in &layers {
            let row = rows.get(&layers.server.id);
            let client = row.and_then(|row| clients.remove(&row.id));
            let revision = revisions.get(&layers.server.id).copied().unwrap_or_default();
            let disabled = disabled.get(&layers.server.id).map_or(&[][..], Vec::as_slice);
            let found = Found { row, revision, disabled };
            let one = self.prepare_one(read, layers, found, client, None).await;
            prepared.push(match one {
                Err(error) => {
                    let Some(why) = Unreadable::of(&error) else { return Err(error) };
                    tracing::error!(server = %layers.server.id, %error, cause = error.source(), "a document goes without what cannot be read");
                    self.prepare_one(read, layers, found, None, Some(&why)).await?
                }
                Ok(one) => one,
            });
        }
        Ok(prepared)
    }

    /// `unreadable` says why not all that is stored for this server can be read: then its document goes without secrets.
    async fn prepare_one(
        self,
        read: &DatabaseTransaction,
        layers: &ServerLayers,
        Found { row, revision, disabled }: Found<'_>,
        client: Option<oauth_client::Model>,
        unreadable: Option<&Unreadable>,
    ) -> Result<Prepared> {
        let client = match client.filter(|client| usable(client, self.registry.now()) && layers.enabled) {
            Some(client) => {
                let discovery: Discovery =
                    read_json(&client.discovery, "oauth_client", "discovery", client.id)?;
                // A client made for another address is not handed out beside this one: one document, never a mix.
                (discovery.mcp_url == layers.integration.url).then_some((client, discovery))
            }
            None => None,
        };
        let (client, discovery) = client.unzip();
        let mut document = head(layers, revision)?;
        let mut secret = client.as_ref().is_some_and(|client| client.client_secret_id.is_some());
        if layers.enabled {
            if let Some(row) = row {
                document
                    .insert("registration".into(), registration_member(row, client.as_ref(), unreadable)?);
            }
            let effective = layers.resolution().effective;
            if let (Some(client), Some(discovery)) = (&client, discovery) {
                self.add_client_members(read, &mut document, &effective, client, discovery).await?;
            }
            let mut gateway = Value::Object(effective.gateway);
            if unreadable.is_some() {
                without_markers(&mut gateway);
            }
            secret |= open_markers(self.registry, read, &mut gateway).await? > 0;
            if !disabled.is_empty() {
                let names = disabled.iter().map(|(kind, key)| json!({ "type": kind, "name": key }));
                document.insert("disabled_capabilities".into(), names.collect());
            }
            if let Value::Object(members) = gateway {
                document.extend(members.into_iter().filter(|(name, _)| !document_owns(name)));
            }
        }
        Ok(Prepared {
            body: serde_json::to_vec(&document)?,
            revision,
            valid_until: client.as_ref().and_then(|client| client.client_secret_expires_at),
            facts: Facts {
                name: format!("{}/{}", layers.workspace.slug, layers.server.slug).into(),
                server: layers.server.id,
                workspace: layers.workspace.id,
                integration: layers.integration.id,
                client: client.map(|client| HandedOut {
                    id: client.id,
                    generation: client.generation,
                    fetched: client.fetched_at.is_some(),
                }),
                secret,
            },
        })
    }

    async fn add_client_members(
        self,
        read: &DatabaseTransaction,
        document: &mut Map<String, Value>,
        effective: &EffectiveMetadata,
        client: &oauth_client::Model,
        discovery: Discovery,
    ) -> Result<()> {
        let mut server = presentable(discovery.metadata);
        server.insert("metadata_url".into(), json!(discovery.metadata_url));
        document.insert("generation".into(), json!(client.generation));
        document.insert("authorization_server".into(), Value::Object(server));

        let response: Map<String, Value> =
            read_json(&client.response, "oauth_client", "response", client.id)?;
        let mut members = presentable(response);
        // The warnings were recorded with the client; a client of an earlier release goes without them.
        let _ = shown_members(&mut members);
        // Only the callbacks that were asked for, also of what an earlier release kept.
        if let Some(asked) = asked_callbacks(client)? {
            members.insert("redirect_uris".into(), asked);
        }
        // What the answer left out holds as it was asked for (RFC 7591 §3.2.1 demands all of it; many leave some out).
        for name in ["redirect_uris", "grant_types", "response_types", "client_name"] {
            if let Some(value) = effective.client_metadata.get(name) {
                members.entry(name).or_insert_with(|| value.clone());
            }
        }
        // Managing the client is ours; its address without the token is of no use to a gateway.
        members.remove("registration_client_uri");
        members.insert("client_id".into(), json!(client.client_id));
        members.insert("token_endpoint_auth_method".into(), json!(client.auth_method));
        members.insert("issuer".into(), json!(client.issuer));
        if let Some(issued) = client.client_id_issued_at {
            members.insert("client_id_issued_at".into(), json!(issued));
        }
        if let Some(sealed) = client.client_secret_id {
            let secret = self.registry.open_sealed(read, SealedId(sealed)).await?;
            members.insert("client_secret".into(), json!(secret.expose()));
            // 0: never (RFC 7591 §3.2.1).
            let expiry = client.client_secret_expires_at.map_or(0, |millis| millis / 1000);
            members.insert("client_secret_expires_at".into(), json!(expiry));
        }
        let scope = members
            .get("scope")
            .or_else(|| effective.client_metadata.get("scope"))
            .cloned()
            .unwrap_or_else(|| json!(discovery.scopes.join(" ")));
        document.insert("client".into(), Value::Object(members));
        document.insert("resource".into(), json!(discovery.resource));
        if scope.as_str().is_some_and(|scope| !scope.is_empty()) {
            document.insert("scope".into(), scope);
        }
        if !effective.authorization_params.is_empty() {
            document
                .insert("authorization_params".into(), Value::Object(effective.authorization_params.clone()));
        }
        // One client serves all users of this server, so the gateway owes each of them a consent of its own
        // (MCP security best practices, "confused deputy").
        document.insert("shared_upstream_client".into(), json!(true));
        Ok(())
    }
}

/// What was found of one server beside its layers.
#[derive(Clone, Copy)]
struct Found<'a> {
    row: Option<&'a registration::Model>,
    /// When it last changed.
    revision: i64,
    /// What it may not offer.
    disabled: &'a [(CapabilityKind, String)],
}

/// Why not all that is stored for a server can be read.
struct Unreadable {
    reason: &'static str,
    detail: String,
}

impl Unreadable {
    /// `None`: the error says nothing about this one server.
    fn of(error: &Error) -> Option<Self> {
        match error {
            Error::KeyMissing(_) => Some(Self { reason: "sealing_key_missing", detail: error.to_string() }),
            _ if error.is_damage() => {
                Some(Self { reason: "stored_data_damaged", detail: DAMAGED.to_owned() })
            }
            _ => None,
        }
    }
}

/// When each of these servers last changed.
pub(crate) async fn last_changes(
    read: &impl ConnectionTrait,
    servers: &[Uuid],
) -> Result<HashMap<Uuid, i64>> {
    if servers.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<(Uuid, i64)> = change::Entity::find()
        .select_only()
        .column(change::Column::ServerId)
        .column_as(change::Column::Revision.max(), "revision")
        .filter(change::Column::ServerId.is_in(servers.iter().copied()))
        .group_by(change::Column::ServerId)
        .into_tuple()
        .all(read)
        .await?;
    Ok(found.into_iter().collect())
}

/// The members that every document has.
fn head(layers: &ServerLayers, revision: i64) -> Result<Map<String, Value>> {
    let head = json!({
        "workspace": layers.workspace.slug,
        "server": layers.server.slug,
        "integration": layers.integration.slug,
        "url": layers.integration.url,
        "transport": layers.integration.transport,
        "auth_type": auth_type(&layers.integration)?,
        "revision": revision,
        "status": if layers.enabled { "active" } else { "disabled" },
        "layer_revisions": {
            "organisation": layers.server.organisation_revision,
            "integration": layers.integration.configuration_revision,
            "workspace": layers.workspace_revision,
            "server": layers.server.configuration_revision,
        },
    });
    let mut head = match head {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    if !layers.enabled {
        let whose = if layers.integration.enabled { "access_disabled" } else { "integration_disabled" };
        head.insert("reason".into(), json!(whose));
    }
    Ok(head)
}

/// Members that the registry itself answers for; an Advanced Configuration cannot set them. `transport` there is an
/// object of gateway hints and would otherwise replace the integration's transport.
fn document_owns(name: &str) -> bool {
    matches!(name, "transport" | "disabled_capabilities")
}

fn registration_member(
    row: &registration::Model,
    client: Option<&oauth_client::Model>,
    unreadable: Option<&Unreadable>,
) -> Result<Value> {
    let mut member = Map::new();
    if let Some(why) = unreadable {
        member.insert("state".into(), json!(State::Failed.as_str()));
        member.insert("reason".into(), json!(why.reason));
        member.insert("detail".into(), json!(why.detail));
        return Ok(Value::Object(member));
    }
    member.insert("state".into(), json!(row.state));
    if let Some(client) = client {
        member.insert("method".into(), json!(method(client)?));
    }
    if let Some(reason) = &row.reason {
        member.insert("reason".into(), json!(reason));
    }
    if let Some(detail) = &row.detail {
        member.insert("detail".into(), json!(detail));
    }
    Ok(Value::Object(member))
}

/// The callbacks that a registered client was last asked for; `None` for a client that was not registered (pre-registered, or a published document).
fn asked_callbacks(client: &oauth_client::Model) -> Result<Option<Value>> {
    let Some(text) = &client.request else { return Ok(None) };
    let mut request: Map<String, Value> = read_json(text, "oauth_client", "request", client.id)?;
    Ok(request.shift_remove("redirect_uris").filter(Value::is_array))
}

/// Without the nulls and empty texts that MCP SDKs cannot parse (INV-40), and without what must not be handed
/// on: it was taken out when it came, but an earlier release may have kept it.
fn presentable(mut members: Map<String, Value>) -> Map<String, Value> {
    sanitize(&mut members, "", &mut Vec::new());
    members.into_iter().filter(|(_, value)| !value.is_null() && value.as_str() != Some("")).collect()
}

/// The clients of this generation, active or draining.
pub(crate) async fn clients_of_generation(
    read: &DatabaseTransaction,
    registrations: impl IntoIterator<Item = Uuid>,
    generation: i64,
) -> Result<Vec<oauth_client::Model>> {
    Ok(oauth_client::Entity::find()
        .filter(oauth_client::Column::RegistrationId.is_in(registrations))
        .filter(oauth_client::Column::Generation.eq(generation))
        .filter(
            oauth_client::Column::Status
                .is_in([ClientStatus::Active.as_str(), ClientStatus::Draining.as_str()]),
        )
        .all(read)
        .await?)
}
