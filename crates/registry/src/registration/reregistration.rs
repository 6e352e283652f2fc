//! New clients for many registrations of one integration: the cost is shown first, and they are made only when the caller
//! named it or confirmed it.

use crate::configuration::costs::KnownClients;
use crate::configuration::layers::{ServerLayers, ServerScope};
use crate::lookup::integrations;
use crate::registration::Registrations;
use crate::registration::actions::Ask;
use crate::storage::entity::{integration, registration};
use crate::{Actor, ConflictCode, Error, Registration, Result};
use registry_core::id::IntegrationId;
use registry_core::permission::Permission;
use registry_core::registration::{DesiredPresence, ReplacementCost, State, replacement_cost};
use registry_core::slug::Reference;
use sea_orm::ConnectionTrait;
use std::collections::BTreeMap;

/// How many registrations one transaction makes due: so few that no other caller has to wait.
const MAX_AT_ONCE: usize = 500;

/// Which registrations of an integration get a new client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReregisterScope {
    /// Those in state `failed`.
    Failed,
    /// Those in state `outdated`: their clients serve and are replaced.
    Outdated,
    /// Those in state `unconfirmed`: the registration is sent again and may leave a client behind.
    Unconfirmed,
    /// All that have a client or shall get one, also those that work.
    All,
}

impl ReregisterScope {
    fn holds(self, state: State) -> bool {
        match self {
            Self::Failed => state == State::Failed,
            Self::Outdated => state == State::Outdated,
            Self::Unconfirmed => state == State::Unconfirmed,
            Self::All => !matches!(state, State::Withdrawing | State::Withdrawn),
        }
    }

    /// What the scope itself says happens, so that naming it is the agreement to it.
    fn names(self) -> ReplacementCost {
        match self {
            Self::Failed => ReplacementCost::default(),
            Self::Unconfirmed => ReplacementCost { signs_out: false, leaves_client: true },
            Self::Outdated | Self::All => ReplacementCost { signs_out: true, leaves_client: true },
        }
    }
}

/// The consequences that a caller saw and agreed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// Registrations whose users must sign in again.
    pub users_sign_in_again: u64,
    /// Registrations that may leave a client behind.
    pub may_leave_client: u64,
}

/// Registrations that are left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRegistrations {
    /// Stable code: a state, `access_disabled` or `no_client_wanted`.
    pub reason: &'static str,
    /// The same as a sentence for users, with what to do.
    pub detail: &'static str,
    /// How many.
    pub count: u64,
}

/// What a re-registration does, or did.
#[derive(Clone, Debug, Default)]
pub struct Reregistration {
    /// Registrations that get a new client.
    pub queued: u64,
    /// Of these: those that no user signed in through.
    pub nobody_notices: u64,
    /// Of these: those whose users must sign in again. A registration may be counted here and in `may_leave_client`.
    pub users_sign_in_again: u64,
    /// Of these: those that may leave a client behind at the authorization server, which the ledger of orphans then names.
    pub may_leave_client: u64,
    /// Those that need attention or are in the scope, and are left alone.
    pub skipped: Vec<SkippedRegistrations>,
    /// Whether there are more than 500: asking again reaches the next.
    pub more: bool,
}

impl Reregistration {
    /// The consequences to confirm.
    pub fn to_confirm(&self) -> Confirmed {
        Confirmed { users_sign_in_again: self.users_sign_in_again, may_leave_client: self.may_leave_client }
    }

    /// Whether users must sign in again or a client may stay behind.
    pub fn hurts(&self) -> bool {
        self.users_sign_in_again + self.may_leave_client > 0
    }

    fn count(&mut self, cost: ReplacementCost) {
        self.queued += 1;
        self.users_sign_in_again += u64::from(cost.signs_out);
        self.may_leave_client += u64::from(cost.leaves_client);
        self.nobody_notices += u64::from(cost == ReplacementCost::default());
    }
}

