//! The documents of all servers, kept up to date.

use crate::events::change_of;
use crate::pause;
use crate::registry::{Registry, RegistryError};
use crate::reports::Reports;
use crate::types::{Ensured, GatewayChange, GatewayDocument, Reported};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// How changes are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A request that waits for a change.
    #[default]
    Poll,
    /// Server-sent events.
    Stream,
}

/// All documents at one position. It holds secrets: store it as you store tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    position: i64,
    documents: Vec<GatewayDocument>,
}

type OnChange = Box<dyn Fn(&str, Option<&GatewayDocument>) + Send + Sync>;
type OnError = Box<dyn Fn(&RegistryError, Duration) + Send + Sync>;

/// How a [`Follower`] works. Use `FollowerOptions { …, ..FollowerOptions::default() }`.
pub struct FollowerOptions {
    /// How changes are followed.
    pub mode: Mode,
    /// How long a poll waits; at most 60 seconds.
    pub wait: Duration,
    /// The time without a byte after which a stream is dead; the registry sends one every 15 seconds.
    pub silence: Duration,
    /// The shortest and the longest pause between attempts.
    pub pause: (Duration, Duration),
    /// What [`Follower::save`] of an earlier process gave: served until the registry answers.
    pub saved: Option<Saved>,
    /// A document is new, has changed, or (`None`) is gone.
    pub on_change: OnChange,
    /// The registry did not answer as it should; the documents stay, and the next attempt comes after the pause.
    pub on_error: OnError,
}

impl Default for FollowerOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Poll,
            wait: Duration::from_secs(30),
            silence: Duration::from_secs(45),
            pause: (Duration::from_millis(500), Duration::from_secs(30)),
            saved: None,
            on_change: Box::new(|_, _| {}),
            on_error: Box::new(|_, _| {}),
        }
    }
}

struct Held {
    documents: HashMap<String, Arc<GatewayDocument>>,
    /// By name and generation: the last known documents of replaced clients.
    draining: HashMap<(String, i64), Arc<GatewayDocument>>,
    position: Option<i64>,
    stale_since: Option<SystemTime>,
    ready: bool,
}

/// The documents of all servers. Whatever happens, the last good documents stay.
pub struct Follower {
    registry: Arc<Registry>,
    options: FollowerOptions,
    held: RwLock<Held>,
    changed: watch::Sender<()>,
    reports: Reports,
}

impl fmt::Debug for Follower {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Follower").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Follower {
    /// A follower that has not begun: [`Follower::run`] does the work.
    pub fn new(registry: Arc<Registry>, mut options: FollowerOptions) -> Self {
        let saved = options.saved.take();
        let held = Held {
            ready: saved.is_some(),
            position: saved.as_ref().map(|saved| saved.position),
            documents: saved
                .into_iter()
                .flat_map(|saved| saved.documents)
                .map(|document| (document.name(), Arc::new(document)))
                .collect(),
            draining: HashMap::new(),
            stale_since: Some(now()),
        };
        let (held, changed) = (RwLock::new(held), watch::Sender::new(()));
        Self { registry, options, held, changed, reports: Reports::default() }
    }

    /// Follows until the future is dropped.
    pub async fn run(&self) {
        let mut failures = 0;
        loop {
            let position = self.held().position;
            let outcome = match (position, self.options.mode) {
                (None, _) => self.snapshot().await,
                (Some(position), Mode::Stream) if failures == 0 => self.stream(position, &mut failures).await,
                // Also after a failure: what cannot be applied holds up nothing else, and some proxies let no stream pass.
                (Some(position), _) => self.poll(position).await,
            };
            let Err(error) = outcome else {
                failures = 0;
                continue;
            };
            self.held_mut().stale_since.get_or_insert_with(now);
            let pause = pause::after(failures, &error, self.options.pause);
            failures += 1;
            (self.options.on_error)(&error, pause);
            tokio::time::sleep(pause).await;
        }
    }

    /// The newest document of `workspace/server`.
    pub fn document(&self, name: &str) -> Option<Arc<GatewayDocument>> {
        self.held().documents.get(name).cloned()
    }

