//! One thing asked for many registrations at once.

use crate::registration::Registrations;
use crate::registration::actions::Ask;
use crate::registration::list::{Registration, RegistrationFilter};
use crate::storage::entity::registration;
use crate::{Actor, Error, Result};
use registry_core::permission::Permission;
use registry_core::registration::State;
use sea_orm::{QueryOrder, QuerySelect};

/// How many registrations one transaction makes due: so few that no other caller has to wait.
const MAX_BATCH: u64 = 500;

/// What became of trying all failed registrations again.
#[derive(Debug)]
pub struct RetriedRegistrations {
    /// How many are tried again now.
    pub done: u64,
    /// Which are not, and why.
    pub refused: Vec<(Registration, Error)>,
    /// Whether there are more than are asked for at once: asking again reaches the next.
    pub more: bool,
}

impl Registrations<'_> {
    /// Tries every failed registration again that `filter` means, whatever states it names, those that failed first first.
    /// At most 500 at once.
    pub async fn retry_failed(
        self,
        actor: &Actor,
        filter: RegistrationFilter,
    ) -> Result<RetriedRegistrations> {
        actor.require(Permission::OperateRegistrations)?;
        let filter = RegistrationFilter { states: vec![State::Failed], ..filter };
        let select = self.choose(actor, &filter).await?.select();
        let mut write = self.registry.begin_write(actor).await?;
        let rows = select
            .order_by_asc(registration::Column::UpdatedAt)
            .order_by_asc(registration::Column::Id)
            .limit(MAX_BATCH + 1)
            .all(&write.txn)
            .await?;
        let mut retried = RetriedRegistrations { done: 0, refused: Vec::new(), more: false };
        let mut all = self.show(&write.txn, rows).await?;
        if all.len() as u64 > MAX_BATCH {
            all.truncate(usize::try_from(MAX_BATCH).unwrap_or(usize::MAX));
            retried.more = true;
        }
        for one in all {
            match self.ask(&mut write, &one, Ask::Retry).await {
                Ok(()) => retried.done += 1,
                Err(refused @ Error::Conflict { .. }) => retried.refused.push((one, refused)),
                Err(error) => return Err(error),
            }
        }
        write.commit().await?;
        Ok(retried)
    }
}
