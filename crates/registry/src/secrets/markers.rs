//! Secrets of Advanced Configurations: replaced by markers and encrypted on save, kept by their markers, bound to the
//! address that they are sent to, decrypted only for gateways.

use crate::secrets::reentered::{SealedRows, stored_equals};
use crate::secrets::sealed_rows::SealedRow;
use crate::storage::logo_queue;
use crate::storage::owner::Owner;
use crate::storage::write::{MAX_ROWS_PER_STATEMENT, Write};
use crate::{Error, Registry, Result};
use registry_core::finding::{Finding, Findings};
use registry_core::id::SealedId;
use registry_core::metadata::{
    AdvancedConfiguration, CANONICAL_WRAPPER, KnownSecrets, Verified, map_markers, parse_marker, verify,
};
use sea_orm::ConnectionTrait;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A configuration as its row stores it.
pub(crate) struct StoredConfiguration {
    pub(crate) text: Option<String>,
    pub(crate) findings: Findings,
}

/// Verifies `text`, stores its new secrets, deletes those that it no longer contains. `prefix` is put before every
/// pointer of a finding; `url_changed`: the address that kept secrets would be sent to has changed.
pub(crate) async fn store(
    write: &mut Write<'_>,
    owner: Owner,
    prefix: &str,
    text: Option<&str>,
    stored: Option<&str>,
    url_changed: bool,
) -> Result<StoredConfiguration> {
    let ready = prepare(
        write.registry,
        &write.txn,
        owner,
        prefix,
        text,
        Before { text: stored, url_changed, read: None },
    )
    .await?;
    put(write, vec![ready.secrets]).await?;
    Ok(ready.stored)
}

/// A configuration that is ready to be stored. Prepared outside a write, because verification and encryption take time.
pub(crate) struct PreparedConfiguration {
    pub(crate) stored: StoredConfiguration,
    pub(crate) secrets: SecretChanges,
}

/// The secrets that one configuration adds and removes, and its logos.
pub(crate) struct SecretChanges {
    new: Vec<SealedRow>,
    gone: Vec<SealedId>,
    logos: BTreeSet<String>,
}

impl SecretChanges {
    /// Keeps the secrets that the new text no longer contains, and returns their ids.
    pub(crate) fn keep_old(&mut self) -> Vec<SealedId> {
        std::mem::take(&mut self.gone)
    }
}

/// Inserts and deletes the secrets of many configurations.
pub(crate) async fn put(write: &Write<'_>, secrets: Vec<SecretChanges>) -> Result<()> {
    let (mut new, mut gone, mut logos) = (Vec::new(), Vec::new(), BTreeSet::new());
    for one in secrets {
        new.extend(one.new);
        gone.extend(one.gone);
        logos.extend(one.logos);
    }
    write.insert_sealed(new).await?;
    for chunk in gone.chunks(MAX_ROWS_PER_STATEMENT) {
        write.delete_sealed(chunk.iter().copied()).await?;
    }
    logo_queue::enqueue_logos(write, logos).await
}

/// What was there before.
#[derive(Clone, Copy, Default)]
pub(crate) struct Before<'a> {
    /// The stored text.
    pub(crate) text: Option<&'a str>,
    /// Whether the address that kept secrets would be sent to has changed.
    pub(crate) url_changed: bool,
    /// The stored secrets, where they were read for many texts at once.
    pub(crate) read: Option<&'a SealedRows>,
}

/// As [`store`], outside a write: `stored` must still be the stored text when the result is stored.
///
/// A secret that is entered again with the value that is stored for the same address keeps its marker; at another address
/// it is sealed again.
pub(crate) async fn prepare(
    registry: &Registry,
    db: &impl ConnectionTrait,
    owner: Owner,
    prefix: &str,
    text: Option<&str>,
    Before { text: stored, url_changed, read }: Before<'_>,
) -> Result<PreparedConfiguration> {
    let known = stored.map(KnownSecrets::of).unwrap_or_default();
    let Some(text) = text else {
        let gone = known.0.into_values().collect();
        let secrets = SecretChanges { new: Vec::new(), gone, logos: BTreeSet::new() };
        return Ok(PreparedConfiguration {
            stored: StoredConfiguration { text: None, findings: Findings::default() },
            secrets,
        });
    };
    let verified = verify(text, &known);
    let mut findings = Findings::default();
    findings.extend_below(prefix, verified.findings.clone());
    let kept = verified.kept_secrets();
    let repaired = verified.repaired_text();
    let moves = |pointer: &str| {
        url_changed || stored.is_some_and(|stored| binding(stored, pointer) != binding(&repaired, pointer))
    };
    if stored.is_some() {
        for pointer in kept.keys().filter(|pointer| moves(pointer)) {
            findings.push(Finding::error(
                format!("{prefix}{pointer}"),
                "secret_reentry_required",
                "The address this secret is sent to changes, so the stored secret may not be kept. Enter it again, or remove it.",
            ));
        }
    }
    let findings = findings.into_result().map_err(Error::Invalid)?;
    let entered: Vec<_> = verified
        .new_secrets()
        .iter()
        .map(|secret| {
            let stored = known.0.get(&secret.pointer).copied();
            (secret, stored.filter(|_| !moves(&secret.pointer)))
        })
        .collect();
    let again = stored_equals(registry, db, owner, &entered, read).await?;
    let (sealed, new) = seal_except(registry, owner, &verified, &again)?;
    let kept: HashSet<SealedId> = kept.into_values().chain(again.into_iter().flatten()).collect();
    let gone = known.0.into_values().filter(|id| !kept.contains(id)).collect();
    let logos = logo_queue::logo_urls_in(registry, &[&sealed]);
    Ok(PreparedConfiguration {
        stored: StoredConfiguration { text: Some(sealed), findings },
        secrets: SecretChanges { new, gone, logos },
    })
}

