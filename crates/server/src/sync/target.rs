//! What every gateway can do that servers are written into.

use super::admin_api::AdminError;
use super::mark::Mark;
use super::upstream::Upstream;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

/// What is written for one server. It holds secrets, so it has no `Debug`.
pub(crate) struct Entry {
    /// Its name there.
    pub(crate) name: String,
    /// The members of the gateway's own admin API, without the mark.
    pub(crate) members: Map<String, Value>,
    /// What the gateway will not do as the registry says, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// One entry that the gateway has now.
pub(crate) struct Listed {
    /// Its id there.
    pub(crate) id: String,
    /// Its names there; the first is the one that users see.
    pub(crate) names: Vec<String>,
    /// The mark; `None`: it was not written by this program.
    pub(crate) mark: Option<Mark>,
    /// All that the gateway says about it, without secrets.
    pub(crate) members: Value,
}

/// A gateway with an admin API.
pub(crate) trait TargetGateway: Send + Sync {
    /// The name for a server: `workspace` and `server` in characters that the gateway permits. With `suffix` where another entry
    /// has that name.
    fn name_for(&self, upstream: &Upstream, suffix: Option<&str>) -> String;

    /// Names with the same key cannot stand beside one another.
    fn name_key(&self, name: &str) -> String;

    /// What is written for a server. The error says why it cannot be written.
    fn entry(&self, upstream: &Upstream, name: String) -> Result<Entry, String>;

    /// All entries that the gateway has.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, AdminError>>;

    /// Makes an entry.
    fn create<'a>(&'a self, entry: &'a Entry, mark: &'a Mark) -> BoxFuture<'a, Result<(), AdminError>>;

    /// Changes an entry.
    fn update<'a>(
        &'a self,
        listed: &'a Listed,
        entry: &'a Entry,
        mark: &'a Mark,
    ) -> BoxFuture<'a, Result<(), AdminError>>;

    /// Deletes an entry. One that is gone already is no failure.
    fn delete<'a>(&'a self, listed: &'a Listed) -> BoxFuture<'a, Result<(), AdminError>>;
}
