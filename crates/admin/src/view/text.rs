//! Values, timestamps and names for display.

use chrono::SecondsFormat;
use registry_core::clock::Timestamp;
use registry_core::metadata::FIELDS;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A relative time, with the exact timestamp as its title.
pub(crate) fn when(moment: &Timestamp, now: &Timestamp) -> String {
    let exact = exact(moment);
    let words = ago(moment, now);
    format!(r#"<time datetime="{exact}" title="{exact}">{words}</time>"#)
}

/// The members of an Advanced Configuration whose values are secrets, in lower case: the browser keeps none of them.
pub(crate) fn secret_members() -> String {
    let names = FIELDS.iter().filter(|field| field.secret).map(|field| field.name.to_lowercase());
    names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

/// A message as HTML: text between backticks becomes `code`.
pub(crate) fn words(sentence: &str) -> String {
    let parts: Vec<&str> = sentence.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // An unpaired backtick belongs to the quoted text.
        return escape(sentence);
    }
    parts.iter().enumerate().fold(String::new(), |mut html, (index, part)| {
        let part = escape(part);
        // Writing to a string cannot fail.
        let _ = if index % 2 == 1 { write!(html, "<code>{part}</code>") } else { write!(html, "{part}") };
        html
    })
}

/// Escapes text for HTML content and quoted attributes.
pub(super) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}

/// How a client ended, for display.
pub(crate) fn withdrawal(how: &str) -> &'static str {
    match how {
        "deleted" => "Deleted upstream",
        "unpublished" => "Not published any more",
        "entered" => "Entered by hand, not ours to delete",
        "shared" => "Its id serves another server",
        "forgotten" => "Gone upstream before",
        "sent" => "Deletion sent",
        "answer_lost" => "Deletion sent, answer lost",
        _ => "Could not be deleted, see the ledger of orphans",
    }
}

/// The display name of the member at a JSON Pointer: without the wrapper of client metadata.
pub(crate) fn member(pointer: &str) -> String {
    let path = pointer.strip_prefix("/configurations").unwrap_or(pointer);
    let path = path
        .strip_prefix("/oauth_client_metadata/")
        .or_else(|| path.strip_prefix("/oauth_metadata/"))
        .unwrap_or_else(|| path.trim_start_matches('/'));
    path.replace('/', ".").replace("~1", "/").replace("~0", "~")
}

/// The display name of the member that a named secret sets.
pub(crate) fn mapped_member(mapped: &registry::MappedSecret) -> &str {
    let target = &mapped.mapping.target_field;
    target.strip_prefix("configurations.").unwrap_or(target)
}

/// The text with its first letter in upper case.
pub(crate) fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + characters.as_str())
}

/// The initials of a name, two letters.
pub(crate) fn initials(name: &str) -> String {
    let letters: String = name.chars().filter(|character| character.is_alphanumeric()).take(2).collect();
    capital(&letters)
}

/// A JSON value for display: lists joined, strings without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// JSON with indentation.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// An object with indentation.
pub(crate) fn pretty_map(members: &serde_json::Map<String, Value>) -> String {
    serde_json::to_string_pretty(members).unwrap_or_default()
}

/// A timestamp in RFC 3339, for machines and for the title of a relative time.
pub(crate) fn exact(moment: &Timestamp) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The relative time from `now`, past or future.
pub(crate) fn ago(moment: &Timestamp, now: &Timestamp) -> String {
    let seconds = (*now - *moment).num_seconds();
    let (count, unit) = match seconds.unsigned_abs() {
        0..=4 => return if seconds < 0 { "in a moment" } else { "now" }.to_owned(),
        count @ 5..=59 => (count, "s"),
        count @ 60..=3_599 => (count / 60, "min"),
        count @ 3_600..=86_399 => (count / 3_600, "h"),
        count => (count / 86_400, if count < 172_800 { "day" } else { "days" }),
    };
    if seconds >= 0 { format!("{count} {unit} ago") } else { format!("in {count} {unit}") }
}

/// An id with its middle left out when it is long.
pub(crate) fn short(id: &str) -> String {
    let length = id.chars().count();
    if length <= 32 {
        return id.to_owned();
    }
    let start: String = id.chars().take(18).collect();
    let end: String = id.chars().skip(length - 10).collect();
    format!("{start}…{end}")
}

/// The same, shorter.
pub(crate) fn shortest(id: &str) -> String {
    let length = id.chars().count();
    if length <= 18 {
        return id.to_owned();
    }
    let start: String = id.chars().take(10).collect();
    let end: String = id.chars().skip(length - 5).collect();
    format!("{start}…{end}")
}

/// The range of rows on a page, such as "26–50"; rows are counted from 1.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
pub(crate) fn range(first: &u64, count: usize) -> String {
    let last = (first + count as u64).saturating_sub(1);
    if last > *first { format!("{first}–{last}") } else { first.to_string() }
}

/// The end of an id, because ids begin with a timestamp.
pub(crate) fn tail(id: &str) -> String {
    let length = id.chars().count();
    if length <= 9 {
        id.to_owned()
    } else {
        format!("…{}", id.chars().skip(length - 8).collect::<String>())
    }
}

/// The path of a URL; the whole text if it is not a URL.
pub(crate) fn path_of(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.path().to_owned())
}

/// A URL without its scheme, with its middle left out when it is long.
pub(crate) fn short_url(url: &str) -> String {
    let bare = url.split_once("://").map_or(url, |(_, rest)| rest);
    let length = bare.chars().count();
    if length <= 44 {
        return bare.to_owned();
    }
    let start: String = bare.chars().take(24).collect();
    let end: String = bare.chars().skip(length - 18).collect();
    format!("{start}…{end}")
}
