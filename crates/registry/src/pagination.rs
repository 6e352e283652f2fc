//! Pagination of lists.
//!
//! A list has an order with a unique last column, and a page begins after a row ([`Cursor`]): what a page costs depends on its
//! size, not on how many rows come before it. Page numbers work too and read all rows before the page.

use crate::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    Condition, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    Value,
};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Rows that a list counts at most for its `total`.
pub const MAX_COUNTED: u64 = 10_000;
/// Rows that a list counts at most for its `total` where it searches texts or no count is near: of registrations with a
/// filter.
pub(crate) const MAX_FOUND: u64 = 1_000;

/// A place in a list: after a row, or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The row's value in the order of the list where that is a number; 0 elsewhere.
    key: i64,
    /// The row.
    id: Uuid,
    /// Whether the page ends before this row.
    backward: bool,
}

/// The text of a cursor: opaque to callers, base64url.
impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 25];
        let (head, tail) = bytes.split_at_mut(9);
        head[0] = u8::from(self.backward);
        head[1..].copy_from_slice(&self.key.to_be_bytes());
        tail.copy_from_slice(self.id.as_bytes());
        formatter.write_str(&BASE64.encode(bytes))
    }
}

/// The text is no cursor of this release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> std::result::Result<Self, NoCursor> {
        let bytes: [u8; 25] =
            BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(NoCursor)?;
        let (head, tail) = bytes.split_at(9);
        let key = head[1..].try_into().map_err(|_| NoCursor)?;
        Ok(Self {
            key: i64::from_be_bytes(key),
            id: Uuid::from_slice(tail).map_err(|_| NoCursor)?,
            backward: match head[0] {
                0 => false,
                1 => true,
                _ => return Err(NoCursor),
            },
        })
    }
}

/// The requested page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// 0-based; where there is a cursor, only for display.
    pub page: u64,
    /// Items per page, 1 to 1000.
    pub size: u64,
    /// Where the page begins or ends; `None`: where `page` says.
    pub cursor: Option<Cursor>,
}

impl PageRequest {
    /// Page `page` (0-based) of `size` items; the size is kept within 1 and 1000, the page within a million.
    pub fn new(page: u64, size: u64) -> Self {
        Self { page: Ord::min(page, 1_000_000), size: size.clamp(1, 1000), cursor: None }
    }

    /// The same size from `cursor` on, if there is one.
    #[must_use]
    pub fn at(self, cursor: Option<Cursor>) -> Self {
        Self { cursor, ..self }
    }

    /// How many rows come before the page.
    pub(crate) fn offset(self) -> u64 {
        if self.cursor.is_some() { 0 } else { self.page.saturating_mul(self.size) }
    }

    fn is_backward(self) -> bool {
        self.cursor.is_some_and(|cursor| cursor.backward)
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
    /// Whether `total` is exact; otherwise there are at least that many.
    pub total_is_exact: bool,
    /// Whether there are items after this page.
    pub has_more: bool,
    /// Where the next page begins; `None`: this is the last one, or the list knows only page numbers.
    pub next: Option<Cursor>,
    /// Where the page before ends; `None`: this is the first one, or the list knows only page numbers.
    pub previous: Option<Cursor>,
}

impl<T> Page<T> {
    /// A list that has only this page.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        let total = items.len() as u64;
        Self { items, total, total_is_exact: true, has_more: false, next: None, previous: None }
    }

    /// The page that `request` names of a list that is in memory as a whole.
    pub(crate) fn cut(items: Vec<T>, request: PageRequest) -> Self {
        let total = items.len() as u64;
        let skipped = usize::try_from(request.offset()).unwrap_or(usize::MAX);
        let most = usize::try_from(request.size).unwrap_or(usize::MAX);
        let items: Vec<T> = items.into_iter().skip(skipped).take(most).collect();
        let has_more = request.offset().saturating_add(items.len() as u64) < total && !items.is_empty();
        Self { items, total, total_is_exact: true, has_more, next: None, previous: None }
    }

    /// The total for people: `10,000+` stands for at least that many.
    pub fn total_text(&self) -> String {
        format!("{}{}", self.total, if self.total_is_exact { "" } else { "+" })
    }

    pub(crate) fn with_items<U>(self, items: Vec<U>) -> Page<U> {
        let Self { items: _, total, total_is_exact, has_more, next, previous } = self;
        Page { items, total, total_is_exact, has_more, next, previous }
    }

    pub(crate) fn try_map<U>(mut self, convert: impl FnMut(T) -> Result<U>) -> Result<Page<U>> {
        let items = std::mem::take(&mut self.items);
        let items = items.into_iter().map(convert).collect::<Result<_>>()?;
        Ok(self.with_items(items))
    }
}

/// The order of a list, whose last term is unique, and how a cursor names a row of it.
pub(crate) struct ListOrder<M> {
    /// Not null, each with its direction. At most two.
    pub(crate) terms: Vec<(Expr, Order)>,
    /// The number of a row in that order, or 0, and its id.
    pub(crate) place: fn(&M) -> (i64, Uuid),
}

/// The total of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Total {
    /// Known beforehand.
    Known(u64),
    /// To be counted, up to [`MAX_COUNTED`].
    Counted,
    /// To be counted, up to [`MAX_FOUND`].
    Found,
}

impl<M> ListOrder<M> {
    /// The terms with their directions, as this page reads them.
    pub(crate) fn directed(&self, request: PageRequest) -> impl Iterator<Item = (Expr, Order)> {
        let backward = request.is_backward();
        self.terms.iter().map(move |(term, order)| {
            let ascending = matches!(order, Order::Asc) != backward;
            (term.clone(), if ascending { Order::Asc } else { Order::Desc })
        })
    }