/// The text to store, with markers in place of new secrets, and these secrets, encrypted for `owner`.
pub(crate) fn seal_new(
    registry: &Registry,
    owner: Owner,
    verified: &Verified,
) -> Result<(String, Vec<SealedRow>)> {
    seal_except(registry, owner, verified, &[])
}

/// As [`seal_new`]; `again` holds the ids of those that are stored already, in the order of the secrets.
fn seal_except(
    registry: &Registry,
    owner: Owner,
    verified: &Verified,
    again: &[Option<SealedId>],
) -> Result<(String, Vec<SealedRow>)> {
    let (mut ids, mut rows) = (Vec::new(), Vec::new());
    for (index, secret) in verified.new_secrets().iter().enumerate() {
        if let Some(id) = again.get(index).copied().flatten() {
            ids.push(id);
            continue;
        }
        let id = SealedId(registry.new_id());
        rows.push(registry.sealed_row(id, owner, &secret.pointer, secret.expose())?);
        ids.push(id);
    }
    let text =
        verified.sealed_text(&ids).ok_or_else(|| Error::Internal("verified text without result".into()))?;
    Ok((text, rows))
}

/// What the secret at `pointer` is bound to: all members that say where it is sent. These are issuer and endpoints in
/// the same object; for the initial access token also those of the authorization server.
fn binding(text: &str, pointer: &str) -> Option<Vec<(String, Value)>> {
    // Pointers of secrets use canonical names, so the document must too.
    let document = Value::Object(AdvancedConfiguration::from_stored(text).ok()?.value().clone());
    let (parent, name) = pointer.rsplit_once('/')?;
    let mut objects = vec![document.pointer(parent)?];
    if name == "initial_access_token" {
        objects.extend(document.get(CANONICAL_WRAPPER));
    } else if name == "client_secret" {
        objects.extend(document.get("registration"));
    }
    let is_address = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.ends_with("endpoint") || name.ends_with("issuer") || name == "jwksuri"
    };
    Some(
        objects
            .into_iter()
            .filter_map(Value::as_object)
            .flatten()
            .filter(|(name, value)| is_address(name) && !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

/// An earlier text with the current secrets: a marker that no longer exists is replaced by the current one at its
/// pointer, or by `null`, which means "not set". Each case gives a finding.
pub(crate) fn with_current_secrets(text: &str, present: Option<&str>) -> Result<(String, Findings)> {
    let present = sealed_ids(present);
    let mut findings = Findings::default();
    let text = map_markers(text, |pointer, id| {
        let now = present.get(pointer).copied();
        if now != Some(id) {
            findings.push(match now {
                Some(_) => Finding::notice(
                    pointer,
                    "secret_kept",
                    "The secret of that version no longer exists; the current one stays in use.",
                ),
                None => Finding::warning(
                    pointer,
                    "secret_gone",
                    "The secret of that version no longer exists and none is stored now. Enter it again.",
                ),
            });
        }
        now
    });
    let text = text.ok_or_else(|| Error::Internal("a stored revision is no object".into()))?;
    Ok((text, findings))
}

/// All sealed values of a text, by pointer.
pub(crate) fn sealed_ids(text: Option<&str>) -> BTreeMap<String, SealedId> {
    text.map(KnownSecrets::of).unwrap_or_default().0
}

/// Replaces every marker in `value` by its secret. Answers how many there were.
pub(crate) async fn open_markers(
    registry: &Registry,
    db: &impl ConnectionTrait,
    value: &mut Value,
) -> Result<usize> {
    let mut opened = 0;
    let mut stack = vec![value];
    while let Some(value) = stack.pop() {
        match value {
            Value::String(text) => {
                if let Some(id) = parse_marker(text) {
                    registry.open_sealed(db, id).await?.expose().clone_into(text);
                    opened += 1;
                }
            }
            Value::Array(items) => stack.extend(items),
            Value::Object(members) => stack.extend(members.values_mut()),
            _ => {}
        }
    }
    Ok(opened)
}

/// Removes every member whose value is a marker.
pub(crate) fn without_markers(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| member.as_str().is_none_or(|text| parse_marker(text).is_none()));
            members.values_mut().for_each(without_markers);
        }
        Value::Array(items) => items.iter_mut().for_each(without_markers),
        _ => {}
    }
}
