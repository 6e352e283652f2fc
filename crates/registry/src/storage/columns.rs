//! How values are kept in columns: moments as milliseconds, words as text, JSON as text.

use crate::{Error, Result};
use chrono::DateTime;
use registry_core::clock::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Func, IntoColumnRef, LikeExpr, SimpleExpr};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// A moment as it is stored.
pub(crate) fn millis(moment: Timestamp) -> i64 {
    moment.timestamp_millis()
}

/// A stored moment; columns hold only what [`millis`] gave, so the fallback is never met.
pub(crate) fn moment(millis: i64) -> Timestamp {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}

/// A stored word as its enum.
pub(crate) fn word<T>(
    parse: impl Fn(&str) -> Option<T>,
    text: &str,
    table: &'static str,
    column: &'static str,
    row: Uuid,
) -> Result<T> {
    parse(text).ok_or_else(|| Error::corrupt(table, column, row))
}

/// Stored JSON as its type.
pub(crate) fn json<T: DeserializeOwned>(
    text: &str,
    table: &'static str,
    column: &'static str,
    row: Uuid,
) -> Result<T> {
    serde_json::from_str(text).map_err(|_| Error::corrupt(table, column, row))
}

/// The longest text that is searched for, in characters: longer than any name, slug or `client_id` that somebody types.
/// What follows is not looked at; the API refuses it.
pub(crate) const MAX_SEARCH: usize = 300;

/// `column` contains `text`, ignoring case, with no wildcard in `text`.
pub(crate) fn contains(column: impl IntoColumnRef, text: &str) -> SimpleExpr {
    let text: String = text.chars().take(MAX_SEARCH).collect();
    let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    Expr::expr(Func::lower(Expr::col(column))).like(LikeExpr::new(format!("%{escaped}%")).escape('\\'))
}

/// Bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
