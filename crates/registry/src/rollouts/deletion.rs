//! Batches of a deletion: the next servers of an integration or a workspace that was deleted, in the order of their ids.

use crate::Result;
use crate::configuration::deletion::ServersToDelete;
use crate::configuration::enqueue::Cause;
use crate::rollouts::Rollouts;
use crate::rollouts::advance::{end, moved, still, store};
use crate::rollouts::batch::next_servers;
use crate::storage::entity::rollout;
use std::time::Instant;

impl Rollouts<'_> {
    /// Deletes the next servers, at most `most`. They are read before the write begins: they count as deleted, so that nothing
    /// of them changes.
    pub(super) async fn delete_batch(self, row: &rollout::Model, most: u64, worker: &str) -> Result<()> {
        let db = self.registry.db();
        let ids = next_servers(db, row, most).await?;
        let mut leaving = ServersToDelete::read(self.registry, db, &ids).await?;
        let mut write = self.begin(worker).await?;
        let began = Instant::now();
        if !still(&write, row).await? {
            return Ok(());
        }
        leaving.retain_live(&write).await?;
        let cause = Cause { because: &row.because, rollout: Some(row.id) };
        let affected = leaving.delete(&mut write, cause).await?;
        let mut changed = moved(&write, row, affected, ids.last().copied())?;
        let mut action = None;
        if ids.is_empty() {
            // Clocks differ: a server that was created beside the deletion may have an id before the last one.
            changed.position = None;
            if next_servers(&write.txn, &changed, 1).await?.is_empty() {
                changed.position = row.position;
                action = Some(end(&write, &mut changed));
            }
        }
        store(&mut write, changed, action).await?;
        write.commit().await?;
        if affected.servers > 0 {
            self.registry.inner.rollout_batch_size.record(affected.servers, began.elapsed());
        }
        Ok(())
    }
}
