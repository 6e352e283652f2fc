//! Handing out what is held: to whom, and on which record.

use super::document::HeldDocument;
use super::identity::{Identity, fingerprint};
use crate::gateway::Gateway;
use crate::gateway::documents::{READING, reading_of};
use crate::gateway::prepare::{Facts, Prepared};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::millis;
use crate::storage::entity::api_key;
use crate::storage::write::Event;
use crate::{Actor, Error, Origin, Result};
use papaya::HashMap;
use registry_core::id::WorkspaceId;
use registry_core::permission::Permission;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// How many callers and clients are kept in mind.
const MOST: usize = 200_000;

/// Who read the secrets of whom.
pub(super) type Readings = HashMap<(u128, Uuid), Reading>;

/// How often one caller read one client's secrets since that was last written down.
pub(crate) struct Reading {
    count: AtomicU64,
    identity: Arc<Identity>,
    name: Box<str>,
    workspace: Uuid,
    generation: Option<i64>,
}

impl Gateway<'_> {
    /// The document `workspace/server` for the bearer of `credential`, from memory, without the database and without a lock.
    /// `None` says nothing: authenticate, and ask [`Self::load_document`].
    pub fn cached_document(self, credential: &str, name: &str) -> Option<Arc<HeldDocument>> {
        self.held(credential, name, false)
    }

    /// As [`Self::held_document`], also when it may have changed since: for when the database does not answer.
    pub fn last_known_document(self, credential: &str, name: &str) -> Option<Arc<HeldDocument>> {
        self.held(credential, name, true)
    }

    fn held(self, credential: &str, name: &str, outdated: bool) -> Option<Arc<HeldDocument>> {
        let live = &self.registry.inner.live;
        if !live.is_following() {
            return None;
        }
        let now = millis(self.registry.now());
        let identity = live.identities.get(&fingerprint(credential), now)?;
        let held = live.documents.get(name, now, outdated)?;
        if !identity.actor.sees(WorkspaceId(held.facts.workspace)) || !held.is_handed_out() {
            return None;
        }
        if held.facts.secret {
            let readings = live.readings.pin();
            let reading = readings.get(&(identity.who, held.facts.secret_holder()))?;
            reading.count.fetch_add(1, Ordering::Relaxed);
        }
        Some(held)
    }

    /// The document of one server, read by one caller at a time and held from then on. The first reading of secrets by each
    /// caller and generation is put on record before it is answered. It is at least as new as the change `at_least`.
    pub async fn load_document(
        self,
        actor: &Actor,
        credential: &str,
        (workspace, server): (&str, &str),
        at_least: i64,
    ) -> Result<Arc<HeldDocument>> {
        actor.require(Permission::FetchGatewayDocument)?;
        let live = &self.registry.inner.live;
        let name = format!("{workspace}/{server}");
        let turn = live.documents.turn(&name);
        let loaded = {
            let _mine = turn.lock().await;
            self.load(actor, &name, (workspace, server), at_least).await
        };
        live.documents.turn_over(&name, turn);
        let held = loaded?;
        self.hand_out(actor, &[&held.facts]).await?;
        held.set_handed_out();
        if held.facts.secret
            && let Some(identity) = live.identities.get(&fingerprint(credential), millis(self.registry.now()))
        {
            let reading = Reading {
                count: AtomicU64::new(0),
                name: held.facts.name.clone(),
                workspace: held.facts.workspace,
                generation: held.facts.client.map(|client| client.generation),
                identity: identity.clone(),
            };
            drop(live.readings.pin().try_insert((identity.who, held.facts.secret_holder()), reading));
        }
        Ok(held)
    }

    async fn load(
        self,
        actor: &Actor,
        name: &str,
        (workspace, server): (&str, &str),
        at_least: i64,
    ) -> Result<Arc<HeldDocument>> {
        let live = &self.registry.inner.live;
        if live.is_following()
            && let Some(held) = live.documents.get(name, millis(self.registry.now()), false)
            && at_least <= std::cmp::max(live.applied(), held.as_of)
            && actor.sees(WorkspaceId(held.facts.workspace))
        {
            return Ok(held);
        }
        self.registry.gateway().admit_document(actor)?;
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

    /// Holds a document that was prepared as of a revision, if this process holds any.
    pub(crate) fn insert(self, prepared: Prepared, as_of: i64) -> Arc<HeldDocument> {
        let live = &self.registry.inner.live;
        let held = Arc::new(HeldDocument::new(prepared, as_of));
        if live.is_following() {
            let settle = || {
                if live.applied() > as_of {
                    held.outdate();
                }
            };
            settle();
            live.documents.put(&held);
            settle();
        }
        held
    }

    /// Counts a reading of secrets by a caller whose first one this process knows to be on record; whether it does.
    pub(crate) fn counts_access(self, actor: &Actor, facts: &Facts) -> bool {
        let readings = self.registry.inner.live.readings.pin();
        let reading = readings.get(&(Identity::who_of(actor), facts.secret_holder()));
        reading.map(|reading| reading.count.fetch_add(1, Ordering::Relaxed)).is_some()
    }

    /// Counts a reading of secrets that is on record already, as [`Self::held_document`] counts those from memory.
    pub(crate) fn count_access(self, actor: &Actor, facts: &Facts) {
        let live = &self.registry.inner.live;
        if !live.is_following() {
            return;
        }
        let identity = Arc::new(Identity::new(actor.clone(), None, None));
        let readings = live.readings.pin();
        let reading = readings.get_or_insert_with((identity.who, facts.secret_holder()), || Reading {
            count: AtomicU64::new(0),
            name: facts.name.clone(),
            workspace: facts.workspace,
            generation: facts.client.map(|client| client.generation),
            identity,
        });
        reading.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes down when held keys were last used.
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

    /// Writes down how often secrets were read from memory.
    pub(super) async fn write_accesses(self) -> Result<()> {
        let readings = &self.registry.inner.live.readings;
        let counted: Vec<_> = readings
            .pin()
            .iter()
            .filter_map(|((_, holder), reading)| {
                let count = reading.count.swap(0, Ordering::Relaxed);
                (count > 0).then(|| {
                    let who = &reading.identity.actor;
                    let event =
                        Event::new(AuditAction::ClientSecretReadAgain, READING, reading_of(*holder, who))
                            .named(&*reading.name)
                            .in_workspace(Some(WorkspaceId(reading.workspace)))
                            .after(json!({ "generation": reading.generation, "readings": count }));
                    // From where, and for which requests, is not known of readings from memory.
                    (Actor { origin: Origin::new(who.origin.door), ..who.clone() }, event)
                })
            })
            .collect();
        // Whoever is forgotten here is looked up in the record the next time.
        if readings.len() > MOST {
            readings.pin().clear();
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