    /// The rows beyond the row whose terms have these `values`. Written as a range of the first term, which an index
    /// answers, and a comparison of both.
    pub(crate) fn beyond(&self, request: PageRequest, values: &[Value]) -> Condition {
        let beyond = |(term, order): &(Expr, Order), value: &Value, or_equal: bool| {
            let (term, value) = (term.clone(), Expr::val(value.clone()));
            match (order, or_equal) {
                (Order::Asc, false) => term.gt(value),
                (Order::Asc, true) => term.gte(value),
                (_, false) => term.lt(value),
                (_, true) => term.lte(value),
            }
        };
        let terms: Vec<_> = self.directed(request).zip(values).collect();
        let Some((first, value)) = terms.first() else { return Condition::all() };
        let Some((second, other)) = terms.get(1) else {
            return Condition::all().add(beyond(first, value, false));
        };
        Condition::all()
            .add(beyond(first, value, true))
            .add(beyond(first, value, false).or(beyond(second, other, false)))
    }

    /// The page of `rows`, which were read in the direction of `request`, one more than it shows. The total is not counted.
    pub(crate) fn page(&self, mut rows: Vec<M>, request: PageRequest) -> Page<M> {
        let read_on = rows.len() as u64 > request.size;
        rows.truncate(usize::try_from(request.size).unwrap_or(usize::MAX));
        let backward = request.is_backward();
        if backward {
            rows.reverse();
        }
        let cursor = |row: &M, backward: bool| {
            let (key, id) = (self.place)(row);
            Cursor { key, id, backward }
        };
        let has_more = if backward { !rows.is_empty() } else { read_on };
        let has_previous = if backward { read_on } else { request.cursor.is_some() || request.offset() > 0 };
        Page {
            total: if rows.is_empty() { 0 } else { request.offset() + rows.len() as u64 },
            total_is_exact: !has_more && !has_previous,
            has_more,
            next: rows.last().filter(|_| has_more).map(|row| cursor(row, false)),
            previous: rows.first().filter(|_| has_previous).map(|row| cursor(row, true)),
            items: rows,
        }
    }
}

impl<T> Page<T> {
    /// The same with its total; `all` selects every item of the list.
    pub(crate) async fn counted<E: EntityTrait>(
        mut self,
        db: &impl ConnectionTrait,
        total: Total,
        all: Select<E>,
    ) -> Result<Self> {
        let most = match total {
            Total::Known(known) => {
                (self.total, self.total_is_exact) = (Ord::max(self.total, known), true);
                return Ok(self);
            }
            Total::Counted => MAX_COUNTED,
            Total::Found => MAX_FOUND,
        };
        let counted = count_up_to(db, all, most + 1).await?;
        self.total_is_exact = counted <= most;
        self.total = Ord::max(self.total, Ord::min(counted, most));
        Ok(self)
    }
}

/// How many rows `select` selects; more than [`MAX_COUNTED`] means at least that many.
pub(crate) async fn count<E: EntityTrait>(db: &impl ConnectionTrait, select: Select<E>) -> Result<u64> {
    count_up_to(db, select, MAX_COUNTED + 1).await
}

/// How many rows `select` selects, counted up to `most`.
pub(crate) async fn count_up_to<E: EntityTrait>(
    db: &impl ConnectionTrait,
    select: Select<E>,
    most: u64,
) -> Result<u64> {
    let mut rows = select.select_only().expr(Expr::val(1)).into_query();
    rows.clear_order_by().reset_offset().limit(most);
    let count =
        Query::select().expr_as(Expr::cust("COUNT(*)"), "count").from_subquery(rows, "counted").to_owned();
    let row = db.query_one(&count).await?;
    let count: i64 = row.map(|row| row.try_get("", "count")).transpose()?.unwrap_or_default();
    Ok(count.unsigned_abs())
}

/// Runs `select` (already filtered) for one page in `order`. `place` has the values of the order's terms at the cursor.
pub(crate) async fn fetch_ordered<E>(
    db: &impl ConnectionTrait,
    select: Select<E>,
    order: &ListOrder<E::Model>,
    place: Option<Vec<Value>>,
    request: PageRequest,
    total: Total,
) -> Result<Page<E::Model>>
where
    E: EntityTrait,
    E::Model: Sync,
{
    let mut ordered = select.clone();
    if let Some(values) = place {
        ordered = ordered.filter(order.beyond(request, &values));
    }
    for (term, direction) in order.directed(request) {
        ordered = ordered.order_by(term, direction);
    }
    let rows = ordered.limit(request.size + 1).offset(request.offset()).all(db).await?;
    order.page(rows, request).counted(db, total, select).await
}

/// Runs `select` (already filtered and ordered) for one page of a short list, which has no cursors.
pub(crate) async fn fetch<E>(
    db: &impl ConnectionTrait,
    select: Select<E>,
    request: PageRequest,
) -> Result<Page<E::Model>>
where
    E: EntityTrait,
    E::Model: Sync,
{
    let request = request.at(None);
    let rows = select.clone().limit(request.size + 1).offset(request.offset()).all(db).await?;
    let order = ListOrder { terms: Vec::new(), place: |_| (0, Uuid::nil()) };
    let page = order.page(rows, request).counted(db, Total::Counted, select).await?;
    Ok(Page { next: None, previous: None, ..page })
}

impl Cursor {
    /// After the row with this number and this id.
    pub(crate) fn forward(key: i64, id: Uuid) -> Self {
        Self { key, id, backward: false }
    }

    /// The number in it.
    pub(crate) fn key(self) -> i64 {
        self.key
    }

    /// The id of its row.
    pub(crate) fn id(self) -> Uuid {
        self.id
    }

    /// Its row does not exist.
    pub(crate) fn unknown(self) -> Error {
        Error::not_found("cursor", self)
    }
}
