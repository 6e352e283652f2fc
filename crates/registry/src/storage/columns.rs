//! How columns store values: timestamps as epoch milliseconds, enums as words, JSON as text.

use crate::{Error, Result};
use chrono::DateTime;
use registry_core::clock::Timestamp;
use registry_core::permission::Role;
use registry_core::preflight::Approach;
use registry_core::registration::{
    AttemptOutcome, AttemptStep, AuthType, ClientStatus, RegistrationMethod, Request, State, Transport,
    Verification,
};
use registry_core::rollout::{RolloutKind, RolloutState};
use sea_orm::ActiveValue;
use sea_orm::sea_query::{Expr, ExprTrait, Func, IntoColumnRef, LikeExpr, SimpleExpr};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// "Look at it again when something happens": later than every clock.
pub(crate) const NEVER: i64 = i64::MAX;

/// A timestamp as it is stored: epoch milliseconds.
pub(crate) fn millis(moment: Timestamp) -> i64 {
    moment.timestamp_millis()
}

/// A stored timestamp; columns hold only values of [`millis`], so the fallback is never used.
pub(crate) fn moment(millis: i64) -> Timestamp {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}

/// A stored word as its enum; [`Error::corrupt`] for an unknown one.
pub(crate) fn word<T>(
    parse: impl Fn(&str) -> Option<T>,
    text: &str,
    table: &'static str,
    column: &'static str,
    row: Uuid,
) -> Result<T> {
    parse(text).ok_or_else(|| Error::corrupt(table, column, row))
}

/// An enum that columns store as a word.
pub(crate) trait Word: Copy {
    /// The word.
    fn stored(self) -> &'static str;
}

macro_rules! words {
    ($($name:ident)*) => {$(
        impl Word for $name {
            fn stored(self) -> &'static str {
                self.as_str()
            }
        }
    )*};
}

words!(Approach AttemptOutcome AttemptStep AuthType ClientStatus RegistrationMethod Request Role RolloutKind RolloutState State Transport Verification);

/// Sets a column to the word of an enum.
pub(crate) fn set_word(word: impl Word) -> ActiveValue<String> {
    ActiveValue::Set(word.stored().to_owned())
}

/// Sets a nullable column to the word of an enum.
pub(crate) fn set_some_word(word: impl Word) -> ActiveValue<Option<String>> {
    ActiveValue::Set(Some(word.stored().to_owned()))
}

/// Stored JSON as its type; [`Error::corrupt`] where it does not fit.
pub(crate) fn json<T: DeserializeOwned>(
    text: &str,
    table: &'static str,
    column: &'static str,
    row: Uuid,
) -> Result<T> {
    serde_json::from_str(text).map_err(|_| Error::corrupt(table, column, row))
}

/// The longest search text, in characters: longer than any name, slug or `client_id`. The rest is ignored; the API
/// refuses it.
pub(crate) const MAX_SEARCH: usize = 300;

/// `column` contains `text`, ignoring case; wildcards in `text` are escaped.
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
