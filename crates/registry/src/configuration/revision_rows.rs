//! Rows of revisions.

use crate::storage::entity::revision;
use crate::storage::owner::{Owner, OwnerKind};
use crate::storage::write::{MAX_ROWS_PER_STATEMENT, Write};
use crate::{Error, Result};
use registry_core::finding::Finding;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
};
use std::collections::HashMap;
use uuid::Uuid;

/// Adds revision `number` of a configuration; the row that holds the configuration names it too.
pub(crate) async fn add_revision(
    write: &Write<'_>,
    owner: Owner,
    number: i64,
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
        number: Set(number),
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

/// Adds a revision to each of many configurations of one kind, without notes: id of the row, number, text.
pub(crate) async fn add_revisions(
    write: &Write<'_>,
    kind: OwnerKind,
    texts: Vec<(Uuid, i64, Option<String>)>,
) -> Result<()> {
    for chunk in texts.chunks(MAX_ROWS_PER_STATEMENT) {
        let rows = chunk.iter().map(|(id, number, text)| revision::ActiveModel {
            id: Set(write.registry.new_id()),
            subject_kind: Set(kind.as_str().to_owned()),
            subject_id: Set(*id),
            number: Set(*number),
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

/// The texts of these revisions of one configuration; a number that was never saved is left out.
pub(crate) async fn texts_of(
    db: &impl ConnectionTrait,
    owner: Owner,
    numbers: impl IntoIterator<Item = i64>,
) -> Result<HashMap<i64, Option<String>>> {
    let rows: Vec<(i64, Option<String>)> = revision::Entity::find()
        .select_only()
        .column(revision::Column::Number)
        .column(revision::Column::Text)
        .filter(revision::Column::SubjectKind.eq(owner.kind.as_str()))
        .filter(revision::Column::SubjectId.eq(owner.id))
        .filter(revision::Column::Number.is_in(numbers))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}
