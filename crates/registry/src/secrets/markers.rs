//! Secrets of Advanced Configurations: cut out and sealed on save, kept by their markers, bound to the address they are
//! sent to, opened for gateways alone.

use crate::secrets::sealed_rows::SealedRow;
use crate::storage::owner::Owner;
use crate::storage::wanted_logos;
use crate::storage::write::Write;
use crate::{Error, Registry, Result};
use registry_core::finding::{Finding, Findings};
use registry_core::id::SealedId;
use registry_core::metadata::{
    AdvancedConfiguration, CANONICAL_WRAPPER, KnownSecrets, Verified, map_markers, parse_marker, verify,
};
use sea_orm::ConnectionTrait;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A configuration as it goes into its row.
pub(crate) struct Stored {
    pub(crate) text: Option<String>,
    pub(crate) findings: Findings,
}

/// Verifies `text`, seals its new secrets, forgets those it no longer holds. `prefix` goes before every pointer;
/// `url_changed` says that the address the kept secrets would be sent to is another one now.
pub(crate) async fn store(
    write: &mut Write<'_>,
    owner: Owner,
    prefix: &str,
    text: Option<&str>,
    stored: Option<&str>,
    url_changed: bool,
) -> Result<Stored> {
    let ready = prepare(write.registry, owner, prefix, text, stored, url_changed)?;
    put(write, vec![ready.secrets]).await?;
    Ok(ready.stored)
}

/// A configuration ready to be kept, made without a write: judging and sealing take time.
pub(crate) struct Ready {
    pub(crate) stored: Stored,
    pub(crate) secrets: Secrets,
}

/// What becomes of the secrets of one configuration.
pub(crate) struct Secrets {
    new: Vec<SealedRow>,
    gone: Vec<SealedId>,
    logos: BTreeSet<String>,
}

/// Puts secrets in and takes others away, of many configurations at once.
pub(crate) async fn put(write: &Write<'_>, secrets: Vec<Secrets>) -> Result<()> {
    /// Rows that one statement takes away: `SQLite` allows 32,766 parameters.
    const ROWS: usize = 1_000;
    let (mut new, mut gone, mut logos) = (Vec::new(), Vec::new(), BTreeSet::new());
    for one in secrets {
        new.extend(one.new);
        gone.extend(one.gone);
        logos.extend(one.logos);
    }
    write.keep_sealed(new).await?;
    for chunk in gone.chunks(ROWS) {
        write.unseal(chunk.iter().copied()).await?;
    }
    wanted_logos::want_all(write, logos).await
}

/// As [`store`], without a write: `stored` must still be what is kept when the result is put in.
pub(crate) fn prepare(
    registry: &Registry,
    owner: Owner,
    prefix: &str,
    text: Option<&str>,
    stored: Option<&str>,
    url_changed: bool,
) -> Result<Ready> {
    let known = stored.map(KnownSecrets::of).unwrap_or_default();
    let Some(text) = text else {
        let gone = known.0.into_values().collect();
        let secrets = Secrets { new: Vec::new(), gone, logos: BTreeSet::new() };
        return Ok(Ready { stored: Stored { text: None, findings: Findings::default() }, secrets });
    };
    let verified = verify(text, &known);
    let mut findings = Findings::default();
    findings.extend_below(prefix, verified.findings.clone());
    let kept = verified.kept_secrets();
    if let Some(stored) = stored {
        for pointer in
            kept.keys().filter(|pointer| url_changed || binding(stored, pointer) != binding(text, pointer))
        {
            findings.push(Finding::error(
                format!("{prefix}{pointer}"),
                "secret_reentry_required",
                "The address this secret is sent to changes, so the stored secret may not be kept. Enter it again, or remove it.",
            ));
        }
    }
    let findings = findings.into_result().map_err(Error::Invalid)?;
    let (sealed, new) = seal_new(registry, owner, &verified)?;
    let kept: HashSet<SealedId> = kept.into_values().collect();
    let gone = known.0.into_values().filter(|id| !kept.contains(id)).collect();
    let logos = wanted_logos::named_in(registry, &[&sealed]);
    Ok(Ready { stored: Stored { text: Some(sealed), findings }, secrets: Secrets { new, gone, logos } })
}

/// The text that is kept of a verified one, with markers in place of its new secrets, and these, sealed for `owner`.
pub(crate) fn seal_new(
    registry: &Registry,
    owner: Owner,
    verified: &Verified,
) -> Result<(String, Vec<SealedRow>)> {
    let (mut ids, mut rows) = (Vec::new(), Vec::new());
    for secret in verified.new_secrets() {
        let id = SealedId(registry.new_id());
        rows.push(registry.sealed_row(id, owner, &secret.pointer, secret.expose())?);
        ids.push(id);
    }
    let text =
        verified.sealed_text(&ids).ok_or_else(|| Error::Internal("verified text without result".into()))?;
    Ok((text, rows))
}

/// What the secret at `pointer` is bound to: every member that says where it is sent. For members beside it these are
/// the issuer and endpoints next to it; for the initial access token those of the authorization server as well.
fn binding(text: &str, pointer: &str) -> Option<Vec<(String, Value)>> {
    // Pointers of secrets are in canonical spelling, so the document must be too.
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

/// An earlier text whose secrets are the present ones: a marker that is no longer known becomes the present one at its
/// pointer, or `null`, which means "not set". Each such case is said in a finding.
pub(crate) fn with_present_secrets(text: &str, present: Option<&str>) -> Result<(String, Findings)> {
    let present = sealed_ids(present);
    let mut findings = Findings::default();
    let text = map_markers(text, |pointer, id| {
        let now = present.get(pointer).copied();
        if now != Some(id) {
            findings.push(match now {
                Some(_) => Finding::notice(
                    pointer,
                    "secret_kept",
                    "The secret of that version is gone; the present one stays in use.",
                ),
                None => Finding::warning(
                    pointer,
                    "secret_gone",
                    "The secret of that version is gone and none is stored now. Enter it again.",
                ),
            });
        }
        now
    });
    let text = text.ok_or_else(|| Error::Internal("a stored revision is no object".into()))?;
    Ok((text, findings))
}

/// Every sealed value a text holds, by pointer.
pub(crate) fn sealed_ids(text: Option<&str>) -> BTreeMap<String, SealedId> {
    text.map(KnownSecrets::of).unwrap_or_default().0
}

/// Replaces every marker in `value` by what it stands for, and counts them.
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

/// Takes away every member whose value is a marker.
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
