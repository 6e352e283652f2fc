//! What gateways get: one consistent document per server (INV-40).

use crate::gateway::Gateway;
use crate::gateway::prepare::Facts;
use crate::lookup::servers::ServerRef;
use crate::lookup::{servers, workspaces};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{hex, millis};
use crate::storage::entity::{audit_event, change, oauth_client};
use crate::storage::write::Event;
use crate::{Actor, Coding, Error, Result};
use bytes::Bytes;
use registry_core::id::WorkspaceId;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A resolved document, ready to be sent.
#[derive(Clone)]
pub struct GatewayDocument {
    /// JSON. Holds secrets.
    pub body: Bytes,
    /// Strong entity tag of `body`, with its quotes.
    pub etag: String,
    /// When this document last changed, as a change revision.
    pub revision: i64,
}

impl GatewayDocument {
    pub(crate) fn new(body: Vec<u8>, revision: i64) -> Self {
        Self { etag: entity_tag(&body), body: body.into(), revision }
    }

    /// The same in another coding, with the tag of that.
    pub(crate) fn coded(&self, coding: &str, body: Vec<u8>) -> Self {
        let etag = format!("{}-{coding}\"", self.etag.trim_end_matches('"'));
        Self { etag, body: body.into(), revision: self.revision }
    }
}

impl std::fmt::Debug for GatewayDocument {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "GatewayDocument({})", self.etag)
    }
}

/// Some of the documents, by their last change.
#[derive(Debug)]
pub struct GatewayPage {
    /// In the order of their last change.
    pub documents: Vec<GatewayDocument>,
    /// Whether there may be more after `revision`.
    pub has_more: bool,
    /// What this page reaches up to.
    pub revision: i64,
}

