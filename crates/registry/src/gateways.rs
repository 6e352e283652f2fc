//! What gateways get: one consistent document per server (`domain.md` §6).

use crate::entity::{change, oauth_client, registration};
use crate::layers::{Scope, ServerLayers, auth_type};
use crate::registrations::{active_clients, method, usable};
use crate::secrets::open_markers;
use crate::servers::{self, ServerRef};
use crate::stored::{hex, json as read_json, millis};
use crate::write::Event;
use crate::{Actor, Error, Registry, Result};
use registry_core::id::{SealedId, ServerId, WorkspaceId};
use registry_core::metadata::EffectiveMetadata;
use registry_core::oauth::Discovery;
use registry_core::permission::Permission;
use registry_core::registration::ClientStatus;
use registry_core::slug::Reference;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// A resolved document, ready to be sent.
#[derive(Clone)]
pub struct GatewayDocument {
    /// JSON. Holds secrets.
    pub body: Vec<u8>,
    /// Strong entity tag of `body`, with its quotes.
    pub etag: String,
    /// When this document last changed, as a change revision.
    pub revision: i64,
}

impl std::fmt::Debug for GatewayDocument {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "GatewayDocument({})", self.etag)
    }
}

impl Registry {
    /// The document of one server. The first reading of a secret by each key and generation is audited.
    pub async fn gateway_document(
        &self,
        actor: &Actor,
        workspace: &str,
        server: &str,
    ) -> Result<GatewayDocument> {
        self.gateway_document_of(actor, workspace, server, None).await
    }

    /// As [`Self::gateway_document`], with the client of one generation: while a replaced client drains, people who signed
    /// in through it still refresh their tokens with it.
    pub async fn gateway_document_of(
        &self,
        actor: &Actor,
        workspace: &str,
        server: &str,
        generation: Option<i64>,
    ) -> Result<GatewayDocument> {
        actor.require(Permission::FetchGatewayDocument)?;
        let model = self.find_gateway_server(actor, workspace, server).await?;
        let id = ServerId(model.id);
        // One moment: a secret that is renewed meanwhile is neither missing nor beside another generation's id.
        let read = self.begin_read().await?;
        let layers = self
            .load_layers(&read, Scope::Server(id), false)
            .await?
            .pop()
            .ok_or_else(|| Error::not_found("server", server))?;
        let row = registration::Entity::find()
            .filter(registration::Column::ServerId.eq(model.id))
            .one(&read)
            .await?;
        let client = match (&row, generation) {
            (Some(row), None) => active_clients(&read, [row.id]).await?.pop(),
            (Some(row), Some(generation)) => client_of_generation(&read, row.id, generation).await?,
            (None, _) => None,
        };
        if let (Some(generation), None) = (generation, &client) {
            return Err(Error::not_found("generation", generation));
        }
        let mut client = client.filter(|client| usable(client, self.now()) && layers.enabled);
        if let Some(one) = &client {
            // A client made for another address is not handed out beside this one: one document, never a mix.
            let discovery: Discovery = read_json(&one.discovery, "oauth_client", "discovery", one.id)?;
            if discovery.mcp_url != layers.integration.url {
                client = None;
            }
        }
        let revision = server_revision(&read, id).await?;
        let mut document = head(&layers, revision)?;
        if layers.enabled {
            if let Some(row) = &row {
                document.insert("registration".into(), registration_member(row, client.as_ref())?);
            }
            let effective = self.resolve_server(&layers).effective;
            if let Some(client) = &client {
                self.add_client_members(&read, &mut document, &effective, client).await?;
            }
            let mut gateway = Value::Object(effective.gateway);
            open_markers(self, &read, &mut gateway).await?;
            if let Value::Object(members) = gateway {
                document.extend(members.into_iter().filter(|(name, _)| !document_owns(name)));
            }
        }
        read.commit().await?;
        if let Some(client) = client.filter(|_| layers.enabled) {
            self.mark_fetched(&client).await?;
            self.audit_secret(actor, &layers, &client).await?;
        }
        let body = serde_json::to_vec(&document)?;
        let etag = entity_tag(&body);
        Ok(GatewayDocument { body, etag, revision })
    }

