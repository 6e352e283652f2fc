//! An event as a sentence: its actor, what the actor did, and to what.

use super::diff::Change;
use registry::{AuditEvent, AuditSubject};
use serde_json::Value;

/// Members that a sentence names, at most.
const MAX_NAMED: usize = 3;

/// A sentence around the name of the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sentence {
    /// Before the object: `changed client_name of`.
    pub(super) lead: String,
    /// After the object, with its own comma or space; may be empty.
    pub(super) tail: String,
    /// Whether the object is named.
    pub(super) names_object: bool,
}

/// What `event` says, in words. Its members in backticks are code.
pub(super) fn sentence(event: &AuditEvent, subject: &AuditSubject, changes: &[Change]) -> Sentence {
    let (lead, tail) = words(&event.action).unwrap_or(("did something to", ""));
    let mut sentence =
        Sentence { lead: lead.to_owned(), tail: tail.to_owned(), names_object: !lead.is_empty() };
    if lead.is_empty() {
        sentence.lead = std::mem::take(&mut sentence.tail);
    }
    match event.action.as_str() {
        "configuration.saved" => {
            sentence.lead = format!("changed {} of", named(changes, "the configuration"));
            sentence.tail = match subject.version {
                Some(1) => ", v1".to_owned(),
                Some(version) => format!(", v{} → v{version}", version - 1),
                None => String::new(),
            };
        }
        "integration.updated"
        | "server.updated"
        | "workspace.updated"
        | "api_key.updated"
        | "access.updated"
        | "draft.updated"
            if !changes.is_empty() =>
        {
            sentence.lead = format!("changed {} of {}", named(changes, ""), the(&event.action));
        }
        "integration.global_access" => {
            let is_given = event.after.as_ref().and_then(Value::as_bool) == Some(true);
            let (given, taken) = ("gave every workspace access to", "took the access of every workspace to");
            sentence.lead = format!("{} the integration", if is_given { given } else { taken });
        }
        "registration.state_changed" | "registration.failed" => {
            let state = |value: &Option<Value>| {
                value.as_ref().and_then(|value| value["state"].as_str()).map(str::to_owned)
            };
            if let Some(after) = state(&event.after) {
                let reason = event.after.as_ref().and_then(|value| value["reason"].as_str());
                let reason = reason.map(|code| format!(" (`{code}`)")).unwrap_or_default();
                let before = state(&event.before).map(|before| format!(" from {before}")).unwrap_or_default();
                sentence.tail = format!("{before} to {after}{reason}");
            }
        }
        "user.role_changed" => {
            let role = |value: &Option<Value>| {
                value
                    .as_ref()
                    .and_then(|value| value["role"].as_str())
                    .unwrap_or("roles in workspaces")
                    .to_owned()
            };
            sentence.tail = format!(" from {} to {}", role(&event.before), role(&event.after));
        }
        _ => {}
    }
    sentence
}

/// The kind of an object with its article, as its actions name it.
fn the(action: &str) -> &'static str {
    match action.split_once('.').map_or("", |(kind, _)| kind) {
        "integration" => "the integration",
        "server" => "the server",
        "workspace" => "the workspace",
        "api_key" => "the API key",
        "draft" => "the draft",
        _ => "the access of",
    }
}

