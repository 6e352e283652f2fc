//! What is to be written: the difference between the registry's documents and what the gateway has.

use super::mark::{Fingerprints, Mark, server_id};
use super::target::{Entry, Listed, TargetGateway};
use super::upstream::{Upstream, Wanted, wanted};
use mcp_registry_client::GatewayDocument;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a server's id that make its name unique.
const SUFFIX_LENGTH: usize = 6;

/// What is done for one server.
pub(crate) enum Action {
    /// An entry is made.
    Create(Entry, Mark),
    /// An entry is changed.
    Update(Listed, Entry, Mark),
    /// The entry is as it should be.
    Nothing,
    /// An entry is deleted, for this reason.
    Delete(Listed, String),
    /// Nothing is written until the reason has gone; an entry that is there stays.
    Wait(String),
    /// The gateway cannot serve it, for this reason.
    Refuse(String),
}

/// A step of the plan.
pub(crate) struct Step {
    /// `workspace/server`, or the entry's name where the server is gone.
    pub(crate) server: String,
    /// What is done.
    pub(crate) action: Action,
}

/// Whose entries are managed, and how they are recognised.
pub(crate) struct Ownership {
    /// The owner in the marks.
    pub(crate) owner: String,
    /// Makes the fingerprints.
    pub(crate) fingerprints: Fingerprints,
    /// Everything is written again, also what has not changed.
    pub(crate) rewrite: bool,
}

/// The steps, deletions first: they free names. `listed` is all that the gateway has.
pub(crate) fn plan(
    target: &dyn TargetGateway,
    ownership: &Ownership,
    documents: &[GatewayDocument],
    listed: Vec<Listed>,
) -> Vec<Step> {
    let mut names = Names::default();
    let mut ours: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
    for one in listed {
        match &one.mark {
            Some(mark) if mark.owner == ownership.owner => {
                ours.entry(mark.server.clone()).or_default().push(one);
            }
            _ => names.taken.extend(one.names.iter().map(|name| target.name_key(name))),
        }
    }
    let mut wanted: Vec<(String, Wanted)> = documents.iter().map(|one| (one.name(), wanted(one))).collect();
    wanted.sort_by(|one, other| one.0.cmp(&other.0));
    // Entries that are there keep their names.
    for (server, wanted) in &wanted {
        let held = ours.get(&server_id(server)).and_then(|all| all.first());
        match (wanted, held) {
            (Wanted::Serve(upstream), Some(held)) => names.keep(target, upstream, held),
            (Wanted::Keep(_), Some(held)) => {
                names.taken.extend(held.names.iter().map(|name| target.name_key(name)));
            }
            _ => {}
        }
    }
    let mut steps = Vec::new();
    for (server, wanted) in wanted {
        let id = server_id(&server);
        let mut held = ours.remove(&id).unwrap_or_default().into_iter();
        let first = held.next();
        steps.extend(held.map(|one| Step {
            server: server.clone(),
            action: Action::Delete(one, "there are two entries for it".to_owned()),
        }));
        let action = match (wanted, first) {
            (Wanted::Serve(upstream), first) => write(target, ownership, &mut names, &upstream, first),
            (Wanted::Remove(_), None) => Action::Nothing,
            (Wanted::Keep(reason), _) => Action::Wait(reason),
            (Wanted::Remove(reason) | Wanted::Refuse(reason), Some(first)) => Action::Delete(first, reason),
            (Wanted::Refuse(reason), None) => Action::Refuse(reason),
        };
        steps.push(Step { server, action });
    }
    for one in ours.into_values().flatten() {
        let server = one.names.first().cloned().unwrap_or_else(|| one.id.clone());
        steps.push(Step { server, action: Action::Delete(one, "the registry no longer has it".to_owned()) });
    }
    steps.sort_by_key(|step| !matches!(step.action, Action::Delete(..)));
    steps
}

fn write(
    target: &dyn TargetGateway,
    ownership: &Ownership,
    names: &mut Names,
    upstream: &Upstream,
    held: Option<Listed>,
) -> Action {
    let entry = match target.entry(upstream, names.choose(target, upstream)) {
        Ok(entry) => entry,
        Err(reason) => {
            return match held {
                Some(held) => Action::Delete(held, reason),
                None => Action::Refuse(reason),
            };
        }
    };
    let server = server_id(&upstream.name());
    let fingerprint = ownership.fingerprints.of(&server, &Value::Object(entry.members.clone()).to_string());
    let mark = Mark { owner: ownership.owner.clone(), server, fingerprint };
    match held {
        None => Action::Create(entry, mark),
        Some(held) if held.mark.as_ref() == Some(&mark) && !ownership.rewrite => Action::Nothing,
        Some(held) => Action::Update(held, entry, mark),
    }
}

/// The names that are in use or promised.
#[derive(Default)]
struct Names {
    taken: BTreeSet<String>,
    /// By `workspace/server`.
    kept: BTreeMap<String, String>,
}

impl Names {
    /// The names that a server can have, the plain one first.
    fn candidates(target: &dyn TargetGateway, upstream: &Upstream) -> [String; 2] {
        let id = server_id(&upstream.name());
        let suffix = id.get(..SUFFIX_LENGTH);
        [target.name_for(upstream, None), target.name_for(upstream, suffix)]
    }

    /// Promises the name that the server has already, if it is one that it can have.
    fn keep(&mut self, target: &dyn TargetGateway, upstream: &Upstream, held: &Listed) {
        let held: Vec<String> = held.names.iter().map(|name| target.name_key(name)).collect();
        for name in Self::candidates(target, upstream) {
            let key = target.name_key(&name);
            if held.contains(&key) && self.taken.insert(key) {
                self.kept.insert(upstream.name(), name);
                return;
            }
        }
    }

    /// The promised name, or else the first one that is free.
    fn choose(&mut self, target: &dyn TargetGateway, upstream: &Upstream) -> String {
        if let Some(name) = self.kept.remove(&upstream.name()) {
            return name;
        }
        let [plain, unique] = Self::candidates(target, upstream);
        if self.taken.insert(target.name_key(&plain)) {
            return plain;
        }
        self.taken.insert(target.name_key(&unique));
        unique
    }
}
