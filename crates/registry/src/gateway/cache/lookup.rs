//! A gateway's GET: from memory, or loaded once for all callers that wait for the same document.

use super::access_log::Access;
use super::document::CachedDocument;
use super::identity::fingerprint;
use crate::gateway::Gateway;
use crate::gateway::prepare::Prepared;
use crate::storage::columns::millis;
use crate::{Actor, Error, Result};
use registry_core::id::WorkspaceId;
use registry_core::permission::Permission;
use std::sync::Arc;

impl Gateway<'_> {
    /// The document `workspace/server` for the bearer of `credential`, from memory, without the database and without a lock.
    /// `None` decides nothing: authenticate, and ask [`Self::load_document`].
    pub fn cached_document(self, credential: &str, name: &str) -> Option<Arc<CachedDocument>> {
        self.cached(credential, name, false)
    }

    /// As [`Self::cached_document`], also when it may have changed since: for when the database does not answer.
    pub fn last_known_document(self, credential: &str, name: &str) -> Option<Arc<CachedDocument>> {
        self.cached(credential, name, true)
    }

    fn cached(self, credential: &str, name: &str, outdated: bool) -> Option<Arc<CachedDocument>> {
        let live = &self.registry.inner.live;
        if !live.is_watching() {
            return None;
        }
        let now = millis(self.registry.now());
        let identity = live.identities.get(&fingerprint(credential), now)?;
        let held = live.documents.get(name, now, outdated)?;
        if !identity.actor.sees(WorkspaceId(held.facts.workspace)) || !held.is_handed_out() {
            return None;
        }
        if held.facts.secret {
            let accesses = live.access_log.pin();
            accesses.get(&(identity.who, held.facts.secret_holder()))?.count();
        }
        Some(held)
    }

    /// The document of one server, loaded by one caller at a time and cached from then on. The first read of secrets by each
    /// caller and generation is audited before it is answered. It is at least as new as the change `at_least`.
    pub async fn load_document(
        self,
        actor: &Actor,
        credential: &str,
        (workspace, server): (&str, &str),
        at_least: i64,
    ) -> Result<Arc<CachedDocument>> {
        actor.require(Permission::FetchGatewayDocument)?;
        let live = &self.registry.inner.live;
        let name = format!("{workspace}/{server}");
        let lock = live.documents.lock(&name);
        let loaded = {
            let _guard = lock.lock().await;
            self.load(actor, &name, (workspace, server), at_least).await
        };
        live.documents.release(&name, lock);
        let held = loaded?;
        self.hand_out(actor, &[&held.facts]).await?;
        held.set_handed_out();
        if held.facts.secret
            && let Some(identity) = live.identities.get(&fingerprint(credential), millis(self.registry.now()))
        {
            let access = Access::new(identity.clone(), &held.facts);
            drop(live.access_log.pin().try_insert((identity.who, held.facts.secret_holder()), access));
        }
        Ok(held)
    }

    async fn load(
        self,
        actor: &Actor,
        name: &str,
        (workspace, server): (&str, &str),
        at_least: i64,
    ) -> Result<Arc<CachedDocument>> {
        let live = &self.registry.inner.live;
        if live.is_watching()
            && let Some(held) = live.documents.get(name, millis(self.registry.now()), false)
            && at_least <= std::cmp::max(live.applied(), held.as_of)
            && actor.sees(WorkspaceId(held.facts.workspace))
        {
            return Ok(held);
        }
        self.admit_document(actor)?;
        let model = self.find_server(actor, workspace, server).await?;
        let read = self.registry.begin_read().await?;
        let as_of = self.newest_revision(&read).await?;
        if as_of < at_least {
            return Err(Error::not_found("revision", at_least));
        }
        let prepared = self.prepare(&read, &[model.id], None).await?.pop();
        read.commit().await?;
        let prepared = prepared.ok_or_else(|| Error::not_found("server", server))?;
        Ok(self.insert(prepared, as_of))
    }

    /// Caches a document that was prepared as of a revision, if this process caches any.
    pub(crate) fn insert(self, prepared: Prepared, as_of: i64) -> Arc<CachedDocument> {
        let live = &self.registry.inner.live;
        let held = Arc::new(CachedDocument::new(prepared, as_of));
        if live.is_watching() {
            let invalidate_if_older = || {
                if live.applied() > as_of {
                    held.invalidate();
                }
            };
            invalidate_if_older();
            live.documents.put(&held);
            invalidate_if_older();
        }
        held
    }
}
