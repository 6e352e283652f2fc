//! Chooses a slug that is free in its namespace.

use crate::Result;
use crate::lookup::slugs::{given_integration_slug, given_slug, slug_taken};
use crate::lookup::{integrations, workspaces};
use registry_core::id::WorkspaceId;
use registry_core::slug::{Reference, Slug};
use sea_orm::ConnectionTrait;

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

/// The slug to use: the given one, validated and found free, or one made from `name` that is free.
pub(crate) async fn slug(
    db: &impl ConnectionTrait,
    space: SlugSpace,
    given: Option<&str>,
    name: &str,
) -> Result<Slug> {
    if let Some(text) = given {
        let slug = match space {
            SlugSpace::Integrations => given_integration_slug(text)?,
            SlugSpace::Workspaces | SlugSpace::ServersOf(_) => given_slug(text)?,
        };
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
