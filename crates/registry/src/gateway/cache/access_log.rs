//! Reads of secrets and uses of API keys that were answered from memory, written in batches.
use super::identity::Identity;
use crate::gateway::Gateway;
use crate::gateway::documents::{READING, reading_of};
use crate::gateway::prepare::Facts;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::api_key;
use crate::storage::write::Event;
use crate::{Actor, RequestContext, Result};
use papaya::HashMap;
use registry_core::id::WorkspaceId;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// How many pairs of caller and client are remembered.
const MAX_ENTRIES: usize = 200_000;

/// Reads of secrets, by caller and client.
pub(super) type AccessLog = HashMap<(u128, Uuid), Access>;

/// How often one caller read one client's secrets since that was last written to the audit log.
pub(crate) struct Access {
    count: AtomicU64,
    identity: Arc<Identity>,
    name: Box<str>,
    workspace: Uuid,
    generation: Option<i64>,
}

impl Access {
    pub(super) fn new(identity: Arc<Identity>, facts: &Facts) -> Self {
        Self {
            count: AtomicU64::new(0),
            name: facts.name.clone(),
            workspace: facts.workspace,
            generation: facts.client.map(|client| client.generation),
            identity,
        }
    }

    pub(super) fn count(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Gateway<'_> {
    /// Counts a read of secrets by a caller whose first read this process knows to be audited. False: it does not know.
    pub(crate) fn counts_access(self, actor: &Actor, facts: &Facts) -> bool {
        let accesses = self.registry.inner.live.access_log.pin();
        let access = accesses.get(&(Identity::caller_of(actor), facts.secret_holder()));
        access.map(Access::count).is_some()
    }

    /// Counts a read of secrets that is audited already, as [`Self::cached_document`] counts reads from memory.
    pub(crate) fn count_access(self, actor: &Actor, facts: &Facts) {
        let live = &self.registry.inner.live;
        if !live.is_watching() {
            return;
        }
        let identity = Arc::new(Identity::new(actor.clone(), None, None));
        let accesses = live.access_log.pin();
        let access = accesses
            .get_or_insert_with((identity.who, facts.secret_holder()), || Access::new(identity, facts));
        access.count();
    }

    /// Writes when cached API keys were last used.
    pub(super) async fn write_uses(self) -> Result<()> {
        for (_, identity) in self.registry.inner.live.identities.all() {
            let (Some(key), used) = (identity.key, identity.used_at.swap(0, Ordering::Relaxed)) else {
                continue;
            };
            if used > 0 {
                api_key::Entity::update_many()
                    .col_expr(api_key::Column::LastUsedAt, Expr::value(used))
                    .filter(api_key::Column::Id.eq(key))
                    .filter(
                        api_key::Column::LastUsedAt
                            .is_null()
                            .or(Expr::col(api_key::Column::LastUsedAt).lt(used)),
                    )
                    .exec(self.registry.db())
                    .await?;
            }
        }
        Ok(())
    }

    /// Writes to the audit log how often secrets were read from memory.
    pub(super) async fn write_accesses(self) -> Result<()> {
        let accesses = &self.registry.inner.live.access_log;
        let counted: Vec<_> = accesses
            .pin()
            .iter()
            .filter_map(|((_, holder), access)| {
                let count = access.count.swap(0, Ordering::Relaxed);
                (count > 0).then(|| {
                    let who = &access.identity.actor;
                    let event =
                        Event::new(AuditAction::ClientSecretReadAgain, READING, reading_of(*holder, who))
                            .named(&*access.name)
                            .in_workspace(Some(WorkspaceId(access.workspace)))
                            .after(json!({ "generation": access.generation, "readings": count }));
                    // The addresses and requests of reads from memory are not known.
                    (Actor { origin: RequestContext::new(who.origin.door), ..who.clone() }, event)
                })
            })
            .collect();
        // A caller that is dropped here is looked up in the audit log the next time.
        if accesses.len() > MAX_ENTRIES {
            accesses.pin().clear();
        }
        // One write for each caller, however many documents it read.
        let mut by_caller: BTreeMap<String, (Actor, Vec<Event>)> = BTreeMap::new();
        for (who, event) in counted {
            by_caller.entry(who.who().to_owned()).or_insert_with(|| (who, Vec::new())).1.push(event);
        }
        for (who, events) in by_caller.into_values() {
            let mut write = self.registry.begin_write(&who).await?;
            for event in events {
                write.audit(event);
            }
            write.commit().await?;
        }
        Ok(())
    }
}
