//! The place of a page in a list: its number, for display, and the row that it begins after or ends before.

use registry::{Cursor, Page, PageRequest};

/// The parameters `page` and `at` of a list that is read page by page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// 0-based.
    pub(crate) page: u64,
    /// A [`Cursor`]; empty: the page is found by its number.
    pub(crate) at: String,
}

/// The links to the pages around a page.
pub(crate) struct Around {
    pub(crate) previous: Option<Place>,
    pub(crate) next: Option<Place>,
}

impl Place {
    /// A cursor that cannot be read is ignored: the page number stands.
    pub(crate) fn request(&self, size: u64) -> PageRequest {
        PageRequest::new(self.page, size).at(self.at.parse().ok())
    }

    /// Number of the first row of the page.
    pub(crate) fn first(&self, size: u64) -> u64 {
        self.page.saturating_mul(size).saturating_add(1)
    }

    /// The pages around `found`, which is at this place.
    pub(crate) fn around<T>(&self, found: &Page<T>) -> Around {
        let at = |page: u64, cursor: Cursor| Self { page, at: cursor.to_string() };
        Around {
            previous: match self.page.checked_sub(1) {
                // The first page has no cursor, so that it always shows the newest rows.
                Some(0) => Some(Self::default()),
                Some(page) => {
                    found.previous.map(|cursor| at(page, cursor)).or(Some(Self { page, at: String::new() }))
                }
                None => None,
            },
            next: found.next.map(|cursor| at(self.page.saturating_add(1), cursor)),
        }
    }

    /// The parameters that are set.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'static str, String)> {
        let page = (self.page > 0).then(|| ("page", self.page.to_string()));
        let at = (!self.at.is_empty()).then(|| ("at", self.at.clone()));
        page.into_iter().chain(at)
    }
}