/// The names of changed members: `client_name`, `scope` and 3 more.
fn named(changes: &[Change], otherwise: &str) -> String {
    let mut names: Vec<String> = Vec::new();
    for change in changes {
        let name = format!("`{}`", change.name().replace('`', "'"));
        if !change.path.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(MAX_NAMED);
    if more > 0 {
        names.truncate(MAX_NAMED);
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        None => otherwise.to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
    }
}

/// The words before and after the object of an action; nothing before it: the sentence names no object.
fn words(action: &str) -> Option<(&'static str, &'static str)> {
    Some(match action {
        "api_key.created" => ("created the API key", ""),
        "api_key.revoked" => ("revoked the API key", ""),
        "api_key.rotated" => ("rotated the API key", ""),
        "api_key.updated" => ("changed the API key", ""),
        "access.updated" => ("changed the access of", ""),
        "audit.pruned" => ("", "removed old events from the audit log"),
        "audit.restarted" => ("", "began a new chain of the audit log"),
        "audit.signing_key_made" => ("", "made a signing key for the audit log"),
        "audit.signing_key_replaced" => ("", "replaced the signing key of the audit log"),
        "capabilities.switched" => ("switched capabilities of", ""),
        "client_secret.read" => ("read the client secret of", ""),
        "client_secret.read_again" => ("read the client secret of", " again"),
        "clock.set_back" => ("", "noticed that the clock was set back"),
        "configuration.saved" => ("changed the configuration of", ""),
        "database.backed_up" => ("", "made a backup of the database"),
        "database.restored" => ("", "restored the database from a backup"),
        "database.revocations_kept" => ("", "kept revocations that are newer than the backup"),
        "deployment.changed" => ("changed the deployment:", ""),
        "deployment.rollout_finished" => ("", "finished a change of shared settings"),
        "draft.checked" => ("checked the draft", ""),
        "draft.created" => ("began the draft", ""),
        "draft.discarded" => ("discarded the draft", ""),
        "draft.expired" => ("removed the draft", " because it expired"),
        "draft.finished" => ("made an integration of the draft", ""),
        "draft.updated" => ("changed the draft", ""),
        "integration.created" => ("created the integration", ""),
        "integration.deleted" => ("deleted the integration", ""),
        "integration.disabled" => ("disabled the integration", ""),
        "integration.enabled" => ("enabled the integration", ""),
        "integration.global_access" => ("changed the access of all workspaces to the integration", ""),
        "integration.tested" => ("tested the connection of the integration", ""),
        "integration.updated" => ("changed the integration", ""),
        "orphan.entered" => ("entered an orphaned client of", " in the ledger"),
        "orphan.resolved" => ("resolved the orphaned client of", ""),
        "registration.approved" => ("approved the new client of", ""),
        "registration.client_doubted" => ("found the client of", " in doubt"),
        "registration.client_read" => ("read the client of", " at its authorization server"),
        "registration.client_recorded" => ("registered a client for", ""),
        "registration.client_reported" => ("reported that the client of", " does not work"),
        "registration.client_updated" => ("updated the client of", " at its authorization server"),
        "registration.client_withdrawn" => ("withdrew a client of", ""),
        "registration.reregister_asked" => ("requested a new client for", ""),
        "registration.retry_asked" => ("requested a retry for", ""),
        "registration.skipped" => ("kept the client of", ""),
        "registration.state_changed" | "registration.failed" => ("moved", ""),
        "registration.withdrawal_asked" => ("requested the withdrawal of the client of", ""),
        "rollout.finished" => ("", "finished a rollout"),
        "rollout.paused" => ("", "paused a rollout"),
        "rollout.resumed" => ("", "resumed a rollout"),
        "rollout.stopped" => ("", "stopped a rollout"),
        "sealing.key_abandoned" => ("abandoned the sealing key", ""),
        "sealing.rotated" => ("sealed secrets again with the key", ""),
        "secret.changed" => ("took over a changed secret for", ""),
        "secret_mappings.changed" => ("changed the secret mappings of", ""),
        "server.created" => ("created the server", ""),
        "server.deleted" => ("deleted the server", ""),
        "server.tested" => ("tested the connection of the server", ""),
        "server.updated" => ("changed the server", ""),
        "user_access.changed" => ("changed which users may use", ""),
        "user.acts_in" => ("changed the workspace of", ""),
        "user.created" => ("invited", ""),
        "user.deactivated" => ("deactivated", ""),
        "user.last_admin_kept" => ("kept", " as the last administrator"),
        "user.link_created" => ("made a sign-in link for", ""),
        "user.linked_to_provider" => ("linked", " to the identity provider"),
        "user.locked" => ("locked the sign-in of", " after wrong passwords"),
        "user.password_ended" => ("ended the password of", ""),
        "user.password_set" => ("set the password of", ""),
        "user.reactivated" => ("reactivated", ""),
        "user.renamed" => ("renamed", ""),
        "user.reset" => ("reset the access of", ""),
        "user.role_changed" => ("changed the role of", ""),
        "user.session_ended" => ("ended a session of", ""),
        "user.sessions_ended" => ("ended all sessions of", ""),
        "user.sign_in_refused" => ("was refused a sign-in as", ""),
        "user.signed_in" => ("signed in as", " with a password"),
        "user.signed_in_by_link" => ("signed in as", " with a link"),
        "user.signed_in_by_provider" => ("signed in as", " through the identity provider"),
        "user.signed_out" => ("signed out as", ""),
        "workspace.created" => ("created the workspace", ""),
        "workspace.deleted" => ("deleted the workspace", ""),
        "workspace.updated" => ("changed the workspace", ""),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(paths: &[&str]) -> Vec<Change> {
        let change = |path: &&str| Change { path: (*path).to_owned(), before: None, after: None };
        paths.iter().map(change).collect()
    }

    #[test]
    fn every_action_has_words() {
        for action in registry::AUDIT_ACTIONS {
            assert!(words(action).is_some(), "{action}");
        }
    }

    #[test]
    fn changed_members_are_named() {
        for (paths, expected) in [
            (vec![], "nothing"),
            (vec!["a.client_name"], "`client_name`"),
            (vec!["a.client_name", "a.scope"], "`client_name` and `scope`"),
            (vec!["a.x", "b.x", "c"], "`x` and `c`"),
            (vec!["a", "b", "c", "d", "e"], "`a`, `b`, `c` and 2 more"),
            (vec![""], "nothing"),
        ] {
            assert_eq!(named(&changed(&paths), "nothing"), expected, "{paths:?}");
        }
    }
}
