//! Mappings as rows, beside what their secrets held when they were read last.

use super::read::{ReadMappings, SecretReadError};
use super::validate::{MappingOwner, canonical, validate};
use super::{MappedSecret, SecretMapping, ValueFormat};
use crate::secrets::markers::open_markers;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{moment, word};
use crate::storage::entity::secret_mapping;
use crate::storage::owner::Owner;
use crate::storage::write::Write;
use crate::{Error, Result};
use registry_core::finding::{Finding, Findings, Severity};
use registry_core::id::SealedId;
use registry_core::metadata::{AdvancedConfiguration, KnownSecrets, verify};
use registry_core::secret::same_value;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Findings about what stays readable.
const UNSEALED_CODES: [&str; 3] = ["unknown_top_level_member", "unknown_member", "ignored_member"];

/// Validates and keeps an owner's mappings: those of `read`, or those it has already, which must fit what it is now.
pub(crate) async fn apply(
    write: &mut Write<'_>,
    owner: &MappingOwner<'_>,
    read: Option<ReadMappings>,
) -> Result<bool> {
    let known = rows_of(&write.txn, [owner.owner.id]).await?;
    let configured = match owner.configuration {
        Some(text) => AdvancedConfiguration::from_stored(text).map_err(Error::Invalid)?,
        None => AdvancedConfiguration::empty(),
    };
    let mut findings = Findings::default();
    let Some(read) = read else {
        for (index, row) in known.iter().enumerate() {
            let mapping = mapping(row.clone())?;
            validate(
                write,
                owner,
                &configured,
                &mapping,
                &format!("/secret_mappings/{index}"),
                &mut findings,
            );
        }
        findings.into_result().map_err(Error::Invalid)?;
        return Ok(false);
    };
    let mut targets = BTreeSet::new();
    let mut rows = Vec::new();
    for (index, (mapping, value)) in read.0.into_iter().enumerate() {
        let prefix = format!("/secret_mappings/{index}");
        // Some members have two names.
        if !targets.insert(canonical(&mapping.target_field).unwrap_or_else(|| mapping.target_field.clone())) {
            let why = "This member is mapped twice. Map each once.";
            findings.push(Finding::error(format!("{prefix}/target_field"), "duplicate", why));
            continue;
        }
        if !validate(write, owner, &configured, &mapping, &prefix, &mut findings) {
            continue;
        }
        let value = match value {
            Ok(value) => value,
            // Nothing is wrong with what was sent: another process can do it.
            Err(unread @ SecretReadError::NotLoadedYet) => {
                return Err(Error::SettingsDiffer(unread.finding(&prefix, &mapping.reference).message));
            }
            Err(unread) => {
                findings.push(unread.finding(&prefix, &mapping.reference));
                continue;
            }
        };
        let same = known.iter().find(|row| is_of(row, &mapping));
        if let Some(row) = same
            && open_value(write, row).await.is_ok_and(|known| same_value(&known, &value))
        {
            rows.push(row.clone());
            continue;
        }
        match seal(write, owner.owner, &mapping, &value).await? {
            Ok(value) => rows.push(secret_mapping::Model {
                owner_id: owner.owner.id,
                target: mapping.target_field,
                owner_kind: owner.owner.kind.as_str().to_owned(),
                reference: mapping.reference,
                secret_key: mapping.secret_key,
                value_format: mapping.value_format.map(|format| format.as_str().to_owned()),
                value,
                read_at: write.millis(),
                problem: None,
            }),
            Err(unfit) => {
                findings.push(Finding::error(format!("{prefix}/secret_reference_id"), "secret_unfit", unfit));
            }
        }
    }
    findings.into_result().map_err(Error::Invalid)?;
    if rows.len() == known.len() && rows.iter().all(|row| known.contains(row)) {
        return Ok(false);
    }
    for row in &known {
        if !rows.contains(row) {
            delete_sealed(write, row).await?;
        }
    }
    let event = owner.event(AuditAction::SecretMappingsChanged);
    write.audit(event.before(shown(&known)?).after(shown(&rows)?));
    delete_rows(write, [owner.owner.id]).await?;
    for row in rows {
        row.into_active_model().reset_all().insert(&write.txn).await?;
    }
    Ok(true)
}

/// Mappings for the record: what comes from where, never what it is.
fn shown(rows: &[secret_mapping::Model]) -> Result<Value> {
    let mappings = rows.iter().cloned().map(mapping).collect::<Result<Vec<_>>>()?;
    Ok(serde_json::to_value(mappings)?)
}

/// Refuses a configuration that sets what a mapping sets already.
pub(crate) async fn refuse_overlap(write: &Write<'_>, owner: Uuid, text: Option<&str>) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    let configured = AdvancedConfiguration::from_stored(text).map_err(Error::Invalid)?;
    let mut findings = Findings::default();
    for row in rows_of(&write.txn, [owner]).await? {
        let member = canonical(&row.target).unwrap_or_default();
        if configured.value().get(&member).is_some_and(|value| !value.is_null()) {
            let why = format!(
                "`{member}` comes from the secret `{}` that the operator declared (`secret_mappings`). Remove it here, or remove that mapping over the API first.",
                row.reference
            );
            findings.push(Finding::error(format!("/{member}"), "member_set_twice", why));
        }
    }
    findings.into_result().map(drop).map_err(Error::Invalid)
}

