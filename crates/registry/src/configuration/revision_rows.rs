//! Rows of revisions.

use crate::storage::entity::revision;
use crate::storage::owner::{Owner, OwnerKind};
use crate::storage::write::Write;
use crate::{Error, Result};
use registry_core::finding::Finding;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use std::collections::HashMap;
use uuid::Uuid;

/// Adds the next revision of a configuration.
pub(crate) async fn add_revision(
    write: &Write<'_>,
    owner: Owner,
    text: Option<String>,
    note: Option<String>,
    restored_from: Option<i64>,
) -> Result<()> {
    let note = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    if note.as_ref().is_some_and(|note| note.chars().count() > 500) {
        return Err(Error::invalid(Finding::error(
            "/note",
            "too_long",
            "A note has at most 500 characters.",
        )));
    }
    revision::ActiveModel {
        id: Set(write.registry.new_id()),
        subject_kind: Set(owner.kind.as_str().to_owned()),
        subject_id: Set(owner.id),
        number: Set(last_revision(&write.txn, owner).await? + 1),
        text: Set(text),
        actor: Set(write.actor_name()),
        door: Set(write.actor().origin.door.as_str().to_owned()),
        note: Set(note),
        restored_from: Set(restored_from),
        created_at: Set(write.millis()),
    }
    .insert(&write.txn)
    .await?;
    Ok(())
}

/// Adds the next revision of each of many configurations of one kind, without notes.
pub(crate) async fn add_revisions(
    write: &Write<'_>,
    kind: OwnerKind,
    texts: Vec<(Uuid, Option<String>)>,
) -> Result<()> {
    /// Rows that one statement puts in.
    const ROWS: usize = 1_000;
    for chunk in texts.chunks(ROWS) {
        let newest: HashMap<Uuid, i64> = revision::Entity::find()
            .select_only()
            .column(revision::Column::SubjectId)
            .column_as(revision::Column::Number.max(), "newest")
            .filter(revision::Column::SubjectKind.eq(kind.as_str()))
            .filter(revision::Column::SubjectId.is_in(chunk.iter().map(|(id, _)| *id)))
            .group_by(revision::Column::SubjectId)
            .into_tuple::<(Uuid, i64)>()
            .all(&write.txn)
            .await?
            .into_iter()
            .collect();
        let rows = chunk.iter().map(|(id, text)| revision::ActiveModel {
            id: Set(write.registry.new_id()),
            subject_kind: Set(kind.as_str().to_owned()),
            subject_id: Set(*id),
            number: Set(newest.get(id).copied().unwrap_or_default() + 1),
            text: Set(text.clone()),
            actor: Set(write.actor_name()),
            door: Set(write.actor().origin.door.as_str().to_owned()),
            note: Set(None),
            restored_from: Set(None),
            created_at: Set(write.millis()),
        });
        revision::Entity::insert_many(rows).exec_without_returning(&write.txn).await?;
    }
    Ok(())
}

pub(crate) async fn last_revision(db: &impl ConnectionTrait, owner: Owner) -> Result<i64> {
    let newest: Option<i64> = revision::Entity::find()
        .select_only()
        .column(revision::Column::Number)
        .filter(revision::Column::SubjectKind.eq(owner.kind.as_str()))
        .filter(revision::Column::SubjectId.eq(owner.id))
        .order_by_desc(revision::Column::Number)
        .limit(1)
        .into_tuple()
        .one(db)
        .await?;
    Ok(newest.unwrap_or(0))
}
