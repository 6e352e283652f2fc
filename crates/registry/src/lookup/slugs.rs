//! Slugs: chosen, checked, stored.

use crate::lookup::{integrations, slugs, workspaces};
use crate::{Error, Result};
use registry_core::finding::Finding;
use registry_core::id::WorkspaceId;
use registry_core::slug::{Reference, Slug};
use sea_orm::ConnectionTrait;

/// A reference as the caller wrote it.
pub(crate) fn show(reference: &Reference) -> String {
    match reference {
        Reference::Id(id) => id.to_string(),
        Reference::Slug(slug) => slug.clone(),
    }
}

/// A unique violation on insert is a slug that somebody took a moment ago.
pub(crate) fn insert_unique<T>(result: std::result::Result<T, sea_orm::DbErr>, slug: &Slug) -> Result<T> {
    result.map_err(|error| match error.sql_err() {
        Some(sea_orm::SqlErr::UniqueConstraintViolation(_)) => slugs::slug_taken(slug),
        _ => error.into(),
    })
}

/// A stored slug; rows hold only judged ones.
pub(crate) fn stored_slug(text: &str, table: &'static str, row: uuid::Uuid) -> Result<Slug> {
    Slug::parse(text).map_err(|_| Error::corrupt(table, "slug", row))
}

/// Where a slug must be unique.
#[derive(Clone, Copy)]
pub(crate) enum SlugSpace {
    Workspaces,
    Integrations,
    ServersOf(WorkspaceId),
}

impl SlugSpace {
    async fn has(self, db: &impl ConnectionTrait, slug: &Slug) -> Result<bool> {
        let reference = Reference::Slug(slug.key());
        Ok(match self {
            Self::Workspaces => workspaces::by_reference(db, &reference).await?.is_some(),
            Self::Integrations => integrations::by_reference(db, &reference).await?.is_some(),
            Self::ServersOf(workspace) => {
                crate::lookup::servers::server_slug_taken(db, workspace, slug).await?
            }
        })
    }
}

/// The slug to use: the given one, judged and found free, or one made from `name` that is free.
pub(crate) async fn slug(
    db: &impl ConnectionTrait,
    space: SlugSpace,
    given: Option<&str>,
    name: &str,
) -> Result<Slug> {
    if let Some(text) = given {
        let slug = given_slug(text)?;
        if space.has(db, &slug).await? {
            return Err(slug_taken(&slug));
        }
        return Ok(slug);
    }
    let base = Slug::from_name(name);
    if !space.has(db, &base).await? {
        return Ok(base);
    }
    for number in 2..10_000 {
        let slug = base.numbered(number);
        if !space.has(db, &slug).await? {
            return Ok(slug);
        }
    }
    Err(slug_taken(&base))
}

/// A slug as somebody wrote it, judged.
pub(crate) fn given_slug(text: &str) -> Result<Slug> {
    Slug::parse(text)
        .map_err(|error| Error::invalid(Finding::error("/slug", "invalid_slug", format!("Here {error}."))))
}

pub(crate) fn slug_taken(slug: &Slug) -> Error {
    Error::Conflict {
        code: "slug_taken",
        message: format!("The slug `{slug}` is taken. Choose another one."),
        pointer: Some("/slug"),
    }
}