/// Whether something has mappings.
pub(crate) async fn has_any(db: &impl ConnectionTrait, owner: Uuid) -> Result<bool> {
    Ok(!rows_of(db, [owner]).await?.is_empty())
}

/// Forgets the mappings of these owners, at most 1,000, and what was read for them.
pub(crate) async fn remove_all(write: &Write<'_>, owners: &[Uuid]) -> Result<()> {
    let rows = rows_of(&write.txn, owners.iter().copied()).await?;
    if rows.is_empty() {
        return Ok(());
    }
    write.delete_sealed(rows.iter().flat_map(|row| KnownSecrets::of(&row.value).0.into_values())).await?;
    delete_rows(write, owners.iter().copied()).await
}

/// Validates what a secret holds as the member it is for, and seals the secrets in it. The refusal never quotes the secret.
pub(super) async fn seal(
    write: &mut Write<'_>,
    owner: Owner,
    mapping: &SecretMapping,
    value: &Value,
) -> Result<std::result::Result<String, String>> {
    let member = canonical(&mapping.target_field).unwrap_or_default();
    let verified = verify(&json!({ &member: value }).to_string(), &KnownSecrets::default());
    if let Some(finding) = verified.findings.iter().find(|finding| finding.severity == Severity::Error) {
        return Ok(Err(format!(
            "What the secret `{}` holds does not fit `{member}`: {} at {}.",
            mapping.reference, finding.code, finding.pointer
        )));
    }
    // Unsealed members are shown to users, so a secret may contribute only members that are known to be harmless.
    let odd = verified.findings.iter().find(|finding| UNSEALED_CODES.contains(&&*finding.code));
    if odd.is_some() || verified.new_secrets().is_empty() {
        return Ok(Err(format!(
            "The secret `{}` holds something that is no member of `{member}`, or nothing of it is secret there. Name the member of the secret that is meant (`secret_key`).",
            mapping.reference
        )));
    }
    let mut ids = Vec::new();
    for secret in verified.new_secrets() {
        let id = SealedId(write.registry.new_id());
        write.seal(id, owner, &secret.pointer, secret.expose()).await?;
        ids.push(id);
    }
    let text =
        verified.sealed_text(&ids).ok_or_else(|| Error::Internal("verified text without result".into()))?;
    Ok(Ok(text))
}

/// What a mapping's secret held when it was read last.
pub(super) async fn open_value(write: &Write<'_>, row: &secret_mapping::Model) -> Result<Value> {
    let mut members: Value = serde_json::from_str(&row.value)?;
    open_markers(write.registry, &write.txn, &mut members).await?;
    match members {
        Value::Object(members) => Ok(members.into_iter().next().map(|(_, value)| value).unwrap_or_default()),
        _ => Err(Error::corrupt("secret_mapping", "value", row.owner_id)),
    }
}

pub(super) async fn delete_sealed(write: &Write<'_>, row: &secret_mapping::Model) -> Result<()> {
    write.delete_sealed(KnownSecrets::of(&row.value).0.into_values()).await
}

async fn delete_rows(write: &Write<'_>, owners: impl IntoIterator<Item = Uuid>) -> Result<()> {
    let rows = secret_mapping::Entity::delete_many().filter(secret_mapping::Column::OwnerId.is_in(owners));
    rows.exec(&write.txn).await?;
    Ok(())
}

pub(super) async fn rows_of(
    db: &impl ConnectionTrait,
    owners: impl IntoIterator<Item = Uuid>,
) -> Result<Vec<secret_mapping::Model>> {
    let rows = secret_mapping::Entity::find()
        .filter(secret_mapping::Column::OwnerId.is_in(owners))
        .order_by_asc(secret_mapping::Column::Target);
    Ok(rows.all(db).await?)
}

/// The mappings of these owners, by owner, ordered by member.
pub(crate) async fn mappings_of(
    db: &impl ConnectionTrait,
    owners: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Vec<MappedSecret>>> {
    let mut found: HashMap<Uuid, Vec<MappedSecret>> = HashMap::new();
    for row in rows_of(db, owners).await? {
        let (owner, read_at, problem) = (row.owner_id, moment(row.read_at), row.problem.clone());
        found.entry(owner).or_default().push(MappedSecret { mapping: mapping(row)?, read_at, problem });
    }
    Ok(found)
}

/// The members that mappings set, by owner.
pub(crate) async fn members_of(
    db: &impl ConnectionTrait,
    owners: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Map<String, Value>>> {
    let mut found: HashMap<Uuid, Map<String, Value>> = HashMap::new();
    for row in rows_of(db, owners).await? {
        let members: Map<String, Value> = serde_json::from_str(&row.value)?;
        found.entry(row.owner_id).or_default().extend(members);
    }
    Ok(found)
}

pub(super) fn is_of(row: &secret_mapping::Model, mapping: &SecretMapping) -> bool {
    row.target == mapping.target_field
        && row.reference == mapping.reference
        && row.secret_key == mapping.secret_key
        && row.value_format.as_deref() == mapping.value_format.map(ValueFormat::as_str)
}

pub(super) fn mapping(row: secret_mapping::Model) -> Result<SecretMapping> {
    let format = row.value_format.as_deref();
    Ok(SecretMapping {
        value_format: format
            .map(|format| word(ValueFormat::parse, format, "secret_mapping", "value_format", row.owner_id))
            .transpose()?,
        target_field: row.target,
        reference: row.reference,
        secret_key: row.secret_key,
    })
}