impl Registrations<'_> {
    /// What [`Self::reregister_integration`] would do now, as far as the actor may see. Nothing is changed.
    pub async fn dry_run_reregistration(
        self,
        actor: &Actor,
        reference: &Reference,
        scope: ReregisterScope,
    ) -> Result<Reregistration> {
        let model = self.operated(actor, self.registry.db(), reference).await?;
        Ok(self.plan_reregistration(self.registry.db(), actor, &model, scope).await?.0)
    }

    /// Asks for new clients for an integration's registrations, as far as the actor may see them. What the scope does not
    /// say by its name must be confirmed with the counts that [`Self::dry_run_reregistration`] gave.
    pub async fn reregister_integration(
        self,
        actor: &Actor,
        reference: &Reference,
        scope: ReregisterScope,
        confirmed: Option<Confirmed>,
    ) -> Result<Reregistration> {
        actor.require(Permission::OperateRegistrations)?;
        let mut write = self.registry.begin_write(actor).await?;
        let model = self.operated(actor, &write.txn, reference).await?;
        let (planned, rows) = self.plan_reregistration(&write.txn, actor, &model, scope).await?;
        agreed(scope, confirmed, &planned)?;
        for one in self.show(&write.txn, rows).await? {
            self.ask(&mut write, &one, Ask::Reregister).await?;
        }
        if planned.queued > 0 {
            write.commit().await?;
        }
        Ok(planned)
    }

    /// What a new client for one registration costs.
    pub async fn dry_run_reregister(
        self,
        actor: &Actor,
        registration: &Registration,
    ) -> Result<ReplacementCost> {
        actor.require(Permission::OperateRegistrations)?;
        let layers = self
            .registry
            .configurations()
            .load(self.registry.db(), ServerScope::Server(registration.server), false)
            .await?;
        let known = KnownClients::of(self.registry.db(), &layers).await?;
        let row = layers.first().map(|layers| self.dry_run(layers, &known)).transpose()?.flatten();
        Ok(row.map(|(_, cost, _)| cost).unwrap_or_default())
    }

    /// The integration, where something may be registered for it.
    async fn operated(
        self,
        actor: &Actor,
        db: &impl ConnectionTrait,
        reference: &Reference,
    ) -> Result<integration::Model> {
        actor.require(Permission::OperateRegistrations)?;
        let model = integrations::find(db, actor, reference).await?;
        if model.enabled {
            return Ok(model);
        }
        Err(Error::Conflict {
            code: ConflictCode::IntegrationDisabled,
            message: "The integration is disabled, so nothing is registered for it. Enable it first."
                .to_owned(),
            pointer: None,
        })
    }

    /// What is done and what it costs; and the registrations it is done to.
    async fn plan_reregistration(
        self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        model: &integration::Model,
        scope: ReregisterScope,
    ) -> Result<(Reregistration, Vec<registration::Model>)> {
        let mut layers = self
            .registry
            .configurations()
            .load(db, ServerScope::Integration(IntegrationId(model.id)), false)
            .await?;
        if let Some(own) = actor.workspace() {
            layers.retain(|layers| layers.server.workspace_id == own.0);
        }
        let known = KnownClients::of(db, &layers).await?;
        let (mut planned, mut rows) = (Reregistration::default(), Vec::new());
        let mut skipped: BTreeMap<(&'static str, &'static str), u64> = BTreeMap::new();
        for layers in &layers {
            let Some((row, cost, standing)) = self.dry_run(layers, &known)? else { continue };
            let state = row.state()?;
            let left_alone = if scope.holds(state) { standing } else { left_out(state) };
            if let Some(why) = left_alone {
                *skipped.entry(why).or_default() += 1;
            } else if !scope.holds(state) {
                // Nothing of it needs attention.
            } else if rows.len() == MAX_AT_ONCE {
                planned.more = true;
            } else {
                planned.count(cost);
                rows.push(row.clone());
            }
        }
        planned.skipped = skipped
            .into_iter()
            .map(|((reason, detail), count)| SkippedRegistrations { reason, detail, count })
            .collect();
        Ok((planned, rows))
    }

    /// The registration of a server, what a new client for it costs, and why none can be made.
    #[expect(clippy::type_complexity, reason = "used once, beside its definition")]
    fn dry_run<'a>(
        self,
        layers: &ServerLayers,
        known: &'a KnownClients,
    ) -> Result<Option<(&'a registration::Model, ReplacementCost, Option<(&'static str, &'static str)>)>>
    {
        let Some((row, client)) = known.registration_and_client(layers) else { return Ok(None) };
        let desired = self.registry.configurations().desired(layers, Some(row))?;
        // What was lost before a later answer is in the ledger already: only an open question can become another client.
        let lost = row.state == State::Unconfirmed.as_str();
        let why = match desired.presence {
            DesiredPresence::Suspended(_) => Some((
                "access_disabled",
                "The workspace has no access to the integration, so nothing is registered. Switch access on first.",
            )),
            _ if desired.is_gone(self.registry.now()) => {
                Some(("no_client_wanted", "The server needs no OAuth client, or its client was withdrawn."))
            }
            DesiredPresence::Present | DesiredPresence::Absent => None,
        };
        Ok(Some((row, replacement_cost(&desired, client, lost), why)))
    }
}

/// Why a registration that needs attention is not in a scope.
fn left_out(state: State) -> Option<(&'static str, &'static str)> {
    match state {
        State::Failed => Some(("failed", "Use the scope `failed` for these.")),
        State::Outdated => Some((
            "outdated",
            "Their clients serve. A new client makes their users sign in again: use the scope `outdated` for these.",
        )),
        State::Unconfirmed => Some((
            "unconfirmed",
            "Their last request had no answer. Sending it again may leave a client behind: use the scope `unconfirmed` for these.",
        )),
        State::Retrying => Some(("retrying", "They are tried again without your help.")),
        State::Queued | State::Registering | State::Registered | State::Withdrawing | State::Withdrawn => {
            None
        }
    }
}

/// Whether the caller agreed to what is about to happen: by the name of the scope, or with the counts of the preview.
fn agreed(scope: ReregisterScope, confirmed: Option<Confirmed>, planned: &Reregistration) -> Result<()> {
    let now = planned.to_confirm();
    let (code, first) = match confirmed {
        Some(confirmed) if confirmed == now => return Ok(()),
        Some(_) => (
            ConflictCode::ConfirmationOutdated,
            "The registrations changed since the preview, and nothing was done.",
        ),
        None => {
            let named = scope.names();
            let implied = now.users_sign_in_again > 0 && !named.signs_out
                || now.may_leave_client > 0 && !named.leaves_client;
            if !implied {
                return Ok(());
            }
            (ConflictCode::ConfirmationRequired, "This does more than the scope says, and nothing was done.")
        }
    };
    Err(Error::Conflict {
        code,
        message: format!(
            "{first} Users of {} must sign in again; {} may leave a client behind at the authorization server. To agree, send `confirm` with `users_sign_in_again` {} and `may_leave_client` {}.",
            registrations(now.users_sign_in_again),
            registrations(now.may_leave_client),
            now.users_sign_in_again,
            now.may_leave_client
        ),
        pointer: Some("/confirm"),
    })
}

fn registrations(count: u64) -> String {
    format!("{count} registration{}", if count == 1 { "" } else { "s" })
}
