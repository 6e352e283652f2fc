//! Signed checkpoints of the audit log, and what a check of the log found.

use crate::Result;
use crate::storage::entity::audit_checkpoint;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{ConnectionTrait, EntityTrait};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// All checkpoints by the number of their event.
pub(crate) type Checkpoints = BTreeMap<i64, audit_checkpoint::Model>;

/// The result of verifying the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditVerification {
    /// Number of events with a valid link.
    pub events: u64,
    /// The number of the first event that is still there.
    pub first: Option<i64>,
    /// The number of the last one.
    pub last: i64,
    /// The last one's hash.
    pub last_hash: String,
    /// Number of signed checkpoints that match the chain.
    pub checkpoints: u64,
    /// The keys those were signed with: Ed25519 public keys (RFC 8032), hex.
    pub public_keys: BTreeSet<String>,
    /// The first broken link.
    pub broken: Option<BrokenLink>,
    /// Checks that were not possible, one sentence each.
    pub unchecked: Vec<String>,
    /// The number of the last event that says that the database was restored from a copy.
    pub restored: Option<i64>,
}

/// Where the chain breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenLink {
    /// The number of the event (or signed checkpoint) that does not fit.
    pub number: i64,
    /// What is wrong with it.
    pub why: Cow<'static, str>,
}

pub(crate) async fn checkpoints(db: &impl ConnectionTrait) -> Result<Checkpoints> {
    let all = audit_checkpoint::Entity::find().all(db).await?;
    Ok(all.into_iter().map(|checkpoint| (checkpoint.number, checkpoint)).collect())
}

pub(crate) fn is_signed(checkpoint: &audit_checkpoint::Model) -> bool {
    let message = message(checkpoint.number, checkpoint.at, checkpoint.pruned, &checkpoint.hash);
    let key: Option<Vec<u8>> = (0..checkpoint.public_key.len() / 2)
        .map(|byte| u8::from_str_radix(checkpoint.public_key.get(2 * byte..2 * byte + 2)?, 16).ok())
        .collect();
    let (Some(key), Ok(signature)) = (key, STANDARD.decode(&checkpoint.signature)) else { return false };
    UnparsedPublicKey::new(&ED25519, key).verify(&message, &signature).is_ok()
}

pub(crate) fn message(number: i64, at: i64, pruned: bool, hash: &str) -> Vec<u8> {
    let label: &[u8] = b"mcp-registry audit checkpoint\0";
    [label, &number.to_be_bytes(), &at.to_be_bytes(), &[u8::from(pruned)], hash.as_bytes()].concat()
}