    pub(crate) async fn find_gateway_server(
        &self,
        actor: &Actor,
        workspace: &str,
        server: &str,
    ) -> Result<crate::entity::server::Model> {
        let reference =
            ServerRef { server: Reference::parse(server), workspace: Some(Reference::parse(workspace)) };
        servers::find(self.db(), actor, &reference).await
    }

    async fn add_client_members(
        &self,
        read: &DatabaseTransaction,
        document: &mut Map<String, Value>,
        effective: &EffectiveMetadata,
        client: &oauth_client::Model,
    ) -> Result<()> {
        let discovery: Discovery = read_json(&client.discovery, "oauth_client", "discovery", client.id)?;
        let mut server = presentable(discovery.metadata.clone());
        server.insert("metadata_url".into(), json!(discovery.metadata_url));
        document.insert("generation".into(), json!(client.generation));
        document.insert("authorization_server".into(), Value::Object(server));

        let response: Map<String, Value> =
            read_json(&client.response, "oauth_client", "response", client.id)?;
        let mut members = presentable(response);
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
            let secret = self.open_sealed(read, SealedId(sealed)).await?;
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

    /// Remembers that a gateway has this client, so that it is not replaced without asking any more.
    async fn mark_fetched(&self, client: &oauth_client::Model) -> Result<()> {
        if client.fetched_at.is_none() {
            oauth_client::Entity::update_many()
                .col_expr(oauth_client::Column::FetchedAt, Expr::value(millis(self.now())))
                .filter(oauth_client::Column::Id.eq(client.id))
                .filter(oauth_client::Column::FetchedAt.is_null())
                .exec(self.db())
                .await?;
        }
        Ok(())
    }

    /// Puts the first reading of a client's secret by this key on record (`domain.md` §6).
    async fn audit_secret(
        &self,
        actor: &Actor,
        layers: &ServerLayers,
        client: &oauth_client::Model,
    ) -> Result<()> {
        if client.client_secret_id.is_none() {
            return Ok(());
        }
        let who = actor.id.clone().unwrap_or_else(|| actor.name.clone());
        let subject = format!("{}:{}", client.id, who);
        let known = crate::entity::audit_event::Entity::find()
            .filter(crate::entity::audit_event::Column::SubjectKind.eq("client_secret"))
            .filter(crate::entity::audit_event::Column::SubjectId.eq(&subject))
            .one(self.db())
            .await?;
        if known.is_some() {
            return Ok(());
        }
        let mut write = self.begin_write(actor).await?;
        let mut event = Event::new("client_secret.read", "client_secret", subject)
            .named(format!("{}/{}", layers.workspace.slug, layers.server.slug))
            .in_workspace(Some(WorkspaceId(layers.workspace.id)));
        event.after = Some(json!({ "generation": client.generation }));
        write.audit(event);
        write.commit().await
    }
}

/// A client that is active or draining.
async fn client_of_generation(
    read: &DatabaseTransaction,
    registration: uuid::Uuid,
    generation: i64,
) -> Result<Option<oauth_client::Model>> {
    Ok(oauth_client::Entity::find()
        .filter(oauth_client::Column::RegistrationId.eq(registration))
        .filter(oauth_client::Column::Generation.eq(generation))
        .filter(oauth_client::Column::Status.ne(ClientStatus::Withdrawn.as_str()))
        .one(read)
        .await?)
}

async fn server_revision(read: &DatabaseTransaction, server: ServerId) -> Result<i64> {
    let newest: Option<i64> = change::Entity::find()
        .select_only()
        .column(change::Column::Revision)
        .filter(change::Column::ServerId.eq(server.0))
        .order_by_desc(change::Column::Revision)
        .limit(1)
        .into_tuple()
        .one(read)
        .await?;
    Ok(newest.unwrap_or(0))
}

/// A strong entity tag of `bytes`, with its quotes (RFC 9110 §8.8.3).
pub fn entity_tag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex(&Sha256::digest(bytes)[..16]))
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
    name == "transport"
}

fn registration_member(row: &registration::Model, client: Option<&oauth_client::Model>) -> Result<Value> {
    let mut member = Map::new();
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

/// Without the nulls and empty texts that MCP SDKs cannot parse (`standards.md` §8.4).
fn presentable(members: Map<String, Value>) -> Map<String, Value> {
    members.into_iter().filter(|(_, value)| !value.is_null() && value.as_str() != Some("")).collect()
}
