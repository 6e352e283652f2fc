//! Probe: whether the database can be written again.

use crate::deployment::Deployment;
use crate::storage::database_fault::DatabaseFault;
use crate::storage::deployment_values::record;
use crate::storage::replica::Replica;
use crate::storage::writability::with_state;
use crate::{Actor, Error, Result};
use serde_json::json;

/// Key in `deployment`: the last probe, in epoch milliseconds.
pub(crate) const TRIED: &str = "disk.tried";

impl Deployment<'_> {
    /// Why the database cannot be written, a sentence; `None` while writes succeed.
    pub fn unwritable(self) -> Option<&'static str> {
        with_state(|state| state.fault).map(DatabaseFault::sentence)
    }

    /// Whether lists are read from the replica now; `None`: none is configured.
    pub fn uses_replica(self) -> Option<bool> {
        self.registry.inner.replica.as_ref().map(Replica::is_used)
    }

    /// If the last write failed: tries whether a write succeeds now.
    pub(crate) async fn require_writable(self) -> Result<()> {
        if self.unwritable().is_none() {
            return Ok(());
        }
        let write = self.registry.begin_write(&Actor::worker("disk")).await?;
        record(&write, TRIED, json!(write.millis())).await?;
        write.commit().await.map_err(|error| match self.unwritable() {
            Some(sentence) => Error::Unavailable(sentence.to_owned()),
            None => error,
        })
    }
}
