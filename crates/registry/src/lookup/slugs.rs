//! Parses, validates and formats slugs.

use crate::lookup::slugs;
use crate::{ConflictCode, Error, Result};
use registry_core::finding::Finding;
use registry_core::slug::{Reference, Slug, SlugError};

/// A reference as the caller wrote it.
pub(crate) fn show(reference: &Reference) -> String {
    match reference {
        Reference::Id(id) => id.to_string(),
        Reference::Slug(slug) => slug.clone(),
    }
}

/// A unique violation on insert means that another write took the slug meanwhile.
pub(crate) fn insert_unique<T>(result: std::result::Result<T, sea_orm::DbErr>, slug: &Slug) -> Result<T> {
    result.map_err(|error| match error.sql_err() {
        Some(sea_orm::SqlErr::UniqueConstraintViolation(_)) => slugs::slug_taken(slug),
        _ => error.into(),
    })
}

/// A stored slug; rows hold only valid ones.
pub(crate) fn stored_slug(text: &str, table: &'static str, row: uuid::Uuid) -> Result<Slug> {
    // A draft is an integration to be.
    let parsed = match table {
        "integration" | "draft" => Slug::parse_integration(text),
        _ => Slug::parse(text),
    };
    parsed.map_err(|_| Error::corrupt(table, "slug", row))
}

/// A slug from a request, validated.
pub(crate) fn given_slug(text: &str) -> Result<Slug> {
    Slug::parse(text).map_err(invalid_slug)
}

/// The slug of an integration from a request, validated.
pub(crate) fn given_integration_slug(text: &str) -> Result<Slug> {
    Slug::parse_integration(text).map_err(invalid_slug)
}

fn invalid_slug(error: SlugError) -> Error {
    Error::invalid(Finding::error("/slug", "invalid_slug", format!("Here {error}.")))
}

pub(crate) fn slug_taken(slug: &Slug) -> Error {
    Error::Conflict {
        code: ConflictCode::SlugTaken,
        message: format!("The slug `{slug}` is taken. Choose another one."),
        pointer: Some("/slug"),
    }
}
