//! Which slugs are taken, for the items of an import: only those that the items may get are asked for.

use crate::Result;
use crate::storage::entity::integration;
use registry_core::slug::Slug;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use std::collections::{HashMap, HashSet};

/// Slugs in one query.
const CHUNK: usize = 500;

/// Numbered slugs of one name that are asked for at once.
const NUMBERED_AT_ONCE: u32 = 50;

/// The slugs of integrations that are known to be taken, in the database or by an item of the import.
pub(super) struct TakenSlugs {
    keys: HashSet<String>,
    /// By key of a slug without number: the last number that was tried, and the last one that was asked for.
    numbered: HashMap<String, (u32, u32)>,
}

impl TakenSlugs {
    /// Asks for `wanted`: the slugs that items name, and those that their names lead to.
    pub(super) async fn of(
        db: &impl ConnectionTrait,
        wanted: impl IntoIterator<Item = Slug>,
    ) -> Result<Self> {
        let wanted: HashSet<String> = wanted.into_iter().map(|slug| slug.key()).collect();
        let mut taken = Self { keys: HashSet::new(), numbered: HashMap::new() };
        taken.ask(db, wanted.into_iter().collect()).await?;
        Ok(taken)
    }

    pub(super) fn has(&self, slug: &Slug) -> bool {
        self.keys.contains(&slug.key())
    }

    pub(super) fn take(&mut self, slug: &Slug) {
        self.keys.insert(slug.key());
    }

    /// Whether a number was looked for behind `base` already.
    pub(super) fn is_numbered(&self, base: &Slug) -> bool {
        self.numbered.contains_key(&base.key())
    }

    /// The next free slug of `base` with a number, from 2. Each of many items with one name goes on where the one before it
    /// ended.
    pub(super) async fn next_free(&mut self, db: &impl ConnectionTrait, base: &Slug) -> Result<Slug> {
        let (mut tried, mut asked) = self.numbered.get(&base.key()).copied().unwrap_or((1, 1));
        loop {
            tried += 1;
            if tried > asked {
                asked = tried + NUMBERED_AT_ONCE - 1;
                self.ask(db, (tried..=asked).map(|number| base.numbered(number).key()).collect()).await?;
            }
            let slug = base.numbered(tried);
            if !self.has(&slug) {
                self.numbered.insert(base.key(), (tried, asked));
                return Ok(slug);
            }
        }
    }

    async fn ask(&mut self, db: &impl ConnectionTrait, keys: Vec<String>) -> Result<()> {
        for chunk in keys.chunks(CHUNK) {
            let found: Vec<String> = integration::Entity::find()
                .select_only()
                .column(integration::Column::SlugKey)
                .filter(integration::Column::DeletedAt.is_null())
                .filter(integration::Column::SlugKey.is_in(chunk))
                .into_tuple()
                .all(db)
                .await?;
            self.keys.extend(found);
        }
        Ok(())
    }
}
