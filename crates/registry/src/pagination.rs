//! Pagination of lists.

use crate::Result;
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait, QuerySelect, Select};

/// The requested page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// 0-based.
    pub page: u64,
    /// Items per page, 1 to 1000.
    pub size: u64,
}

impl PageRequest {
    /// Page `page` (0-based) of `size` items; the size is kept within 1 and 1000, the page within a million.
    pub fn new(page: u64, size: u64) -> Self {
        Self { page: page.min(1_000_000), size: size.clamp(1, 1000) }
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self::new(0, 100)
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Count of items on all pages.
    pub total: u64,
}

impl<T> Page<T> {
    /// Whether there are items after this page.
    pub fn has_more(&self, request: PageRequest) -> bool {
        request.page.saturating_add(1).saturating_mul(request.size) < self.total
    }

    pub(crate) fn try_map<U>(self, convert: impl FnMut(T) -> Result<U>) -> Result<Page<U>> {
        Ok(Page { items: self.items.into_iter().map(convert).collect::<Result<_>>()?, total: self.total })
    }
}

/// Runs `select` (already filtered and ordered) for one page.
pub(crate) async fn fetch<E>(
    db: &impl ConnectionTrait,
    select: Select<E>,
    request: PageRequest,
) -> Result<Page<E::Model>>
where
    E: EntityTrait,
    E::Model: Sync,
{
    let total = select.clone().count(db).await?;
    let items = select.limit(request.size).offset(request.page.saturating_mul(request.size)).all(db).await?;
    Ok(Page { items, total })
}