impl Gateway<'_> {
    /// The document of one server. The first reading of a secret by each key and generation is audited.
    pub async fn document(self, actor: &Actor, workspace: &str, server: &str) -> Result<GatewayDocument> {
        self.document_of(actor, workspace, server, None).await
    }

    /// As [`Self::gateway_document`], with the client of one generation: while a replaced client drains, users who signed
    /// in through it still refresh their tokens with it.
    pub async fn document_of(
        self,
        actor: &Actor,
        workspace: &str,
        server: &str,
        generation: Option<i64>,
    ) -> Result<GatewayDocument> {
        actor.require(Permission::FetchGatewayDocument)?;
        self.registry.gateway().admit_document(actor)?;
        let model = self.find_server(actor, workspace, server).await?;
        // One snapshot: a secret that is renewed meanwhile is neither missing nor beside another generation's id.
        let read = self.registry.begin_read().await?;
        let prepared = self.prepare(&read, &[model.id], generation).await?.pop();
        read.commit().await?;
        let prepared = prepared.ok_or_else(|| Error::not_found("server", server))?;
        if let (Some(generation), None) = (generation, &prepared.facts.client) {
            return Err(Error::not_found("generation", generation));
        }
        self.hand_out(actor, &[&prepared.facts]).await?;
        Ok(GatewayDocument::new(prepared.body, prepared.revision))
    }

    /// As [`Self::document`], of a server by id or slug.
    pub async fn document_of_server(self, actor: &Actor, reference: &ServerRef) -> Result<GatewayDocument> {
        actor.require(Permission::FetchGatewayDocument)?;
        let (workspace, server) = self.names(actor, reference).await?;
        self.document(actor, &workspace, &server).await
    }

    /// The slugs of the workspace and of the server.
    pub async fn names(self, actor: &Actor, reference: &ServerRef) -> Result<(String, String)> {
        actor.require(Permission::FetchGatewayDocument)?;
        let model = servers::find(self.registry.db(), actor, reference).await?;
        let workspace =
            workspaces::find(self.registry.db(), actor, &Reference::Id(model.workspace_id)).await?;
        Ok((workspace.slug, model.slug))
    }

    /// Documents in the order of their last change, after revision `since`; of one workspace if one is named. Servers that
    /// are gone are left out: the changes tell of them.
    pub async fn documents(
        self,
        actor: &Actor,
        workspace: Option<&str>,
        since: i64,
        most: u64,
    ) -> Result<GatewayPage> {
        actor.require(Permission::FetchGatewayDocument)?;
        self.registry.inner.gateway_limits.admit_page(actor)?;
        let read = self.registry.begin_read().await?;
        let workspace = match (workspace, actor.workspace()) {
            (Some(name), _) => Some(workspaces::find(&read, actor, &Reference::parse(name)).await?.id),
            (None, own) => own.map(|own| own.0),
        };
        let newest = Expr::col(change::Column::Revision).max();
        let mut select = change::Entity::find()
            .select_only()
            .column(change::Column::ServerId)
            .column_as(newest.clone(), "newest")
            .filter(change::Column::ServerId.is_not_null())
            .filter(change::Column::Revision.gt(since))
            .group_by(change::Column::ServerId)
            .order_by_asc(newest)
            .limit(most);
        if let Some(id) = workspace {
            select = select.filter(change::Column::WorkspaceId.eq(id));
        }
        let found: Vec<(Uuid, i64)> = select.into_tuple().all(&read).await?;
        let more = found.last().filter(|_| found.len() as u64 == most).map(|(_, revision)| *revision);
        let as_of = self.newest_revision(&read).await?;
        let ids: Vec<Uuid> = found.iter().map(|(id, _)| *id).collect();
        let mut prepared = self.prepare(&read, &ids, None).await?;
        read.commit().await?;
        prepared.sort_by_key(|one| one.revision);
        let facts: Vec<&Facts> = prepared.iter().map(|one| &one.facts).collect();
        self.hand_out(actor, &facts).await?;
        // A gateway that fetches the list fetches single documents next.
        let held = prepared.into_iter().map(|one| self.insert(one, as_of).coded(Coding::Identity).clone());
        let documents = held.collect();
        Ok(GatewayPage { documents, has_more: more.is_some(), revision: more.unwrap_or(as_of) })
    }

    pub(crate) async fn find_server(
        self,
        actor: &Actor,
        workspace: &str,
        server: &str,
    ) -> Result<crate::storage::entity::server::Model> {
        let reference =
            ServerRef { server: Reference::parse(server), workspace: Some(Reference::parse(workspace)) };
        servers::find(self.registry.db(), actor, &reference).await
    }

    /// Puts on record, before documents leave, that a gateway has their clients and has read their secrets.
    pub(crate) async fn hand_out(self, actor: &Actor, documents: &[&Facts]) -> Result<()> {
        self.mark_fetched(documents).await?;
        self.audit_secrets(actor, documents).await
    }

    /// Remembers that a gateway has these clients, so that they are not replaced without asking any more.
    async fn mark_fetched(self, documents: &[&Facts]) -> Result<()> {
        let clients = documents.iter().filter_map(|document| document.client);
        let new: Vec<Uuid> = clients.filter(|client| !client.fetched).map(|client| client.id).collect();
        if !new.is_empty() {
            oauth_client::Entity::update_many()
                .col_expr(oauth_client::Column::FetchedAt, Expr::value(millis(self.registry.now())))
                .filter(oauth_client::Column::Id.is_in(new))
                .filter(oauth_client::Column::FetchedAt.is_null())
                .exec(self.registry.db())
                .await?;
        }
        Ok(())
    }

    /// Puts the first reading of each document's secrets by this caller on record, for each generation (INV-41).
    async fn audit_secrets(self, actor: &Actor, documents: &[&Facts]) -> Result<()> {
        let secret = documents.iter().filter(|document| document.secret);
        let secret = secret.filter(|document| !self.counts_access(actor, document));
        let mut read: BTreeMap<String, &Facts> =
            secret.map(|document| (reading_of(document.secret_holder(), actor), *document)).collect();
        if read.is_empty() {
            return Ok(());
        }
        let known: Vec<String> = audit_event::Entity::find()
            .select_only()
            .column(audit_event::Column::SubjectId)
            .filter(audit_event::Column::SubjectKind.eq(READING))
            .filter(audit_event::Column::SubjectId.is_in(read.keys()))
            .into_tuple()
            .all(self.registry.db())
            .await?;
        for subject in known {
            if let Some(document) = read.remove(&subject) {
                self.count_access(actor, document);
            }
        }
        if read.is_empty() {
            return Ok(());
        }
        let mut write = self.registry.begin_record(actor).await?;
        for (subject, document) in read {
            let event = Event::new(AuditAction::ClientSecretRead, READING, subject)
                .named(&*document.name)
                .in_workspace(Some(WorkspaceId(document.workspace)))
                .after(json!({ "generation": document.client.map(|client| client.generation) }));
            write.audit(event);
        }
        write.commit().await
    }
}

/// The kind of subject that readings of secrets have in the audit log.
pub(crate) const READING: &str = "client_secret";

/// The subject of one caller's readings of one holder's secrets.
pub(crate) fn reading_of(holder: Uuid, reader: &Actor) -> String {
    format!("{holder}:{}", reader.who())
}

/// A strong entity tag of `bytes`, with its quotes (RFC 9110 §8.8.3).
pub fn entity_tag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex(&Sha256::digest(bytes)[..16]))
}