    /// All documents.
    pub fn documents(&self) -> Vec<Arc<GatewayDocument>> {
        self.held().documents.values().cloned().collect()
    }

    /// Since when the registry has not confirmed the documents; `None` while it does.
    pub fn stale_since(&self) -> Option<SystemTime> {
        self.held().stale_since
    }

    /// Everything, to give to the next process.
    pub fn save(&self) -> Option<Saved> {
        let held = self.held();
        let documents = held.documents.values().map(|document| GatewayDocument::clone(document)).collect();
        held.position.map(|position| Saved { position, documents })
    }

    /// Waits until all documents were fetched once.
    pub async fn ready(&self) {
        self.until(|follower| follower.held().ready.then_some(())).await;
    }

    /// Waits until the client of this document was replaced.
    pub async fn renewed(&self, document: &GatewayDocument) -> Arc<GatewayDocument> {
        let name = document.name();
        self.until(|follower| {
            follower
                .document(&name)
                .filter(|held| held.client.is_some() && held.generation > document.generation)
        })
        .await
    }

    /// Waits for something that a change brings. Combine it with `tokio::time::timeout`.
    pub async fn until<T>(&self, look: impl Fn(&Self) -> Option<T>) -> T {
        // The subscription comes first, so that no change between look and wait is missed.
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            // The sender lives as long as this follower.
            let _ = changes.changed().await;
        }
    }

    /// The document with a client, which the registry is asked for while a user waits; or why there is none.
    pub async fn ensure(&self, name: &str, wait: Duration) -> Result<Ensured, RegistryError> {
        if let Some(held) = self.document(name).filter(|held| held.client.is_some()) {
            return Ok(Ensured::Ready(Box::new(GatewayDocument::clone(&held))));
        }
        let told = self.registry.ensure(name, wait).await?;
        if let Ensured::Ready(document) = &told {
            self.keep(GatewayDocument::clone(document));
        }
        Ok(told)
    }

    /// The document of an earlier generation, for tokens that were issued to its client; `None` when that client is gone.
    pub async fn generation(
        &self,
        name: &str,
        generation: i64,
    ) -> Result<Option<Arc<GatewayDocument>>, RegistryError> {
        if let Some(held) = self.document(name).filter(|held| held.generation == Some(generation)) {
            return Ok(Some(held));
        }
        let key = (name.to_owned(), generation);
        match self.registry.document(name, Some(generation), None).await {
            Ok(document) => Ok(Some(Arc::new(document))),
            Err(error) if error.is_not_found() => {
                self.held_mut().draining.remove(&key);
                Ok(None)
            }
            Err(error) => self.held().draining.get(&key).cloned().map(Some).ok_or(error),
        }
    }

    /// Reports that this document's client does not work. One report a minute is sent, however many users meet the error.
    pub async fn report(&self, document: &GatewayDocument, error: &str) -> Result<Reported, RegistryError> {
        let told = self.reports.send(&self.registry, document, error, self.options.pause).await?;
        if told.verdict == "stale" {
            self.keep(self.registry.document(&document.name(), None, None).await?);
        }
        Ok(told)
    }

    /// The position first, then the documents: what is deleted while the pages are read comes again as a change.
    async fn snapshot(&self) -> Result<(), RegistryError> {
        let start = self.registry.changes(None, Duration::ZERO).await?;
        let mut found = HashMap::new();
        let (mut since, mut more) = (0, true);
        while more {
            let page = self.registry.page(since).await?;
            (since, more) = (page.revision, page.has_more);
            found.extend(page.data.into_iter().map(|document| (document.name(), document)));
        }
        // Only now, with all of them here, the old ones go.
        let gone: Vec<String> =
            self.held().documents.keys().filter(|name| !found.contains_key(*name)).cloned().collect();
        for name in gone {
            self.put(&name, None);
        }
        for (name, document) in found {
            self.put(&name, Some(document));
        }
        self.confirmed(Some(start.revision));
        Ok(())
    }

    async fn poll(&self, position: i64) -> Result<(), RegistryError> {
        let told = self.registry.changes(Some(position), self.options.wait).await?;
        if told.reset {
            self.held_mut().position = None;
            return Ok(());
        }
        let mut failed = None;
        for change in &told.changes {
            if let Err(error) = self.apply(change).await {
                failed.get_or_insert(error);
            }
        }
        if let Some(error) = failed {
            // The position stays, so that all of them come again.
            return Err(error);
        }
        self.confirmed(Some(told.revision));
        Ok(())
    }

    /// Ends without an error when the position has expired.
    async fn stream(&self, position: i64, failures: &mut u32) -> Result<(), RegistryError> {
        let opening = self.within_silence(self.registry.stream(position));
        let outcome = match opening.await {
            Ok(response) => self.read_events(response, failures).await,
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            self.registry.avoid();
        }
        outcome
    }

    async fn read_events(
        &self,
        mut response: reqwest::Response,
        failures: &mut u32,
    ) -> Result<(), RegistryError> {
        self.held_mut().stale_since = None;
        let mut bytes = Vec::new();
        loop {
            let next = async { response.chunk().await.map_err(RegistryError::no_answer) };
            let Some(chunk) = self.within_silence(next).await? else {
                return Err(RegistryError::no_answer("the stream of changes ended"));
            };
            bytes.extend(chunk.iter().filter(|byte| **byte != b'\r'));
            while let Some(end) = bytes.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = bytes.drain(..end + 2).collect();
                if let Some(change) = change_of(&event)? {
                    self.apply(&change).await?;
                    if change.event == "reset" {
                        self.held_mut().position = None;
                        return Ok(());
                    }
                    self.held_mut().position = Some(change.revision);
                }
                *failures = 0;
                self.confirmed(None);
            }
        }
    }

    async fn within_silence<T>(
        &self,
        work: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        tokio::time::timeout(self.options.silence, work)
            .await
            .unwrap_or_else(|_| Err(RegistryError::no_answer("the stream of changes is silent")))
    }

    async fn apply(&self, change: &GatewayChange) -> Result<(), RegistryError> {
        let name = format!("{}/{}", change.workspace, change.server);
        match change.event.as_str() {
            "changed" => self.refresh(&name, change.revision).await?,
            "deleted" => self.put(&name, None),
            _ => {}
        }
        Ok(())
    }

    async fn refresh(&self, name: &str, at_least: i64) -> Result<(), RegistryError> {
        let mut told = self.registry.document(name, None, Some(at_least)).await;
        if told.as_ref().is_err_and(RegistryError::is_not_found) {
            // 404 also says that the registry does not know this revision.
            told = self.registry.document(name, None, None).await;
        }
        match told {
            Ok(document) => self.keep(document),
            Err(error) if error.is_not_found() => self.put(name, None),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A document that was fetched beside the changes may be older than what they brought.
    fn keep(&self, document: GatewayDocument) {
        let name = document.name();
        if self.document(&name).is_none_or(|held| held.revision <= document.revision) {
            self.put(&name, Some(document));
        }
    }

    fn put(&self, name: &str, document: Option<GatewayDocument>) {
        let document = document.map(Arc::new);
        {
            let mut held = self.held_mut();
            if held.documents.get(name) == document.as_ref() {
                return;
            }
            let before = match &document {
                Some(document) => held.documents.insert(name.to_owned(), document.clone()),
                None => held.documents.remove(name),
            };
            if let (Some(before), Some(document)) = (before, &document)
                && let Some(generation) =
                    before.generation.filter(|_| before.generation != document.generation)
            {
                held.draining.insert((name.to_owned(), generation), before);
            }
        }
        (self.options.on_change)(name, document.as_deref());
        self.changed.send_replace(());
    }

    fn confirmed(&self, position: Option<i64>) {
        {
            let mut held = self.held_mut();
            held.position = position.or(held.position);
            held.stale_since = None;
            held.ready = true;
        }
        self.changed.send_replace(());
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_mut(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a library outside of the registry, with the time of its machine"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
